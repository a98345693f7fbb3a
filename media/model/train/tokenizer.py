"""Builds the byte-level BPE tokenizer: GPT-2's pre-tokenizer, our own merges.

The 256 byte tokens are all there, so any text encodes. Merges are learned on the
words of words.py and of the templates until each word is one token, after two sets
written by hand that make years split as in GPT-2: " 17" + "32".
"""

from __future__ import annotations

import json
import string
from collections import Counter
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

import tasks
import words

END_OF_TEXT = "<|endoftext|>"
SPACE = "\u0120"  # the byte-level alphabet's letter for a space


def lexicon() -> list[str]:
    """All words, with a leading space and, where a text can start with one, without."""
    inside: set[str] = set()
    for template in tasks.IOI_TEMPLATES + tasks.IOI_UNSEEN_TEMPLATES + tasks.YEAR_TEMPLATES:
        inside |= plain_words(template)
    for template, verbs in tasks.VERB_TEMPLATES:
        inside |= plain_words(template) | {verb.strip() for verb in verbs}
    for text in words.MOTIONS + words.OBJECTS:
        inside |= set(text.split())
    for noun in words.NOUNS:
        inside |= set(noun)
    inside |= set(words.PLACES + words.GAVE + words.GIVE + words.EVENTS + words.ADJECTIVES)
    inside |= set(words.PREPOSITIONS + words.COMMON_WORDS + STORY_WORDS)
    starts = {word for word in inside if word[0].isupper()} | {"The", "A"} | set(words.ALL_NAMES)
    inside |= {word.lower() for word in starts if word not in words.ALL_NAMES}
    inside |= set(words.ALL_NAMES)
    return sorted(starts) + sorted(SPACE + word for word in inside)


STORY_WORDS = "It has belongs he she him his her them because wanted found bought by went".split()


def plain_words(template: str) -> set[str]:
    fields = [part[1] for part in string.Formatter().parse(template)]
    text = template.format(**{name: " " for name in fields if name})
    return {word for word in text.replace(",", " ").replace(".", " ").split()}


def learn_merges(vocabulary: list[str]) -> list[tuple[str, str]]:
    """Byte-pair encoding, every word counted once, ties broken alphabetically, until no pair is left."""
    merges = [(SPACE, digit) for digit in "12"]
    merges += [(SPACE + century[0], century[1]) for century in words.CENTURIES]
    merges += [(year[0], year[1]) for year in words.YEARS]
    splits = [list(word) for word in vocabulary]
    while True:
        counts: Counter[tuple[str, str]] = Counter()
        for split in splits:
            counts.update(zip(split, split[1:]))
        if not counts:
            return merges
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for split in splits:
            i = 0
            while i < len(split) - 1:
                if (split[i], split[i + 1]) == best:
                    split[i : i + 2] = [best[0] + best[1]]
                i += 1


def build() -> Tokenizer:
    merges = learn_merges(lexicon())
    vocabulary: dict[str, int] = {}
    for token in byte_tokens() + [left + right for left, right in merges] + [END_OF_TEXT]:
        vocabulary.setdefault(token, len(vocabulary))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens([AddedToken(END_OF_TEXT, normalized=True, special=True)])
    return tokenizer


def byte_tokens() -> list[str]:
    """The byte alphabet in GPT-2's order: printable bytes first, then the others."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]


def write(folder: Path, context: int) -> Tokenizer:
    tokenizer = build()
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "GPT2TokenizerFast",
        "add_prefix_space": False,
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "unk_token": END_OF_TEXT,
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    return tokenizer
