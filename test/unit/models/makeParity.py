"""Writes parity.json: how Hugging Face's own tokenizers library cuts awkward texts.

    node test/run.mjs unit -- --grep parity    (writes out/test/tinyTokenizer.json)
    python test/unit/models/makeParity.py      (tokenizers 0.23)
"""

import json
import random
from pathlib import Path

from tokenizers import Tokenizer

PIECES = (
    [*"abcJohnMary ,.'\n\t0123\"_-"]
    + ["é", "e\u0301", "😀", "👩\u200d👩\u200d👧", "日本", "\u00a0", "\u2028", "\u3000", "\u200b", "ß", "İ", "ﬁ", "🇩🇪"]
    + ["'s", "'ll", "'S", " John", " Mary", " café", "\r\n", "\u0085", "\ufeff", "<|endoftext|>", "٣", "Ⅷ", "²", "  ", "1732"]
)


def utf16(text: str) -> list[int]:
    """Offset in UTF-16 units of every code point, and of the end."""
    offsets = [0]
    for character in text:
        offsets.append(offsets[-1] + (2 if ord(character) > 0xFFFF else 1))
    return offsets


def main() -> None:
    tokenizer = Tokenizer.from_file("out/test/tinyTokenizer.json")
    rng = random.Random(1)
    rows = []
    for _ in range(200):
        text = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 12)))
        encoding = tokenizer.encode(text, add_special_tokens=False)
        units = utf16(text)
        offsets = [[units[start], units[end]] for start, end in encoding.offsets]
        rows.append(json.dumps({"text": text, "ids": encoding.ids, "offsets": offsets}, ensure_ascii=True, separators=(",", ":")))
    Path(__file__).with_name("parity.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")


if __name__ == "__main__":
    main()
