"""What the logged metrics show: saturation, drift, gradients that explode or vanish, oscillation."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxgan.health.records import Finding, Health, finding

Lines = Sequence[Mapping[str, Any]]
BEGINNING = 5
"""The logged lines that say where gradients began."""
TREND = 5
"""A slow trend is told from so many times the lines of anything else."""


def examine_lines(lines: Lines, health: Health) -> list[Finding]:
    """Looks for all that metrics can show.

    Args:
        lines: the first `BEGINNING` lines of the metrics and the newest ones, at least ``health.every``
            steps apart; those that lack a metric are passed over where it is needed.
        health: where health ends.

    Returns:
        What was found, at most one of each kind.
    """
    examinations: tuple[Callable[[Lines, Health], Finding | None], ...] = (
        _saturation,
        _drift,
        _exploding,
        _vanishing,
        _oscillation,
        _skipped,
    )
    return [found for examine in examinations if (found := examine(lines, health)) is not None]


def most_lines(health: Health) -> int:
    """How many of the newest lines are looked at, at most."""
    return TREND * health.lines


def _values(lines: Lines, name: str, count: int) -> np.ndarray | None:
    """The newest values of a metric; None if it is missing or not finite in any of so many lines."""
    values = np.array([line.get(name, np.nan) for line in lines[-count:]], float)
    return values if len(values) == count and np.isfinite(values).all() else None


def _saturation(lines: Lines, health: Health) -> Finding | None:
    names = ("real_accuracy", "fake_accuracy", "discriminator_loss", "generator_loss")
    columns = [_values(lines, name, health.lines) for name in names]
    known = [column for column in columns if column is not None]
    if len(known) < len(names):
        return None
    real, fake = known[0].mean(), known[1].mean()
    loss, generator_loss = np.median(known[2]), np.median(known[3])
    gap = _gap(lines, health.lines)
    if min(real, fake) < health.accuracy or abs(loss) > health.loss or (gap is not None and gap < 0.5):
        return None
    what = (
        f"for {health.lines} logged steps the discriminator has told {real:.0%} of real and {fake:.0%} of "
        f"generated images rightly, at a loss of {loss:.2g}; that of the generator is {generator_loss:.3g}"
    )
    numbers = dict(zip(names, map(float, (real, fake, loss, generator_loss)), strict=True))
    return finding("saturation", lines[-1]["step"], what, numbers)


def _gap(lines: Lines, count: int) -> float | None:
    """How far the logits of real and of generated images are apart."""
    real, fake = (_values(lines, name, count) for name in ("real_logit", "fake_logit"))
    return None if real is None or fake is None else float(np.median(np.abs(real - fake)))


def _drift(lines: Lines, health: Health) -> Finding | None:
    names = ("real_logit", "fake_logit", "generator_loss", "loss")
    count = most_lines(health)
    columns = [values for name in names if (values := _values(lines[BEGINNING:], name, count)) is not None]
    if not columns:
        return None
    scales = np.median(np.abs(columns).max(0).reshape(TREND, -1), axis=1)
    first, last = float(scales[0]), float(scales[-1])
    if (np.diff(scales) <= 0).any() or last < max(3 * first, health.scale):
        return None
    what = (
        f"over {count} logged steps the scale of logits and losses has grown from {first:.3g} to {last:.3g}"
    )
    return finding("drift", lines[-1]["step"], what, {"first": first, "last": last})


def _norms(lines: Lines, count: int) -> list[tuple[str, float, float]]:
    """For each player: its name, and the median norm of its gradient at the beginning and now."""
    found = []
    for player in ("generator", "discriminator"):
        name = f"{player}_gradient_norm"
        first, newest = _values(lines[:BEGINNING], name, BEGINNING), _values(lines, name, count)
        if first is not None and newest is not None:
            found.append((player, float(np.median(first)), float(np.median(newest))))
    return found


def _exploding(lines: Lines, health: Health) -> Finding | None:
    for player, first, last in _norms(lines, health.lines):
        if last >= health.exploding * min(max(first, 1), 100):
            what = f"the norm of the {player}'s gradient was {first:.3g} and is {last:.3g}"
            return finding("exploding", lines[-1]["step"], what, {"first": first, "last": last})
    return None


def _vanishing(lines: Lines, health: Health) -> Finding | None:
    for player, first, last in _norms(lines, health.lines):
        if last <= health.vanishing * min(max(first, 0.01), 10):
            what = f"the norm of the {player}'s gradient was {first:.3g} and is {last:.2g}"
            return finding("vanishing", lines[-1]["step"], what, {"first": first, "last": last})
    return None


def _oscillation(lines: Lines, health: Health) -> Finding | None:
    count = 3 * health.lines
    columns = (_values(lines[BEGINNING:], name, count) for name in ("generator_loss", "loss"))
    values = next((column for column in columns if column is not None), None)
    if values is None:
        return None
    low, high = np.percentile(values, (10, 90))
    middle, swing = (low + high) / 2, (high - low) / 2
    reach = max(health.swing, 2 * (_gap(lines, count) or 0))
    sides = [value > middle for value in values if abs(value - middle) >= reach]
    turns = sum(first != second for first, second in itertools.pairwise(sides))
    if turns < 4:
        return None
    what = (
        f"within {count} logged steps the loss has turned {turns} times between {low:.3g} and {high:.3g} "
        "or beyond"
    )
    return finding("oscillation", lines[-1]["step"], what, {"turns": turns, "swing": float(swing)})


def _skipped(lines: Lines, _health: Health) -> Finding | None:
    skipped = lines[-1].get("skipped_updates", 0) if lines else 0
    if not skipped:
        return None
    what = f"{skipped:.0f} updates were left out so far, since their gradients were not finite"
    return finding("nan", lines[-1]["step"], what, {"skipped_updates": float(skipped)})
