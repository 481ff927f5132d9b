"""Expected values of the metrics, by other people's code; `test_metrics.py` reads them from `metrics.json`.

The inputs come from NumPy alone, so that the tests make the same without these libraries. To write the file
anew, in an environment of its own:

    python -m venv reference
    reference/bin/pip install torch torch-fidelity==0.4.0 prdc==0.2 pytorch-msssim==1.0.0
    reference/bin/python tests/references/metrics.py
"""

import contextlib
import importlib.metadata
import io
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

HERE = Path(__file__).parent
VALUES = HERE / "metrics.json"
LIBRARIES = ("numpy", "torch", "torch-fidelity", "prdc", "pytorch-msssim", "scikit-learn")


class Case(NamedTuple):
    """Two sets of correlated features: how many, of which dimension, and how far from zero."""

    real: int
    fake: int
    size: int
    mean: float
    subset_size: int  # of KID; its other settings are the defaults


CASES = {
    "ordinary": Case(real=300, fake=240, size=16, mean=0.4, subset_size=100),
    "large mean": Case(real=150, fake=150, size=20, mean=100.0, subset_size=150),
    "fewer samples than dimensions": Case(real=20, fake=14, size=32, mean=0.0, subset_size=14),
    "subsets of 1000": Case(real=1100, fake=1000, size=8, mean=0.4, subset_size=1000),
}
SPLITS = (10, 3)
SCALES = (5, 2)


def features(name):
    """Makes the two sets of a case: f32[N, D] and f32[M, D]."""
    case = CASES[name]
    draw = np.random.default_rng([7, *name.encode()])
    sets = []
    for count, scale, shift in ((case.real, 1.0, 0.0), (case.fake, 0.8, 0.3)):
        mix = np.eye(case.size) + draw.standard_normal((case.size, case.size)) / case.size
        rows = scale * draw.standard_normal((count, case.size)) @ mix + case.mean + shift
        sets.append(rows.astype(np.float32))
    return sets


def logits():
    """Makes f32[205, 10], whose rows do not divide into equal splits."""
    return (2 * np.random.default_rng(8).standard_normal((205, 10))).astype(np.float32)


def pictures():
    """Makes two batches f32[3, 176, 192, 2] in [-1, 1]: the first pair much alike, the last not at all."""
    draw = np.random.default_rng(9)
    rows, columns = np.mgrid[:176, :192] / 30
    first = np.sin(rows + draw.uniform(0, 6, (3, 1, 1)) + np.sin(columns))[..., np.newaxis]
    first = np.concatenate([first, -(first**2)], axis=3)
    noise = draw.uniform(-1, 1, first.shape)
    part = np.array([0.05, 0.3, 1.0]).reshape(3, 1, 1, 1)
    return first.astype(np.float32), ((1 - part) * first + part * noise).astype(np.float32)


def of_features(name):
    """Lets torch-fidelity and prdc compare the two sets of a case, in float64; the fakes come first."""
    import prdc
    import torch
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    real, fake = (rows.astype(np.float64) for rows in features(name))
    inputs = torch.from_numpy(fake), torch.from_numpy(real)
    moments = (fid_features_to_statistics(rows) for rows in inputs)
    found = fid_statistics_to_metric(*moments, verbose=False)
    found |= kid_features_to_metric(*inputs, kid_subset_size=CASES[name].subset_size, verbose=False)
    found |= prc_features_to_metric(*inputs, verbose=False)
    with contextlib.redirect_stdout(io.StringIO()):
        balls = prdc.compute_prdc(real_features=real, fake_features=fake, nearest_k=5)
    return {key: float(value) for key, value in found.items()} | {
        key: float(balls[key]) for key in ("density", "coverage")
    }


def of_pictures(scales):
    """Lets pytorch-msssim compare the two batches of pictures."""
    import torch
    from pytorch_msssim import ms_ssim

    weights = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333][:scales])
    first, second = (
        torch.from_numpy((batch.astype(np.float64) + 1) / 2).permute(0, 3, 1, 2) for batch in pictures()
    )
    options = {"data_range": 1.0, "size_average": False, "weights": list(weights / weights.sum())}
    return ms_ssim(first, second, **options).tolist()


def main():
    """Writes the expected values and the versions of the libraries."""
    import torch
    from torch_fidelity.metric_isc import isc_features_to_metric

    scores = {str(splits): isc_features_to_metric(torch.from_numpy(logits()), splits) for splits in SPLITS}
    values = {
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "features": {name: of_features(name) for name in CASES},
        "logits": scores,
        "pictures": {str(scales): of_pictures(scales) for scales in SCALES},
    }
    VALUES.write_text(json.dumps(values, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
