"""Scoring a run while it goes on: the device does what needs the state, another thread does the rest."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from jaxgan.progress import Display, describe
from jaxgan.run_folder import RunFolder
from jaxgan.typing import PyTree

Finish = Callable[[], dict[str, Any]]


class Assessment(NamedTuple):
    """How a run is scored.

    Attributes:
        every: the steps between two times, >= 1; the last step is scored too.
        begin: ``(step, state) -> finish``: gives all that needs the state to the device. ``finish()`` waits
            for it and gives the line for ``scores.jsonl``; it is called in another thread.
    """

    every: int
    begin: Callable[[int, PyTree], Finish]


class Assessor:
    """The scores of one run that are under way.

    Args:
        assessment: how to score; None never does.
        folder: the folder of the run.
        writes: whether this process writes.
        display: where new scores are shown.
    """

    def __init__(self, assessment: Assessment | None, folder: RunFolder, *, writes: bool, display: Display):
        self._assessment = assessment
        self._folder = folder
        self._writes = writes
        self._display = display
        self._thread = ThreadPoolExecutor(1)
        self._under_way: list[Future[dict[str, Any]]] = []

    def begin(self, step: int, state: PyTree, *, last: bool = False) -> None:
        """Begins to score a state, if its step is one of those."""
        if self._assessment is not None and (step % self._assessment.every == 0 or last):
            finish = self._assessment.begin(step, state)
            if self._writes:
                self._under_way.append(self._thread.submit(finish))

    def resume(self, step: int, state: PyTree) -> None:
        """Drops the scores of later steps; scores this one, if the run was killed before that was done."""
        lines = [line for line in self._folder.read_scores() if line["step"] <= step]
        known = any(line["step"] == step for line in lines)
        if self._writes and self._folder.scores_file.exists():
            self._folder.write_scores(lines)
        if not known:
            self.begin(step, state)

    def collect(self, *, wait: bool = False) -> None:
        """Writes the scores that are done.

        Args:
            wait: whether to wait for those that are not.

        Raises:
            Exception: what went wrong in the other thread.
        """
        while self._under_way and (wait or self._under_way[0].done()):
            line = self._under_way.pop(0).result()
            self._folder.append_scores(line)
            means = {name: value for name, value in line["scores"].items() if "_std" not in name}
            self._display.say(f"step {line['step']}: {describe(means)}")

    def close(self) -> None:
        """Drops what is still under way."""
        self._thread.shutdown(cancel_futures=True)
