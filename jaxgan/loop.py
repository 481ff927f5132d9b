"""The training loop: `fit` runs the steps, watches them, writes what they give, and can stop and go on."""

import dataclasses
import math
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

import jax

from jaxgan import parallel
from jaxgan.assessment import Assessment
from jaxgan.health import Finding, Health
from jaxgan.keeper import Keeper, RunKeeper
from jaxgan.keeper import NonFiniteError as NonFiniteError
from jaxgan.progress import Display, Silence
from jaxgan.run_folder import RunFolder
from jaxgan.signals import caught_signals
from jaxgan.typing import Array, Batches, Metrics, PyTree, Trainable
from jaxgan.validation import require


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cadence:
    """How often a run writes, in steps.

    Attributes:
        log_every: steps between lines of the metrics.
        sample_every: steps between grids of samples.
        checkpoint_every: steps between checkpoints.
        keep: how many of the newest checkpoints are kept.
    """

    log_every: int = 10
    sample_every: int = 100
    checkpoint_every: int = 500
    keep: int = 3

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            require(value >= 1, field.name, value, ">= 1")


class Drawing(NamedTuple):
    """How a run shows what it has learnt.

    Attributes:
        draw: ``state -> images`` f32[N, H, W, C]; the same latents at every call.
        value_range: (low, high), the values of black and white.
        columns: images in a row of the grid; as many as make it nearly square with None.
    """

    draw: Callable[[PyTree], Array]
    value_range: tuple[float, float]
    columns: int | None = None


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
        state: the last state.
        step: the steps taken.
        signal: the number of the signal that stopped it before its end, or None.
        finding: the failure that it was to stop on, and did, or None.
    """

    state: PyTree
    step: int
    signal: int | None
    finding: Finding | None = None


def fit(
    trainable: Trainable,
    batches: Batches,
    *,
    key: Array,
    steps: int,
    folder: RunFolder,
    layout: parallel.Layout | None = None,
    cadence: Cadence | None = None,
    drawing: Drawing | None = None,
    assessment: Assessment | None = None,
    display: Display | None = None,
    health: Health | None = None,
    stop_on: tuple[str, ...] = (),
    resume: bool = False,
) -> Outcome:
    """Trains for a number of steps and leaves all of it in the folder of the run.

    Writes ``metrics.jsonl``, sample grids, scores, checkpoints, ``health.jsonl`` where something goes wrong,
    and, at the end, the plots. A run that was stopped (Ctrl-C, SIGTERM, or killed) and resumed gives, bit for
    bit, what it would have given without a stop. Every process of a cluster calls it alike; the first writes.

    Args:
        trainable: the model.
        batches: the data, ``image`` f32[N, H, W, C] and perhaps ``label`` int32[N].
        key: the root key of the run.
        steps: the number of steps in all, those before a resume among them, >= 1.
        folder: the folder of the run, which is made where it does not exist.
        layout: the devices and how they share the work; all of them under ``jit`` by default.
        cadence: how often to write.
        drawing: how to draw samples; None for a model that makes no images.
        assessment: how to score; not at all by default.
        display: where to report to; nowhere by default.
        health: where health ends; see `jaxgan.health.Health`.
        stop_on: the failures, of `jaxgan.health.KINDS`, at which the run is saved and stops.
        resume: whether to go on from the newest checkpoint.

    Returns:
        The outcome; its state lives on the layout's devices.

    Raises:
        NonFiniteError: a loss or a number of the state is no longer finite; the last good checkpoint stays.
            A loss alone may be where the optimiser leaves such updates out and counts them.
        InputError: there is no checkpoint to resume from, or one of another run, or the batch does not fit
            the devices.
    """
    cadence, display = cadence or Cadence(), display or Silence()
    keeper = RunKeeper(
        folder, keep=cadence.keep, assessment=assessment, display=display, health=health, stop_on=stop_on
    )
    return fit_kept(
        trainable,
        batches,
        key=key,
        steps=steps,
        keeper=keeper,
        layout=layout or parallel.layout(),
        cadence=cadence,
        drawing=drawing,
        display=display,
        resume=resume,
    )


def fit_kept(
    trainable: Trainable,
    batches: Batches,
    *,
    key: Array,
    steps: int,
    keeper: Keeper,
    layout: parallel.Layout | parallel.MemberLayout,
    cadence: Cadence,
    drawing: Drawing | None,
    display: Display,
    resume: bool,
) -> Outcome:
    """Trains as `fit` does, and gives what it makes to a keeper: the folder of a run, or those of a sweep.

    Args:
        trainable: the model, or the stacked members of a sweep.
        batches: the data.
        key: the root key, or one for each member.
        steps: the number of steps in all, >= 1.
        keeper: gets what is to be kept.
        layout: the devices and how they share the work.
        cadence: how often to write.
        drawing: how to draw samples.
        display: where to report to.
        resume: whether to go on from what the keeper has.

    Raises:
        NonFiniteError: the keeper has refused numbers that are not finite.
        InputError: as `fit`.
    """
    require(steps >= 1, "steps", steps, ">= 1")
    run = _Run(
        trainable=trainable,
        batches=batches,
        steps=steps,
        keeper=keeper,
        layout=layout,
        cadence=cadence,
        drawing=drawing,
        display=display,
    )
    return run.go(key, resume=resume)


@dataclasses.dataclass(kw_only=True)
class _Run:
    trainable: Trainable
    batches: Batches
    steps: int
    keeper: Keeper
    layout: parallel.Layout | parallel.MemberLayout
    cadence: Cadence
    drawing: Drawing | None
    display: Display
    pending: tuple[int, Metrics] | None = None
    last_log: tuple[float, int] | None = None
    batch_size: int = 0

    def go(self, key: Array, *, resume: bool) -> Outcome:
        self.keeper.open(resume=resume)
        with caught_signals() as caught:
            try:
                first, state = self._restore(key) if resume else (0, self._start(key))
                outcome = self._steps(state, self.layout.put_state(key), first, caught)
                self.keeper.collect(wait=True)
                outcome = outcome._replace(finding=self.keeper.verdict())
            finally:
                self.keeper.close()
        self.keeper.plot()
        return outcome

    def _start(self, key: Array) -> PyTree:
        return self.layout.put_state(parallel.compile_once(self.trainable.init)(key))

    def _restore(self, key: Array) -> tuple[int, PyTree]:
        template = self.layout.abstract_state(jax.eval_shape(self.trainable.init, key))
        restored = self.keeper.restore(template, lambda step: self._due(step, "log"))
        self.batches.restore(restored.position)
        self.display.say(f"resumed at step {restored.step}")
        self.keeper.reassess(restored.step, restored.state, last=restored.step == self.steps)
        return restored.step, restored.state

    def _steps(self, state: PyTree, key: Array, first: int, caught: list[int]) -> Outcome:
        compiled = self.layout.compile(self.trainable.step)
        stop, sick, step = None, False, first
        for step in range(first + 1, self.steps + 1):
            host_batch = next(self.batches)
            self.batch_size = math.prod(host_batch["image"].shape[:-3]) * jax.process_count()
            self.keeper.see_batch(host_batch)
            state, metrics = compiled(state, self.layout.put_batch(host_batch), key)
            self._log_pending()
            if self._due(step, "log"):
                self.pending = (step, metrics)
            if step < self.steps:
                stop, sick = self._stop(step, caught), self._sick(step)
            if self._due(step, "sample"):
                self._sample(step, state)
            self.keeper.assess(step, state, last=step == self.steps)
            if self._due(step, "checkpoint") or stop or sick:
                self._save(step, state)
            if stop or sick:
                break
        self._log_pending()
        return Outcome(state, step, stop)

    def _due(self, step: int, what: str) -> bool:
        every: int = getattr(self.cadence, f"{what}_every")
        return step % every == 0 or step == self.steps

    def _stop(self, step: int, caught: list[int]) -> int | None:
        """Gives the signal to stop at; several processes agree on it, where they log."""
        if jax.process_count() == 1:
            return caught[0] if caught else None
        if self._due(step, "log") and parallel.on_any_process(bool(caught)):
            return caught[0] if caught else signal.SIGTERM
        return None

    def _sick(self, step: int) -> bool:
        """Tells whether to stop on a failure; several processes agree on it, where they log."""
        return (jax.process_count() == 1 or self._due(step, "log")) and self.keeper.verdict() is not None

    def _log_pending(self) -> None:
        """Writes the metrics of the last logged step, once a later step has been given to the device."""
        if self.pending is None:
            return
        (step, metrics), self.pending = self.pending, None
        values = jax.device_get(metrics)
        now = time.perf_counter()
        before, self.last_log = self.last_log, (now, step)
        rate = before and round((step - before[1]) * self.batch_size / (now - before[0]), 1)
        times = {"images_per_second": rate, "time": round(time.time(), 3)}
        shown = self.keeper.log(step, values, times)
        self.display.update(step, rate, shown)
        self.keeper.collect()

    def _sample(self, step: int, state: PyTree) -> None:
        if self.drawing is not None:
            self._log_pending()
            draw, value_range, columns = self.drawing
            self.keeper.sample(step, draw(state), value_range, columns)

    def _save(self, step: int, state: PyTree) -> None:
        self._log_pending()
        self.keeper.save(step, state, self.batches.state())
