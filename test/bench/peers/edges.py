"""Edge attribution: [sender, receiver], the mean over pairs of our edge scores, 0 where there is no edge."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm

from common import HOOKED, Experiment, Request, Side, needs


@needs("torch", "auto-circuit", "transformer-lens", modules=(HOOKED, "auto_circuit.prune_algos.mask_gradient"))
def auto_circuit(request: Request) -> Side:
    """EAP as the gradient of auto-circuit's masks at 0: clean runs, corrupted ablations, parameters frozen."""
    from auto_circuit.prune_algos.mask_gradient import mask_gradient_prune_scores

    from hooked import Matrix, loader, patchable

    model = patchable(request.folder)
    batches, matrix = loader(request.pairs), Matrix(model)

    def scores() -> dict:
        for wrapper in model.dest_wrappers:
            wrapper.patch_mask.grad = None
        return mask_gradient_prune_scores(model, batches, None, grad_function="logit", answer_function="avg_diff", mask_val=0.0)

    class Scores(dict):
        def flatten(self) -> Tensor:
            # Bringing them into our order is no part of what is timed.
            return matrix.ours(self).flatten()

    return Side(lambda: Scores(scores()))


class SplitGpt2:
    """GPT-2 whose heads' queries, keys and values each have an input of their own, as `use_split_qkv_input` of TransformerLens makes it."""

    def __init__(self, folder: str):
        from safetensors.torch import load_file

        config = json.loads((Path(folder) / "config.json").read_text())
        self.w = load_file(Path(folder) / "model.safetensors")
        self.layers, self.heads, self.d, self.epsilon = (config[name] for name in ("n_layer", "n_head", "n_embd", "layer_norm_epsilon"))

    def norm(self, x: Tensor, name: str) -> Tensor:
        return layer_norm(x, (self.d,), self.w[f"{name}.weight"], self.w[f"{name}.bias"], self.epsilon)

    def embed(self, tokens: Tensor) -> Tensor:
        return self.w["wte.weight"][tokens] + self.w["wpe.weight"][: tokens.shape[1]]

    def run(self, x: Tensor, is_split: bool) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Logits at the last position [pair, vocabulary], outputs of senders and inputs of receivers, each [pair, position, node, d_model] by layer and kind."""
        w, d, heads = self.w, self.d, self.heads
        length = x.shape[1]
        future = torch.ones(length, length, dtype=torch.bool).triu(1)
        outputs, inputs = [x[:, :, None]], []
        for layer in range(self.layers):
            name = f"h.{layer}."
            weight, bias = w[name + "attn.c_attn.weight"], w[name + "attn.c_attn.bias"]
            if is_split:
                copies = x[:, :, None].repeat(1, 1, 3 * heads, 1)
                inputs.append(copies)
                normed = self.norm(copies, name + "ln_1").unflatten(2, (3, heads))
                q, k, v = torch.einsum("bpthd,dthe->tbhpe", normed, weight.unflatten(1, (3, heads, -1))) + bias.reshape(3, 1, heads, 1, -1)
            else:
                q, k, v = (self.norm(x, name + "ln_1") @ weight + bias).unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
            scores = (q @ k.transpose(-1, -2) / (d // heads) ** 0.5).masked_fill(future, float("-inf"))
            z = scores.softmax(-1) @ v
            result = torch.einsum("bhpe,hed->bphd", z, w[name + "attn.c_proj.weight"].unflatten(0, (heads, -1)))
            outputs.append(result)
            x = x + result.sum(2) + w[name + "attn.c_proj.bias"]
            inputs.append(x[:, :, None])
            # A view of its own, so that its gradient is that of the MLP alone and not of the stream that passes by.
            inner = gelu(self.norm(inputs[-1], name + "ln_2") @ w[name + "mlp.c_fc.weight"] + w[name + "mlp.c_fc.bias"], approximate="tanh")
            out = inner @ w[name + "mlp.c_proj.weight"] + w[name + "mlp.c_proj.bias"]
            outputs.append(out)
            x = x + out[:, :, 0]
        inputs.append(x[:, :, None])
        return self.norm(inputs[-1][:, -1, 0], "ln_f") @ w["wte.weight"].T, outputs, inputs


def torch_edges(request: Request, steps: int, each_step: bool) -> Side:
    """
    After EAP-IG's code: outputs of all senders in a buffer of differences, gradients at every receiver's own input, one product of
    the two per receiver group. steps = 0: EAP at the clean run. Otherwise EAP-IG (inputs): gradients at
    corrupted + (k/steps)(clean - corrupted), k = 0 ... steps - 1, contracted at each step as in that code, or summed first.
    """
    model, experiment = SplitGpt2(request.folder), Experiment(request.pairs)
    counts = [1] + [count for _ in range(model.layers) for count in (model.heads, 1)]

    def contract(difference: Tensor, gradients: list[Tensor], total: Tensor) -> None:
        column = 0
        for index, gradient in enumerate(gradients):
            width = gradient.shape[2]
            reach = sum(counts[: 1 + index])
            part = torch.einsum("bpsd,bprd->sr", difference[:, :, :reach], gradient)
            total[:reach, column : column + width] += part
            column += width

    def scores() -> Tensor:
        with torch.no_grad():
            clean, corrupted = model.embed(experiment.clean), model.embed(experiment.corrupted)
            other = torch.cat(model.run(corrupted, False)[1], 2)
            difference = torch.cat(model.run(clean, False)[1], 2) - other
        total = torch.zeros(sum(counts), model.layers * (3 * model.heads + 1) + 1)
        sums: list[Tensor] | None = None
        points = [clean] if steps == 0 else [corrupted + (k / steps) * (clean - corrupted) for k in range(steps)]
        for point in points:
            logits, _, inputs = model.run(point.clone().requires_grad_(), True)
            gradients = torch.autograd.grad(experiment.mean_difference(logits), inputs)
            if each_step:
                contract(difference, list(gradients), total)
            else:
                sums = list(gradients) if sums is None else [a + b for a, b in zip(sums, gradients)]
        if sums is not None:
            contract(difference, sums, total)
        return total / len(points)

    return Side(scores)


@needs("torch", modules=("safetensors.torch",))
def torch_eap(request: Request) -> Side:
    return torch_edges(request, 0, True)


@needs("torch", modules=("safetensors.torch",))
def torch_eap_ig(request: Request) -> Side:
    return torch_edges(request, 5, True)


@needs("torch", modules=("safetensors.torch",))
def torch_eap_ig_summed(request: Request) -> Side:
    return torch_edges(request, 5, False)
