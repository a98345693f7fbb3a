"""The bench's experiment in PyTorch, the way each library's own tutorial does it: head scores of z on the same checkpoint.

Reads {"folder", "pairs": [{"clean", "corrupted", "correct", "incorrect"}], "threads", "repeats"} as JSON on standard input,
prints {"versions", "peers": [{"name", "seconds": [...], "heads": [[...]]} or {"name", "error"}]}. All in float32 on the CPU.
Heads are [layer][head], summed over all positions, divided by the mean clean - corrupted logit difference.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
import transformers
from torch import Tensor
from transformers import GPT2LMHeadModel


@dataclass
class Experiment:
    clean: Tensor
    corrupted: Tensor
    correct: Tensor
    incorrect: Tensor

    def mean_difference(self, logits: Tensor) -> Tensor:
        last = logits[:, -1]
        return (last.gather(1, self.correct[:, None]) - last.gather(1, self.incorrect[:, None])).mean()


def head_scores(clean: Tensor, corrupted: Tensor, gradient: Tensor, heads: int) -> Tensor:
    """[layer, pair, position, d_model] each -> [layer, head]."""
    return ((clean - corrupted) * gradient).unflatten(-1, (heads, -1)).sum((1, 2, 4))


def plain_hooks(model: GPT2LMHeadModel, experiment: Experiment) -> Callable[[], Tensor]:
    """What one writes by hand: forward hooks on c_proj, no gradients of parameters."""
    model.requires_grad_(False)
    # Without parameters in the graph, it starts at the embedding.
    model.transformer.drop.register_forward_hook(lambda module, args, output: output.requires_grad_(torch.is_grad_enabled()))
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

    return attribute


def nnsight_tutorial(model: GPT2LMHeadModel, experiment: Experiment) -> Callable[[], Tensor]:
    """One trace of the clean and the corrupted prompts, z.grad of every layer, parameters as they come (with gradients)."""
    from nnsight import NNsight

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

    return attribute


def transformer_lens_demo(model: GPT2LMHeadModel, experiment: Experiment) -> Callable[[], Tensor]:
    """get_cache_fwd_and_bwd of the Attribution Patching Demo: every activation and gradient but the *_input hooks is cached, twice."""
    from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_from_module

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

    return attribute


PEERS = {
    "PyTorch, plain hooks": (plain_hooks, ("torch", "transformers")),
    "nnsight, as in its tutorial": (nnsight_tutorial, ("nnsight",)),
    "TransformerLens, as in its demo": (transformer_lens_demo, ("transformer-lens",)),
}


def timed(attribute: Callable[[], Tensor], repeats: int) -> tuple[list[float], Tensor]:
    heads = attribute()  # not counted: allocations, first use of each kernel
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        heads = attribute()
        seconds.append(time.perf_counter() - start)
    return seconds, heads


def main() -> None:
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    transformers.logging.disable_progress_bar()
    os.environ["HF_HUB_OFFLINE"] = "1"
    request = json.load(sys.stdin)
    torch.set_num_threads(request["threads"])
    column = lambda name: torch.tensor([pair[name] for pair in request["pairs"]])
    experiment = Experiment(column("clean"), column("corrupted"), column("correct")[:, 0], column("incorrect")[:, 0])
    versions: dict[str, str] = {"python": sys.version.split()[0]}
    peers = []
    for name, (prepare, packages) in PEERS.items():
        try:
            versions |= {package: importlib.metadata.version(package) for package in packages}
            model = GPT2LMHeadModel.from_pretrained(request["folder"], attn_implementation="eager", dtype=torch.float32).eval()
            seconds, heads = timed(prepare(model, experiment), request["repeats"])
            peers.append({"name": name, "seconds": seconds, "heads": heads.tolist()})
        except Exception as error:  # an absent or changed peer is reported; the others still run
            peers.append({"name": name, "error": f"{type(error).__name__}: {error}"})
    json.dump({"versions": versions, "peers": peers}, sys.stdout)


if __name__ == "__main__":
    main()
