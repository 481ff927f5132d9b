"""The loop: what it writes, how it stops, and that a resumed run equals the uninterrupted one."""

import json
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan import parallel, run_folder
from jaxgan.assessment import Assessment
from jaxgan.checkpoint import Checkpoints
from jaxgan.gans import dcgan
from jaxgan.loop import Cadence, Drawing, NonFiniteError, fit
from jaxgan.progress import Silence
from jaxgan.steps import Adversarial
from jaxgan.validation import InputError

pytestmark = pytest.mark.smoke

CONFIG = dcgan.Config(image_size=(8, 8), features=2, latent_size=4, game=Adversarial(ema_decay=0.5))
GAN = dcgan.build(CONFIG)
CADENCE = Cadence(log_every=2, sample_every=5, checkpoint_every=4, keep=2)


class Numbers:
    """Batches drawn from the number of the batch; ``before`` is called with it first."""

    def __init__(self, before=[].append):
        self.number = 0
        self.before = before

    def __next__(self):
        self.number += 1
        self.before(self.number)
        generator = np.random.default_rng(self.number)
        return {"image": generator.uniform(-1, 1, (4, 8, 8, 1)).astype(np.float32)}

    def state(self):
        return {"number": self.number}

    def restore(self, state):
        self.number = state["number"]


@pytest.fixture(scope="module")
def sample():
    return parallel.compile_function(GAN.sample, static_argnums=(2,))


@pytest.fixture
def train(tmp_path, sample):
    key = jax.random.key(0)

    def run(name, steps, *, batches=None, resume=False, cadence=CADENCE, trainable=GAN, **options):
        path = tmp_path / name
        folder = run_folder.open_run(path) if resume else run_folder.create(path, {"model": "test"})
        outcome = fit(
            trainable,
            batches or Numbers(),
            key=key,
            steps=steps,
            folder=folder,
            cadence=cadence,
            drawing=Drawing(lambda state: sample(state, key, 4), (-1, 1)),
            **options,
            resume=resume,
        )
        return folder, outcome

    return run


def restored(folder):
    template = parallel.layout().abstract_state(jax.eval_shape(GAN.init, jax.random.key(0)))
    return Checkpoints(folder.checkpoints).restore(template, say=pytest.fail)


def lines(folder):
    times = {"time", "images_per_second"}
    return [{k: v for k, v in line.items() if k not in times} for line in folder.read_metrics()]


def assert_same(first, second):
    a, b = restored(first), restored(second)
    assert a.step == b.step
    assert a.position == b.position
    jax.tree.map(np.testing.assert_array_equal, a.state, b.state)
    assert lines(first) == lines(second)


def test_a_run_writes_what_it_promises(train):
    with jax.transfer_guard("disallow"):
        folder, outcome = train("run", 11)
    assert (outcome.step, outcome.signal) == (11, None)
    assert [line["step"] for line in lines(folder)] == [2, 4, 6, 8, 10, 11]
    assert set(lines(folder)[0]) > {"generator_loss", "discriminator_loss"}
    assert [path.name for path in sorted(folder.samples.iterdir())] == [
        "step-0000005.png",
        "step-0000010.png",
        "step-0000011.png",
    ]
    with Image.open(folder.curves) as picture:
        assert picture.size[0] > 300
    assert Checkpoints(folder.checkpoints).steps() == [8, 11]
    jax.tree.map(np.testing.assert_array_equal, restored(folder).state, outcome.state)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops_and_the_resumed_run_is_the_same(train, number):
    whole, _ = train("whole", 12)

    def interrupt(batch):
        if batch == 7:
            os.kill(os.getpid(), number)

    handler = signal.getsignal(number)
    folder, outcome = train("stopped", 12, batches=Numbers(interrupt))
    assert (outcome.step, outcome.signal) == (7, number)
    assert signal.getsignal(number) is handler
    assert restored(folder).step == 7
    assert train("stopped", 12, resume=True)[1].signal is None
    assert_same(whole, folder)


def test_a_run_that_died_goes_on_from_its_checkpoint(train):
    whole, _ = train("whole", 12)

    def die(batch):
        if batch == 11:
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        train("died", 12, batches=Numbers(die))
    folder = run_folder.open_run(whole.path.parent / "died")
    assert lines(folder)[-1]["step"] == 10  # beyond the checkpoint of step 8
    with folder.metrics_file.open("a") as file:
        file.write('{"step": 10, "gener')  # a line cut short
    train("died", 12, resume=True)
    assert_same(whole, folder)


def test_a_longer_run_continues_a_shorter_one(train):
    """The last step of the shorter run is logged there, and is not due in the longer one."""
    whole, _ = train("whole", 10)
    folder, _ = train("parts", 5)
    assert lines(folder)[-1]["step"] == 5
    train("parts", 10, resume=True)
    assert_same(whole, folder)


def test_logging_less_often_keeps_what_was_logged(train):
    train("run", 6, cadence=Cadence(log_every=1, checkpoint_every=4))
    folder, _ = train("run", 12, resume=True, cadence=Cadence(log_every=3, checkpoint_every=4))
    assert [line["step"] for line in lines(folder)] == [1, 2, 3, 4, 5, 6, 9, 12]


def test_a_folder_is_made_where_there_is_none_and_never_shared(tmp_path):
    def start():
        return fit(
            GAN, Numbers(), key=jax.random.key(0), steps=2, folder=run_folder.RunFolder(tmp_path / "new")
        )

    assert start().step == 2
    with pytest.raises(InputError, match="holds another run"):
        start()


def test_a_signal_in_the_last_step_changes_nothing(train):
    def interrupt(batch):
        if batch == 4:
            os.kill(os.getpid(), signal.SIGINT)

    assert train("run", 4, batches=Numbers(interrupt))[1].signal is None


def test_a_damaged_checkpoint_costs_only_the_way_back(train):
    said = []

    class Listener(Silence):
        def say(self, sentence):
            said.append(sentence)

    whole, _ = train("whole", 12)
    folder, _ = train("damaged", 8)
    for path in (folder.checkpoints / "8" / "state").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:20])
    train("damaged", 12, resume=True, display=Listener())
    assert "step 8 cannot be read" in said[0]
    assert said[1] == "resumed at step 4"
    assert_same(whole, folder)


def test_a_run_that_is_over_stays_as_it_is(train):
    folder, _ = train("run", 4)
    before = lines(folder)
    assert train("run", 4, resume=True)[1].step == 4
    assert lines(folder) == before


@pytest.mark.parametrize("bad_step", [3, 4, 5, 7])
def test_numbers_that_are_not_finite_stop_the_run_and_are_never_saved(train, tmp_path, bad_step):
    def step(state, batch, key):
        state, metrics = GAN.step(state, batch, key)
        blow = jnp.where(state.step >= bad_step, jnp.inf, 0.0)
        params = jax.tree.map(lambda leaf: leaf + blow, state.generator.params)
        return state.replace(generator=state.generator.replace(params=params)), metrics

    with pytest.raises(NonFiniteError, match=r"step \d+ .*(last good checkpoint|no checkpoint)"):
        train("run", 12, trainable=GAN._replace(step=step))
    assert all(int(path.stem[-7:]) <= bad_step for path in (tmp_path / "run" / "samples").glob("*"))
    assert all(step < bad_step for step in Checkpoints(tmp_path / "run" / "checkpoints").steps())


def test_losses_that_are_not_finite_are_named_with_their_step(train):
    def step(state, batch, key):
        state, metrics = GAN.step(state, batch, key)
        return state, {**metrics, "generator_loss": jnp.where(state.step == 6, jnp.nan, 1.0)}

    with pytest.raises(NonFiniteError, match="at step 6 generator_loss is nan; the last good checkpoint is"):
        train("run", 12, trainable=GAN._replace(step=step))


def test_resuming_needs_a_checkpoint(train, tmp_path):
    run_folder.create(tmp_path / "empty", {"model": "test"})
    with pytest.raises(InputError, match="there is no checkpoint"):
        train("empty", 4, resume=True)


@pytest.mark.parametrize("name", ["log_every", "sample_every", "checkpoint_every", "keep"])
def test_a_cadence_of_zero_is_refused(name):
    with pytest.raises(InputError, match=f"{name} is 0"):
        Cadence(**{name: 0})


def test_every_line_of_the_metrics_is_json(train):
    folder, _ = train("run", 4)
    for line in folder.metrics_file.read_text().splitlines():
        assert json.loads(line)["time"] > 0


def test_scores_are_written_beside_the_metrics_and_bad_samples_end_the_run(train):
    def begin(step, state):
        values = state.step + 1

        def finish():
            if step == 6:
                raise InputError("features of 4 samples of 4 are not finite")
            return {"step": step, "scores": {"next": float(values)}, "protocol": {}}

        return finish

    with pytest.raises(
        NonFiniteError, match="cannot be scored: features of 4 samples of 4 are not finite; the last good"
    ):
        train("run", 20, assessment=Assessment(3, begin, {}))
    folder, _ = train("other", 5, assessment=Assessment(3, begin, {}))
    assert [(line["step"], line["scores"]["next"]) for line in folder.read_scores()] == [(3, 4), (5, 6)]
    assert folder.score_curves.exists()
