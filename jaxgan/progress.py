"""What a run shows while it goes on: a live bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from jaxgan.typing import Watch

PLAIN_EVERY = 5.0
"""Seconds between plain lines."""


class Display(Protocol):
    """Where a run reports to."""

    def update(self, step: int, images_per_second: float | None, metrics: Mapping[str, float]) -> None:
        """Shows the newest logged step; the speed is None until two are known."""

    def say(self, sentence: str) -> None:
        """Shows a sentence."""


class Silence:
    """Shows nothing."""

    def update(self, step: int, images_per_second: float | None, metrics: Mapping[str, float]) -> None:
        """Does nothing."""

    def say(self, sentence: str) -> None:
        """Does nothing."""


@contextmanager
def display(total: int, console: Console | None = None) -> Iterator[Display]:
    """Opens the display of a run.

    Args:
        total: the number of steps.
        console: where to write; standard error by default.
    """
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield _Plain(console, total)
        return
    bar = _Bar(console, total)
    with Live(bar, console=console, refresh_per_second=4):
        yield bar


@contextmanager
def counter(console: Console | None = None) -> Iterator[Watch]:
    """Shows how long work goes on: a bar for each kind of it on a terminal, now and then a line elsewhere.

    Args:
        console: where to write; standard error by default.
    """
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield _plain_watch(console)
        return
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        tasks: dict[str, TaskID] = {}

        def watch(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield watch


def _plain_watch(console: Console) -> Watch:
    said = [time.monotonic()]

    def watch(what: str, done: int, total: int) -> None:
        if time.monotonic() - said[0] >= PLAIN_EVERY:
            said[0] = time.monotonic()
            console.print(f"{what}: {done}/{total}", markup=False, highlight=False, soft_wrap=True)

    return watch


def describe(metrics: Mapping[str, float]) -> str:
    """Puts metrics into a few words.

    >>> describe({"generator_loss": 0.81234, "real_accuracy": 0.5})
    'generator loss 0.812, real accuracy 0.500'
    """
    return ", ".join(
        f"{name.replace('_', ' ')} {value if isinstance(value, int) else format(value, '.3f')}"
        for name, value in metrics.items()
    )


def _speed(images_per_second: float | None) -> str:
    return "" if images_per_second is None else f"{images_per_second:,.0f} images/s  "


class _Bar:
    """A bar, and the metrics in a line of their own below it, so that narrow terminals show them too."""

    def __init__(self, console: Console, total: int):
        self._console = console
        self._bar = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
        )
        self._task = self._bar.add_task("compiling", total=total)
        self._metrics = Text()

    def __rich__(self) -> Group:
        return Group(self._bar, self._metrics)

    def update(self, step: int, images_per_second: float | None, metrics: Mapping[str, float]) -> None:
        self._bar.update(self._task, completed=step, description=_speed(images_per_second).strip())
        self._metrics = Text(describe(metrics))

    def say(self, sentence: str) -> None:
        self._console.print(sentence, markup=False, highlight=False, soft_wrap=True)


class _Plain:
    def __init__(self, console: Console, total: int):
        self._console = console
        self._total = total
        self._first: tuple[float, int] | None = None
        self._said = 0.0

    def update(self, step: int, images_per_second: float | None, metrics: Mapping[str, float]) -> None:
        now = time.monotonic()
        self._first = self._first or (now, step)
        if step < self._total and now - self._said < PLAIN_EVERY:
            return
        self._said = now
        left = self._left(now, step)
        speed = _speed(images_per_second)
        self.say(f"step {step}/{self._total}  {speed}{describe(metrics)}{left}")

    def _left(self, now: float, step: int) -> str:
        began, first = self._first or (now, step)
        if step <= first or step >= self._total:
            return ""
        minutes, seconds = divmod(round((now - began) / (step - first) * (self._total - step)), 60)
        return f"  {minutes}:{seconds:02d} left"

    def say(self, sentence: str) -> None:
        self._console.print(sentence, markup=False, highlight=False, soft_wrap=True)
