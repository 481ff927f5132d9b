"""How a case's time changed from one report to another: the ratio of two medians, with an interval."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from .records import Row

RESAMPLES = 2_000
CONFIDENCE = 0.95
SEED = 0
CHUNK = 1_000_000
"""Numbers that are drawn at once."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
    """How a case's time changed.

    Attributes:
        before: its row in A.
        after: its row in B.
        ratio: the median of B over the median of A.
        low: the lower end of the ratio's interval.
        high: the upper end.
    """

    before: Row
    after: Row
    ratio: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """``"faster"``, ``"slower"`` or ``"no difference"``."""
        if self.low > 1:
            return "slower"
        return "faster" if self.high < 1 else "no difference"

    def is_past(self, threshold: float) -> bool:
        """Tells whether the whole interval is past the threshold."""
        return self.low > 1 + threshold


def measure_change(before: Row, after: Row) -> Change:
    """Works out the ratio of two rows' medians with its interval; both need samples."""
    generator = np.random.default_rng(SEED)
    old, new = (bootstrap_medians(row.samples, generator) for row in (before, after))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(new / old, [tail, 1 - tail])
    ratio = np.median(after.seconds) / np.median(before.seconds)
    return Change(before=before, after=after, ratio=float(ratio), low=float(low), high=float(high))


def bootstrap_medians(samples: Sequence[Sequence[float]], generator: np.random.Generator) -> np.ndarray:
    """Draws the median anew, as if the whole measurement had been repeated.

    Each resample draws as many processes as there are, with replacement, and from each of these as many
    samples as a process has (the mean, where they differ), with replacement. Drawing P of P processes again
    makes the variance between them too small by (P - 1) / P, which is made good on a logarithmic scale.

    Args:
        samples: for each process its samples.
        generator: where the randomness comes from.

    Returns:
        f64[RESAMPLES].
    """
    processes = [process for process in samples if process]
    counts = np.array([len(process) for process in processes])
    table = np.zeros((len(processes), counts.max()))
    for row, process in zip(table, processes, strict=True):
        row[: len(process)] = process
    size = round(counts.mean())
    medians = []
    step = max(1, CHUNK // (len(processes) * size))
    for start in range(0, RESAMPLES, step):
        shape = (min(step, RESAMPLES - start), len(processes), size)
        chosen = generator.integers(len(processes), size=(*shape[:2], 1))
        places = (generator.random(shape) * counts[chosen]).astype(int)
        medians.append(np.median(table[chosen, places].reshape(shape[0], -1), axis=1))
    found = np.concatenate(medians)
    middle = np.median(np.concatenate(processes))
    widening = math.sqrt(len(processes) / max(1, len(processes) - 1))
    return middle * (found / middle) ** widening
