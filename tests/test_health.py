"""Health: each failure is recognised where it is made to happen, said once, and never in healthy runs."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from jaxgan import health, run_folder
from jaxgan.checkpoint import Checkpoints
from jaxgan.cli import main
from jaxgan.health import Health, Shares, Spread
from jaxgan.loop import Cadence, NonFiniteError, fit
from jaxgan.progress import Silence
from jaxgan.steps import GAN
from jaxgan.validation import InputError
from jaxgan.watcher import Watcher

HEALTH = Health()


def lines(count, **metrics):
    """Lines of metrics, ten steps apart; each metric is a number or a function of the line's number."""
    return [
        {"step": 10 * n, **{k: v(n) if callable(v) else v for k, v in metrics.items()}}
        for n in range(1, count + 1)
    ]


def kinds(found):
    return [finding.kind for finding in found]


def examine(count=120, **metrics):
    return kinds(health.examine_lines(lines(count, **metrics), HEALTH))


GOOD = {
    "generator_loss": 0.75,
    "discriminator_loss": 1.3,
    "real_accuracy": 0.7,
    "fake_accuracy": 0.7,
    "real_logit": 0.2,
    "fake_logit": -0.2,
    "generator_gradient_norm": 1.0,
    "discriminator_gradient_norm": 2.0,
}
WON = {"discriminator_loss": 0.001, "real_accuracy": 1.0, "fake_accuracy": 0.995}


def test_a_steady_game_shows_nothing_and_neither_do_runs_without_the_metrics():
    assert examine(**GOOD) == []
    assert examine(loss=lambda n: 2 / n, accuracy=1.0) == []
    assert health.examine_lines([], HEALTH) == []


@pytest.mark.parametrize(
    ("kind", "sick"),
    [
        ("saturation", {**WON, "real_logit": 8, "fake_logit": -8}),
        ("drift", {"real_logit": lambda n: n}),
        ("exploding", {"generator_gradient_norm": lambda n: 1.1**n}),
        ("exploding", {"discriminator_gradient_norm": 2e4}),
        ("vanishing", {"generator_gradient_norm": lambda n: 0.9**n}),
        ("vanishing", {"discriminator_gradient_norm": 0}),
        ("oscillation", {"generator_loss": lambda n: 30 * np.sin(n / 3)}),
        ("nan", {"skipped_updates": 2}),
    ],
)
def test_each_failure_is_known_by_its_numbers_and_says_what_to_try(kind, sick):
    (found,) = health.examine_lines(lines(120, **GOOD | sick), HEALTH)
    assert (found.kind, found.step) == (kind, 1200)
    assert found.sentence.startswith(f"{kind}: ")
    assert "; try " in found.sentence
    assert all(np.isfinite(value) for value in json.loads(json.dumps(found.numbers)).values())


@pytest.mark.parametrize(
    "healthy",
    [
        WON | {"real_logit": 0.01, "fake_logit": -0.01},  # a critic with clipped weights
        WON | {"fake_accuracy": 0.97},
        WON | {"discriminator_loss": 0.1},
        {"discriminator_loss": -8, "real_accuracy": 1, "fake_accuracy": 1, "real_logit": 9},  # wasserstein
        {"real_logit": lambda n: n / 4},  # it grows, and stays small
        {"real_logit": 500, "fake_logit": 490, "generator_loss": -490},  # large, and steady
        {"real_logit": lambda n: 70 * np.sin(n), "generator_loss": 0.7},  # no trend
        {"generator_gradient_norm": lambda n: min(1.2**n, 90)},
        {"generator_gradient_norm": lambda n: max(0.9**n, 0.002)},
        {"discriminator_gradient_norm": 900},
        {"generator_loss": lambda n: 5 * np.sin(n / 3)},
        {"generator_loss": lambda n: 30 * np.sin(n / 3), "real_logit": 40},  # as far as real and fake differ
        {"generator_loss": lambda n: 30 if n > 60 else 0},  # one jump
        {"skipped_updates": 0},
    ],
)
def test_what_only_resembles_a_failure_is_none(healthy):
    assert examine(**GOOD | healthy) == []


def test_few_lines_and_missing_ones_are_no_failure():
    assert examine(HEALTH.lines - 1, **GOOD | WON | {"real_logit": 8}) == []
    assert examine(HEALTH.lines, **GOOD | WON | {"real_logit": 8}) == ["saturation"]
    patchy = lines(40, **GOOD | WON)
    del patchy[-3]["fake_accuracy"]
    assert health.examine_lines(patchy, HEALTH) == []


def test_the_spread_is_that_of_block_means():
    generator = np.random.default_rng(0)
    fake, real = generator.normal(size=(2, 20, 16, 24, 3)) * [[[[[1.0]]]], [[[[2.0]]]]]

    def reference(images):  # 24 pixels are three to a block of eight
        blocks = [[image[i : i + 3, j : j + 3].mean((0, 1)) for i in range(0, 15, 3) for j in range(0, 24, 3)]
                  for image in images]  # fmt: skip
        pairs = pdist(np.reshape(blocks, (20, -1)))
        return pairs.mean(), np.median((squareform(pairs) + np.diag([np.inf] * 20)).min(1))

    found = health.spread(3, fake, real)
    expected = np.divide(reference(fake), reference(real))
    np.testing.assert_allclose([found.distance, found.nearest], expected, rtol=1e-9)


def test_a_spread_tells_collapse_from_variety():
    generator = np.random.default_rng(0)
    real = generator.uniform(-1, 1, (64, 8, 8, 1))
    same = np.repeat(real[:1], 64, 0) + generator.normal(size=real.shape) * 0.01
    few = np.repeat(real[:4], 16, 0)
    assert health.spread(0, real[::-1], real).score == pytest.approx(1)
    assert health.spread(0, same, real).score < 0.1
    assert health.spread(0, few, real).distance > 0.6
    assert health.spread(0, few, real).score < 1e-6
    assert health.spread(0, real, same * 0) is None  # real images without any difference
    assert health.spread(0, real, real[:3]) is None


@pytest.mark.parametrize(
    ("scores", "collapsed"),
    [
        ([0.7, 0.8, 0.9, 0.2, 0.1, 0.1], True),
        ([0.7, 0.8, 0.9, 0.2, 0.1], False),  # not for long enough
        ([0.7, 0.2, 0.1, 0.1], False),  # noise of the first weights
        ([0.05] * 10, True),
        ([0.05] * 9, False),
        ([0.02 * n for n in range(12)], False),  # slow, and rising
        ([0.3 + 0.02 * n for n in range(12)], False),
    ],
)
def test_collapse_is_to_lose_variety_or_never_to_gain_it(scores, collapsed):
    spreads = [Spread(100 * n, score, score) for n, score in enumerate(scores, 1)]
    assert (health.examine_spreads(spreads, HEALTH) is not None) == collapsed


def test_classes_that_samples_miss_are_collapse_by_the_share_of_real_ones():
    counts = np.array([50, 50, 0, 100])
    found = health.shares(1, {"fid": 3.0, "kid_x": 1.0, "kl_x": float(np.log(2))}, counts)
    entropy = 0.5 * np.log(4) + 0.5 * np.log(2)
    assert found == Shares(1, 2.0, round(float(np.exp(entropy)), 3))
    assert health.shares(1, {"fid": 3.0}, counts) is None

    def examine(*classes, step=1000):
        return health.examine_shares([Shares(step, each, 10.0) for each in classes], HEALTH)

    assert examine(2.0, 2.0).kind == "collapse"
    assert examine(2.0) is None
    assert examine(2.0, 2.5) is None  # it gets better
    assert examine(2.0, 3.5) is None
    assert examine(2.0, 2.0, step=900) is None


@pytest.mark.parametrize(("name", "value"), [("every", 0), ("lines", 1), ("swing", 0.0), ("spread", -1.0)])
def test_thresholds_that_mean_nothing_are_refused(name, value):
    with pytest.raises(InputError, match=f"{name} is {value}"):
        Health(**{name: value})


class Listener(Silence):
    def __init__(self):
        self.said = []

    def say(self, sentence):
        self.said.append(sentence)


def watcher(folder, *, stop_on=(), writes=True):
    listener = Listener()
    return Watcher(folder, HEALTH, stop_on, writes=writes, display=listener), listener


def test_a_failure_is_said_once_and_not_again_after_a_resume(tmp_path):
    folder = run_folder.RunFolder(tmp_path)
    first, heard = watcher(folder)
    for line in lines(60, **GOOD | WON | {"real_logit": 8}):
        folder.append_metrics(line)
        first.see_metrics(line)
    assert [sentence[:21] for sentence in heard.said] == ["step 200: saturation:"]
    assert [(line["kind"], line["step"]) for line in folder.read_health()] == [("saturation", 200)]
    assert first.verdict() is None

    resumed, heard = watcher(folder, stop_on=("saturation",))
    resumed.resume(600)
    for line in lines(100, **GOOD | WON | {"real_logit": 8})[60:]:
        resumed.see_metrics(line)
    assert heard.said == []
    assert resumed.verdict() is None


def test_what_came_after_the_checkpoint_is_forgotten_and_found_anew(tmp_path):
    folder = run_folder.RunFolder(tmp_path)
    sick = lines(60, **GOOD | WON | {"real_logit": 8})
    folder.append_health({"kind": "saturation", "step": 200, "sentence": "", "numbers": {}})
    folder.write_metrics(sick[:15])
    resumed, heard = watcher(folder, stop_on=("collapse", "saturation"))
    resumed.resume(150)
    assert folder.read_health() == []
    for line in sick[15:20]:
        resumed.see_metrics(line)
    assert len(heard.said) == 1  # with the lines from before the resume
    assert resumed.verdict().kind == "saturation"


def test_only_a_process_that_writes_looks(tmp_path):
    other, heard = watcher(run_folder.RunFolder(tmp_path), writes=False)
    other.see_batch({"image": np.zeros((4, 8, 8, 1))})
    for line in lines(60, **GOOD | WON | {"real_logit": 8}):
        other.see_metrics(line)
    assert (heard.said, list(tmp_path.iterdir())) == ([], [])


def test_lines_closer_than_ten_steps_are_passed_over(tmp_path):
    often, heard = watcher(run_folder.RunFolder(tmp_path))
    for step in range(1, 192):
        often.see_metrics({"step": step, **GOOD, **WON, "real_logit": 8})
    assert [sentence[:9] for sentence in heard.said] == ["step 191:"]


def test_samples_and_scores_are_compared_with_the_real_images_of_the_first_batches(tmp_path):
    seen, heard = watcher(run_folder.RunFolder(tmp_path), stop_on=("collapse",))
    generator = np.random.default_rng(0)
    for _ in range(10):
        images = generator.uniform(-1, 1, (8, 8, 8, 1))
        seen.see_batch({"image": images, "label": generator.integers(10, size=8)})
    for step in range(100, 1000, 50):  # every other grid is passed over
        seen.see_samples(step, generator.uniform(-1, 1, (64, 8, 8, 1)) * (1 if step < 700 else 0.01))
    assert [sentence[:18] for sentence in heard.said] == ["step 900: collapse"]
    seen.see_scores({"step": 2000, "scores": {"kl": 2.2}})
    seen.see_scores({"step": 2100, "scores": {"kl": 2.2}})
    assert len(heard.said) == 1  # of each kind, one
    assert seen.verdict().step == 900

    scored, heard = watcher(run_folder.RunFolder(tmp_path / "other"))
    (tmp_path / "other").mkdir()
    scored.see_batch({"image": images, "label": np.arange(10)})
    for step in (2000, 2100):
        scored.see_scores({"step": step, "scores": {"kl": 2.2}})
    assert "as few classes as 1.1 even ones; real images on 10" in heard.said[0]


def skipping(nan_at):
    """A trainable whose loss is not finite now and then, and which counts that it left those updates out."""

    def init(_key):
        return {"step": jnp.zeros((), jnp.int32)}

    def step(state, batch, key):
        del batch, key
        number = state["step"] + 1
        bad = (number >= nan_at) & (number < nan_at + 3)
        metrics = {
            "loss": jnp.where(bad, jnp.nan, 1.0),
            "skipped_updates": jnp.clip(number - nan_at + 1, 0, 3),
        }
        return {"step": number}, metrics

    return GAN(init, step, None)


class Nothing:
    def __next__(self):
        return {"image": np.zeros((2, 8, 8, 1), np.float32)}

    def state(self):
        return {}

    def restore(self, state):
        del state


def train(path, trainable, **options):
    folder = run_folder.create(path, {"model": "test"})
    cadence = Cadence(log_every=1, checkpoint_every=100)
    outcome = fit(
        trainable,
        Nothing(),
        key=jax.random.key(0),
        steps=100,
        folder=folder,
        cadence=cadence,
        **options,
    )
    return folder, outcome


def test_updates_that_were_left_out_are_said_and_the_run_goes_on_unless_it_is_to_stop(tmp_path):
    folder, outcome = train(tmp_path / "on", skipping(20))
    assert (outcome.step, outcome.finding) == (100, None)
    assert [line["kind"] for line in folder.read_health()] == ["nan"]
    assert "NaN" not in folder.metrics_file.read_text()
    assert ["loss" in line for line in folder.read_metrics()].count(False) == 3

    folder, outcome = train(tmp_path / "off", skipping(20), stop_on=("nan",))
    assert outcome.finding.kind == "nan"
    assert 20 <= outcome.step < 100
    assert Checkpoints(folder.checkpoints).steps() == [outcome.step]


def test_a_loss_that_is_not_finite_ends_a_run_that_leaves_nothing_out(tmp_path):
    plain = skipping(20)

    def step(state, batch, key):
        state, metrics = plain.step(state, batch, key)
        return state, {"loss": metrics["loss"]}

    with pytest.raises(NonFiniteError, match="at step 20 loss is nan"):
        train(tmp_path / "run", plain._replace(step=step))


LOST = ["--model.dropout", "0", "--model.game.generator.learning-rate", "1e-9"]
TINY = ["--model.image-size", "8", "8", "--model.features", "8", "--batch-size", "8"]


def test_a_run_that_fails_as_it_must_not_is_saved_and_stops_with_one(tmp_path, capsys):
    run = tmp_path / "run"
    won = ["--model.game.discriminator.learning-rate", "5e-3", "--steps", "260", "--out", str(run)]
    assert main(["train", "dcgan", *TINY, *LOST, *won, "--stop-on", "nan,saturation"]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("jaxgan train: error: stopped after step 201; saved in ")
    assert "saturation: for 20 logged steps" in said[-1]
    assert sum("saturation: " in sentence for sentence in said) == 2  # when it was found, and at the end
    assert Checkpoints(run / "checkpoints").steps() == [201]
    assert main(["train", "dcgan", "--resume", "--steps", "260", "--out", str(run)]) == 0
    assert "saturation" not in capsys.readouterr().err
    (line,) = run_folder.open_run(run).read_health()
    assert (line["kind"], line["step"]) == ("saturation", 200)
    assert line["numbers"]["fake_accuracy"] >= 0.99


def test_an_unknown_failure_is_refused_with_those_that_are_known(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "dcgan", "--stop-on", "nan,colapse"]) == 2
    error = capsys.readouterr().err
    assert "stop_on is 'colapse'; it must be some of saturation, collapse, drift, exploding, " in error
    assert "did you mean collapse?" in error
    assert not list(tmp_path.iterdir())


SMALL = [
    *("--model.image-size", "16", "16", "--model.features", "16", "--model.latent-size", "32"),
    *("--model.kernel-init", "normal", "--model.slope", "0.2", "--batch-size", "16"),
]


def rates(generator, discriminator):
    names = ("--model.game.generator.learning-rate", "--model.game.discriminator.learning-rate")
    return [names[0], generator, names[1], discriminator]


CRITIC = ["--model.game.loss", "wasserstein", "--model.dropout", "0"]
TURNS = ["--model.game.updates", "alternating"]
MOMENTUM = ["--model.game.generator.b1", "0.95", "--model.game.discriminator.b1", "0.95"]
SICK = {
    "saturation": [*rates("1e-9", "2e-4"), "--model.dropout", "0"],  # a generator that stands still
    "collapse": rates("5e-3", "1e-5"),  # one that runs away from the discriminator
    "drift": [*CRITIC, *TURNS, *rates("1e-6", "1e-4")],  # a critic without a penalty
    "exploding": [*CRITIC, *TURNS, *rates("1e-6", "1e-4")],
    "vanishing": [*rates("1e-6", "1e-3"), "--model.game.loss", "minimax", "--model.dropout", "0"],
    "oscillation": [*CRITIC, *MOMENTUM, *rates("2e-3", "2e-3")],  # players that overshoot
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SICK)
def test_a_run_made_to_fail_in_one_way_is_recognised_and_stopped(kind, tmp_path):
    run = tmp_path / "run"
    options = [*SMALL, *SICK[kind], "--steps", "2000", "--out", str(run)]
    assert main(["train", "dcgan", *options, "--stop-on", kind]) == 1
    assert run_folder.open_run(run).read_health()[-1]["kind"] == kind


HINGE = ["--model.game.loss", "hinge", "--model.game.ema-decay", "0.99", "--steps", "3000"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [["dcgan"], ["cnn"], ["dcgan", *SMALL, *HINGE]], ids=["dcgan", "cnn", "hinge"]
)
def test_a_healthy_run_is_left_in_peace(options, tmp_path, capsys):
    every = ",".join(health.KINDS)
    assert main(["train", *options, "--out", str(tmp_path / "run"), "--stop-on", every]) == 0
    assert not (tmp_path / "run" / "health.jsonl").exists()
    assert "try" not in capsys.readouterr().err
