"""The members of a sweep in their folders: each is a run, and gets its part of what the sweep makes."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan import data, parallel
from jaxgan.assessment import Assessment, Assessor, ScoringError
from jaxgan.checkpoint import Checkpoints, Restored
from jaxgan.health import Finding
from jaxgan.keeper import IsLogged, NonFiniteError, drop_later_metrics, first_bad, plot_run, save_samples
from jaxgan.progress import Display
from jaxgan.run_folder import RunFolder
from jaxgan.settings import Settings
from jaxgan.sweeps.options import Number
from jaxgan.sweeps.stack import join, take
from jaxgan.typing import PyTree
from jaxgan.validation import InputError

LEAST_KEPT = 2
"""Checkpoints that a member keeps at least: killed while it saves, a sweep goes on from the one before."""
SET_ASIDE = "aside"
"""The folder of a member's checkpoints that the sweep did not go on from."""


class Member(NamedTuple):
    """One member.

    Attributes:
        name: the name of its folder.
        values: the values of the options that vary.
        settings: all of its settings.
        folder: the folder of its run.
    """

    name: str
    values: dict[str, Number]
    settings: Settings
    folder: RunFolder


class MemberBatches:
    """The batches of all members, each in the order that it has alone: arrays f[M, N, ...].

    Args:
        streams: one for each seed.
        seeds: the seed of each member.
    """

    def __init__(self, streams: Mapping[int, data.Batches], seeds: Sequence[int]):
        self._streams = streams
        self._seeds = seeds

    def __next__(self) -> dict[str, np.ndarray]:
        """Gives the next batch of each member."""
        batches = {seed: next(stream) for seed, stream in self._streams.items()}
        names = batches[self._seeds[0]]
        return {name: np.stack([batches[seed][name] for seed in self._seeds]) for name in names}

    def state(self) -> dict[str, Any]:
        """Gives the places of the members, in their order."""
        places = {seed: stream.state() for seed, stream in self._streams.items()}
        return {"members": [places[seed] for seed in self._seeds]}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to such places."""
        for seed, place in zip(self._seeds, state["members"], strict=True):
            self._streams[seed].restore(place)


@dataclasses.dataclass(frozen=True)
class _Named:
    """A display that names the member which speaks; if brief, it does not tell the scores."""

    display: Display
    name: str
    brief: bool

    def update(self, step: int, images_per_second: float | None, metrics: Mapping[str, float]) -> None:
        """Shows the metrics."""
        self.display.update(step, images_per_second, metrics)

    def say(self, sentence: str) -> None:
        """Shows a sentence, after the name."""
        self.display.say(f"{self.name}: {'scored' if self.brief else sentence}")


class SweepKeeper:
    """Keeps the members of a sweep, each in the folder of its run; see `jaxgan.keeper.Keeper`.

    A member whose numbers are no longer finite is said once and gets nothing more; the others go on.

    Args:
        members: the members, in the order of the stacked state.
        init: ``key -> state`` of a member, for its shapes.
        layout: where the stacked state lives.
        keep: how many of the newest checkpoints each keeps.
        assessment: how to score a member's state; not at all with None.
        brief: whether scores are not shown as they come.
        display: where to report to.
        diverged: why members have diverged before, by their names; it is added to.
        record: called when one more has diverged.
    """

    def __init__(
        self,
        members: Sequence[Member],
        init: Callable[[Any], PyTree],
        *,
        layout: parallel.MemberLayout,
        keep: int,
        assessment: Assessment | None,
        brief: bool,
        display: Display,
        diverged: dict[str, str],
        record: Callable[[], None],
    ):
        self._members = members
        self._init = init
        self._keep = max(keep, LEAST_KEPT)
        self._assessment = assessment
        self._brief = brief
        self._display = display
        self._diverged = diverged
        self._record = record
        self._layout = layout
        self._alone = parallel.layout("jit", jax.devices()[:1])
        self._checkpoints: list[Checkpoints] = []
        self._assessors: list[Assessor] = []

    def open(self, *, resume: bool) -> None:
        """Opens the folders; whether they are new is checked before they are made."""
        del resume
        own = self._assessment and self._assessment._replace(note="")
        if self._assessment is not None and self._assessment.note:
            self._display.say(self._assessment.note)
        for member in self._members:
            self._checkpoints.append(Checkpoints(member.folder.checkpoints, keep=self._keep))
            display = _Named(self._display, member.name, self._brief)
            self._assessors.append(Assessor(own, member.folder, writes=True, display=display))

    def _alive(self) -> list[int]:
        return [place for place, member in enumerate(self._members) if member.name not in self._diverged]

    def _give_up(self, place: int, reason: str) -> None:
        """Notes that a member has diverged, and goes on with the others, if there are any."""
        name = self._members[place].name
        if name in self._diverged:
            return
        self._diverged[name] = reason
        self._record()
        others = "the others go on" if self._alive() else "no member is left; try lower learning rates"
        sentence = f"{name}: {reason}; {others}"
        if not self._alive():
            raise NonFiniteError(sentence)
        self._display.say(sentence)

    def restore(self, template: PyTree, is_logged: IsLogged) -> Restored:
        """Goes back to the newest step whose checkpoints can be read of all members."""
        del template  # of the stacked state
        alive = self._alive()
        common = set.intersection(*(set(self._checkpoints[place].steps()) for place in alive))
        for step in sorted(common, reverse=True):
            try:
                found = {place: self._restore_member(place, step) for place in alive}
            except InputError as error:
                self._display.say(f"{error}; trying the step before")
                continue
            for place in alive:
                self._drop_later(place, step, is_logged)
            stand_in = found[alive[0]]  # whose numbers no one looks at
            restored = [found.get(place, stand_in) for place in range(len(self._members))]
            state = join([jax.device_get(each.state) for each in restored])
            return Restored(
                step, self._layout.put_state(state), {"members": [each.position for each in restored]}
            )
        raise InputError("the members have no step whose checkpoints can be read of all of them")

    def _restore_member(self, place: int, step: int) -> Restored:
        shapes = jax.eval_shape(self._init, jax.random.key(0))
        return self._checkpoints[place].restore_step(step, self._alone.abstract_state(shapes))

    def _drop_later(self, place: int, step: int, is_logged: IsLogged) -> None:
        folder, checkpoints = self._members[place].folder, self._checkpoints[place]
        for later in [found for found in checkpoints.steps() if found > step]:
            checkpoints.set_aside(later, folder.path / SET_ASIDE)
        drop_later_metrics(folder, step, is_logged)

    def see_batch(self, batch: Mapping[str, np.ndarray]) -> None:
        """Looks at nothing: members are not watched."""

    def verdict(self) -> Finding | None:
        """Stops for nothing."""
        return None

    def log(self, step: int, metrics: Mapping[str, np.ndarray], times: Mapping[str, Any]) -> dict[str, float]:
        """Writes a line for each member; shows the means over them."""
        times = dict(times)
        if times["images_per_second"] is not None:
            times["images_per_second"] = round(times["images_per_second"] / len(self._members), 1)
        for place in self._alive():
            values = {name: float(value[place]) for name, value in metrics.items()}
            if bad := first_bad(values):
                self._give_up(place, f"at step {step} {bad} is {values[bad]}")
            else:
                self._members[place].folder.append_metrics({"step": step, **values, **times})
        alive = self._alive()
        return {f"mean_{name}": float(np.mean(value[alive])) for name, value in metrics.items()}

    def sample(
        self, step: int, images: PyTree, value_range: tuple[float, float], columns: int | None
    ) -> None:
        """Writes a grid for each member."""
        found = jax.device_get(images)
        for place in self._alive():
            if np.isfinite(found[place]).all():
                save_samples(self._members[place].folder, step, found[place], value_range, columns)
            else:
                self._give_up(place, f"at step {step} the samples are not finite")

    def save(self, step: int, state: PyTree, position: dict[str, Any]) -> None:
        """Writes a checkpoint of each member."""
        host = jax.device_get(state)
        for place in self._alive():
            own = take(host, place)
            if all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(own)):
                self._checkpoints[place].save(step, self._alone.put_state(own), position["members"][place])
            else:
                self._give_up(place, f"at step {step} the state is no longer finite")

    def assess(self, step: int, state: PyTree, *, last: bool) -> None:
        """Begins to score each member, where the step is one of those."""
        if self._assessment is not None and (last or step % self._assessment.every == 0):
            self._each_assessor(state, lambda assessor, own: assessor.begin(step, own, last=last))

    def reassess(self, step: int, state: PyTree, *, last: bool) -> None:
        """Drops the scores of later steps than a restored one; scores it, if that was not done."""
        self._each_assessor(state, lambda assessor, own: assessor.resume(step, own, last=last))

    def _each_assessor(self, state: PyTree, begin: Callable[[Assessor, PyTree], None]) -> None:
        host = jax.device_get(state)
        for place in self._alive():
            with self._giving_up(place):
                begin(self._assessors[place], parallel.layout().put_state(take(host, place)))

    def collect(self, *, wait: bool = False) -> None:
        """Writes the scores that are done."""
        for place in self._alive():
            with self._giving_up(place):
                self._assessors[place].collect(wait=wait)

    @contextlib.contextmanager
    def _giving_up(self, place: int) -> Any:
        try:
            yield
        except ScoringError as error:
            self._give_up(place, str(error))

    def close(self) -> None:
        """Waits for scores and checkpoints under way."""
        with contextlib.ExitStack() as stack:
            for checkpoints in self._checkpoints:
                stack.callback(checkpoints.close)
            for assessor in self._assessors:
                stack.callback(assessor.close)

    def plot(self) -> None:
        """Draws the curves of each member."""
        for member in self._members:
            if member.folder.metrics_file.exists():
                plot_run(member.folder, self._display)
