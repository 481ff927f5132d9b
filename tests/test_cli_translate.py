"""Translators by the command line: trained, resumed, measured, put to work, and what is refused."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from jaxgan.cli import main

TINY = ["--model.image-size", "16", "16", "--model.features", "2", "--batch-size", "4"]
TINY += ["--model.patch-features", "2", "--model.patch-halvings", "1"]
OFTEN = ["--cadence.log-every", "2", "--cadence.sample-every", "4", "--cadence.checkpoint-every", "2"]
CYCLE = ["--model.blocks", "1", "--model.pool-size", "6"]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def measured(path):
    return [(line["step"], line["scores"]) for line in lines(path / "scores.jsonl")]


def logged(path):
    found = lines(path / "metrics.jsonl")
    return [{k: v for k, v in line.items() if k not in ("time", "images_per_second")} for line in found]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "pairs"
    assert (
        main(["train", "pix2pix", *TINY, *OFTEN, "--steps", "4", "--evaluate-every", "2", "--out", str(path)])
        == 0
    )
    return path


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "one.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 24)).astype(np.uint8)).save(path)
    return path


def test_a_run_on_pairs_shows_and_measures_its_translations(pairs, capsys):
    """Two groups of input, output and truth, seven rows, each picture enlarged by 4."""
    with Image.open(pairs / "samples" / "step-0000004.png") as grid:
        width, height = grid.size
    assert (width, height) == (4 * (6 * 17 + 1), 4 * (7 * 17 + 1))
    assert [step for step, _ in measured(pairs)] == [2, 4]
    assert main(["evaluate", str(pairs)]) == 0
    assert "test images of edges:digits" in capsys.readouterr().out
    *_, before, last = measured(pairs)
    assert before == last
    assert set(last[1]) == {"l1", "l1_unchanged"}
    assert 0 < last[1]["l1"] < 1
    protocols = [line["protocol"] for line in lines(pairs / "scores.jsonl")]
    assert protocols[-1] == protocols[-2]
    assert protocols[-1]["real"] == 359


@pytest.mark.parametrize(
    ("model", "own", "direction"),
    [
        ("pix2pix", [], "a-to-b"),
        pytest.param("cyclegan", CYCLE, "b-to-a", marks=pytest.mark.slow),
    ],
)
def test_a_resumed_run_is_as_if_it_had_not_stopped(tmp_path, monkeypatch, model, own, direction):
    """CycleGAN's pool is full by then, and a part of the state."""
    monkeypatch.chdir(tmp_path)
    common = ["train", model, *TINY, *own, *OFTEN]
    assert main([*common, "--steps", "6", "--out", "whole"]) == 0
    assert main([*common, "--steps", "4", "--out", "parts"]) == 0
    assert main([*common, "--steps", "6", "--out", "parts", "--resume"]) == 0
    assert logged(tmp_path / "whole") == logged(tmp_path / "parts")
    for name in ("whole", "parts"):
        Image.fromarray(np.full((16, 16), 99, np.uint8)).save(f"{name}.bmp")
        assert main(["translate", name, f"{name}.bmp", "--direction", direction, "--out", "made"]) == 0
    whole, parts = (np.asarray(Image.open(f"made/{name}.png")) for name in ("whole", "parts"))
    np.testing.assert_array_equal(whole, parts)
    assert whole.shape == (16, 16)


@pytest.mark.slow
def test_translations_without_pairs_are_measured_by_a_classifier(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = tmp_path / "run"
    assert main(["train", "cyclegan", *TINY, *CYCLE, "--steps", "4", "--out", str(run)]) == 0
    assert main(["evaluate", str(run)]) == 0
    ((_, scores),) = measured(run)
    names = ("domain_changed", "label_kept", "cycle_l1")
    assert set(scores) == {f"{name}_{way}" for name in names for way in ("a_to_b", "b_to_a")}
    assert all(0 <= value <= 1 for value in scores.values())
    (line,) = lines(run / "scores.jsonl")
    assert line["protocol"]["extractor_accuracy"] > 0.9


def test_images_are_translated_each_by_itself(pairs, picture, tmp_path):
    other = tmp_path / "other.jpg"
    Image.new("CMYK", (30, 20), (10, 20, 30, 40)).save(other)
    out = tmp_path / "deep" / "out"
    assert main(["translate", str(pairs), str(picture), str(other), "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["one.png", "other.png"]
    assert main(["translate", str(pairs), str(picture), "--out", str(tmp_path / "alone")]) == 0
    together, alone = (np.asarray(Image.open(f / "one.png")).astype(int) for f in (out, tmp_path / "alone"))
    assert together.shape == (16, 16)
    assert abs(together - alone).max() <= 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--direction": "b-to-a"}, "--direction is 'b-to-a'; it must be a-to-b"),
        ({"--direction": "up"}, "--direction is 'up'; it must be a-to-b"),
        ({"images": ["none.png"]}, "none.png cannot be read: No such file"),
        ({"images": ["text.txt"]}, "the ending of an image file is 'text.txt'; it must be one of .png"),
        ({"images": ["broken.png"]}, "broken.png is not an image"),
        ({"images": ["a/x.png", "b/x.png"]}, "a/x.png and b/x.png would both become out/x.png"),
        ({"images": ["a/x.png"], "--out": "a"}, "a/x.png would be replaced by its own translation"),
        ({"images": ["a/x.png"], "--out": "text.txt"}, "--out text.txt cannot be written: File exists"),
        ({"run": "none"}, "none does not exist"),
    ],
)
def test_what_cannot_be_translated_is_refused(pairs, picture, tmp_path, monkeypatch, capsys, change, words):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(picture, tmp_path / name / "x.png")
    (tmp_path / "text.txt").write_text("text")
    (tmp_path / "broken.png").write_text("text")
    given = {"run": str(pairs), "images": ["a/x.png"], "--direction": "a-to-b", "--out": "out"} | change
    options = [part for name in ("--direction", "--out") for part in (name, given[name])]
    assert main(["translate", given["run"], *given["images"], *options]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_run_of_another_kind_does_not_translate(tmp_path, picture, capsys):
    run = tmp_path / "gan"
    gan = ["--model.features", "2", "--model.image-size", "8", "8", "--model.latent-size", "4"]
    assert main(["train", "dcgan", *gan, "--batch-size", "4", "--steps", "1", "--out", str(run)]) == 0
    assert main(["translate", str(run), str(picture), "--out", str(tmp_path / "out")]) == 2
    assert "is a run of dcgan, which does not translate images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["sample", "RUN"], "is a run of pix2pix, which draws no images of its own"),
        (["evaluate", "RUN", "--metrics", "fid"], "pix2pix draws no images of its own"),
        (["explain", "RUN"], "is a run of pix2pix, which has no classes or latents; the"),
        (["judge", "RUN"], "is a run of pix2pix, which draws no images of its own"),
    ],
)
def test_a_translator_draws_nothing_of_its_own(pairs, capsys, command, words):
    assert main([str(pairs) if part == "RUN" else part for part in command]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--steps", "2000"], "steps is 2000; the learning rate is 0 from step 1500 on: give --model.game."),
        (["--data", "digits"], "digits has images of one domain"),
        (["--data", "pairs:none"], "pairs:none is not a folder"),
    ],
)
def test_trainings_that_make_no_sense_are_refused(tmp_path, monkeypatch, capsys, options, words):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "pix2pix", *options]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_size_that_the_networks_do_not_take_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "pix2pix", "--model.image-size", "30", "32"])
    error = " ".join(capsys.readouterr().err.replace("│", "").split())
    assert "image_size is (30, 32); it must be two multiples of 2 ** depth, 8" in error


@pytest.mark.slow
def test_a_sweep_varies_the_weights_of_the_losses(tmp_path):
    out = tmp_path / "sweep"
    sweep = ["sweep", "pix2pix", *TINY, "--l1-weight", "1,100", "--steps", "2", "--out", str(out)]
    assert main(sweep) == 0
    found = json.loads((out / "sweep.json").read_text())
    assert [row["values"] for row in found["members"]] == [{"l1-weight": 1}, {"l1-weight": 100}]
    assert all(set(row["scores"]) == {"l1", "l1_unchanged"} for row in found["members"])
