"""Two generators compared: the difference of their scores, with an interval from resampled images."""

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxgan.extractors import Extractor
from jaxgan.metrics import FewSamplesWarning, features, fid, kid, path_length, precision_recall
from jaxgan.scoring.plan import Scoring
from jaxgan.scoring.table import METRICS, Batch, Metric, Real, Scores, Sizes, known, named
from jaxgan.typing import Watch, unwatched
from jaxgan.validation import require

LEVEL = 0.95
RESAMPLES = 200
Again = Callable[[np.ndarray], Scores]
"""``places of generated images -> scores``, up to a constant, for each drawing of them with replacement."""


class Judged(NamedTuple):
    """A generator that was scored.

    Attributes:
        scores: its scores.
        batch: what the scores were worked out from, from `join`.
    """

    scores: Scores
    batch: Batch


class Difference(NamedTuple):
    """The difference of one score, first less second.

    Attributes:
        value: the difference.
        low: the lower end of its 95 % interval.
        high: the upper end.
    """

    value: float
    low: float
    high: float


def join(batches: Sequence[Batch]) -> Batch:
    """Puts batches that follow each other together."""
    places, features_, logits = (np.concatenate(parts) for parts in list(zip(*batches, strict=True))[:3])
    probes = {name: np.concatenate([batch.probes[name] for batch in batches]) for name in batches[0].probes}
    return Batch(places, features_, logits, probes)


def compare(
    first: Judged,
    second: Judged,
    real: Real,
    extractor: Extractor,
    plan: Scoring,
    *,
    resamples: int = RESAMPLES,
    watch: Watch = unwatched,
) -> dict[str, Difference]:
    """Works out the differences of two generators' scores, with bootstrap intervals.

    The generated images of both are resampled with replacement; the real ones stay, so the intervals say how
    far the difference is due to the images that happened to be drawn. An interval is that of the differences
    so found, moved so that its middle is the difference of the scores themselves, since a resample holds
    fewer different images and is worse for that alone. Scores that are means over images (precision, density,
    similarity) are resampled as means, KID to first order. Intervals of recall and coverage are often wider
    than they need be, by up to one half.

    Args:
        first: one generator.
        second: the other, scored by the same plan.
        real: what is known of the real images.
        extractor: what saw the images.
        plan: the settings of both.
        resamples: how often, >= 20.
        watch: told how many are done.

    Raises:
        InputError: too few resamples for an interval.

    Source: Efron and Tibshirani, An introduction to the bootstrap, 1993.
    """
    require(resamples >= 20, "resamples", resamples, ">= 20")
    random = np.random.default_rng(plan.seed)
    found: dict[str, list[float]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewSamplesWarning)  # said when the scores were worked out
        redo = {name: [_redo(name)(real, judged.batch) for judged in (first, second)] for name in plan.names}
        for number in range(resamples):
            chosen = [random.integers(plan.samples, size=plan.samples) for _ in range(2)]
            for name, pair in redo.items():
                one, other = (
                    named(name, again(places), extractor) for again, places in zip(pair, chosen, strict=True)
                )
                for key, value in one.items():
                    found.setdefault(key, []).append(value - other[key])
            watch("resamples", number + 1, resamples)
    return {
        key: interval(first.scores[key] - second.scores[key], np.array(values))
        for key, values in found.items()
    }


def interval(value: float, values: np.ndarray) -> Difference:
    """Puts the 95 % interval of resampled differences around the difference that was observed."""
    low, high = np.quantile(values - values.mean(), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Difference(value, float(value + low), float(value + high))


def _redo(name: str) -> Callable[[Real, Batch], Again]:
    return _REDO.get(name, lambda real, batch: _from_nothing(METRICS[name], real, batch))


def _from_nothing(metric: Metric, real: Real, batch: Batch) -> Again:
    """Works a score out anew from the resampled images; the spread that comes with a mean is left out."""

    def again(chosen: np.ndarray) -> Scores:
        sizes = Sizes(len(chosen), batch.features.shape[1], batch.logits.shape[1])
        found: Scores = metric.compute(real, metric.update(metric.init(sizes), batch.take(chosen)))
        return {key: value for key, value in found.items() if not key.endswith("_std")}

    return again


def _fid(real: Real, batch: Batch) -> Again:
    prepared, size = fid.prepare(known(real.moments)), batch.features.shape[1]
    return lambda chosen: {"fid": fid.compute(prepared, fid.update(fid.init(size), batch.features[chosen]))}


def _kid(real: Real, batch: Batch) -> Again:
    """To first order: from nothing, copies of an image would count as alike, and it would take hours."""
    moves = kid.influence(features.ordered(known(real.features)), batch.features)
    return lambda chosen: {"kid": float(moves[chosen].mean())}


def _precision_recall(real: Real, batch: Batch) -> Again:
    """The balls stay as they are: those of resampled images would shrink, since copies are neighbours."""
    rows = features.ordered(known(real.features))
    each = precision_recall.memberships(rows, batch.features)
    balls = precision_recall.balls(rows, batch.features)

    def again(chosen: np.ndarray) -> Scores:
        drawn = np.zeros(len(batch.features), bool)
        drawn[chosen] = True
        bits = np.packbits(drawn)
        means = {name: getattr(each, name)[chosen].mean() for name in ("precision", "density")}
        shares = {name: (getattr(balls, name) & bits).any(1).mean() for name in ("recall", "coverage")}
        return {name: float(value) for name, value in (means | shares).items()}

    return again


def _path_lengths(_real: Real, batch: Batch) -> Again:
    lengths = batch.probes["ppl"]

    def again(chosen: np.ndarray) -> Scores:
        state = path_length.update(path_length.init(), lengths[chosen], np.arange(len(chosen)))
        return {"ppl": path_length.compute(state).mean}

    return again


def _similarities(_real: Real, batch: Batch) -> Again:
    values = batch.probes["ms_ssim"]
    return lambda chosen: {"ms_ssim": float(values[chosen[: len(values)] % len(values)].mean())}


_REDO: dict[str, Callable[[Real, Batch], Again]] = {
    "fid": _fid,
    "kid": _kid,
    "pr": _precision_recall,
    "ppl": _path_lengths,
    "ms_ssim": _similarities,
}
"""The metrics that are not worked out anew from nothing."""
