"""``compare A.json B.json``: is B slower than A? Case by case, with an interval, and an exit status.

For each case that both reports hold, the ratio is the median of B over the median of A. Its interval is
the middle 95 % of the ratios of 2,000 bootstrap resamples, which draw processes first and then samples
within them, because the samples of one process are alike. With few processes it is still too narrow: in
simulations, processes and samples each spread by 3 %, it held the true ratio in 91 % of cases with 3
processes and in 95 % with 5. A case is

- ``slower`` if the whole interval is above 1, ``faster`` if it is below 1, else of ``no difference``;
- ``slower past the threshold`` if the whole interval is above 1 + threshold: ratio and interval both say
  that B is slower by more than the threshold. Any such case makes the exit status 1; otherwise it is 0.

A case with fewer than 5 samples in either report is not judged. Reports that leave nothing to judge are
an error, so that nothing passes unseen; and so are reports of different devices, unless asked for.
"""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jaxgan import config
from jaxgan.validation import InputError, require

from . import records, screen, units
from .change import CONFIDENCE, Change, measure_change
from .records import Machine, Report, Row

FEWEST = 5
"""Samples that a case needs in each report to be judged."""
DEVICE = ("platform", "device_kind", "device_count", "cores")
"""What makes two machines the same device."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Compares the times in report B with those in report A, case by case.

    Exits with 1 if B is slower in any case by more than the threshold, with the whole 95 % interval past
    it, and with 0 otherwise.

    Attributes:
        before: the report to compare with.
        after: the report that is judged.
        threshold: how much slower B may be: a percentage, such as 5%, or a share, such as 0.05.
        across_devices: compare reports of different devices, too.
    """

    before: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="A.json")]
    after: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="B.json")]
    threshold: str = "5%"
    across_devices: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """What two reports say together.

    Attributes:
        changes: the cases that could be judged, in the order of B.
        left_out: the cases of both that could not, each with the reason.
        only_before: the cases that only A holds.
        only_after: the cases that only B holds.
    """

    changes: list[Change]
    left_out: dict[str, str]
    only_before: list[str]
    only_after: list[str]


def run(arguments: list[str]) -> int:
    """Compares two reports."""
    flags = tyro.cli(Flags, args=arguments, prog="benchmarks compare", config=(tyro.conf.FlagCreatePairsOff,))
    threshold = parse_threshold(flags.threshold)
    before, after = records.read(flags.before), records.read(flags.after)
    names = (str(flags.before), str(flags.after))
    if not flags.across_devices:
        check_devices(before.machine, after.machine, names)
    comparison = compare(before, after, names)
    _print(comparison, threshold, names)
    if not comparison.changes:
        raise InputError(f"{names[0]} and {names[1]} have no case in common that can be compared")
    other = _other_differences(before.machine, after.machine)
    if other:
        print(f"{names[1]} was measured with another {'; '.join(other)}")
    _print_end(comparison, threshold, names)
    return int(any(change.is_past(threshold) for change in comparison.changes))


def parse_threshold(text: str) -> float:
    """Reads a threshold: a percentage, or a share below 1.

    Raises:
        InputError: it is neither, or negative.

    >>> parse_threshold("5%"), parse_threshold("0.05"), parse_threshold("250 %")
    (0.05, 0.05, 2.5)
    """
    is_percentage = text.rstrip().endswith("%")
    try:
        value = float(text.rstrip().removesuffix("%"))
    except ValueError:
        value = math.nan
    share = value / 100 if is_percentage else value
    is_allowed = math.isfinite(share) and share >= 0 and (is_percentage or share < 1)
    require(is_allowed, "threshold", text, "a percentage, such as 5%, or a share below 1, such as 0.05")
    return share


def check_devices(before: Machine, after: Machine, names: tuple[str, str]) -> None:
    """Refuses reports of different devices.

    Raises:
        InputError: the machines differ in platform, kind, number of devices or cores.
    """
    first, second = ({name: getattr(machine, name) for name in DEVICE} for machine in (before, after))
    differing = config.differences(second, first)
    if differing:
        raise InputError(
            f"{names[1]} is of another device than {names[0]}: {', '.join(differing)}; "
            "give --across-devices to compare them all the same"
        )


def _other_differences(before: Machine, after: Machine) -> list[str]:
    """What else may explain a difference: versions, flags, the commit."""
    first, second = (config.to_dict(machine) for machine in (before, after))
    for machine in (first, second):
        for name in (*DEVICE, "roof", "memory"):
            del machine[name]
    return config.differences(second, first)


def compare(before: Report, after: Report, names: tuple[str, str]) -> Comparison:
    """Compares report B with report A.

    Args:
        before: report A.
        after: report B.
        names: what to call them in an error.

    Raises:
        InputError: a report holds a case twice.
    """
    first, second = _by_case(before.rows, names[0]), _by_case(after.rows, names[1])
    changes, left_out = [], {}
    for key in second:
        if key not in first:
            continue
        reason = _why_not(first[key], second[key])
        if reason:
            left_out[second[key].case.label] = reason
        else:
            changes.append(measure_change(first[key], second[key]))
    return Comparison(
        changes=changes,
        left_out=left_out,
        only_before=[first[key].case.label for key in first if key not in second],
        only_after=[second[key].case.label for key in second if key not in first],
    )


def _by_case(rows: Sequence[Row], name: str) -> Mapping[str, Row]:
    found: dict[str, Row] = {}
    for row in rows:
        key = json.dumps(config.to_dict(row.case), sort_keys=True)
        if key in found:
            raise InputError(f"{name} holds the case {row.case.label!r} twice; it must hold each case once")
        found[key] = row
    return found


def _why_not(before: Row, after: Row) -> str | None:
    """Says why two rows cannot be compared, or None."""
    for name, row in (("A", before), ("B", after)):
        if row.status != "ok":
            message = " ".join((row.message or "").split())
            return f"{row.status.replace('_', ' ')} in {name}" + (f": {message}" if message else "")
    counts = len(before.seconds), len(after.seconds)
    if min(counts) < FEWEST:
        return f"{counts[0]} samples in A and {counts[1]} in B; each needs {FEWEST}"
    return None


def _print(comparison: Comparison, threshold: float, names: tuple[str, str]) -> None:
    console = Console()
    console = console if console.is_terminal else Console(width=screen.WIDTH)
    table = Table(caption=f"medians; B over A with its {CONFIDENCE:.0%} interval")
    table.add_column("case", overflow="fold")
    for heading in ("A, ms", "B, ms", "B / A", "interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("B is")
    styles = {"slower": "red", "faster": "green"}
    for change in comparison.changes:
        past = f" past {threshold * 100:g} %" if change.is_past(threshold) else ""
        table.add_row(
            Text(change.after.case.label),
            units.milliseconds(change.before.median),
            units.milliseconds(change.after.median),
            f"{change.ratio:.3f}",
            f"{change.low:.3f} to {change.high:.3f}",
            Text(change.verdict + past, styles.get(change.verdict, "")),
        )
    if comparison.changes:
        console.print(table)
    reasons = [f"{label}: {reason}" for label, reason in comparison.left_out.items()]
    _print_list("in both, but not compared:", reasons)
    _print_list(f"only in A, {names[0]}:", comparison.only_before)
    _print_list(f"only in B, {names[1]}:", comparison.only_after)


def _print_list(heading: str, lines: Sequence[str]) -> None:
    if lines:
        print(heading, *(f"  {line}" for line in lines), sep="\n")


def _print_end(comparison: Comparison, threshold: float, names: tuple[str, str]) -> None:
    rows = {names[0]: [change.before for change in comparison.changes]}
    rows[names[1]] = [change.after for change in comparison.changes]
    for name, found in rows.items():
        if any(len(row.samples) < 2 for row in found):
            print(f"{name} has cases of one process: their intervals leave out how processes differ")
    verdicts = [change.verdict for change in comparison.changes]
    counts = ", ".join(f"{verdicts.count(word)} {word}" for word in ("faster", "slower", "no difference"))
    past = sum(change.is_past(threshold) for change in comparison.changes)
    print(f"cases compared: {len(verdicts)}, {counts}; {past} slower by more than {threshold * 100:g} %")
