"""What a training leaves behind: metrics, samples, scores, checkpoints and plots, in the folder of its run.

`jaxgan.loop` decides when; a `Keeper` decides where, and what is wrong with what it is given. `RunKeeper` is
that of a single run; that of a sweep (`jaxgan.sweeps`) gives each member its part.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import numpy as np

from jaxgan import parallel, pictures
from jaxgan.assessment import Assessment, Assessor, ScoringError
from jaxgan.checkpoint import Checkpoints, Restored, all_finite
from jaxgan.health import Finding, Health
from jaxgan.progress import Display
from jaxgan.run_folder import RunFolder
from jaxgan.typing import PyTree
from jaxgan.validation import InputError
from jaxgan.watcher import Watcher

IsLogged = Callable[[int], bool]
"""Tells whether a step is one of those that are logged."""


class NonFiniteError(ArithmeticError):
    """The training has left the finite numbers; nothing of it can be used from there on."""


class Keeper(Protocol):
    """Where the loop puts what it makes. Whatever is not finite may end the training by NonFiniteError."""

    def open(self, *, resume: bool) -> None:
        """Opens the folders, before anything else is asked for.

        Raises:
            InputError: they hold another run, which is not resumed.
        """

    def restore(self, template: PyTree, is_logged: IsLogged) -> Restored:
        """Goes back to the newest step that can be resumed, and drops the metrics of later ones.

        Args:
            template: the state's shapes, dtypes and placement.
            is_logged: those steps whose metrics stay.
        """

    def log(self, step: int, metrics: Mapping[str, np.ndarray], times: Mapping[str, Any]) -> dict[str, float]:
        """Keeps the metrics of a step.

        Returns:
            Those that are shown.
        """

    def sample(
        self, step: int, images: PyTree, value_range: tuple[float, float], columns: int | None
    ) -> None:
        """Keeps samples, f32[N, H, W, C], which are still on the devices, so many in a row of their grid."""

    def save(self, step: int, state: PyTree, position: dict[str, Any]) -> None:
        """Keeps a state, and the place in the data."""

    def see_batch(self, batch: Mapping[str, np.ndarray]) -> None:
        """Looks at real images, before each step."""

    def verdict(self) -> Finding | None:
        """Tells what the training is to stop for, if anything."""

    def assess(self, step: int, state: PyTree, *, last: bool) -> None:
        """Begins to score a state, where its step is one of those."""

    def reassess(self, step: int, state: PyTree, *, last: bool) -> None:
        """Drops the scores of later steps than a restored one; scores it, if that was not done."""

    def collect(self, *, wait: bool = False) -> None:
        """Keeps the scores that are done; waits for the others if told so."""

    def close(self) -> None:
        """Waits until everything is kept; called however the training ended."""

    def plot(self) -> None:
        """Draws the curves, after a training that ended well."""


class RunKeeper:
    """Keeps a single run. Every process of a cluster has one, and the first process writes.

    Args:
        folder: the folder of the run, which is made where it does not exist.
        keep: how many of the newest checkpoints are kept.
        assessment: how to score; not at all with None.
        display: where to report to.
        health: where health ends.
        stop_on: the failures at which the training is to stop.
    """

    def __init__(
        self,
        folder: RunFolder,
        *,
        keep: int,
        assessment: Assessment | None,
        display: Display,
        health: Health | None = None,
        stop_on: tuple[str, ...] = (),
    ):
        self._folder = folder
        self._keep = keep
        self._assessment = assessment
        self._display = display
        self._writes = jax.process_index() == 0
        self._finite = parallel.compile_function(all_finite)
        self._watcher = Watcher(folder, health or Health(), stop_on, writes=self._writes, display=display)

    def open(self, *, resume: bool) -> None:
        """Opens the folder."""
        if self._writes:
            self._folder.checkpoints.mkdir(parents=True, exist_ok=True)
        parallel.on_any_process(False)  # wait until the folder is there
        self._checkpoints = Checkpoints(self._folder.checkpoints, keep=self._keep)
        if not resume and self._checkpoints.steps():
            raise InputError(f"{self._folder.path} holds another run; resume it, or choose another folder")
        self._assessor = Assessor(
            self._assessment,
            self._folder,
            writes=self._writes,
            display=self._display,
            told=self._watcher.see_scores,
        )

    def restore(self, template: PyTree, is_logged: IsLogged) -> Restored:
        """Reads the newest checkpoint; one that cannot be read is said and set aside."""
        restored = self._checkpoints.restore(
            template, say=self._display.say, set_aside=self._folder.path / "broken"
        )
        if self._writes:
            drop_later_metrics(self._folder, restored.step, is_logged)
        self._watcher.resume(restored.step)
        return restored

    def log(self, step: int, metrics: Mapping[str, np.ndarray], times: Mapping[str, Any]) -> dict[str, float]:
        """Writes a line of the metrics."""
        values = {name: float(value) for name, value in metrics.items()}
        if (bad := first_bad(values)) and not values.get("skipped_updates"):
            raise NonFiniteError(f"at step {step} {bad} is {values[bad]}; {self._advice()}")
        if self._writes:
            finite = {name: value for name, value in values.items() if np.isfinite(value)}
            self._folder.append_metrics(line := {"step": step, **finite, **times})
            self._watcher.see_metrics(line)
        return values

    def sample(
        self, step: int, images: PyTree, value_range: tuple[float, float], columns: int | None
    ) -> None:
        """Writes a grid."""
        if not jax.device_get(self._finite(images)):
            raise NonFiniteError(f"at step {step} the samples are not finite; {self._advice()}")
        if self._writes:
            save_samples(self._folder, step, drawn := jax.device_get(images), value_range, columns)
            self._watcher.see_samples(step, drawn)

    def see_batch(self, batch: Mapping[str, np.ndarray]) -> None:
        """Shows real images to the watcher."""
        self._watcher.see_batch(batch)

    def verdict(self) -> Finding | None:
        """Asks the watcher; every process must."""
        return self._watcher.verdict()

    def save(self, step: int, state: PyTree, position: dict[str, Any]) -> None:
        """Writes a checkpoint."""
        if not jax.device_get(self._finite(state)):
            raise NonFiniteError(f"at step {step} the state is no longer finite; {self._advice()}")
        self._checkpoints.save(step, state, position)

    def assess(self, step: int, state: PyTree, *, last: bool) -> None:
        """Begins to score a state."""
        self._assessor.begin(step, state, last=last)

    def reassess(self, step: int, state: PyTree, *, last: bool) -> None:
        """Scores a restored state, if that was not done."""
        self._assessor.resume(step, state, last=last)

    def collect(self, *, wait: bool = False) -> None:
        """Writes the scores that are done."""
        try:
            self._assessor.collect(wait=wait)
        except ScoringError as error:
            raise NonFiniteError(f"{error}; {self._advice()}") from None

    def close(self) -> None:
        """Waits for scores and checkpoints under way."""
        try:
            self._assessor.close()
        finally:
            self._checkpoints.close()

    def plot(self) -> None:
        """Draws the metrics, and the scores if there are any."""
        if self._writes:
            plot_run(self._folder, self._display)

    def _advice(self) -> str:
        kept = self._checkpoints.steps()
        last = (
            f"the last good checkpoint is that of step {kept[-1]}" if kept else "there is no checkpoint yet"
        )
        return f"{last}; try a lower learning rate or clipped gradients"


def first_bad(values: Mapping[str, float]) -> str | None:
    """Names the first of the values that is not finite.

    >>> first_bad({"loss": 0.5}), first_bad({"loss": 0.5, "accuracy": float("nan")})
    (None, 'accuracy')
    """
    return next((name for name, value in values.items() if not np.isfinite(value)), None)


def drop_later_metrics(folder: RunFolder, step: int, is_logged: IsLogged) -> None:
    """Drops the lines after a step, and the last one where it was only logged because the run ended there."""
    lines = [line for line in folder.read_metrics() if line["step"] <= step]
    folder.write_metrics(lines[:-1] if lines and not is_logged(lines[-1]["step"]) else lines)


def save_samples(
    folder: RunFolder,
    step: int,
    images: np.ndarray,
    value_range: tuple[float, float],
    columns: int | None,
) -> None:
    """Writes the grid of a step."""
    folder.samples.mkdir(exist_ok=True)
    pictures.save_grid(folder.samples / f"step-{step:07d}.png", images, value_range, columns=columns)


def plot_run(folder: RunFolder, display: Display) -> None:
    """Draws the curves of a run; says where they cannot be written, as the training itself is safe."""
    try:
        pictures.save_curves(folder.curves, folder.read_metrics(), folder.path.name)
        if scores := folder.read_scores():
            pictures.save_scores(folder.score_curves, scores, folder.path.name)
    except OSError as error:
        display.say(f"the plots of {folder.path} cannot be written: {error.strerror}")
