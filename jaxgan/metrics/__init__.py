"""Metrics as pure functions of features, logits, labels and images, computed on the host in float64.

Each metric streams and shards: ``init`` makes a state, ``update`` adds a batch, ``merge`` joins the states
of two shards in any order, and ``compute`` gives the number; ``from_features`` (or ``from_logits``,
``from_labels``) does it all in one call. States are named tuples of NumPy arrays. Which network made the
features is not known here: a number is comparable only with one of the same extractor.
"""

from jaxgan.metrics import (
    classification,
    features,
    fid,
    inception_score,
    kid,
    modes,
    moments,
    ms_ssim,
    path_length,
    precision_recall,
)
from jaxgan.metrics.fid import FewSamplesWarning

__all__ = [
    "FewSamplesWarning",
    "classification",
    "features",
    "fid",
    "inception_score",
    "kid",
    "modes",
    "moments",
    "ms_ssim",
    "path_length",
    "precision_recall",
]
