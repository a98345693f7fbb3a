"""A checkpoint as the HookedTransformer of transformer_lens 2 with its raw weights: nothing folded, no BOS. And as auto-circuit wraps it."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformer_lens import HookedTransformer, HookedTransformerConfig


def hooked_transformer(folder: str, **options) -> HookedTransformer:
    config = json.loads((Path(folder) / "config.json").read_text())
    w = load_file(Path(folder) / "model.safetensors")
    layers, d, heads = config["n_layer"], config["n_embd"], config["n_head"]
    cfg = HookedTransformerConfig(
        n_layers=layers, d_model=d, n_ctx=config["n_positions"], d_head=d // heads, n_heads=heads, d_mlp=config["n_inner"],
        d_vocab=config["vocab_size"], act_fn="gelu_new", normalization_type="LN", eps=config["layer_norm_epsilon"],
        default_prepend_bos=False, device="cpu", **options,
    )  # fmt: skip
    out = HookedTransformer(cfg)
    state = {"embed.W_E": w["wte.weight"], "pos_embed.W_pos": w["wpe.weight"], "unembed.W_U": w["wte.weight"].T.contiguous()}
    state |= {"unembed.b_U": torch.zeros(config["vocab_size"]), "ln_final.w": w["ln_f.weight"], "ln_final.b": w["ln_f.bias"]}
    for layer in range(layers):
        p, q = f"h.{layer}.", f"blocks.{layer}."
        for name, weight, bias in zip("QKV", w[p + "attn.c_attn.weight"].split(d, -1), w[p + "attn.c_attn.bias"].split(d)):
            state[f"{q}attn.W_{name}"] = weight.reshape(d, heads, -1).permute(1, 0, 2).contiguous()
            state[f"{q}attn.b_{name}"] = bias.reshape(heads, -1)
        state[f"{q}attn.W_O"] = w[p + "attn.c_proj.weight"].reshape(heads, -1, d)
        state[f"{q}attn.b_O"] = w[p + "attn.c_proj.bias"]
        for ours, theirs in (("c_fc", "in"), ("c_proj", "out")):
            state |= {f"{q}mlp.W_{theirs}": w[f"{p}mlp.{ours}.weight"], f"{q}mlp.b_{theirs}": w[f"{p}mlp.{ours}.bias"]}
        for i in (1, 2):
            state |= {f"{q}ln{i}.w": w[f"{p}ln_{i}.weight"], f"{q}ln{i}.b": w[f"{p}ln_{i}.bias"]}
    missing = [key for key in out.state_dict() if key not in state and not key.endswith(("mask", "IGNORE"))]
    if missing:
        raise ValueError(f"weights not given: {missing}")
    out.load_state_dict(state, strict=False)
    return out.eval()


def patchable(folder: str):
    """For auto-circuit: queries, keys and values apart, the logits of the last position."""
    from auto_circuit.utils.graph_utils import patchable_model

    model = hooked_transformer(folder, use_attn_result=True, use_split_qkv_input=True, use_hook_mlp_in=True)
    model.requires_grad_(False)
    return patchable_model(model, factorized=True, slice_output="last_seq", separate_qkv=True)


def loader(pairs: list[dict]):
    """All pairs in one batch, which is auto-circuit's quickest."""
    from auto_circuit.data import PromptDataLoader, PromptDataset

    column = lambda key: [torch.tensor(pair[key]) for pair in pairs]
    data = PromptDataset(column("clean"), column("corrupted"), column("correct"), column("incorrect"))
    return PromptDataLoader(data, seq_len=len(pairs[0]["clean"]), diverge_idx=0, batch_size=len(pairs), shuffle=False)


class Matrix:
    """Where auto-circuit's scores stand in our matrix [sender, receiver]: names "Resid Start", "A{l}.{h}" (".Q", ".K", ".V" as receivers), "MLP {l}", "Resid End"."""

    def __init__(self, model):
        cfg = model.cfg
        parts = lambda layer, ports: [f"A{layer}.{head}{port}" for port in ports for head in range(cfg.n_heads)] + [f"MLP {layer}"]
        senders = ["Resid Start", *(name for layer in range(cfg.n_layers) for name in parts(layer, [""]))]
        receivers = [*(name for layer in range(cfg.n_layers) for name in parts(layer, [".Q", ".K", ".V"])), "Resid End"]
        row, column = ({name: i for i, name in enumerate(names)} for names in (senders, receivers))
        self.shape = (len(senders), len(receivers))
        self.cells = [(row[edge.src.name], column[edge.dest.name], edge.dest.module_name, edge.patch_idx) for edge in model.edges]

    def ours(self, scores: dict) -> torch.Tensor:
        out = torch.zeros(self.shape)
        for sender, receiver, module, at in self.cells:
            out[sender, receiver] = scores[module][at]
        return out

    def theirs(self, model, matrix: torch.Tensor) -> dict:
        out = {wrapper.module_name: torch.zeros_like(wrapper.patch_mask) for wrapper in model.dest_wrappers}
        for sender, receiver, module, at in self.cells:
            out[module][at] = matrix[sender, receiver]
        return out
