"""The training loop: `fit` runs the steps, watches them, writes what they give, and can stop and go on."""

import dataclasses
import signal
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan import parallel, pictures
from jaxgan.assessment import Assessment, Assessor, ScoringError
from jaxgan.checkpoint import Checkpoints, all_finite
from jaxgan.health import Finding, Health
from jaxgan.progress import Display, Silence
from jaxgan.run_folder import RunFolder
from jaxgan.signals import caught_signals
from jaxgan.typing import Array, Batches, Metrics, PyTree, Trainable
from jaxgan.validation import InputError, require
from jaxgan.watcher import Watcher


class NonFiniteError(ArithmeticError):
    """The training has left the finite numbers; nothing of it can be used from there on."""


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
    """

    draw: Callable[[PyTree], Array]
    value_range: tuple[float, float]


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
    require(steps >= 1, "steps", steps, ">= 1")
    run = _Run(
        trainable=trainable,
        batches=batches,
        steps=steps,
        folder=folder,
        layout=layout or parallel.layout(),
        cadence=cadence or Cadence(),
        drawing=drawing,
        assessment=assessment,
        display=display or Silence(),
        health=health or Health(),
        stop_on=stop_on,
    )
    return run.go(key, resume=resume)


@dataclasses.dataclass(kw_only=True)
class _Run:
    trainable: Trainable
    batches: Batches
    steps: int
    folder: RunFolder
    layout: parallel.Layout
    cadence: Cadence
    drawing: Drawing | None
    assessment: Assessment | None
    display: Display
    health: Health
    stop_on: tuple[str, ...]
    pending: tuple[int, Metrics] | None = None
    last_log: tuple[float, int] | None = None
    batch_size: int = 0

    def go(self, key: Array, *, resume: bool) -> Outcome:
        if self._writes():
            self.folder.checkpoints.mkdir(parents=True, exist_ok=True)
        parallel.on_any_process(False)  # wait until the folder is there
        self.checkpoints = Checkpoints(self.folder.checkpoints, keep=self.cadence.keep)
        if not resume and self.checkpoints.steps():
            raise InputError(f"{self.folder.path} holds another run; resume it, or choose another folder")
        self.finite = parallel.compile_function(all_finite)
        writes, screen = self._writes(), self.display
        self.watcher = Watcher(self.folder, self.health, self.stop_on, writes=writes, display=screen)
        told = self.watcher.see_scores
        self.assessor = Assessor(self.assessment, self.folder, writes=writes, display=screen, told=told)
        with caught_signals() as caught:
            try:
                first, state = self._restore(key) if resume else (0, self._start(key))
                outcome = self._steps(state, self.layout.put_state(key), first, caught)
                self._collect(wait=True)
                outcome = outcome._replace(finding=self.watcher.verdict())
            finally:
                self.assessor.close()
                self.checkpoints.close()
        if self._writes():
            self._plot()
        return outcome

    def _plot(self) -> None:
        try:
            pictures.save_curves(self.folder.curves, self.folder.read_metrics(), self.folder.path.name)
            if scores := self.folder.read_scores():
                pictures.save_scores(self.folder.score_curves, scores, self.folder.path.name)
        except OSError as error:  # the training itself is safe
            self.display.say(f"the plots of {self.folder.path} cannot be written: {error.strerror}")

    def _start(self, key: Array) -> PyTree:
        return self.layout.put_state(parallel.compile_once(self.trainable.init)(key))

    def _restore(self, key: Array) -> tuple[int, PyTree]:
        template = self.layout.abstract_state(jax.eval_shape(self.trainable.init, key))
        restored = self.checkpoints.restore(
            template, say=self.display.say, set_aside=self.folder.path / "broken"
        )
        self.batches.restore(restored.position)
        if self._writes():
            self.folder.write_metrics(self._kept_lines(restored.step))
        self.watcher.resume(restored.step)
        self.display.say(f"resumed at step {restored.step}")
        self.assessor.resume(restored.step, restored.state, last=restored.step == self.steps)
        return restored.step, restored.state

    def _kept_lines(self, step: int) -> list[dict[str, Any]]:
        """The lines up to a step; not the last one where it was only logged because the run ended there."""
        lines = [line for line in self.folder.read_metrics() if line["step"] <= step]
        return lines[:-1] if lines and not self._due(lines[-1]["step"], "log") else lines

    def _steps(self, state: PyTree, key: Array, first: int, caught: list[int]) -> Outcome:
        compiled = self.layout.compile(self.trainable.step)
        stop, sick, step = None, False, first
        for step in range(first + 1, self.steps + 1):
            host_batch = next(self.batches)
            self.batch_size = len(host_batch["image"]) * jax.process_count()
            self.watcher.see_batch(host_batch)
            state, metrics = compiled(state, self.layout.put_batch(host_batch), key)
            self._log_pending()
            if self._due(step, "log"):
                self.pending = (step, metrics)
            if step < self.steps:
                stop, sick = self._stop(step, caught), self._sick(step)
            if self._due(step, "sample"):
                self._sample(step, state)
            self.assessor.begin(step, state, last=step == self.steps)
            if self._due(step, "checkpoint") or stop or sick:
                self._save(step, state)
            if stop or sick:
                break
        self._log_pending()
        return Outcome(state, step, stop)

    def _due(self, step: int, what: str) -> bool:
        every: int = getattr(self.cadence, f"{what}_every")
        return step % every == 0 or step == self.steps

    def _writes(self) -> bool:
        return jax.process_index() == 0

    def _stop(self, step: int, caught: list[int]) -> int | None:
        """Gives the signal to stop at; several processes agree on it, where they log."""
        if jax.process_count() == 1:
            return caught[0] if caught else None
        if self._due(step, "log") and parallel.on_any_process(bool(caught)):
            return caught[0] if caught else signal.SIGTERM
        return None

    def _sick(self, step: int) -> bool:
        """Tells whether to stop on a failure; several processes agree on it, where they log."""
        return (jax.process_count() == 1 or self._due(step, "log")) and self.watcher.verdict() is not None

    def _log_pending(self) -> None:
        """Writes the metrics of the last logged step, once a later step has been given to the device."""
        if self.pending is None:
            return
        (step, metrics), self.pending = self.pending, None
        values = {name: float(value) for name, value in jax.device_get(metrics).items()}
        bad = [name for name, value in values.items() if not np.isfinite(value)]
        if bad and not values.get("skipped_updates"):
            raise NonFiniteError(f"at step {step} {bad[0]} is {values[bad[0]]}; {self._advice()}")
        now = time.perf_counter()
        before, self.last_log = self.last_log, (now, step)
        rate = before and round((step - before[1]) * self.batch_size / (now - before[0]), 1)
        if self._writes():
            times = {"images_per_second": rate, "time": round(time.time(), 3)}
            finite = {name: value for name, value in values.items() if name not in bad}
            self.folder.append_metrics(line := {"step": step, **finite, **times})
            self.watcher.see_metrics(line)
        self.display.update(step, rate, values)
        self._collect()

    def _collect(self, *, wait: bool = False) -> None:
        try:
            self.assessor.collect(wait=wait)
        except ScoringError as error:
            raise NonFiniteError(f"{error}; {self._advice()}") from None

    def _advice(self) -> str:
        kept = self.checkpoints.steps()
        last = (
            f"the last good checkpoint is that of step {kept[-1]}" if kept else "there is no checkpoint yet"
        )
        return f"{last}; try a lower learning rate or clipped gradients"

    def _sample(self, step: int, state: PyTree) -> None:
        if self.drawing is not None:
            self._log_pending()
            images = self.drawing.draw(state)
            if not jax.device_get(self.finite(images)):
                raise NonFiniteError(f"at step {step} the samples are not finite; {self._advice()}")
            if self._writes():
                self.folder.samples.mkdir(exist_ok=True)
                path = self.folder.samples / f"step-{step:07d}.png"
                pictures.save_grid(path, drawn := jax.device_get(images), self.drawing.value_range)
                self.watcher.see_samples(step, drawn)

    def _save(self, step: int, state: PyTree) -> None:
        self._log_pending()
        if not jax.device_get(self.finite(state)):
            raise NonFiniteError(f"at step {step} the state is no longer finite; {self._advice()}")
        self.checkpoints.save(step, state, self.batches.state())
