"""What a benchmark shows: how far it is, a table of what it found, and where that is kept."""

import datetime
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from jaxgan.validation import InputError, require

from . import records, units
from .records import Machine, Report, Roof, Row

WIDTH = 140
"""The columns of a table that is not written to a terminal."""


@contextmanager
def progress(total: int, console: Console | None = None) -> Iterator[Callable[[str], None]]:
    """Shows on standard error how far a run is: a bar on a terminal, plain lines elsewhere.

    Args:
        total: how often it will be told that something begins.
        console: where to write instead.

    Yields:
        The function to tell.
    """
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield _lines(total, console)
        return
    columns = (
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        begun = 0

        def say(sentence: str) -> None:
            nonlocal begun
            bar.update(task, completed=begun, description=sentence.replace("[", r"\["))
            begun += 1

        yield say


def _lines(total: int, console: Console) -> Callable[[str], None]:
    begun = 0

    def say(sentence: str) -> None:
        nonlocal begun
        begun += 1
        console.print(f"{begun}/{total} {sentence}", markup=False, highlight=False, soft_wrap=True)

    return say


def table(rows: Sequence[Row], roof: Roof) -> Table:
    """Makes a table of steps: their times, speeds and figures, and why there are none."""
    figures = list(dict.fromkeys(name for row in rows for name in row.figures if name != "state_bytes"))
    found = Table(caption=_caption(rows, roof))
    found.add_column("case", overflow="fold")
    for heading in ("ms", "p10-p90", "images/s", "GFLOP/s", "of peak", "peak memory"):
        found.add_column(heading, justify="right")
    for name in figures:
        found.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        cells = _cells(row, roof) + [units.figure(name, row.figures.get(name)) for name in figures]
        found.add_row(Text(row.case.label), *cells)
    return found


def _cells(row: Row, roof: Roof) -> list[str]:
    if row.status != "ok":
        return [row.status.replace("_", " "), *[units.DASH] * 5]
    summary = records.summary(row, roof)
    work = summary["flops_per_second"]
    return [
        units.milliseconds(summary["median"]),
        f"{units.milliseconds(summary['p10'])}-{units.milliseconds(summary['p90'])}",
        units.number(summary["images_per_second"]),
        units.number(work and work / 1e9),
        units.percent(summary["share_of_peak"]),
        units.quantity(row.memory.peak if row.memory else None, "bytes"),
    ]


def _caption(rows: Sequence[Row], roof: Roof) -> str:
    lines = ["cold start: seconds from the start of a process to the end of its first step"]
    if roof.flops_per_second:
        peak = units.quantity(roof.flops_per_second, "flops")
        lines.append(f"peak of a device: {peak}/s ({roof.flops_source})")
    lines += [f"{row.case.label}: {row.message}" for row in rows if row.message]
    return "\n".join(line.replace("[", r"\[") for line in lines)


def check_out(out: Path) -> None:
    """Refuses a file that could not be written in the end, and makes its folder.

    Raises:
        InputError: it is a folder, or in one that cannot be made or written to.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out} cannot be written: {error.strerror}") from None
    fits = os.access(out.parent, os.W_OK) and not out.is_dir()
    require(fits, "--out", str(out), "a file that can be written")


def finish(
    command: Sequence[str], machine: Machine, rows: Sequence[Row], out: Path, shown: Table | None = None
) -> int:
    """Writes the report, shows the table and says where the report is.

    Args:
        command: what was asked for: the name of the subcommand and its arguments.
        machine: where it was measured.
        rows: what was found.
        out: the file to write.
        shown: the table; that of `table` by default.

    Returns:
        The exit status: 0, or 1 if nothing could be measured.

    Raises:
        InputError: the file cannot be written.
    """
    created = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    records.write(Report(command=list(command), created=created, machine=machine, rows=list(rows)), out)
    console = Console()
    console = console if console.is_terminal else Console(width=WIDTH)
    console.print(shown or table(rows, machine.roof))
    print(f"the results are in {out}")
    return 0 if any(row.status == "ok" for row in rows) else 1
