"""Scores on the command line: measured, repeated, made while training, compared, refused."""

import json

import numpy as np
import pytest
from PIL import Image

from jaxgan import extractors
from jaxgan.cli import main

GAN = [
    "--model.features",
    "2",
    "--model.image-size",
    "12",
    "12",
    "--model.latent-size",
    "4",
    "--batch-size",
    "8",
]
SCORED = ["--evaluate-every", "4", "--scoring.metrics", "is,modes,fid", "--scoring.samples", "40"]
AGAIN = ["--metrics", "is,modes,fid", "--samples", "40"]
CNN = ["--model.image-size", "10", "10", "--model.features", "4", "--model.hidden", "16"]


@pytest.fixture(scope="module", autouse=True)
def _quick(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extractors, "STEPS", 60)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "gan"
    assert main(["train", "dcgan", *GAN, *SCORED, "--steps", "6", "--out", str(path)]) == 0
    return path


def lines(run, *, aside=("time", "seconds")):
    found = [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in aside} for line in found]


def refused(capsys, arguments, words):
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code
    error = capsys.readouterr().err
    assert status == 2, error
    assert words in " ".join(error.replace("│", " ").split()), error
    assert "Traceback" not in error


def test_a_run_is_scored_while_it_trains_and_the_same_line_comes_again(run, capsys):
    trained = lines(run)
    assert [line["step"] for line in trained] == [4, 6]
    with Image.open(run / "scores.png") as picture:
        assert picture.size[0] > 500
    for _ in range(2):
        assert main(["evaluate", str(run), *AGAIN]) == 0
    assert lines(run)[2:] == [trained[1]] * 2
    printed = capsys.readouterr().out
    assert "dcgan after 6 steps, 40 samples against 1438 train images of digits" in printed
    assert f"{'fid digits cnn':<32}{trained[1]['scores']['fid_digits_cnn']:.4f}" in printed
    assert "40 images for 128 features" in printed
    protocol = trained[1]["protocol"]
    for name in (
        "extractor",
        "extractor_sha256",
        "data_sha256",
        "split",
        "real",
        "resize",
        "quantisation",
        "seed",
    ):
        assert name in protocol
    assert protocol["metrics"]["fid"] == {"covariance": "N-1"}
    assert protocol["versions"]["jax"]


def test_a_resumed_run_has_the_scores_of_an_uninterrupted_one(tmp_path, run):
    common = ["train", "dcgan", *GAN, *SCORED, "--cadence.checkpoint-every", "5"]
    assert main([*common, "--steps", "5", "--out", str(tmp_path / "run")]) == 0
    assert main([*common, "--steps", "6", "--out", str(tmp_path / "run"), "--resume"]) == 0
    assert [line for line in lines(tmp_path / "run") if line["step"] != 5] == lines(run)[:2]


def test_two_gans_are_compared_and_the_same_one_does_not_differ(run, tmp_path, capsys):
    assert (
        main(["train", "dcgan", *GAN, "--steps", "2", "--seed", "1", "--out", str(tmp_path / "other")]) == 0
    )
    options = ["--samples", "100", "--metrics", "fid,is", "--resamples", "20"]
    assert main(["evaluate", str(run), str(tmp_path / "other"), *options]) == 0
    printed = capsys.readouterr().out
    assert "95 % interval" in printed
    row = next(line for line in printed.splitlines() if line.strip().startswith("fid digits cnn"))
    first, second, difference, low, _, high = row.split()[3:]
    assert float(difference) == pytest.approx(float(first) - float(second), abs=2e-3 * float(first))
    assert float(low) < float(difference) < float(high)
    assert lines(tmp_path / "other")[-1]["protocol"] == lines(run)[-1]["protocol"]


def test_two_classifiers_are_compared(tmp_path, capsys):
    for name, steps in (("a", "150"), ("b", "5")):
        assert main(["train", "cnn", *CNN, "--steps", steps, "--out", str(tmp_path / name)]) == 0
    assert main(["evaluate", str(tmp_path / "a"), str(tmp_path / "b"), "--resamples", "50"]) == 0
    printed = capsys.readouterr().out
    first, second, difference, low, _, _ = next(
        line.split()[1:] for line in printed.splitlines() if line.strip().startswith("accuracy")
    )
    assert float(difference) == pytest.approx(float(first) - float(second), abs=1e-3)
    assert float(low) > 0
    assert lines(tmp_path / "a")[-1]["scores"]["accuracy"] == pytest.approx(float(first), abs=1e-3)


def test_runs_that_are_not_alike_are_not_compared(run, tmp_path, capsys):
    np.savez(tmp_path / "d.npz", images=np.zeros((1100, 12, 12), np.uint8), labels=np.arange(1100) % 3)
    other, cnn = str(tmp_path / "other"), str(tmp_path / "cnn")
    data = ["--data", f"npz:{tmp_path / 'd.npz'}"]
    assert main(["train", "dcgan", *GAN, *data, "--steps", "1", "--out", other]) == 0
    assert main(["train", "cnn", *CNN, "--steps", "1", "--out", cnn]) == 0
    capsys.readouterr()
    before = lines(run)
    refused(capsys, ["evaluate", str(run), other, *AGAIN], "their protocols differ in data_sha256")
    refused(capsys, ["evaluate", str(run), cnn], "a classifier cannot be compared with one of a GAN")
    refused(capsys, ["evaluate", str(run), str(run), "--resamples", "5"], "resamples is 5; it must be >= 20")
    refused(capsys, ["evaluate", cnn, "--metrics", "fid"], "cnn draws no images")
    refused(capsys, ["evaluate", cnn, cnn, "--metrics", "fid"], "cnn draws no images")
    assert lines(run) == before
    assert not (tmp_path / "other" / "scores.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--metrics", ""], "metrics is ''; it must be some of fid, kid, is, pr, modes, ppl, ms_ssim"),
        (["--metrics", "fid,coverage"], "metrics is 'coverage'"),
        (["--metrics", "kid", "--samples", "50"], "samples is 50; it must be at least 1000 for kid"),
        (
            ["--metrics", "kid", "--split", "test"],
            "kid needs at least 1000 real images; digits test gives 359",
        ),
        (["--metrics", "fid", "--real", "9999"], "real is 9999; it must be at most 1438"),
        (["--metrics", "fid", "--extractor", "inception"], "jaxgan weights inception"),
        (["--metrics", "fid", "--resize", "clean"], "only inception resizes"),
        (["--resamples", "50"], "--resamples: only for the comparison of two runs"),
        (["--samples", "50"], "--samples: only for scores of images; name them with --metrics"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_error_and_no_line_is_written(run, capsys, arguments, words):
    before = lines(run)
    refused(capsys, ["evaluate", str(run), *arguments], words)
    assert lines(run) == before


def test_a_training_that_could_not_be_scored_does_not_begin(tmp_path, capsys):
    options = ["--model.image-size", "8", "8", "--evaluate-every", "2", "--out", str(tmp_path / "run")]
    refused(capsys, ["train", "dcgan", *options], "the cnn extractor cannot see these images")
    refused(
        capsys, ["train", "cnn", "--evaluate-every", "2", "--out", str(tmp_path / "run")], "draws no images"
    )
    refused(capsys, ["train", "dcgan", "--evaluate-every", "0"], "evaluate_every is 0")
    assert not (tmp_path / "run").exists()
