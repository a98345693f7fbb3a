"""Head scores of z by attribution, the way each library's own tutorial does it: [layer, head], summed over all positions,
divided by the mean clean - corrupted logit difference."""

from __future__ import annotations

import torch
from torch import Tensor

from common import BRIDGE, GPT2, Experiment, Request, Side, freeze, gpt2, needs


def head_scores(clean: Tensor, corrupted: Tensor, gradient: Tensor, heads: int) -> Tensor:
    """[layer, pair, position, d_model] each -> [layer, head]."""
    return ((clean - corrupted) * gradient).unflatten(-1, (heads, -1)).sum((1, 2, 4))


@needs("torch", "transformers", modules=(GPT2,))
def plain(request: Request) -> Side:
    """What one writes by hand: forward hooks on c_proj, no gradients of parameters."""
    model, experiment = gpt2(request.folder), Experiment(request.pairs)
    freeze(model)
    blocks = model.transformer.h

    def run(tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        seen: list[Tensor] = []
        hooks = [block.attn.c_proj.register_forward_pre_hook(lambda module, args: seen.append(args[0])) for block in blocks]
        logits = model(tokens, use_cache=False).logits
        for hook in hooks:
            hook.remove()
        return logits, seen

    def attribute() -> Tensor:
        with torch.no_grad():
            clean_logits, clean = run(experiment.clean)
        logits, corrupted = run(experiment.corrupted)
        difference = experiment.mean_difference(logits)
        gradients = torch.autograd.grad(difference, corrupted)
        scores = head_scores(torch.stack(clean), torch.stack(corrupted).detach(), torch.stack(gradients), model.config.n_head)
        return scores / (experiment.mean_difference(clean_logits) - difference.detach())

    return Side(attribute)


NNSIGHT = needs("torch", "transformers", "nnsight", modules=(GPT2, "nnsight"))
LENS = needs("torch", "transformers", "transformer-lens", modules=(GPT2, BRIDGE))


@NNSIGHT
def nnsight(request: Request, frozen: bool = False) -> Side:
    """One trace of the clean and the corrupted prompts, z.grad of every layer, parameters as they come (with gradients)."""
    from nnsight import NNsight

    model, experiment = gpt2(request.folder), Experiment(request.pairs)
    if frozen:
        freeze(model)
    wrapped = NNsight(model)
    layers, pairs = model.config.n_layer, len(experiment.clean)
    tokens = torch.cat([experiment.clean, experiment.corrupted])

    def attribute() -> Tensor:
        model.zero_grad(set_to_none=True)
        with wrapped.trace(input_ids=tokens):
            z = list().save()
            gradients = list().save()
            for layer in range(layers):
                z.append(wrapped.transformer.h[layer].attn.c_proj.input)
            logits = wrapped.lm_head.output.save()
            difference = experiment.mean_difference(logits[pairs:])
            with difference.backward():
                for layer in reversed(range(layers)):
                    gradients.append(z[layer].grad.save())
        values, slopes = torch.stack(z).detach(), torch.stack(gradients[::-1])
        change = experiment.mean_difference(logits[:pairs]) - experiment.mean_difference(logits[pairs:])
        return head_scores(values[:, :pairs], values[:, pairs:], slopes[:, pairs:], model.config.n_head) / change.detach()

    return Side(attribute)


@NNSIGHT
def nnsight_frozen(request: Request) -> Side:
    return nnsight(request, frozen=True)


@LENS
def lens(request: Request, frozen: bool = False) -> Side:
    """get_cache_fwd_and_bwd of the Attribution Patching Demo: every activation and gradient but the *_input hooks is cached, twice."""
    from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_from_module

    model, experiment = gpt2(request.folder), Experiment(request.pairs)
    if frozen:
        freeze(model)
    bridge = build_bridge_from_module(model, "GPT2LMHeadModel", hf_config=model.config)
    wanted = lambda name: "_input" not in name

    def cached(tokens: Tensor) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        bridge.reset_hooks()
        forward: dict[str, Tensor] = {}
        backward: dict[str, Tensor] = {}

        def keep(value: Tensor, hook):
            if isinstance(value, Tensor):
                forward[hook.name] = value.detach()

        def keep_gradient(gradient: Tensor, hook):
            if isinstance(gradient, Tensor):
                backward[hook.name] = gradient.detach()

        bridge.add_hook(wanted, keep, "fwd")
        bridge.add_hook(wanted, keep_gradient, "bwd")
        difference = experiment.mean_difference(bridge(tokens))
        difference.backward()
        bridge.reset_hooks()
        return difference.detach(), forward, backward

    def attribute() -> Tensor:
        bridge.zero_grad(set_to_none=True)
        clean_difference, clean, _ = cached(experiment.clean)
        difference, corrupted, gradients = cached(experiment.corrupted)
        stack = lambda cache: torch.stack([cache[block.attn.hook_z.name].flatten(2) for block in bridge.blocks])
        return head_scores(stack(clean), stack(corrupted), stack(gradients), model.config.n_head) / (clean_difference - difference)

    return Side(attribute)


@LENS
def lens_frozen(request: Request) -> Side:
    return lens(request, frozen=True)
