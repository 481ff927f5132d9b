"""What the models learn, with the command line's defaults: minutes of training each."""

from pathlib import Path

import jax
import numpy as np
import pytest

from jaxgan import evaluation, parallel, runs
from jaxgan.cli import main

pytestmark = pytest.mark.slow

FASHION = Path("/usr/share/datasets/fashion-mnist")


def accuracy(path):
    return evaluation.evaluate(runs.open_run(path), pytest.fail)[1]["accuracy"]


@pytest.fixture(scope="module")
def digits_cnn(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "cnn"
    assert main(["train", "cnn", "--out", str(path)]) == 0
    return path


@pytest.mark.xdist_group("digits")
def test_the_cnn_learns_the_digits(digits_cnn):
    assert accuracy(digits_cnn) >= 0.97


@pytest.mark.xdist_group("digits")
def test_the_dcgan_draws_every_digit_so_that_a_classifier_knows_it(digits_cnn, tmp_path):
    assert main(["train", "dcgan", "--out", str(tmp_path / "gan")]) == 0
    drawn = tmp_path / "drawn.npy"
    assert main(["sample", str(tmp_path / "gan"), "--seeds", "0-999", "--out", str(drawn)]) == 0
    run = runs.open_run(digits_cnn)
    _, state = runs.restore(run, pytest.fail)
    predict = parallel.compile_function(run.model.build(run.settings.model).predict)
    probabilities = jax.device_get(predict(state, (np.load(drawn) + 1) / 2))
    shares = np.bincount(probabilities.argmax(1), minlength=10) / 1000
    assert shares.min() >= 0.03
    assert shares.max() <= 0.25
    assert probabilities.max(1).mean() >= 0.85


@pytest.mark.skipif(not FASHION.is_dir(), reason="needs the package dataset-fashion-mnist")
def test_the_cnn_learns_fashion_mnist(tmp_path):
    path = tmp_path / "cnn"
    options = ["--data", f"idx:{FASHION}", "--epochs", "5", "--batch-size", "32"]
    assert main(["train", "cnn", *options, "--out", str(path)]) == 0
    assert accuracy(path) >= 0.9
