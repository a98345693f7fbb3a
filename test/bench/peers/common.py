"""What every measured side in Python shares: the request, the experiment as tensors, the clock."""

from __future__ import annotations

import importlib
import importlib.metadata
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Request:
    """What bench.ts asks for. `scores` is our edge matrix [sender, receiver] where circuits are to be run."""

    peer: str
    folder: str
    pairs: list[dict]
    threads: int
    repeats: int
    limitSeconds: float
    scores: list[float] = field(default_factory=list)
    budgets: list[int] = field(default_factory=list)


@dataclass
class Side:
    """A peer made ready. `compute` gives the values that are compared with ours; `warm` stands in for the run that is not counted where one is long."""

    compute: Callable[[], Tensor]
    warm: Callable[[], object] | None = None


def needs(*packages: str, modules: tuple[str, ...] = ()) -> Callable:
    """Names the packages of a peer and the modules that it imports: imported before the clock runs, so that loading is that of the model."""

    def mark(prepare: Callable[[Request], Side]) -> Callable[[Request], Side]:
        prepare.packages, prepare.modules = packages, modules
        return prepare

    return mark


# What transformers imports only when it is asked for.
GPT2 = "transformers.models.gpt2.modeling_gpt2"
BRIDGE = "transformer_lens.model_bridge.sources._bridge_builder"
HOOKED = "hooked"


class Experiment:
    def __init__(self, pairs: list[dict]):
        column = lambda name: torch.tensor([pair[name] for pair in pairs])
        self.clean, self.corrupted = column("clean"), column("corrupted")
        self.correct, self.incorrect = column("correct")[:, 0], column("incorrect")[:, 0]

    def mean_difference(self, logits: Tensor) -> Tensor:
        """Mean over pairs of logit(correct) - logit(incorrect); logits [pair, position, vocabulary] or [pair, vocabulary] at the last position."""
        last = logits[:, -1] if logits.ndim == 3 else logits
        return (last.gather(1, self.correct[:, None]) - last.gather(1, self.incorrect[:, None])).mean()


def gpt2(folder: str):
    """The checkpoint as transformers reads it, in float32, with parameters as they come."""
    from transformers import GPT2LMHeadModel

    return GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()


def freeze(model) -> None:
    """No gradients of parameters. Without them in the graph, it starts at the embedding."""
    model.requires_grad_(False)
    model.transformer.drop.register_forward_hook(lambda module, args, output: output.requires_grad_(torch.is_grad_enabled()))


def measured(prepare: Callable[[Request], Side], request: Request) -> dict:
    """Loads, runs once uncounted, then repeats until `repeats` or `limitSeconds` is reached, at least once."""
    for module in prepare.modules:
        importlib.import_module(module)
    start = time.perf_counter()
    side = prepare(request)
    loaded = time.perf_counter()
    values = None if side.warm else side.compute()
    if side.warm:
        side.warm()
    first = time.perf_counter() - loaded
    seconds: list[float] = []
    while len(seconds) < request.repeats and (not seconds or sum(seconds) + seconds[-1] < request.limitSeconds):
        begin = time.perf_counter()
        values = side.compute()
        seconds.append(time.perf_counter() - begin)
    return {
        "load": loaded - start,
        "first": first,
        "isWhole": side.warm is None,
        "seconds": seconds,
        "values": values.flatten().tolist(),
        "peakMegabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "versions": {package: importlib.metadata.version(package) for package in prepare.packages},
    }
