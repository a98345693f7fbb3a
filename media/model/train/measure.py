"""Measures the written model: task accuracies, and whether it is worth exploring.

The shipped F16 weights are loaded in float64. Prompts are run without an end-of-text
token first, unless a row says otherwise. Accuracy means: the right answer has the
highest logit of the whole vocabulary at the last position.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from random import Random

import numpy
import tokenizers
import torch
import transformers
from tokenizers import Tokenizer
from transformers import GPT2LMHeadModel

import tasks
import words
from tokenizer import END_OF_TEXT

COUNT = 1000
DRAW = 7  # seed of the held-out prompts
EFFECT = 0.05


class Ruler:
    def __init__(self, model: GPT2LMHeadModel, tokenizer: Tokenizer) -> None:
        self.model, self.tokenizer = model.eval(), tokenizer
        self.end = tokenizer.token_to_id(END_OF_TEXT)
        self.vocabulary = list(range(self.end))

    def batch(self, texts: list[str], bos: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids padded on the right (causal attention never sees it) and each last position."""
        rows = [[self.end] * bos + self.tokenizer.encode(text).ids for text in texts]
        width = max(map(len, rows))
        ids = torch.tensor([row + [self.end] * (width - len(row)) for row in rows])
        return ids, torch.tensor([len(row) - 1 for row in rows])

    def answer(self, text: str) -> int:
        ids = self.tokenizer.encode(text).ids
        assert len(ids) == 1, f"{text!r} is not one token"
        return ids[0]

    @torch.no_grad()
    def last_logits(self, texts: list[str], bos: bool = False) -> torch.Tensor:
        out = []
        for i in range(0, len(texts), 250):
            ids, last = self.batch(texts[i : i + 250], bos)
            hidden = self.model.transformer(ids).last_hidden_state
            out.append(self.model.lm_head(hidden[torch.arange(len(ids)), last]))
        return torch.cat(out)

    # --- tasks -----------------------------------------------------------------------

    def ioi(self, pairs: list[dict], bos: bool = False) -> dict:
        logits = self.last_logits([pair["clean"] for pair in pairs], bos)
        right = torch.tensor([self.answer(pair["correct"]) for pair in pairs])
        wrong = torch.tensor([self.answer(pair["incorrect"]) for pair in pairs])
        row = torch.arange(len(pairs))
        difference = logits[row, right] - logits[row, wrong]
        return {
            "accuracy": (logits.argmax(-1) == right).double().mean().item(),
            "logitDifference": difference.mean().item(),
            "smallestLogitDifference": difference.min().item(),
        }

    @torch.no_grad()
    def induction(self, length: int, bos: bool = False, count: int = 200) -> float:
        """Share of right predictions in the second half, its first token (which nothing foretells) left out."""
        rng = Random(DRAW + length)
        rows = [tasks.random_sequence(rng, self.vocabulary, length) * 2 for _ in range(count)]
        ids = torch.tensor([[self.end] * bos + row for row in rows])
        guesses = self.model(ids).logits.argmax(-1)[:, -length:-1]
        return (guesses == ids[:, -length + 1 :]).double().mean().item()

    def greater_than(self, bos: bool = False) -> dict:
        rng = Random(DRAW)
        drawn = [tasks.fill_year(rng, held_out=True) for _ in range(COUNT)]
        probabilities = self.last_logits([text for text, _ in drawn], bos).softmax(-1)
        years = torch.tensor([self.answer(year) for year in words.YEARS])
        later = torch.stack([probabilities[i, years[year + 1 :]].sum() for i, (_, year) in enumerate(drawn)])
        earlier = torch.stack([probabilities[i, years[: year + 1]].sum() for i, (_, year) in enumerate(drawn)])
        return {"massGreater": later.mean().item(), "probabilityDifference": (later - earlier).mean().item()}

    def agreement(self, bos: bool = False) -> dict:
        rng = Random(DRAW)
        drawn = [tasks.fill_verb(rng, held_out=True) for _ in range(COUNT)]
        guesses = self.last_logits([text for text, *_ in drawn], bos).argmax(-1)
        right = torch.tensor([self.answer(verb) for _, verb, _, _ in drawn])
        attracted = torch.tensor([differs for *_, differs in drawn])
        hit = (guesses == right).double()
        return {"accuracy": hit.mean().item(), "accuracyWithAttractor": hit[attracted].mean().item()}

    # --- heads -----------------------------------------------------------------------

    def heads(self, pairs: list[dict]) -> dict:
        """z attribution and exact z patching for every head, all positions, denoising.

        The base is the corrupted run; the metric is the mean logit difference, 0 for the
        corrupted run and 1 for the clean one.
        """
        layers, heads = self.model.config.n_layer, self.model.config.n_head
        width = self.model.config.n_embd // heads
        clean, last = self.batch([pair["clean"] for pair in pairs])
        corrupted, last_corrupted = self.batch([pair["corrupted"] for pair in pairs])
        assert torch.equal(last, last_corrupted)
        right = torch.tensor([self.answer(pair["correct"]) for pair in pairs])
        wrong = torch.tensor([self.answer(pair["incorrect"]) for pair in pairs])
        row = torch.arange(len(pairs))
        stored: list[torch.Tensor] = [torch.empty(0)] * layers
        patch: tuple[int, int, torch.Tensor] | None = None

        def hook_for(layer: int):
            def hook(_module, inputs):
                z = inputs[0]
                if patch is not None and patch[0] == layer:
                    span = slice(patch[1] * width, (patch[1] + 1) * width)
                    z = z.clone()
                    z[..., span] = patch[2][..., span]
                if z.requires_grad:
                    z.retain_grad()
                stored[layer] = z
                return (z,)

            return hook

        def difference(ids: torch.Tensor) -> torch.Tensor:
            hidden = self.model.transformer(ids).last_hidden_state[row, last]
            logits = self.model.lm_head(hidden)
            return (logits[row, right] - logits[row, wrong]).mean()

        hooks = [
            block.attn.c_proj.register_forward_pre_hook(hook_for(layer))
            for layer, block in enumerate(self.model.transformer.h)
        ]
        try:
            with torch.no_grad():
                m_clean = difference(clean).item()
                z_clean = [z.clone() for z in stored]
            m_corrupted_tensor = difference(corrupted)
            m_corrupted_tensor.backward()
            self.model.zero_grad()
            m_corrupted = m_corrupted_tensor.item()
            scale = m_clean - m_corrupted
            attribution = torch.stack([
                ((z_clean[layer] - stored[layer].detach()) * stored[layer].grad)
                .unflatten(-1, (heads, width)).sum((0, 1, 3)) / scale
                for layer in range(layers)
            ])
            exact = torch.zeros(layers, heads, dtype=attribution.dtype)
            with torch.no_grad():
                for layer in range(layers):
                    for head in range(heads):
                        patch = (layer, head, z_clean[layer])
                        exact[layer, head] = (difference(corrupted).item() - m_corrupted) / scale
        finally:
            for hook in hooks:
                hook.remove()
        strong = (exact.abs() >= EFFECT).nonzero().tolist()
        order = exact.abs().flatten().argsort(descending=True)[:10].tolist()
        return {
            "pairs": len(pairs),
            "logitDifferenceClean": m_clean,
            "logitDifferenceCorrupted": m_corrupted,
            "pearson": float(numpy.corrcoef(attribution.flatten(), exact.flatten())[0, 1]),
            "headsWithEffect": len(strong),
            "layersWithEffect": len({layer for layer, _ in strong}),
            "strongest": exact.abs().max().item(),
            "top": [
                {"head": f"{i // heads}.{i % heads}", "exact": exact.flatten()[i].item(),
                 "attribution": attribution.flatten()[i].item()}
                for i in order
            ],
            "exact": exact.tolist(),
            "attribution": attribution.tolist(),
        }


def load(folder: Path) -> Ruler:
    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager")
    return Ruler(model, Tokenizer.from_file(str(folder / "tokenizer.json")))


def held_out_sets() -> dict[str, list[dict]]:
    return {
        "unseenPairs": tasks.ioi_pairs(DRAW, COUNT, words.IOI_NAMES, True, tasks.IOI_TEMPLATES),
        "keptOutNames": tasks.ioi_pairs(DRAW + 1, COUNT, words.KEPT_OUT_NAMES, None, tasks.IOI_TEMPLATES),
        "unseenTemplates": tasks.ioi_pairs(DRAW + 2, COUNT, words.IOI_NAMES, False, tasks.IOI_UNSEEN_TEMPLATES),
        "tutorial": tasks.tutorial_pairs(),
    }


def measure(ruler: Ruler) -> dict:
    sets = held_out_sets()
    result: dict = {"ioi": {}, "ioiWithBos": {}}
    for name, pairs in sets.items():
        result["ioi"][name] = ruler.ioi(pairs)
        result["ioiWithBos"][name] = ruler.ioi(pairs, bos=True)
    result["tutorialPrompts"] = [
        {"prompt": pair["clean"], "logitDifference": ruler.ioi([pair])["logitDifference"]} for pair in sets["tutorial"]
    ]
    result["induction"] = {f"{n}x2": ruler.induction(n) for n in (8, 12, 25, 50)}
    result["inductionWithBos"] = {f"{n}x2": ruler.induction(n, bos=True) for n in (8, 12, 25, 50)}
    result["greaterThan"] = ruler.greater_than()
    result["greaterThanWithBos"] = ruler.greater_than(bos=True)
    result["agreement"] = ruler.agreement()
    result["agreementWithBos"] = ruler.agreement(bos=True)
    result["heads"] = {
        "tutorial": ruler.heads(sets["tutorial"]),
        "unseenPairs": ruler.heads(sets["unseenPairs"][:200]),
    }
    return result


def gates(result: dict) -> list[tuple[str, float, str, bool]]:
    """The acceptance criteria: name, value, bound, met or not."""
    rows: list[tuple[str, float, str, bool]] = []

    def least(name: str, value: float, bound: float) -> None:
        rows.append((name, value, f">= {bound}", value >= bound))

    ioi = result["ioi"]
    least("IOI, unseen combinations of seen names", ioi["unseenPairs"]["accuracy"], 0.99)
    least("IOI, names kept out of IOI", ioi["keptOutNames"]["accuracy"], 0.95)
    least("IOI, unseen templates", ioi["unseenTemplates"]["accuracy"], 0.95)
    least("IOI, tutorial's prompts, smallest logit difference", ioi["tutorial"]["smallestLogitDifference"], 0.0)
    for name, value in result["induction"].items():
        least(f"Induction, second half, {name} tokens", value, 0.95)
    least("Greater-than, probability mass, unseen combinations", result["greaterThan"]["massGreater"], 0.95)
    least("Agreement, unseen combinations", result["agreement"]["accuracy"], 0.95)
    least("Agreement, those with an attractor", result["agreement"]["accuracyWithAttractor"], 0.95)
    for name, label in (("tutorial", "tutorial"), ("unseenPairs", "unseen combinations")):
        heads = result["heads"][name]
        mean = heads["logitDifferenceClean"]
        rows.append((f"IOI mean logit difference, {label}", mean, "3 .. 8", 3 <= mean <= 8))
        least(f"Pearson(attribution, exact patching of z), {label}", heads["pearson"], 0.8)
        least(f"Heads with |exact effect| >= {EFFECT}, {label}", heads["headsWithEffect"], 4)
        least(f"Layers with such a head, {label}", heads["layersWithEffect"], 3)
        least(f"Strongest |exact effect|, {label}", heads["strongest"], 0.25)
    return rows


def table(result: dict) -> str:
    lines = ["| Measure | Value | Bound | Met |", "|---|---|---|---|"]
    for name, value, bound, met in gates(result):
        shown = str(value) if isinstance(value, int) else f"{value:.4f}"
        lines.append(f"| {name} | {shown} | {bound} | {'yes' if met else 'NO'} |")
    lines += ["", "With `<|endoftext|>` first:", "", "| Measure | Value |", "|---|---|"]
    for name, row in result["ioiWithBos"].items():
        lines.append(f"| IOI {name}, accuracy | {row['accuracy']:.4f} |")
    lines.append(f"| IOI tutorial, mean logit difference | {result['ioiWithBos']['tutorial']['logitDifference']:.4f} |")
    for name, value in result["inductionWithBos"].items():
        lines.append(f"| Induction {name} | {value:.4f} |")
    lines.append(f"| Greater-than mass | {result['greaterThanWithBos']['massGreater']:.4f} |")
    lines.append(f"| Agreement | {result['agreementWithBos']['accuracy']:.4f} |")
    lines += ["", "| Tutorial prompt | Logit difference |", "|---|---|"]
    for row in result["tutorialPrompts"]:
        lines.append(f"| {row['prompt']} | {row['logitDifference']:.4f} |")
    lines += ["", "| Head | Exact, tutorial | Attribution, tutorial | Exact, unseen combinations |", "|---|---|---|---|"]
    other = result["heads"]["unseenPairs"]["exact"]
    for row in result["heads"]["tutorial"]["top"]:
        layer, head = map(int, row["head"].split("."))
        lines.append(f"| {row['head']} | {row['exact']:+.4f} | {row['attribution']:+.4f} | {other[layer][head]:+.4f} |")
    return "\n".join(lines)


def rounded(value):
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return value


def measure_and_write(folder: Path, **training) -> None:
    result = measure(load(folder))
    path = folder / "measured.json"
    if not training and path.exists():
        training = json.loads(path.read_text())["training"]
    versions = {
        "python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__, "numpy": numpy.__version__,
    }
    path.write_text(json.dumps(rounded({"training": training, "versions": versions, **result}), indent=1) + "\n")
    print(table(result))
    put_into_readme(folder / "README.md", table(result))


def put_into_readme(readme: Path, text: str) -> None:
    if not readme.exists():
        return
    start, end = "<!-- measured: start -->", "<!-- measured: end -->"
    before, rest = readme.read_text().split(start)
    after = rest.split(end)[1]
    readme.write_text(f"{before}{start}\n{text}\n{end}{after}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(__file__).resolve().parent.parent)
    torch.set_num_threads(1)
    measure_and_write(parser.parse_args().folder)
