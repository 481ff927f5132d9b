"""A penalty as a setting: which one, how strong, how often."""

from typing import NamedTuple

from jaxgan.penalties.table import PENALTIES, get
from jaxgan.validation import InputError, require

WEIGHTS = {
    "balanced_consistency": 10.0,
    "consistency": 10.0,
    "dragan": 10.0,
    "gradient_penalty": 10.0,
    "gradient_penalty_one_sided": 10.0,
    "lecam": 0.3,
    "r1": 10.0,
    "r1_forward": 10.0,
    "r2": 10.0,
    "r2_forward": 10.0,
}
"""The weights of the papers, for images and networks of their size; small ones often want less."""

ON_LOGITS = ("lecam",)
"""The penalties that need nothing but the logits of the loss itself."""

ON_SLOPES = tuple(sorted(PENALTIES.keys() - {*ON_LOGITS, "consistency", "balanced_consistency"}))
"""The penalties that differentiate each logit by its image, and so want it to depend on no other."""


class Term(NamedTuple):
    """One penalty of a game.

    Attributes:
        name: a name in `jaxgan.penalties.PENALTIES`.
        weight: its factor, >= 0.
        every: the steps between two times, >= 1; see `jaxgan.penalties.lazily`.
    """

    name: str
    weight: float
    every: int = 1


def parse(spec: str) -> Term:
    """Reads ``NAME[:WEIGHT[:EVERY]]``; without a weight, it is that of the paper, in `WEIGHTS`.

    Raises:
        InputError: an unknown penalty, a weight that is negative or no number, an interval below 1.

    >>> parse("r1:0.5:16")
    Term(name='r1', weight=0.5, every=16)
    >>> parse("gradient_penalty").weight
    10.0
    """
    name, *numbers = spec.split(":")
    get(name)
    require(len(numbers) <= 2, "penalty", spec, "NAME[:WEIGHT[:EVERY]]")
    weight = _number(f"the weight of {name}", numbers[0], float) if numbers else WEIGHTS[name]
    every = _number(f"the interval of {name}", numbers[1], int) if len(numbers) == 2 else 1
    require(0 <= weight < float("inf"), f"the weight of {name}", weight, ">= 0 and finite")
    require(every >= 1, f"the interval of {name}", every, ">= 1")
    return Term(name, weight, int(every))


def parse_all(specs: tuple[str, ...]) -> tuple[Term, ...]:
    """Reads several.

    Raises:
        InputError: as `parse`, or the same penalty twice.

    >>> [term.name for term in parse_all(("r1", "r2:5"))]
    ['r1', 'r2']
    """
    terms = tuple(parse(spec) for spec in specs)
    names = [term.name for term in terms]
    require(len(set(names)) == len(names), "penalties", " ".join(specs), "each penalty at most once")
    return terms


def reweight(specs: tuple[str, ...], name: str, weight: float) -> tuple[str, ...]:
    """Gives one of several penalties another weight.

    Raises:
        InputError: it is none of them.

    >>> reweight(("r1:10:16", "r2"), "r1", 0.5)
    ('r1:0.5:16', 'r2')
    """
    terms = parse_all(specs)
    names = [term.name for term in terms]
    require(name in names, "penalty", name, "one of the game's: " + (" ".join(specs) or "it has none"))
    place = names.index(name)
    number = repr(float(weight)).removesuffix(".0")
    return (*specs[:place], f"{name}:{number}:{terms[place].every}", *specs[place + 1 :])


def _number(what: str, text: str, kind: type[float] | type[int]) -> float:
    try:
        return kind(text)
    except ValueError:
        name = "a whole number" if kind is int else "a number"
        raise InputError(f"{what} is {text!r}; it must be {name}") from None
