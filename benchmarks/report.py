"""``report DIR``: one Markdown page and its plots from the JSON files of a folder.

The page describes the machines, has a table for each suite with every row in it, the slowest too, and
lists what could not be measured. The same files give the same page, byte for byte.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jaxgan.files import whole
from jaxgan.validation import InputError

from . import grouping, records, tables
from .grouping import Entry
from .plots import bars, roofline, scaling, scores, style
from .records import Report

PAGE = "report.md"
PLOTS = {
    "bars": (bars.draw, "median time"),
    "roofline": (roofline.draw, "speed below the roofs of the device"),
    "scaling": (scaling.draw, "efficiency over the number of devices"),
    "scores": (scores.draw, "scores"),
}
KINDS = {"scaling": ("scaling",), **dict.fromkeys(scores.SCORES, ("scores",))}
"""The plots of a suite, where they are not bars and a roofline."""
INTRODUCTION = """# Benchmarks

Made by `python -m benchmarks report` from {sources}. Times are those of one step (or call, or batch): the
median of all samples and, as p10-p90, what the middle 80 % of them lie in. FLOPs are counted from the shapes,
one multiply-add as 2, for the work asked for; the share of peak is theirs, and can pass 100 % where a form
needs fewer. A dash stands for what was not measured."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Writes a Markdown page with tables and plots from the benchmark JSON files of a folder.

    Attributes:
        folder: the folder of JSON files.
        out: the folder to write to; that of the JSON files by default.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None


def run(arguments: list[str]) -> int:
    """Writes the page and the plots."""
    flags = tyro.cli(Flags, args=arguments, prog="benchmarks report")
    reports = read_folder(flags.folder)
    out = flags.out or flags.folder
    try:
        written = write_page(reports, out)
    except OSError as error:
        raise InputError(f"--out {out} cannot be written: {error.strerror or error}") from None
    _print(reports)
    print("the results are in " + ", ".join(map(str, written)))
    return 0


def read_folder(folder: Path) -> dict[str, Report]:
    """Reads every JSON file of a folder, by name.

    Raises:
        InputError: it is no folder, has no such file, or one that is no report.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; it must hold the JSON files of benchmarks")
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    if not paths:
        raise InputError(f"{folder} holds no JSON files of benchmarks")
    return {path.name: records.read(path) for path in paths}


def write_page(reports: Mapping[str, Report], out: Path) -> list[Path]:
    """Writes ``report.md`` and its plots.

    Args:
        reports: the reports by the names of their files.
        out: the folder to write to.

    Returns:
        The files, the page first.
    """
    out.mkdir(parents=True, exist_ok=True)
    sources = ", ".join(f"`{source}`" for source in reports)
    blocks = [INTRODUCTION.format(sources=sources), "## Machines", tables.machines(reports)]
    suites = grouping.by_suite(reports)
    plots: list[Path] = []
    for suite, entries in suites.items():
        colors = style.colors(entry.row.case.contender for entry in entries)
        drawn = draw_plots(suite, entries, out, colors)
        blocks += [tables.suite(suite, entries)]
        blocks += [f"![{alternative}]({quote(path.name)})" for path, alternative in drawn.items()]
        plots += drawn
    page = out / PAGE
    with whole(page) as part:
        part.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return [page, *plots]


def draw_plots(suite: str, entries: Sequence[Entry], out: Path, colors: style.Colors) -> dict[Path, str]:
    """Draws what can be drawn of a suite, for each of its reports.

    Returns:
        The files, with the words that stand for them.
    """
    sources = list(dict.fromkeys(entry.source for entry in entries))
    heading = tables.HEADINGS.get(suite, suite)
    name = re.sub(r"[^a-zA-Z0-9]+", "-", suite)
    drawn = {}
    for source in sources:
        own = [entry for entry in entries if entry.source == source]
        ending = "" if len(sources) == 1 else f"-{Path(source).stem}"
        for kind in KINDS.get(suite, ("bars", "roofline")):
            draw, words = PLOTS[kind]
            path = out / f"{name}-{kind}{ending}.png"
            if draw(path, f"{heading}: {words}", own, colors):
                drawn[path] = f"{heading} of {source}: {words}"
    return drawn


def _print(reports: Mapping[str, Report]) -> None:
    table = Table()
    for heading in ("report", "of"):
        table.add_column(heading, overflow="fold")
    for heading in ("rows", "not measured"):
        table.add_column(heading, justify="right")
    for source, report in reports.items():
        bad = sum(row.status != "ok" for row in report.rows)
        device = grouping.device(report.machine)
        table.add_row(Text(source), Text(device), str(len(report.rows)), str(bad))
    Console().print(table)
