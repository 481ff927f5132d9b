"""The command line as its users see it: what it prints, what it leaves, how it ends."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from jaxgan import runs
from jaxgan.cli import main
from jaxgan.gans import dcgan
from jaxgan.loop import Outcome

TINY = [
    "--model.features",
    "2",
    "--model.image-size",
    "8",
    "8",
    "--model.latent-size",
    "4",
    "--batch-size",
    "8",
]
OFTEN = ["--cadence.log-every", "2", "--cadence.sample-every", "6", "--cadence.checkpoint-every", "4"]
PENALTIES, AUGMENT = (["train", "dcgan", f"--model.game.{name}"] for name in ("penalties", "augment"))
ENDED = Outcome(state=None, step=1500, signal=None)
CNN = ["--model.image-size", "10", "10", "--model.features", "8", "--model.hidden", "32"]


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def times_aside(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("time", "images_per_second")} for line in lines]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "gan"
    assert main(["train", "dcgan", *TINY, *OFTEN, "--steps", "6", "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def trained_cnn(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "cnn"
    assert main(["train", "cnn", *CNN, "--epochs", "6", "--out", str(path)]) == 0
    return path


@pytest.mark.smoke
def test_training_leaves_a_run_and_says_where(here, capsys):
    assert main(["train", "dcgan", *TINY, "--steps", "3", "--seed", "5"]) == 0
    run = here / "runs" / "dcgan-1"
    printed = capsys.readouterr()
    assert "step 3/3" in printed.err
    assert "runs/dcgan-1" in printed.out
    config = json.loads((run / "config.json").read_text())
    assert config["settings"]["seed"] == 5
    assert config["settings"]["model"]["game"]["generator"]["learning_rate"] == 2e-4
    assert config["versions"]["jax"]
    assert {path.name for path in run.iterdir()} == {
        "checkpoints",
        "config.json",
        "losses.png",
        "metrics.jsonl",
        "samples",
    }


def test_an_interrupted_run_goes_on_and_ends_as_if_it_had_not_been(here):
    """Killed without warning in the middle of a step, as by a power cut."""
    common = ["train", "dcgan", *TINY, *OFTEN, "--steps", "40"]
    assert main([*common, "--out", "whole"]) == 0
    killed = subprocess.Popen(
        [sys.executable, "-m", "jaxgan.cli", *common, "--steps", "4000", "--out", "killed"],
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: any((here / "killed" / "checkpoints").glob("4")), killed)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert main([*common, "--out", "killed", "--resume"]) == 0
    assert times_aside(here / "whole") == times_aside(here / "killed")
    assert main(["sample", "whole", "--out", "a.npy", "--seeds", "0-3"]) == 0
    assert main(["sample", "killed", "--out", "b.npy", "--seeds", "0-3"]) == 0
    np.testing.assert_array_equal(np.load("a.npy"), np.load("b.npy"))


def wait_for(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the program ended"
        assert time.monotonic() < end, "the program was too slow"
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_run_cleanly_and_says_how_to_go_on(here, number, status):
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jaxgan.cli",
            "train",
            "dcgan",
            *TINY,
            *OFTEN,
            "--steps",
            "100000",
            "--out",
            "run",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: (here / "run" / "metrics.jsonl").exists(), process)
    process.send_signal(number)
    out, error = process.communicate(timeout=60)
    assert process.returncode == status, error
    assert "jaxgan train dcgan --resume --out run" in out
    assert "Traceback" not in error


@pytest.mark.usefixtures("here")
def test_samples_depend_on_their_seeds_alone(trained, capsys):
    assert main(["sample", str(trained), "--seeds", "3,0-1", "--out", "a.npy"]) == 0
    assert main(["sample", str(trained), "--seeds", "0-299", "--out", "b.npy"]) == 0
    few, many = np.load("a.npy"), np.load("b.npy")
    assert few.shape == (3, 8, 8, 1)
    assert many.shape == (300, 8, 8, 1)
    np.testing.assert_allclose(few, many[[3, 0, 1]], atol=1e-6)
    assert main(["sample", str(trained), "--out", "grid.png"]) == 0
    assert "grid.png" in capsys.readouterr().out
    with Image.open("grid.png") as grid, Image.open(trained / "samples" / "step-0000006.png") as last:
        np.testing.assert_array_equal(grid, last)


def test_a_classifier_is_evaluated_on_the_test_images(trained_cnn, capsys):
    assert main(["evaluate", str(trained_cnn)]) == 0
    printed = capsys.readouterr().out
    scores = json.loads((trained_cnn / "evaluation.json").read_text())
    assert 0.5 < scores["accuracy"] <= 1
    assert sum(row["images"] for row in scores["classes"].values()) == scores["images"] == 359
    assert f"{'accuracy':<32}{scores['accuracy']:.4f}" in printed
    assert (trained_cnn / "confusion.png").exists()


def test_a_gan_is_evaluated_by_its_players(trained, capsys):
    assert main(["evaluate", str(trained)]) == 0
    scores = json.loads((trained / "evaluation.json").read_text())
    assert scores["images"] == 359
    assert np.isfinite(scores["generator_loss"])
    assert "evaluation.json" in capsys.readouterr().out


def test_a_preset_gives_all_that_is_not_chosen(here, monkeypatch):
    asked = {}
    monkeypatch.setattr(runs, "fit", lambda *_, **given: asked.update(given) or ENDED)
    options = ["--model.game.loss", "hinge", "--model.image-size", "8", "8", "--model.features", "2"]
    assert main(["train", "dcgan", "--preset", "steady", *options, "--out", "run"]) == 0
    saved, preset = runs.open_run(here / "run").settings, dcgan.STEADY
    assert asked["steps"] == preset.steps
    assert (saved.preset, saved.batch_size) == ("steady", preset.batch_size)
    changed = dataclasses.replace(preset.config.game, loss="hinge")
    assert saved.model == dataclasses.replace(preset.config, game=changed, image_size=(8, 8), features=2)


@pytest.mark.smoke
def test_models_lists_every_network(capsys):
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    for word in ("1,936,256", "138,561", "225,034", "dcgan", "cnn"):
        assert word in printed


def refused(capsys, arguments, words):
    """The command ends with 2, one clear sentence and no traceback."""
    try:
        status = main(arguments)
    except SystemExit as stop:  # from the parser of options
        status = stop.code
    error = capsys.readouterr().err
    assert status == 2, error
    assert words in " ".join(error.replace("│", " ").split()), error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "dcgn"], "model is 'dcgn'; it must be one of"),
        (["trian"], "no command 'trian'"),
        (["train", "dcgan", "--bacth-size", "3"], "--bacth-size"),
        (["train", "dcgan", "--preset", "wobbly"], "preset is 'wobbly'; it must be one of default, steady"),
        (["train", "dcgan", "--data", "mnist"], "tfds:NAME"),
        (["train", "dcgan", "--data", "idx:nowhere"], "nowhere"),
        (["train", "dcgan", "--batch-size", "0"], "batch_size is 0"),
        (["train", "dcgan", "--batch-size", "5000"], "batch_size is 5000; it must be at most 1438"),
        (["train", "dcgan", "--steps", "0"], "steps is 0"),
        (["train", "dcgan", "--steps", "5", "--epochs", "5"], "both given"),
        (["train", "dcgan", "--parallel", "threads"], "threads"),
        (
            ["train", "dcgan", "--model.image-size", "30", "30"],
            "image_size is (30, 30); it must be two multiples of 4",
        ),
        (["train", "dcgan", "--model.channels", "2"], "channels is 2"),
        (["train", "dcgan", "--model.game.loss", "hinged"], "Expected one of ('non_saturating', 'minimax',"),
        ([*PENALTIES, "r3"], "penalty is 'r3'; it must be one of balanced_consistency, consistency, dragan"),
        ([*PENALTIES, "r1:10:0"], "the interval of r1 is 0; it must be >= 1"),
        ([*PENALTIES, "r1:10:often"], "the interval of r1 is 'often'; it must be a whole number"),
        ([*PENALTIES, "r1:-1"], "the weight of r1 is -1.0; it must be >= 0 and finite"),
        ([*PENALTIES, "r1", "r1:5"], "penalties is 'r1 r1:5'; it must be each penalty at most once"),
        ([*AUGMENT, "flips"], "augment is 'flips'; it must be one of none, diffaugment, ada"),
        ([*AUGMENT, "diffaugment:blur"], "policy is 'blur'; it must be names of color, brightness"),
        ([*AUGMENT, "diffaugment:saturation"], "without saturation for images of 1 channel, which have none"),
        ([*AUGMENT, "ada:bx"], "pipeline is 'bx'; it must be letters of bgc"),
        (["train", "dcgan", "--model.game.ema-decay", "1"], "ema_decay is 1.0; it must be in [0, 1) or None"),
        (["train", "dcgan", "--model.game.ema-decay", "-0.1"], "ema_decay is -0.1; it must be in [0, 1)"),
        (
            ["train", "dcgan", "--model.game.generator.schedule", "cosine"],
            "schedule_steps is None; it must be more than warmup, 0",
        ),
        (
            ["train", "dcgan", "--model.game.discriminator.schedule-steps", "5"],
            "schedule_steps is 5; it must be None for a constant schedule",
        ),
        (["train", "dcgan", "--model.game.compute-dtype", "float16"], "float16"),
        (["train", "dcgan", "--cadence.keep", "0"], "keep is 0"),
        (["train", "cnn", "--model.num-classes", "4"], "num-classes"),
        (["train", "dcgan", "--resume"], "--resume needs --out"),
        (["train", "dcgan", "--resume", "--out", "nowhere"], "nowhere does not exist"),
        (["train", "dcgan", "--out", "/proc/run"], "cannot be"),
        (["sample", "nowhere"], "nowhere does not exist"),
        (["evaluate", "nowhere"], "nowhere does not exist"),
        (["sample", "nowhere", "--seeds", "5-1"], "--seeds is '5-1'"),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_error_and_nothing_is_written(here, capsys, arguments, words):
    refused(capsys, arguments, words)
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "dcgan", "--out", "RUN"], "holds another run"),
        (["train", "cnn", "--out", "RUN", "--resume"], "holds a run of dcgan, not of cnn"),
        (["train", "dcgan", "--out", "RUN", "--resume", "--seed", "9"], "seed (9, not 0)"),
        (
            ["train", "dcgan", "--out", "RUN", "--resume", "--preset", "steady"],
            "preset ('steady', not 'default')",
        ),
        (
            ["train", "dcgan", "--out", "RUN", "--resume", "--model.game.loss", "minimax"],
            "model.game.loss ('minimax', not 'non_saturating')",
        ),
        (["sample", "RUN", "--label", "3"], "dcgan without classes"),
        (["sample", "RUN", "--out", "grid.jpg"], "ends in .png or .npy"),
        (["sample", "RUN", "--out", "nowhere/grid.png"], "folder nowhere does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_run_is_left_as_it_was(trained, here, capsys, arguments, words):
    before = snapshot(trained)
    refused(capsys, [argument.replace("RUN", str(trained)) for argument in arguments], words)
    assert snapshot(trained) == before
    assert not list(here.iterdir())


def write_bad_data(folder):
    (folder / "empty").mkdir()
    (folder / "cut").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(
        folder / "cut" / "a.png"
    )
    whole = (folder / "cut" / "a.png").read_bytes()
    (folder / "cut" / "a.png").write_bytes(whole[:1500])
    (folder / "wrong").mkdir()
    (folder / "wrong" / "a.jpg").write_bytes(whole)
    (folder / "huge").mkdir()
    Image.new("L", (9000, 9000)).save(folder / "huge" / "a.png")
    (folder / "magic").mkdir()
    (folder / "magic" / "train-images-idx3-ubyte").write_bytes(bytes(100))
    (folder / "short").mkdir()
    (folder / "short" / "train-images-idx3-ubyte").write_bytes(
        bytes.fromhex("00000803 00000009 0000001c 0000001c")
    )
    np.savez(folder / "nan.npz", images=np.full((50, 8, 8), np.nan, np.float32))
    np.savez(folder / "labels.npz", images=np.zeros((50, 8, 8), np.uint8), labels=np.full(50, -1))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("folder:empty", "holds no train images"),
        ("folder:cut", "cut/a.png is truncated or damaged"),
        ("folder:wrong", "wrong/a.jpg is mislabelled: its name says JPEG, its content is PNG"),
        ("folder:huge", "huge/a.png is gigantic: 9000 x 9000"),
        ("idx:magic", "begins with the magic number 0; it must be 2051"),
        ("idx:short", "has 16 bytes; its head says 9 x 28 x 28, which needs 7072"),
        ("npz:nan.npz", "holds 3200 values that are NaN or infinite, in 50 of its images"),
        ("npz:labels.npz", "the label of image 0 is -1"),
        ("npz:missing.npz", "No such file"),
        ("tfds:mnist", "tfds:mnist is not prepared"),
    ],
)
def test_bad_data_is_one_error_and_nothing_is_written(here, capsys, spec, words):
    write_bad_data(here)
    before = snapshot(here)
    refused(capsys, ["train", "dcgan", *TINY, "--data", spec, "--data-dir", "prepared"], words)
    assert snapshot(here) == before


def test_resuming_without_a_checkpoint_is_refused(trained, here, capsys):
    (here / "run" / "checkpoints").mkdir(parents=True)
    (here / "run" / "config.json").write_text((trained / "config.json").read_text())
    refused(
        capsys, ["train", "dcgan", "--out", "run", "--resume"], "there is no checkpoint in run/checkpoints"
    )
    assert not (here / "run" / "metrics.jsonl").exists()


def test_a_checkpoint_cut_short_is_said_and_the_one_before_used(trained, here, capsys):
    shutil.copytree(trained, here / "run")
    largest = max(
        (here / "run" / "checkpoints" / "6" / "state").rglob("*"), key=lambda path: path.stat().st_size
    )
    largest.write_bytes(largest.read_bytes()[:-100])
    assert main(["sample", "run", "--out", "a.npy"]) == 0
    printed = capsys.readouterr().out
    assert "checkpoint of step 6 cannot be read" in printed
    assert "from step 4" in printed
    assert main(["train", "dcgan", "--out", "run", "--resume"]) == 0
    assert "resumed at step 4" in capsys.readouterr().err
    assert times_aside(here / "run") == times_aside(trained)
    assert main(["sample", "run", "--out", "b.npy"]) == 0
    assert main(["sample", str(trained), "--out", "c.npy"]) == 0
    np.testing.assert_array_equal(np.load("b.npy"), np.load("c.npy"))


@pytest.mark.parametrize("mode", ["pmap", "shard_map"])
def test_other_ways_of_running_go_on_with_a_run(trained, here, capsys, mode):
    shutil.copytree(trained, here / "run")
    assert main(["train", "dcgan", "--out", "run", "--resume", "--steps", "8", "--parallel", mode]) == 0
    assert "trained dcgan for 8 steps" in capsys.readouterr().out


def test_a_batch_that_the_game_cannot_divide_is_refused(here, capsys):
    options = ["--batch-size", "8", "--model.game.discriminator-steps", "3"]
    refused(capsys, ["train", "dcgan", *TINY, *options, "--out", "run"], "8")
    assert not list(here.iterdir())


def test_other_data_and_fewer_steps_are_refused(trained, here, capsys):
    shutil.copytree(trained, here / "run")
    refused(
        capsys,
        ["train", "dcgan", "--out", "run", "--resume", "--steps", "5"],
        "steps is 5; it must be at least 6",
    )
    config = json.loads((here / "run" / "config.json").read_text())
    config["data"]["images"] += 1
    (here / "run" / "config.json").write_text(json.dumps(config))
    refused(capsys, ["train", "dcgan", "--out", "run", "--resume"], "the data are now")


def test_a_batch_larger_than_the_test_images_is_evaluated(here, capsys):
    options = ["--batch-size", "400", "--model.game.discriminator-steps", "2", "--steps", "1", "--out", "run"]
    assert main(["train", "dcgan", *TINY, *options]) == 0
    assert main(["evaluate", "run"]) == 0
    assert "359 test images" in capsys.readouterr().out
    assert (here / "run" / "evaluation.json").exists()


def test_a_classifier_draws_no_images(trained_cnn, capsys):
    refused(capsys, ["sample", str(trained_cnn)], "draws no images")


def test_a_batch_must_be_divisible_by_the_devices(tmp_path):
    found = subprocess.run(
        [sys.executable, "-m", "jaxgan.cli", "train", "dcgan", "--batch-size", "12", "--out", "run"],
        env={**os.environ, "JAX_NUM_CPU_DEVICES": "8"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 2, found.stderr
    assert found.stderr.strip() == (
        "jaxgan train: error: batch_size is 12; it must be a multiple of 8, the number of devices"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("here")
def test_a_run_that_diverges_ends_with_one(capsys):
    arguments = ["--model.game.generator.learning-rate", "1e30", "--model.output", "linear"]
    assert main(["train", "dcgan", *TINY, *OFTEN, *arguments, "--steps", "50", "--out", "run"]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("jaxgan train: error: at step")
    assert "Traceback" not in error
