"""The README's Python, run as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest

TEXT = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def block(words):
    (found,) = [text for text in BLOCKS if words in text]
    return found


def test_the_metrics_are_functions_of_arrays():
    random = np.random.default_rng(0)
    names = {
        "real": random.normal(size=(1000, 4)),
        "fake": random.normal(size=(1100, 4)),
        "logits": random.normal(size=(20, 3)),
        "features": random.normal(size=(5, 2048)).astype(np.float32),
    }
    exec(block("metrics.fid.from_features"), names)
    assert names["part"].samples == 5


@pytest.mark.slow
def test_an_importer_runs_the_step_under_every_transformation():
    names = {}
    exec(block("from jaxgan.gans import dcgan"), names)
    assert names["images"].shape == (4, 28, 28, 1)
