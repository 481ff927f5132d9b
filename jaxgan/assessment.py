"""Scoring a run while it goes on: the device does what needs the state, another thread does the rest."""

import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from jaxgan import parallel
from jaxgan.progress import Display, describe
from jaxgan.run_folder import RunFolder
from jaxgan.typing import PyTree
from jaxgan.validation import InputError

Finish = Callable[[], dict[str, Any]]
MOST = 2
"""Scores under way at a time: what the device has worked out for them waits in its memory."""


class ScoringError(ArithmeticError):
    """The samples cannot be scored, since they are no longer finite numbers, say."""


class Assessment(NamedTuple):
    """How a run is scored.

    Attributes:
        every: the steps between two times, >= 1; the last step is scored too.
        begin: ``(step, state) -> finish``: gives all that needs the state to the device. ``finish()`` waits
            for it and gives the line for ``scores.jsonl``; it is called in another thread.
        protocol: that of its lines.
        note: what a reader of the scores must know, or nothing.
    """

    every: int
    begin: Callable[[int, PyTree], Finish]
    protocol: Mapping[str, Any]
    note: str = ""


class Assessor:
    """The scores of one run that are under way.

    Args:
        assessment: how to score; None never does.
        folder: the folder of the run.
        writes: whether this process writes.
        display: where new scores are shown.
        told: gets each new line, too.
    """

    def __init__(
        self,
        assessment: Assessment | None,
        folder: RunFolder,
        *,
        writes: bool,
        display: Display,
        told: Callable[[Mapping[str, Any]], None] | None = None,
    ):
        self._assessment = assessment
        self._folder = folder
        self._writes = writes
        self._display = display
        self._told = told
        self._thread = ThreadPoolExecutor(1)
        self._under_way: list[Future[dict[str, Any]]] = []
        if assessment is not None and assessment.note:
            display.say(assessment.note)

    def begin(self, step: int, state: PyTree, *, last: bool = False) -> None:
        """Begins to score a state, if its step is one of those. Waits while too many are under way."""
        if self._assessment is not None and (step % self._assessment.every == 0 or last):
            while len(self._under_way) >= MOST:
                self._write(self._under_way.pop(0))
            finish = self._assessment.begin(step, state)
            if self._writes:
                self._under_way.append(self._thread.submit(finish))

    def resume(self, step: int, state: PyTree, *, last: bool = False) -> None:
        """Drops the scores of later steps; scores this one, if the run was killed before that was done.

        Scores of another protocol, which a person asked for, stay as long as their step does.
        """
        lines = [line for line in self._folder.read_scores() if line["step"] <= step]
        own = [line for line in lines if self._assessment and line["protocol"] == self._assessment.protocol]
        known = any(line["step"] == step for line in own)
        if self._writes and self._folder.scores_file.exists():
            self._folder.write_scores(lines)
        if parallel.on_any_process(self._writes and not known):  # all begin, or none
            self.begin(step, state, last=last)

    def collect(self, *, wait: bool = False) -> None:
        """Writes the scores that are done.

        Args:
            wait: whether to wait for those that are not.

        Raises:
            ScoringError: the samples cannot be scored.
            InputError: the file of the scores cannot be written.
        """
        while self._under_way and (wait or self._under_way[0].done()):
            self._write(self._under_way.pop(0))

    def _write(self, scored: Future[dict[str, Any]]) -> None:
        try:
            line = scored.result()
        except InputError as error:
            raise ScoringError(f"the samples cannot be scored: {error}") from None
        self._folder.append_scores(line)
        means = {name: value for name, value in line["scores"].items() if "_std" not in name}
        self._display.say(f"step {line['step']}: {describe(means)}")
        if self._told is not None:
            self._told(line)

    def close(self) -> None:
        """Writes what is done and drops what is not."""
        with contextlib.suppress(ScoringError, InputError):
            self.collect()
        self._thread.shutdown(cancel_futures=True)
