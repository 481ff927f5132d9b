"""Sweeps as their users see them: members that are runs, equal to runs of their own, stopped and resumed."""

import contextlib
import dataclasses
import io
import json
import os
import shutil
import signal
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan import pictures, runs, sweeps, zoo
from jaxgan.cli import main
from jaxgan.settings import defaults
from jaxgan.sweeps import checks
from jaxgan.sweeps.stack import stacked, take
from jaxgan.validation import InputError

GAN = ["dcgan", "--model.features", "2", "--model.image-size", "8", "8", "--model.latent-size", "4"]
GAN += ["--batch-size", "8", "--cadence.checkpoint-every", "10", "--cadence.log-every", "2"]
CNN = ["cnn", "--model.image-size", "10", "10", "--model.features", "2", "--model.hidden", "8"]
CNN += ["--batch-size", "8", "--cadence.log-every", "2"]
GRID = ["--seed", "3-4", "--learning-rate", "1e-3,2e-3"]
NAMES = ["seed-3_learning-rate-1e-3", "seed-3_learning-rate-2e-3"]
NAMES += ["seed-4_learning-rate-1e-3", "seed-4_learning-rate-2e-3"]
RATES = {"dcgan": ["generator", "discriminator"], "cnn": ["optimizer"]}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep of a GAN that was stopped, and went on from step 10, since one checkpoint was damaged."""
    path = tmp_path_factory.mktemp("sweeps") / "gan"
    following, taken = sweeps.members.MemberBatches.__next__, []

    def stop_at_the_thirteenth(batches):
        taken.append(1)
        if len(taken) == 13:
            os.kill(os.getpid(), signal.SIGTERM)
        return following(batches)

    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stdout(io.StringIO()) as printed:
        patched.setattr(sweeps.members.MemberBatches, "__next__", stop_at_the_thirteenth)
        arguments = ["sweep", *GAN, *GRID, "--steps", "20", "--no-scores", "--out", str(path)]
        assert main(arguments) == 128 + signal.SIGTERM
    assert f"stopped by SIGTERM after step 13; every member is saved in {path}" in printed.getvalue()
    largest = max((path / NAMES[2] / "checkpoints/13/state").rglob("*"), key=lambda file: file.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-100])
    with contextlib.redirect_stderr(io.StringIO()) as said:
        assert main(["sweep", "--resume", "--out", str(path), "--no-scores"]) == 0
    assert "the checkpoint of step 13 in" in said.getvalue()
    assert "resumed at step 10" in said.getvalue()
    return path


def state_of(path):
    step, state = runs.restore(runs.open_run(path), pytest.fail)
    return step, jax.device_get(state)


def lines_of(path):
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("time", "images_per_second")} for line in lines]


def assert_alike(path, other, tolerance):
    """Two runs of equal settings: their files, their metrics, their states."""
    configs = [json.loads((folder / "config.json").read_text()) for folder in (path, other)]
    for config in configs:
        del config["settings"]["steps"]  # resumed without --steps, a run has them elsewhere
    assert configs[0] == configs[1]
    assert [line["step"] for line in lines_of(path)] == [line["step"] for line in lines_of(other)]
    for line, alone in zip(lines_of(path), lines_of(other), strict=True):
        np.testing.assert_allclose(list(line.values()), list(alone.values()), atol=tolerance, rtol=0)
    pictures = [sorted(p.name for p in (folder / "samples").glob("*")) for folder in (path, other)]
    assert pictures[0] == pictures[1]
    (step, state), (step_alone, alone) = state_of(path), state_of(other)
    assert step == step_alone
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=tolerance, rtol=0), state, alone)


def train_alone(options, name, out, more=()):
    seed, rate = name.split("_")
    arguments = ["train", *options, *more, "--seed", seed.removeprefix("seed-"), "--out", str(out)]
    for place in RATES[options[0]]:
        path = f"--model.game.{place}" if options[0] == "dcgan" else f"--model.{place}"
        arguments += [f"{path}.learning-rate", rate.removeprefix("learning-rate-")]
    assert main(arguments) == 0


@pytest.mark.smoke
def test_each_member_of_a_gan_equals_training_it_alone(swept, here):
    assert sorted(path.name for path in swept.iterdir() if path.is_dir()) == NAMES
    train_alone(GAN, NAMES[1], here / "alone", ["--steps", "20"])
    assert_alike(swept / NAMES[1], here / "alone", 1e-4)
    rates = [state_of(swept / name)[1].generator.opt_state.hyperparams["learning_rate"] for name in NAMES]
    np.testing.assert_allclose(rates, [1e-3, 2e-3, 1e-3, 2e-3])


def test_each_weight_of_a_penalty_equals_training_with_it_alone():
    model, given = zoo.get("dcgan"), defaults(zoo.get("dcgan"))
    tiny = dataclasses.replace(given.model, features=2, image_size=(8, 8), latent_size=4)
    choices, rest = sweeps.split(["--penalties", "r1:0.5,40:2", "--steps", "3"], given)
    assert rest == ["--model.game.penalties", "r1:0.5:2", "--steps", "3"]
    game = dataclasses.replace(tiny.game, penalties=(rest[1],))
    settings = dataclasses.replace(given, batch_size=4, model=dataclasses.replace(tiny, game=game))
    variants = sweeps.combine(settings, choices)
    assert [variant.name for variant in variants] == ["r1-0.5", "r1-40"]
    assert [variant.settings.model.game.penalties for variant in variants] == [("r1:0.5:2",), ("r1:40:2",)]
    built = checks.build_members(model, choices, variants)
    members, alone = stacked(built), model.build(variants[1].settings.model)
    images, key = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 1)).astype(np.float32), jax.random.key(3)
    keys, step, step_alone = jnp.stack([key, key]), jax.jit(members.step), jax.jit(alone.step)
    state, state_alone = jax.jit(members.init)(keys), jax.jit(alone.init)(key)
    for _ in range(3):
        state, _ = step(state, {"image": np.stack([images, images])}, keys)
        state_alone, _ = step_alone(state_alone, {"image": images}, key)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4, rtol=0), take(state, 1), state_alone
    )
    moves = jax.tree.map(lambda leaf: np.abs(leaf[0] - leaf[1]).max(), state.discriminator.params)
    assert max(jax.tree.leaves(moves)) > 1e-5  # the weight is not without effect


@pytest.mark.slow
def test_each_member_of_a_classifier_equals_training_it_alone(here, capsys):
    assert main(["sweep", *CNN, *GRID, "--steps", "20", "--out", "sweep"]) == 0
    printed = capsys.readouterr().out
    record = json.loads((here / "sweep" / "sweep.json").read_text())
    assert [row["name"] for row in record["members"]] == NAMES
    for row in record["members"]:
        assert f"{row['scores']['accuracy']:.4f}" in printed
        evaluation = json.loads((here / "sweep" / row["name"] / "evaluation.json").read_text())
        assert evaluation["accuracy"] == row["scores"]["accuracy"]
    with Image.open(here / "sweep" / "scores.png") as picture:
        assert min(picture.size) > 200
    train_alone(CNN, NAMES[3], here / "alone", ["--steps", "20"])
    assert_alike(here / "sweep" / NAMES[3], here / "alone", 1e-4)


def test_a_member_is_a_run_that_is_drawn_from_measured_and_taken_further(swept, here, capsys):
    shutil.copytree(swept / NAMES[0], here / "run")
    assert main(["sample", "run", "--seeds", "0-3", "--out", "a.npy"]) == 0
    assert np.load("a.npy").shape == (4, 8, 8, 1)
    assert main(["evaluate", "run"]) == 0
    assert main(["train", "dcgan", "--resume", "--out", "run", "--steps", "21"]) == 0
    assert "trained dcgan for 21 steps" in capsys.readouterr().out
    assert lines_of(here / "run")[:-1] == lines_of(swept / NAMES[0])


@pytest.mark.slow
def test_a_sweep_that_was_stopped_ends_as_if_it_had_not_been(swept, here):
    assert main(["sweep", *GAN, *GRID, "--steps", "20", "--no-scores", "--out", "whole"]) == 0
    for name in NAMES:
        assert lines_of(here / "whole" / name) == lines_of(swept / name)
        (step, state), (step_whole, whole) = state_of(swept / name), state_of(here / "whole" / name)
        assert step == step_whole == 20
        jax.tree.map(np.testing.assert_array_equal, state, whole)


@pytest.mark.slow
def test_a_member_that_diverges_is_said_once_and_the_others_go_on(swept, here, capsys):
    grid = ["--seed", "3-4", "--learning-rate", "1e-3,1e30"]
    assert main(["sweep", *GAN, *grid, "--steps", "20", "--no-scores", "--out", "sweep"]) == 0
    printed = capsys.readouterr()
    record = json.loads((here / "sweep" / "sweep.json").read_text())
    lost = [row["name"] for row in record["members"] if row["diverged"]]
    assert lost == ["seed-3_learning-rate-1e30", "seed-4_learning-rate-1e30"]
    for name in lost:
        assert printed.err.count(f"{name}: at step") == 1
        folder = runs.open_run(here / "sweep" / name).folder
        assert not folder.read_metrics()
        assert not list(folder.checkpoints.iterdir())
    assert printed.out.count("diverged: at step") == 2
    for name in NAMES[::2]:
        jax.tree.map(
            np.testing.assert_array_equal, state_of(here / "sweep" / name)[1], state_of(swept / name)[1]
        )
    assert main(["sweep", "--resume", "--out", "sweep", "--steps", "22", "--no-scores"]) == 0
    printed = capsys.readouterr()
    assert "diverged" not in printed.err
    assert printed.out.count("diverged: at step") == 2
    assert lines_of(here / "sweep" / NAMES[0])[-1]["step"] == 22


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_sweep_of_which_nothing_is_left_ends_with_one(capsys):
    grid = ["--seed", "3-4", "--learning-rate", "1e30,1e31"]
    assert main(["sweep", *GAN, *grid, "--steps", "20", "--no-scores", "--out", "sweep"]) == 1
    assert "no member is left" in capsys.readouterr().err.splitlines()[-1]
    refused(capsys, ["sweep", "--resume", "--out", "sweep"], "every member of sweep has diverged")


@pytest.mark.slow
def test_the_scores_of_members_are_those_of_evaluate(here, capsys):
    options = [*GAN[:3], "--model.image-size", "12", "12", *GAN[6:], "--steps", "4", "--evaluate-every", "2"]
    scoring = ["--scoring.metrics", "fid", "--scoring.samples", "100", "--scoring.real", "300"]
    assert main(["sweep", *options, *scoring, "--seed", "0-1", "--out", "sweep"]) == 0
    printed = capsys.readouterr()
    assert "scores of 100 samples against 300 train images of digits" in printed.out
    assert printed.err.count("seed-1: step 4: fid") == 1
    member = here / "sweep" / "seed-1"
    assert main(["evaluate", str(member), "--metrics", "fid", "--samples", "100", "--real", "300"]) == 0
    lines = [json.loads(line) for line in (member / "scores.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 4]
    assert lines[1]["protocol"] == lines[2]["protocol"]
    assert lines[1]["scores"] == pytest.approx(lines[2]["scores"], rel=1e-4)
    record = json.loads((here / "sweep" / "sweep.json").read_text())
    assert record["members"][1]["scores"] == lines[1]["scores"]
    assert record["protocol"] == lines[1]["protocol"]


@pytest.mark.slow
def test_members_are_divided_over_eight_devices(swept, here):
    grid = [*GRID[:2], "--learning-rate", "1e-3,2e-3,3e-3,4e-3"]
    command = ["sweep", *GAN, *grid, "--steps", "20", "--no-scores", "--out", "sweep"]
    script = (
        "import sys; from jaxgan.cli import main; from jaxgan import parallel; "
        "status = main(sys.argv[1:]); "
        "print([parallel.member_layout(count).device_count for count in (8, 6, 7, 12, 11)]); sys.exit(status)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, *command],
        env={**os.environ, "JAX_NUM_CPU_DEVICES": "8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1] == "[8, 6, 7, 6, 1]"
    for name in NAMES:
        states = [state_of(folder / name)[1] for folder in (here / "sweep", swept)]
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4, rtol=0), *states)


def test_the_picture_shows_scores_and_marks_what_diverged(tmp_path):
    rows = [
        {"values": {"seed": seed, "learning-rate": rate}, "scores": {"fid": seed + rate}, "diverged": None}
        for seed in range(2)
        for rate in (1e-4, 1e-2)
    ]
    reds = []
    for name, lost in (("all", None), ("some", "at step 3 loss is nan")):
        rows[-1] |= {"scores": {} if lost else {"fid": 1.01}, "diverged": lost}
        pictures.save_sweep(tmp_path / f"{name}.png", rows, "a sweep of $^$")
        with Image.open(tmp_path / f"{name}.png") as picture:
            pixels = np.asarray(picture.convert("RGB")).astype(int)
        reds.append(((pixels[..., 0] > 240) & (pixels[..., 1:].max(-1) < 40)).sum())
    assert reds[0] == 0
    assert reds[1] > 10
    pictures.save_sweep(tmp_path / "none.png", [{**row, "scores": {}} for row in rows], "no scores")
    assert not (tmp_path / "none.png").exists()


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


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


def test_what_a_sweep_holds_is_left_as_it_was(swept, here, capsys):
    before = files(swept)
    refused(capsys, ["sweep", *GAN, *GRID, "--out", str(swept)], "is not empty")
    resume = ["sweep", "--resume", "--out", str(swept), "--no-scores"]
    refused(capsys, [*resume, "--seed", "3-4"], "--seed: a sweep is resumed with the members that it has")
    refused(capsys, [*resume, "--batch-size", "16"], "batch_size (16, not 8)")
    refused(capsys, [*resume, "--steps", "5"], "steps is 5; it must be at least 20")
    refused(capsys, ["sweep", "cnn", *resume[1:]], "holds a sweep of dcgan, not of cnn")
    refused(capsys, ["sweep", "--resume", "--out", str(swept / NAMES[0])], "it has no sweep.json")
    damaged = here / "damaged"
    shutil.copytree(swept, damaged)
    for text in ("{}", "[]", '{"members": 3}', '{"model": "cnn", "steps": 1, "members": [{"name": "../a"}]}'):
        (damaged / "sweep.json").write_text(text)
        refused(capsys, ["sweep", "--resume", "--out", str(damaged)], "sweep.json cannot be read")
    assert files(swept) == before


def test_more_members_than_the_memory_holds_are_refused_before_anything_is_compiled(
    here, capsys, monkeypatch
):
    model = zoo.get("dcgan")
    each = checks.member_bytes(model, defaults(model), model.build(defaults(model).model))
    state = jax.eval_shape(model.build(defaults(model).model).init, jax.random.key(0))
    assert each > 2 * sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    monkeypatch.setattr(checks, "memory", lambda: int(5.5 * each))
    refused(capsys, ["sweep", "dcgan", "--seed", "0-7"], "the sweep has 8 members; each needs about")
    monkeypatch.setattr(jax, "jit", None)  # so that whatever is compiled fails
    refused(capsys, ["sweep", "dcgan", "--seed", "0-7"], "so that at most 5 fit")
    assert not list(here.iterdir())


def test_a_number_built_into_the_program_is_found_by_its_program(monkeypatch):
    model, settings = zoo.get("dcgan"), defaults(zoo.get("dcgan"))
    choices, _ = sweeps.split(["--model.slope", "0.1,0.2"], settings)
    monkeypatch.setattr(checks, "may_vary", lambda *_: ["seed", "slope"])  # as if it were in the state
    with pytest.raises(InputError, match=r"--model.slope is 0.1,0.2; it takes one value"):
        checks.build_members(model, choices, sweeps.combine(settings, choices))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dcgan"], "a sweep needs an option with several values, such as --seed 0-3"),
        (["dcgan", "--seed", "5"], "a sweep needs an option with several values"),
        (["dcgan", "--seed", "3-1"], "--seed has no value, which makes a sweep of zero members"),
        (["dcgan", "--seed", ","], "zero members"),
        (["dcgan", "--seed", "0,x"], "--seed is '0,x'; it must be numbers with commas between them"),
        (["dcgan", "--seed", "0,0.5"], "--seed is '0,0.5'; it must be whole numbers"),
        (["dcgan", "--learning-rate", "1-3"], "only whole numbers have ranges"),
        (["dcgan", "--seed", "0-1,1"], "the members seed-1 and seed-1 are the same"),
        (
            ["dcgan", "--learning-rate", "1e-4,0.0001"],
            "the members learning-rate-1e-4 and learning-rate-0.0001 are the same",
        ),
        (["dcgan", "--seed", "0-9999"], "at most 4096 members"),
        (["dcgan", "--learning-rate", "1e-4,-1"], "learning_rate is -1.0; it must be > 0"),
        (["dcgan", "--seed", "0-1", "--seed", "4"], "seed is given twice"),
        (
            ["dcgan", "--learning-rate", "1,2", "--model.game.generator.learning-rate", "3,4"],
            "model.game.generator.learning-rate is given twice",
        ),
        (
            ["dcgan", "--batch-size", "8,16"],
            "--batch-size is 8,16; it takes one value in a sweep, since it is built into the program; what "
            "may vary is seed, learning-rate, b1, b2, eps",
        ),
        (["dcgan", "--steps", "10,20"], "--steps is 10,20; it takes one value in a sweep"),
        (["dcgan", "--model.slope", "0.1,0.2"], "--model.slope is 0.1,0.2; it takes one value in a sweep"),
        (["dcgan", "--ema-decay", "0.9,0.99"], "--ema-decay is 0.9,0.99; it takes one value in a sweep"),
        (["dcgan", "--penalties", "r1:1,x"], "--r1 is '1,x'; it must be numbers with commas between them"),
        (["dcgan", "--penalties", "r1:1,-1:4"], "the weight of r1 is -1.0; it must be >= 0"),
        (["dcgan", "--penalties", "r1:1,2:0"], "the interval of r1 is 0; it must be >= 1"),
        (["dcgan", "--penalties", "r9:1,2"], "penalty is 'r9'; it must be one of balanced_consistency"),
        (["dcgan", "--r1", "1,2"], "penalty is 'r1'; it must be one of the game's: it has none"),
        (["cnn", "--seed", "0-1", "--model.num-classes", "4"], "num-classes"),
        (["cnn", "--seed", "0-1", "--parallel", "pmap"], "parallel is 'pmap'; it must be 'jit' in a sweep"),
        (["dcgn", "--seed", "0-1"], "model is 'dcgn'"),
        (["--seed", "0-1"], "name a model first"),
        (["dcgan", "--seed", "0-1", "--batch-size", "5000"], "batch_size is 5000; it must be at most 1438"),
        (["dcgan", "--seed", "0-1", "--no-scores", "--out", "/proc/sweep"], "cannot be"),
        (["--resume"], "--resume needs --out"),
        (["--resume", "--out", "nowhere"], "nowhere does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_error_and_nothing_is_written(here, capsys, arguments, words):
    refused(capsys, ["sweep", *arguments], words)
    assert not list(here.iterdir())
