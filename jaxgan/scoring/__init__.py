"""Scores of a generator: what is measured, against which images, through whose eyes."""

from jaxgan.scoring.compare import RESAMPLES, Difference, Judged, compare, interval, join
from jaxgan.scoring.measure import QUANTISATION, Scorer, few_samples, make_scorer, score_images
from jaxgan.scoring.plan import Protocol, Scoring, choose_extractor
from jaxgan.scoring.reference import read_real
from jaxgan.scoring.table import METRICS, Batch, Real, Sizes, Source

__all__ = [
    "METRICS",
    "QUANTISATION",
    "RESAMPLES",
    "Batch",
    "Difference",
    "Judged",
    "Protocol",
    "Real",
    "Scorer",
    "Scoring",
    "Sizes",
    "Source",
    "choose_extractor",
    "compare",
    "few_samples",
    "interval",
    "join",
    "make_scorer",
    "read_real",
    "score_images",
]
