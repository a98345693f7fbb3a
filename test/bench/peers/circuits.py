"""A circuit curve by auto-circuit: [budget], the mean over pairs of M with all edges outside the budget's best ablated (corrupted)."""

from __future__ import annotations

import torch
from torch import Tensor

from common import HOOKED, Experiment, Request, Side, needs


@needs("torch", "auto-circuit", "transformer-lens", modules=(HOOKED, "auto_circuit.prune"))
def auto_circuit(request: Request) -> Side:
    from auto_circuit.prune import run_circuits
    from auto_circuit.types import AblationType, PatchType

    from hooked import Matrix, loader, patchable

    model, experiment = patchable(request.folder), Experiment(request.pairs)
    batches, matrix = loader(request.pairs), Matrix(model)
    scores = matrix.theirs(model, torch.tensor(request.scores).reshape(matrix.shape))
    options = {"patch_type": PatchType.TREE_PATCH, "ablation_type": AblationType.RESAMPLE}

    def curve(budgets: list[int]) -> Tensor:
        outputs = run_circuits(model, batches, budgets, scores, **options)
        if sorted(outputs) != sorted(budgets):
            raise ValueError(f"budgets {budgets} became {sorted(outputs)}: scores are tied")
        return torch.stack([experiment.mean_difference(next(iter(outputs[budget].values()))) for budget in budgets])

    return Side(lambda: curve(request.budgets))
