"""Trains the bundled model and writes it beside this folder.

    python media/model/train/train.py            # train, write, measure
    python media/model/train/measure.py          # measure what is written

Plain AdamW on one CPU core, about twenty minutes. Everything is drawn from SEED.
Two starts make induction form within some 300 steps:
positions begin as waves in a few dimensions of their own, and head 0.0 begins as a
previous-token head that reads them. Everything is trained from there.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

import tasks
import tokenizer as tokenizer_file
import words

SEED = 20
CONTEXT = 128
STEPS = 5000
BATCH = 64
LEARNING_RATE = 2e-3
WARMUP = 200
WEIGHT_DECAY = 0.05
HEAD_DROPOUT = 0.03
INDUCTION_FIRST = 300  # steps before the other tasks join
LONGEST_INDUCTION = 14  # tokens of a sequence that is repeated, in short texts
POSITION_SCALE = 0.3
POSITION_WAVES = 8
PREVIOUS_TOKEN_SHARPNESS = 2.0
TEXT_WEIGHT = 0.1  # loss weight of the words that are not an answer
LONG_EVERY = 8  # every eighth batch fills the whole context

MIX = [
    (0.40, "ioi", None),
    (0.20, "year", tasks.sample_year),
    (0.07, "verb", tasks.sample_verb),
    (0.14, "story", tasks.sample_story),
    (0.19, "induction", None),
]


def configuration(vocabulary: int) -> GPT2Config:
    end = vocabulary - 1
    return GPT2Config(
        vocab_size=vocabulary, n_positions=CONTEXT, n_embd=128, n_layer=5, n_head=4,
        activation_function="gelu_new", layer_norm_epsilon=1e-5, initializer_range=0.05,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        bos_token_id=end, eos_token_id=end, tie_word_embeddings=True,
    )


class Sampler:
    """Draws batches of token ids with a loss weight for each token to be predicted."""

    def __init__(self, tokenizer: Tokenizer, seed: int) -> None:
        self.tokenizer = tokenizer
        self.rng = Random(seed)
        self.end = tokenizer.token_to_id(tokenizer_file.END_OF_TEXT)
        self.anything = list(range(self.end))
        self.words = [self.one(" " + name) for name in words.ALL_NAMES]
        self.words += [self.one(" " + place) for place in words.PLACES]
        # What may stand in for a name, so that the task is learned for any token: names kept out of it stay out.
        pieces = [self.tokenizer.id_to_token(token) for token in self.anything]
        self.stand_ins = [
            piece[1:] for piece in pieces
            if len(piece) > 2 and piece[0] == tokenizer_file.SPACE and piece[1:].isalpha() and piece[1:] not in words.ALL_NAMES
        ]
        self.years = [self.one(year) for year in words.YEARS]
        self.known: dict[str, list[int]] = {}
        self.induction_share = 0.0

    def one(self, word: str) -> int:
        ids = self.tokenizer.encode(word).ids
        assert len(ids) == 1, f"{word!r} is not one token: {ids}"
        return ids[0]

    def encode(self, text: str) -> list[int]:
        """Word by word with a memory: the pre-tokenizer splits there anyway."""
        ids: list[int] = []
        for piece in text.replace(" ", "\n ").split("\n"):
            if piece not in self.known:
                self.known[piece] = self.tokenizer.encode(piece).ids
            ids += self.known[piece]
        return ids

    def induction(self, longest: int) -> "Row":
        pool = self.words if self.rng.random() < 0.4 else self.anything
        first = tasks.random_sequence(self.rng, pool, self.rng.randint(3, longest))
        length = 2 * longest
        ids = (first * length)[:length]
        return Row(ids, [0.0] * (len(first) + 1) + [1.0] * (length - len(first) - 1))

    def example(self, longest: int = LONGEST_INDUCTION) -> "Row":
        if self.rng.random() < self.induction_share:
            return self.induction(longest)
        draw = self.rng.random()
        for share, kind, sample in MIX:
            draw -= share
            if draw < 0:
                break
        if kind == "induction":
            return self.induction(longest)
        example = tasks.sample_ioi(self.rng, self.stand_ins) if kind == "ioi" else sample(self.rng)
        parts = [self.encode(part) for part in (example.text, example.answer, example.rest)]
        ids = sum(parts, []) + [self.end]
        weights = [TEXT_WEIGHT] * len(ids)
        weights[len(parts[0])] = 1.0
        if example.after is None:
            return Row(ids, weights)
        # The whole distribution of the answer is known: learning from it is quicker than from draws.
        weights[len(parts[0])] = 0.0
        return Row(ids, weights, len(parts[0]), example.after)

    def short(self, count: int) -> list["Row"]:
        rows = [self.example() for _ in range(count)]
        return [row.behind(self.end) if self.rng.random() < 0.5 else row for row in rows]

    def long(self, count: int) -> list["Row"]:
        """Texts one after another, each after an end of text, up to the whole context."""
        rows = []
        for _ in range(count):
            ids: list[int] = [self.end] if self.rng.random() < 0.5 else []
            weights: list[float] = [0.0] * len(ids)
            while len(ids) < CONTEXT:
                more = self.example(longest=CONTEXT // 2)
                closing = [] if more.ids[-1] == self.end else [self.end]
                ids += more.ids + closing
                weights += more.weights + [0.0] * len(closing)
            rows.append(Row(ids[:CONTEXT], weights[:CONTEXT]))
        return rows


@dataclass(frozen=True)
class Row:
    """Token ids with a loss weight each; for a year, where the answer stands and the year it should be later than."""

    ids: list[int]
    weights: list[float]
    year_at: int | None = None
    after: int | None = None

    def behind(self, token: int) -> "Row":
        year_at = None if self.year_at is None else self.year_at + 1
        return Row([token] + self.ids, [0.0] + self.weights, year_at, self.after)


def tensors(rows: list[Row], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(row.ids) for row in rows)
    ids = torch.tensor([row.ids + [pad] * (width - len(row.ids)) for row in rows])
    weights = torch.tensor([row.weights + [0.0] * (width - len(row.weights)) for row in rows])
    return ids, weights


def wave_rates() -> torch.Tensor:
    return torch.logspace(math.log10(math.pi * 0.9), math.log10(2 * math.pi / 120), POSITION_WAVES)


def waves(positions: int, width: int) -> torch.Tensor:
    """Where position embeddings start: sines and cosines in the first 2 x POSITION_WAVES dimensions."""
    angles = torch.arange(positions)[:, None] * wave_rates()
    start = torch.zeros(positions, width)
    start[:, :POSITION_WAVES] = angles.sin()
    start[:, POSITION_WAVES : 2 * POSITION_WAVES] = angles.cos()
    return POSITION_SCALE * start


def start_previous_token_head(model: GPT2LMHeadModel) -> None:
    """Head 0.0 starts by attending one position back: its key is its query's wave, turned by one step."""
    width = model.config.n_embd
    size = width // model.config.n_head
    query, key = torch.zeros(width, size), torch.zeros(width, size)
    for sine, rate in enumerate(wave_rates().tolist()):
        cosine = POSITION_WAVES + sine
        turn_cos, turn_sin = PREVIOUS_TOKEN_SHARPNESS * math.cos(rate), PREVIOUS_TOKEN_SHARPNESS * math.sin(rate)
        query[sine, sine] = query[cosine, cosine] = PREVIOUS_TOKEN_SHARPNESS
        key[sine, sine], key[cosine, sine] = turn_cos, turn_sin
        key[sine, cosine], key[cosine, cosine] = -turn_sin, turn_cos
    weight = model.transformer.h[0].attn.c_attn.weight.data
    weight[:, :size] = query
    weight[:, width : width + size] = key
    weight[:, 2 * width : 2 * width + size] *= 4


def drop_heads(model: GPT2LMHeadModel, share: float, generator: torch.Generator, dropout: dict[str, bool]) -> list:
    """Zeroes whole heads at random while training, so that the work is shared among them."""
    heads = model.config.n_head

    def hook(_module, inputs):
        z = inputs[0]
        if not dropout["on"]:
            return None
        keep = torch.rand(z.shape[0], 1, heads, 1, generator=generator) >= share
        split = z.view(z.shape[0], z.shape[1], heads, -1)
        return ((split * (keep / (1 - share))).view_as(z),)

    return [block.attn.c_proj.register_forward_pre_hook(hook) for block in model.transformer.h]


def loss_of(model: GPT2LMHeadModel, rows: list[Row], sampler: Sampler) -> torch.Tensor:
    ids, weights = tensors(rows, sampler.end)
    hidden = model.transformer(ids[:, :-1], use_cache=False).last_hidden_state
    unembed = model.transformer.wte.weight.T
    wanted = weights[:, 1:] > 0
    losses = torch.nn.functional.cross_entropy(hidden[wanted] @ unembed, ids[:, 1:][wanted], reduction="none")
    w = weights[:, 1:][wanted]
    total, count = (losses * w).sum(), w.sum()
    years = [(i, row.year_at - 1, row.after) for i, row in enumerate(rows) if row.year_at is not None]
    if years:
        index, place, after = (list(column) for column in zip(*years))
        target = torch.tensor([tasks.year_target(year) for year in after])
        log_probabilities = (hidden[index, place] @ unembed).log_softmax(-1)[:, sampler.years]
        # Above the entropy of the target, so that it weighs as other answers do.
        total = total + (target * (target.log() - log_probabilities)).sum()
        count = count + len(years)
    return total / count


def train(tokenizer: Tokenizer, seed: int, steps: int, report) -> GPT2LMHeadModel:
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    sampler = Sampler(tokenizer, seed)
    model = GPT2LMHeadModel(configuration(tokenizer.get_vocab_size()))
    start_previous_token_head(model)
    model.transformer.wpe.weight.data = waves(CONTEXT, model.config.n_embd)
    for block in model.transformer.h:
        block.mlp.act = torch.nn.GELU(approximate="tanh")  # gelu_new in one kernel
    model.train()
    dropout = {"on": False}
    hooks = drop_heads(model, HEAD_DROPOUT, generator, dropout)
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}],
        lr=LEARNING_RATE, betas=(0.9, 0.98),
    )
    started = time.time()
    for step in range(steps):
        done = (step - WARMUP) / max(1, steps - WARMUP)
        rate = min(1.0, (step + 1) / WARMUP) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * max(0.0, done))))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * rate
        sampler.induction_share = 1.0 if step < INDUCTION_FIRST else 0.0
        dropout["on"] = step >= INDUCTION_FIRST
        long = step % LONG_EVERY == LONG_EVERY - 1
        rows = sampler.long(BATCH // 5) if long else sampler.short(BATCH)
        loss = loss_of(model, rows, sampler)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        report(step, loss.item(), time.time() - started, model)
    for hook in hooks:
        hook.remove()
    return model.eval()


def write(model: GPT2LMHeadModel, folder: Path) -> None:
    """config.json and model.safetensors in F16, named as transformers names them."""
    state = {
        name: value.detach().half().contiguous()
        for name, value in model.state_dict().items()
        if name.startswith("transformer.") and not name.endswith((".attn.bias", ".attn.masked_bias"))
    }
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    config = model.config.to_dict()
    wanted = (
        "model_type vocab_size n_positions n_embd n_layer n_head activation_function "
        "layer_norm_epsilon initializer_range resid_pdrop embd_pdrop attn_pdrop "
        "bos_token_id eos_token_id tie_word_embeddings"
    ).split()
    shipped = {"architectures": ["GPT2LMHeadModel"], **{key: config[key] for key in wanted}, "dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(shipped, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizer_file.write(options.out, CONTEXT)

    def report(step: int, loss: float, seconds: float, model: GPT2LMHeadModel) -> None:
        if step % 100 == 99:
            print(f"step {step + 1} loss {loss:.4f} {seconds:.0f} s", flush=True)

    started = time.time()
    write(train(tokenizer, options.seed, options.steps, report), options.out)
    from measure import measure_and_write

    measure_and_write(options.out, seed=options.seed, steps=options.steps, seconds=time.time() - started)


if __name__ == "__main__":
    main()
