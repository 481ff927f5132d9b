"""What health is: the kinds of trouble, where each begins, and what is said of one that was found."""

import dataclasses
import difflib
from collections.abc import Mapping
from typing import NamedTuple

from jaxgan.validation import require

KINDS = ("saturation", "collapse", "drift", "exploding", "vanishing", "oscillation", "nan")
"""What a run can suffer from."""

ADVICE = {
    "saturation": "--model.game.penalties r1:10, a lower --model.game.discriminator.learning-rate or "
    "--model.game.augment ada",
    "collapse": "a lower --model.game.generator.learning-rate, --model.game.penalties r1:10, "
    "--model.game.augment diffaugment or --model.game.loss relativistic",
    "drift": "--model.game.penalties gradient_penalty:10 or r1:10",
    "exploding": "lower learning rates, --model.game.generator.clip-norm 1 and "
    "--model.game.discriminator.clip-norm 1, or --model.game.penalties gradient_penalty:10",
    "vanishing": "--model.game.loss non_saturating, --model.game.penalties r1:10 or "
    "a lower --model.game.discriminator.learning-rate",
    "oscillation": "lower learning rates, --model.game.penalties r1:10, "
    "--model.game.generator.b1 0.5, --model.game.discriminator.b1 0.5 or --model.game.ema-decay 0.999",
    "nan": "a lower learning rate, or clipped gradients: clip-norm 1 for either optimiser",
}
"""What to try, in the flags of ``jaxgan train``."""


class Finding(NamedTuple):
    """Something that a run suffers from.

    Attributes:
        kind: one of `KINDS`.
        step: the step at which it was found.
        sentence: what it is, the numbers that say so and what to try, in plain words.
        numbers: those numbers.
    """

    kind: str
    step: int
    sentence: str
    numbers: Mapping[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Health:
    """Where health ends.

    The defaults lie far from what sixteen healthy runs on digits measured (the recipes, every loss, WGAN-GP
    and R1, batches of 16 to 64, 1,000 to 3,600 steps), on the side of 27 runs made to fail: those numbers
    stand below. A line is one of the logged steps that are at least ``every`` steps apart.

    Attributes:
        every: steps between the logged lines that are looked at, >= 1.
        lines: how many lines must agree before anything is said, >= 2.
        accuracy: saturation: both accuracies are at least this (healthy: up to 0.975) ...
        loss: ... while the discriminator's loss is at most this (healthy: from 0.11; saturated: to 1e-25).
        spread: collapse: the spread of samples, see `Spread.score`, falls from twice this to this, or stays
            below it for 1,000 steps without rising (healthy: from 0.64, once it has been reached; collapsed:
            to 0.0).
        shares: collapse: such a share of the real images' classes has samples (healthy: 0.6 at step 1,000,
            then 0.9; collapsed: 0.1).
        scale: drift: logits and losses have grown steadily, threefold, to this (healthy: up to 12).
        exploding: a gradient's norm is so many times that of the beginning (healthy: up to 20), and so large
            (healthy: up to 15); or a hundred times so large.
        vanishing: a gradient's norm is this share of that of the beginning (healthy: from 0.28), and at most
            ten times this (healthy: from 0.06); or a hundredth of it.
        swing: oscillation: the loss turns, at least four times, by so much on either side of its middle
            (healthy: up to 4.2, by WGAN-GP; other losses 0.5).
    """

    every: int = 10
    lines: int = 20
    accuracy: float = 0.99
    loss: float = 0.02
    spread: float = 0.3
    shares: float = 0.3
    scale: float = 50.0
    exploding: float = 100.0
    vanishing: float = 1e-3
    swing: float = 10.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            least = {"every": 1, "lines": 2}.get(field.name)
            allowed = "> 0" if least is None else f">= {least}"
            require(value > 0 and value >= (least or 0), field.name, value, allowed)


def parse_kinds(names: str) -> tuple[str, ...]:
    """Reads kinds with commas between them.

    Raises:
        InputError: one that is not known.

    >>> parse_kinds("collapse, nan")
    ('collapse', 'nan')
    """
    kinds = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    for kind in kinds:
        close = difflib.get_close_matches(kind, KINDS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        allowed = f"some of {', '.join(KINDS)}, with commas between them{hint}"
        require(kind in KINDS, "stop_on", kind, allowed)
    return kinds


def finding(kind: str, step: int, what: str, numbers: Mapping[str, float]) -> Finding:
    """Makes a finding of what was seen; its sentence adds what to try.

    >>> finding("nan", 7, "one update was left out", {}).sentence
    'nan: one update was left out; try a lower learning rate, or ...'
    """
    plain = {name: float(value) for name, value in numbers.items()}  # what JSON can hold, whatever NumPy gave
    return Finding(kind, step, f"{kind}: {what}; try {ADVICE[kind]}", plain)
