"""Rows put side by side: by suite, by case but for the contender, and by what tells their cases apart."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence

from jaxgan import config

from .records import Case, Machine, Report, Row, Scalar

SUITES = (
    "step",
    "peers",
    "loops",
    "lazy",
    "sweep",
    "ops",
    "data",
    "metrics",
    "quality",
    "stacked",
    "scaling",
    "estimate",
    "tune",
)
"""The order of suites; others come after them."""
OURS = "jaxgan"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """A row with the report that it is from.

    Attributes:
        source: the report's file, without its folder.
        machine: where it was measured.
        row: the row.
    """

    source: str
    machine: Machine
    row: Row


def by_suite(reports: Mapping[str, Report]) -> dict[str, list[Entry]]:
    """Sorts the rows of all reports, named by their files, into suites."""
    found: dict[str, list[Entry]] = {}
    for source, report in reports.items():
        for row in report.rows:
            entry = Entry(source=source, machine=report.machine, row=row)
            found.setdefault(row.case.suite, []).append(entry)
    places = {suite: place for place, suite in enumerate(SUITES)}
    return dict(sorted(found.items(), key=lambda pair: (places.get(pair[0], len(places)), pair[0])))


def by_case(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Puts the contenders of each case of a report together, fastest first, in the order of the cases."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        case = dataclasses.replace(entry.row.case, contender="any")
        key = json.dumps([entry.source, config.to_dict(case)], sort_keys=True)
        found.setdefault(key, []).append(entry)
    return [sorted(group, key=_speed) for group in found.values()]


def _speed(entry: Entry) -> tuple[bool, float, str]:
    median = entry.row.median
    return median is None, median or 0.0, entry.row.case.contender


def reference(group: Sequence[Entry]) -> Row | None:
    """Finds the row that the others of a case are measured by: jaxgan's, or else the fastest.

    None where there is nothing to measure, or nothing to measure it by.
    """
    timed = [entry.row for entry in group if entry.row.median is not None]
    if len(timed) < 2:
        return None
    return next((row for row in timed if row.case.contender == OURS), timed[0])


def parts(entry: Entry) -> dict[str, str]:
    """What tells an entry's case from others, by name, the contender apart."""
    case: Case = entry.row.case
    options = {name: _plain(value) for name, value in sorted(case.options.items())}
    return {
        "work": case.work,
        "batch": str(case.batch_size),
        "dtype": case.dtype,
        "parallel": case.parallel,
        "devices": str(case.devices),
        **options,
        "report": entry.source,
    }


def _plain(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def divide(entries: Sequence[Entry]) -> tuple[list[str], dict[str, str]]:
    """Divides the parts of cases into those that differ, by name, and those that are the same in all.

    The work counts as different always, and the report never as the same.
    """
    found = [parts(entry) for entry in entries]
    names = list(dict.fromkeys(name for each in found for name in each))
    same = {
        name: found[0][name]
        for name in names
        if name != "work" and name in found[0] and all(each.get(name) == found[0][name] for each in found)
    }
    differing = [name for name in names if name not in same]
    same.pop("report", None)
    return differing, same


def title(entry: Entry, names: Sequence[str]) -> str:
    """Names a case by some of its parts.

    >>> case = Case(suite="step", contender="jaxgan", work="dcgan", batch_size=128, options={"scan": True})
    >>> entry = Entry(source="a.json", machine=None, row=Row(case=case))  # type: ignore[arg-type]
    >>> title(entry, ["work", "batch", "scan"])
    'dcgan, batch 128, scan yes'
    """
    found = parts(entry)
    bare = ("work", "dtype", "parallel", "report")
    words = [found[name] if name in bare else f"{name} {found[name]}" for name in names if name in found]
    return ", ".join(words)


def describe(same: Mapping[str, str]) -> str:
    """Says what is the same in all cases, in words.

    >>> describe({"batch": "128", "dtype": "float32", "parallel": "jit", "devices": "1", "scan": "yes"})
    'batch 128, float32, jit, 1 device, scan yes'
    """
    words = []
    for name, value in same.items():
        if name == "devices":
            words.append(f"{value} device{'' if value == '1' else 's'}")
        elif name in ("contender", "dtype") or (name == "parallel" and value != "none"):
            words.append(value)
        elif name != "parallel":
            words.append(f"{name} {value}")
    return ", ".join(words)


def device(machine: Machine) -> str:
    """Names what did the work: the processor with its cores, or the accelerators."""
    if machine.platform == "cpu":
        cores = f"{machine.cores} core{'s' if machine.cores > 1 else ''}"
        return f"{machine.processor or machine.device_kind}, {cores}"
    return f"{machine.device_count} x {machine.device_kind}"
