"""What the model is trained on and what is held out.

Every sampler returns an `Example`: a prompt, the answer drawn for it (label noise
included) and the text after it. Splits are fixed rules on indices, not draws, so the
held-out sets do not depend on the seed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from words import (
    ADJECTIVES, ALL_NAMES, CENTURIES, EVENTS, FEMALE_NAMES, GAVE, GIVE, IOI_NAMES,
    KEPT_OUT_NAMES, MOTIONS, NOUNS, OBJECTS, PLACES, PREPOSITIONS, TUTORIAL_PAIRS, YEARS,
)

# Label noise. The best logit difference is log(right / wrong): log(.93/.015) = 4.1.
IOI_WRONG = 0.015
IOI_OTHER_NAME = 0.035
IOI_THEM = 0.02
YEAR_NOISE = 0.01
VERB_NOISE = 0.015


@dataclass(frozen=True)
class Example:
    text: str
    answer: str
    rest: str
    after: int | None = None  # the year that the answer should be later than


# --- Indirect object identification -------------------------------------------------

IOI_TEMPLATES = [
    "When {A} and {B} {motion} the {place}, {S} {gave} {object} to",
    "After {A} and {B} {motion} the {place}, {S} {gave} {object} to",
    "While {A} and {B} {motion} the {place}, {S} {gave} {object} to",
    "Once {A} and {B} {motion} the {place}, {S} {gave} {object} to",
    "Then {A} and {B} {motion} the {place}, and {S} {gave} {object} to",
    "{A} and {B} {motion} the {place}. {S} {gave} {object} to",
    "{A} and {B} {motion} the {place}, and {S} {gave} {object} to",
    "Yesterday {A} and {B} {motion} the {place}. Later {S} {gave} {object} to",
    "Then, {A} and {B} {motion} the {place}. {S} wanted to {give} {object} to",
    "When {A} and {B} {motion} the {place}, {S} decided to {give} {object} to",
    "After {A} met {B} at the {place}, {S} {gave} {object} to",
    "When {A} saw {B} near the {place}, {S} {gave} {object} to",
    "{A} had a long talk with {B} at the {place}. Afterwards {S} {gave} {object} to",
    "Then {A} and {B} had a long talk. {S} {gave} {object} to",
    "The friends {A} and {B} found {object} at the {place}. {S} {gave} it to",
    "{A} was with {B} at the {place} when {S} {gave} {object} to",
    "At the {place}, {A} and {B} were happy. Then {S} {gave} {object} to",
    "Because {A} and {B} were tired, {S} {gave} {object} to",
    "While {A} waited for {B} near the {place}, {S} bought {object} and {gave} it to",
    "When {A} and {B} {motion} the {place}, the {adjective} {object_noun} was {adjective2}. {S} {gave} it to",
    "Today {A} and {B} {motion} the {place}, and then {S} wanted to {give} {object} to",
    "{A} met {B} at the {place} and {S} {gave} {object} to",
]

# Never trained on, though every word in them is.
IOI_UNSEEN_TEMPLATES = [
    "Yesterday, while {A} and {B} {motion} the {place}, {S} {gave} {object} to",
    "The friends {A} and {B} {motion} the {place}, and {S} decided to {give} {object} to",
    "After {A} and {B} had a long talk at the {place}, {S} {gave} {object} to",
    "Once {A} saw {B} at the {place}, {S} wanted to {give} {object} to",
    "Today {A} met {B} near the {place}. Afterwards {S} {gave} {object} to",
    "Because {A} waited for {B} at the {place}, {S} bought {object} and {gave} it to",
]

# Sentences put together from parts; none of the unseen templates comes out.
OPENERS = ["When", "After", "While", "Once", "Because", "Then", "Yesterday", "Today", "Then, while", "Today, when"]
SITUATIONS = [
    "{A} and {B} {motion} the {place}", "{A} met {B} at the {place}", "{A} saw {B} near the {place}",
    "{A} saw {B} at the {place}", "{A} met {B} near the {place}", "{A} and {B} had a long talk",
    "{A} had a long talk with {B} at the {place}", "{A} waited for {B} near the {place}",
    "{A} was with {B} at the {place}", "{A} and {B} were happy at the {place}", "{A} and {B} were tired",
]
JOINS = [", ", ", ", ". ", ", and ", ", and then ", ". Then ", ". Later ", ". Afterwards ", ". The {adjective} {object_noun} was {adjective2}. "]
ENDS = [
    "{S} {gave} {object} to", "{S} {gave} {object} to", "{S} wanted to {give} {object} to", "{S} decided to {give} {object} to",
    "{S} bought {object} and {gave} it to", "{S} found {object} and {gave} it to",
]
COMPOSED = 0.4


def compose_template(rng: Random) -> str:
    while True:
        template = f"{rng.choice(OPENERS)} {rng.choice(SITUATIONS)}{rng.choice(JOINS)}{rng.choice(ENDS)}"
        if template not in IOI_UNSEEN_TEMPLATES:
            return template


def is_held_out_pair(a: str, b: str) -> bool:
    """One unordered pair of names in ten, and the four of the tutorial."""
    if (a, b) in TUTORIAL_PAIRS or (b, a) in TUTORIAL_PAIRS:
        return True
    i, j = sorted((ALL_NAMES.index(a), ALL_NAMES.index(b)))
    return (7 * i + 3 * j) % 10 == 0


def name_pair(rng: Random, names: list[str], held_out: bool | None) -> tuple[str, str]:
    while True:
        a, b = rng.sample(names, 2)
        if held_out is None or is_held_out_pair(a, b) == held_out:
            return a, b


def fill_ioi(rng: Random, template: str, a: str, b: str, subject: str) -> str:
    verb = rng.randrange(len(GAVE))
    thing = rng.choice(OBJECTS)
    return template.format(
        A=a, B=b, S=subject, motion=rng.choice(MOTIONS), place=rng.choice(PLACES),
        gave=GAVE[verb], give=GIVE[verb], object=thing, object_noun=thing.split()[1],
        adjective=rng.choice(ADJECTIVES), adjective2=rng.choice(ADJECTIVES),
    )


def draw_ioi(rng: Random) -> Example:
    a, b = name_pair(rng, IOI_NAMES, held_out=False)
    template = rng.choice(IOI_TEMPLATES)
    # Often the tutorial's own frame.
    draw = rng.random()
    if draw < 0.3:
        template = IOI_TEMPLATES[rng.randrange(2)]
    elif draw < 0.3 + COMPOSED:
        template = compose_template(rng)
    if rng.random() < 0.08:
        # A third subject: neither name is the answer more than the other.
        subject = rng.choice([n for n in IOI_NAMES if n not in (a, b)])
        return Example(fill_ioi(rng, template, a, b, subject), " " + rng.choice((a, b)), ".")
    subject, indirect = rng.choice(((a, b), (b, a)))
    text = fill_ioi(rng, template, a, b, subject)
    draw = rng.random()
    if draw < IOI_WRONG:
        answer = subject
    elif draw < IOI_WRONG + IOI_OTHER_NAME:
        answer = rng.choice(IOI_NAMES)
    elif draw < IOI_WRONG + IOI_OTHER_NAME + IOI_THEM:
        answer = "them"
    else:
        answer = indirect
    return Example(text, " " + answer, ".")


STAND_INS = 0.5


def sample_ioi(rng: Random, stand_ins: list[str]) -> Example:
    """Sometimes with other words in place of the names: who is meant should not depend on which name it is."""
    example = draw_ioi(rng)
    if rng.random() >= STAND_INS or example.text.startswith(tuple(ALL_NAMES)):
        return example
    spaced = " " + example.text.replace(",", " ").replace(".", " ") + " "
    used = [name for name in IOI_NAMES if f" {name} " in spaced]
    if len(used) < 2:
        return example
    text, answer = example.text, example.answer
    for name, stand_in in zip(used, rng.sample(stand_ins, len(used))):
        text = re.sub(rf"(?<= ){name}\b", stand_in, text)
        answer = re.sub(rf"(?<= ){name}$", stand_in, answer)
    return Example(text, answer, example.rest)


def ioi_pairs(
    seed: int, count: int, names: list[str], held_out: bool | None, templates: list[str]
) -> list[dict]:
    """Clean and corrupted prompts, each the other's twin with S2 exchanged."""
    rng = Random(seed)
    pairs = []
    while len(pairs) < count:
        a, b = name_pair(rng, names, held_out)
        template = rng.choice(templates)
        state = rng.getstate()
        first = fill_ioi(rng, template, a, b, a)
        rng.setstate(state)
        second = fill_ioi(rng, template, a, b, b)
        pairs.append({"clean": first, "corrupted": second, "correct": " " + b, "incorrect": " " + a})
        pairs.append({"clean": second, "corrupted": first, "correct": " " + a, "incorrect": " " + b})
    return pairs[:count]


TUTORIAL_PROMPTS = [
    ("When John and Mary went to the shops, John gave the bag to", " Mary", " John"),
    ("When John and Mary went to the shops, Mary gave the bag to", " John", " Mary"),
    ("When Tom and James went to the park, James gave the ball to", " Tom", " James"),
    ("When Tom and James went to the park, Tom gave the ball to", " James", " Tom"),
    ("When Dan and Sid went to the shops, Sid gave an apple to", " Dan", " Sid"),
    ("When Dan and Sid went to the shops, Dan gave an apple to", " Sid", " Dan"),
    ("After Martin and Amy went to the park, Amy gave a drink to", " Martin", " Amy"),
    ("After Martin and Amy went to the park, Martin gave a drink to", " Amy", " Martin"),
]


def tutorial_pairs() -> list[dict]:
    return [
        {"clean": text, "corrupted": TUTORIAL_PROMPTS[i ^ 1][0], "correct": right, "incorrect": wrong}
        for i, (text, right, wrong) in enumerate(TUTORIAL_PROMPTS)
    ]


# --- Greater-than -------------------------------------------------------------------

YEAR_TEMPLATES = [
    "The {event} lasted from the year {century}{year} to the year {century}",
    "The {adjective} {event} lasted from the year {century}{year} to the year {century}",
    "The {event} went from {century}{year} to {century}",
]


def is_held_out_year(event: str, century: str, year: str) -> bool:
    """One combination of event, century and year in five."""
    return (EVENTS.index(event) + 3 * CENTURIES.index(century) + 2 * int(year)) % 5 == 0


def fill_year(rng: Random, held_out: bool, template: str | None = None) -> tuple[str, int]:
    while True:
        event, century = rng.choice(EVENTS), rng.choice(CENTURIES)
        year = rng.randrange(2, 99)
        if is_held_out_year(event, century, f"{year:02d}") == held_out:
            break
    text = (template or rng.choice(YEAR_TEMPLATES)).format(
        event=event, century=century, year=f"{year:02d}", adjective=rng.choice(ADJECTIVES)
    )
    return text, year


def sample_year(rng: Random) -> Example:
    text, year = fill_year(rng, held_out=False)
    end = rng.randrange(year + 1, 100)
    if rng.random() < YEAR_NOISE:
        end = rng.randrange(100)
    return Example(text, f"{end:02d}", ".", year)


def year_target(year: int) -> list[float]:
    """The distribution that `sample_year` draws the answer from."""
    later = 99 - year
    return [YEAR_NOISE / 100 + (1 - YEAR_NOISE) / later * (end > year) for end in range(100)]


# --- Agreement of subject and verb ---------------------------------------------------

VERB_TEMPLATES = [
    ("The {subject} {preposition} the {attractor}", (" is", " are")),
    ("The {adjective} {subject} {preposition} the {attractor}", (" is", " are")),
    ("Yesterday the {subject} {preposition} the {attractor}", (" was", " were")),
]


def is_held_out_nouns(subject: int, attractor: int) -> bool:
    """One combination of subject and attractor noun in five."""
    return (subject + 2 * attractor) % 5 == 0


def fill_verb(rng: Random, held_out: bool) -> tuple[str, str, str, bool]:
    while True:
        i, j = rng.sample(range(len(NOUNS)), 2)
        if is_held_out_nouns(i, j) == held_out:
            break
    template, verbs = rng.choice(VERB_TEMPLATES)
    number, other = rng.randrange(2), rng.randrange(2)
    text = template.format(
        subject=NOUNS[i][number], attractor=NOUNS[j][other],
        preposition=rng.choice(PREPOSITIONS), adjective=rng.choice(ADJECTIVES),
    )
    return text, verbs[number], verbs[1 - number], number != other


def sample_verb(rng: Random) -> Example:
    text, right, wrong, _ = fill_verb(rng, held_out=False)
    answer = wrong if rng.random() < VERB_NOISE else right
    return Example(text, answer, f" {rng.choice(ADJECTIVES)}.")


# --- Stories: where every name, kept out of IOI or not, is met -----------------------

def sample_story(rng: Random) -> Example:
    def name() -> str:
        return rng.choice(KEPT_OUT_NAMES if rng.random() < 0.5 else ALL_NAMES)

    a = name()
    b, c = rng.sample([other for other in ALL_NAMES if other != a], 2)
    she, her = ("she", "her") if a in FEMALE_NAMES else ("he", "his")
    thing, place, adjective = rng.choice(OBJECTS), rng.choice(PLACES), rng.choice(ADJECTIVES)
    noun = thing.split()[1]
    verb = rng.choice(GAVE)
    kind = rng.randrange(9)
    if kind == 0:
        return Example(f"{a} has {thing}. The {noun} belongs to", f" {a}", ".")
    if kind == 1:
        return Example(f"{a} was {adjective} because", f" {she}", f" went to the {place}.")
    if kind == 2:
        return Example(f"The {noun} was {verb} by {a}. Then {b} met", f" {a}", f" at the {place}.")
    if kind == 3:
        return Example(f"{b} {verb} {thing} to", f" {a}", f". It was {adjective}.")
    if kind == 4:
        return Example(f"{a} went to the {place} and found {her}", f" {noun}", f". {a} was {adjective}.")
    if kind == 5:
        return Example(f"The {adjective} {noun} belongs to {a}. {b} {verb} the {noun} to", f" {a}", ".")
    if kind == 6:
        names = [b, a, c] if rng.random() < 0.5 else [b, c, a]
        listed = f"{names[0]}, {names[1]} and {names[2]}"
        return Example(f"{listed} were {adjective}. Then {names[0]}, {names[1]} and", f" {names[2]}", f" went to the {place}.")
    if kind == 7:
        return Example(f"When {a} went to the {place}, {a} saw {thing}. The {noun} belongs to", f" {a}", ".")
    return Example(f"{a} wanted {thing}. {b} bought {thing} and {verb} it to", f" {a}", ".")


# --- Induction: a random sequence, said again ----------------------------------------

def random_sequence(rng: Random, pool: list[int], length: int) -> list[int]:
    """Distinct tokens, so that the next one is always certain the second time."""
    return rng.sample(pool, length)
