"""Exact activation patching by TransformerLens: the mean over pairs of M(patched) - M(corrupted), clean patched in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from common import BRIDGE, GPT2, HOOKED, Experiment, Request, Side, gpt2, needs


def bridge(request: Request):
    """TransformerLens 3 and later: hooks around the model of transformers."""
    from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_from_module

    model = gpt2(request.folder)
    return build_bridge_from_module(model, "GPT2LMHeadModel", hf_config=model.config)


def hooked(request: Request):
    """TransformerLens before 3: its own implementation of the model."""
    from hooked import hooked_transformer

    return hooked_transformer(request.folder)


def sweep(request: Request, of: str, make: Callable, mode: Callable) -> Side:
    from transformer_lens import patching

    model, experiment = make(request), Experiment(request.pairs)
    run = getattr(patching, of)

    def effects() -> Tensor:
        with mode():
            base = experiment.mean_difference(model(experiment.corrupted))
            _, cache = model.run_with_cache(experiment.clean)
            return (run(model, experiment.corrupted, cache, experiment.mean_difference) - base).detach()

    def warm() -> None:
        with mode():
            model.run_with_cache(experiment.clean)
            for _ in range(2):
                model.run_with_hooks(experiment.corrupted, fwd_hooks=[("blocks.0.hook_resid_pre", lambda value, hook: value.clone())])

    return Side(effects, warm)


HEADS, BLOCKS = "get_act_patch_attn_head_out_all_pos", "get_act_patch_block_every"

LENS = ("torch", "transformers", "transformer-lens")
of_bridge = needs(*LENS, modules=(GPT2, BRIDGE, "transformer_lens.patching"))
of_hooked = needs(*LENS, modules=(HOOKED, "transformer_lens.patching"))

heads = of_bridge(partial(sweep, of=HEADS, make=bridge, mode=torch.enable_grad))
heads_inference = of_bridge(partial(sweep, of=HEADS, make=bridge, mode=torch.inference_mode))
heads_hooked = of_hooked(partial(sweep, of=HEADS, make=hooked, mode=torch.inference_mode))
blocks = of_bridge(partial(sweep, of=BLOCKS, make=bridge, mode=torch.enable_grad))
blocks_inference = of_bridge(partial(sweep, of=BLOCKS, make=bridge, mode=torch.inference_mode))
blocks_hooked = of_hooked(partial(sweep, of=BLOCKS, make=hooked, mode=torch.inference_mode))
