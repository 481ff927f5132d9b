"""Rows as Markdown: machines, a table for each suite, and what could not be measured."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence

from jaxgan import config

from . import grouping, records, units
from .grouping import OURS, Entry
from .records import Machine, Report

HEADINGS = {
    "step": "Core steps",
    "peers": "Peers",
    "loops": "Control flow",
    "lazy": "Lazy penalties",
    "sweep": "Sweeps",
    "ops": "Ops",
    "data": "Data sources",
    "metrics": "Metrics",
    "quality": "Quality of images",
    "stacked": "Modes of stacked digits",
    "scaling": "Scaling",
    "estimate": "Estimates by the compiler",
    "tune": "XLA flags",
}
NOTES = {
    "lazy": "As many steps of a GAN, with a penalty at every step, at every k-th or never. Due and idle: the "
    "median of the steps with the penalty, and of those without. Times least: what the lazy penalty adds to "
    "the mean step over a k-th of what it adds at every step; 1 is the least there is, and an error of the "
    "idle step counts k-1 times in it.",
    "sweep": "A step of every member of a sweep: together, in one program, or apart, one after the other. "
    "All started: when all members have taken their first step, those apart in a process each.",
    "estimate": "The compiler's own figures; no such device was used.",
    "data": "Batches taken from the stream that training uses, by a caller that does nothing else.",
    "quality": "Generators trained for as many steps on the same images, and judged through the classifier "
    "that jaxgan trains on them. A sample is a whole training; step seconds is the median of its steps. "
    "Times peer: the FID over the mean of Keras's. Low and high: a 95 % interval over the images drawn.",
    "stacked": "Generators trained for as many steps as fit into the minutes at the speed that was measured "
    "before, and the classes of stacks that they reach.",
    "metrics": "fid: the distance of two sets of features. inception: 2,048 features of images of 299x299. "
    "score: generated digits, drawn, seen by the CNN and counted for fid, kid, is, pr and modes; its first "
    "pass also reads the real images and compiles. Times torch fidelity: the speed over its best at any "
    "batch size. Times target: that over 1 (fid) or 1.3 (inception); for score 60 s over the first pass.",
}
RATIO = "The ratio is the median over jaxgan's in the same case, or the fastest's where jaxgan has none."
START = "The way to the first step in a fresh process, and the memory of one device:"
LONGEST = 300
"""Characters of a message that are shown."""

Table = list[dict[str, str]]


def markdown(rows: Table, left: Sequence[str] = ()) -> str:
    r"""Writes a table, without the columns that are empty in every row.

    Args:
        rows: for each row its cells by their headings; all rows have the same headings.
        left: the headings of columns of words; the others are set to the right.

    >>> print(markdown([{"a": "x|y", "b": "1", "c": "–"}], left=["a"]))
    | a | b |
    |---|--:|
    | x\|y | 1 |
    """
    names = [name for name in rows[0] if any(row[name] not in ("", units.DASH) for row in rows)]
    marks = ["---" if name in left else "--:" for name in names]
    lines = [" | ".join(names), "|".join(marks)]
    lines += [" | ".join(escape(row[name]) for name in names) for row in rows]
    return "\n".join(f"|{line}|" if line == lines[1] else f"| {line} |" for line in lines)


def escape(text: str) -> str:
    r"""Keeps text from ending a cell, a line or a paragraph.

    >>> escape("1 < 2 | a\n\nb")
    '1 &lt; 2 \\| a b'
    """
    words = " ".join(text.split())
    return words.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def machines(reports: Mapping[str, Report]) -> str:
    """Describes each machine, with the reports that are from it."""
    found: dict[str, list[str]] = {}
    for source, report in reports.items():
        alike = dataclasses.replace(report.machine, commit=None, roof=records.Roof())
        found.setdefault(json.dumps(config.to_dict(alike), sort_keys=True), []).append(source)
    sections = []
    for sources in found.values():
        machine = reports[sources[0]].machine
        rows = [_report_line(source, reports[source]) for source in sources]
        left = ("report", "command", "made", "commit")
        jax = f", jax {machine.versions['jax']}" if "jax" in machine.versions else ""
        heading = f"### {escape(grouping.device(machine))}, Python {machine.python}{jax}"
        sections.append("\n\n".join([heading, _machine(machine), markdown(rows, left)]))
    return "\n\n".join(sections)


def _machine(machine: Machine) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(machine.versions.items()))
    memory = f", {units.quantity(machine.memory, 'bytes')} of memory" if machine.memory else ""
    processes = f", {machine.process_count} processes" if machine.process_count > 1 else ""
    lines = {
        "Devices": f"{machine.device_count} x {machine.device_kind} ({machine.platform}){processes}",
        "Host": f"{machine.processor}, {machine.cores} cores{memory}, {machine.system}",
        "Versions": f"Python {machine.python}" + (f", {versions}" if versions else ""),
        "XLA flags": machine.flags or "none",
    }
    return "\n".join(f"- {name}: {escape(text)}" for name, text in lines.items())


def _report_line(source: str, report: Report) -> dict[str, str]:
    roof = report.machine.roof
    arithmetic = units.figure("flops_per_second", roof.flops_per_second)
    memory = units.figure("bytes_per_second", roof.bytes_per_second)
    return {
        "report": source,
        "command": " ".join(report.command),
        "made": report.created,
        "commit": _short(report.machine.commit),
        "peak arithmetic": f"{arithmetic} ({roof.flops_source})" if roof.flops_per_second else units.DASH,
        "memory bandwidth": f"{memory} ({roof.bytes_source})" if roof.bytes_per_second else units.DASH,
    }


def _short(commit: str | None) -> str:
    if commit is None:
        return units.DASH
    return commit.rstrip("+")[:10] + ("+" if commit.endswith("+") else "")


def suite(name: str, entries: Sequence[Entry]) -> str:
    """Describes what a suite found: its cases, their times and figures, and what could not be measured."""
    good = [entry for entry in entries if entry.row.status == "ok"]
    blocks = [f"## {HEADINGS.get(name, name)}"]
    if name in NOTES:
        blocks.append(NOTES[name])
    if good:
        differing, same = grouping.divide(good)
        contenders = {entry.row.case.contender for entry in good}
        if len(contenders) == 1:
            same = {"contender": contenders.pop(), **same}
        else:
            differing.append("contender")
        if same:
            blocks.append(f"All cases: {escape(grouping.describe(same))}.")
        blocks += _suite_tables(good, differing)
    others = [entry for entry in entries if entry.row.status != "ok"]
    if others:
        lines = [f"- {_why_not(entry)}" for entry in others]
        blocks.append("Not measured:\n\n" + "\n".join(lines))
    return "\n\n".join(blocks)


def _suite_tables(entries: Sequence[Entry], differing: Sequence[str]) -> list[str]:
    groups = grouping.by_case(entries)
    figures = dict.fromkeys(name for entry in entries for name in entry.row.figures)
    rows = [
        {**_names(entry, differing), **_times(entry), "ratio": ratio, **_figures(entry, figures)}
        for group in groups
        for entry, ratio in zip(group, _ratios(group), strict=True)
    ]
    if "devices" not in differing:
        rows = [{**row, "images/s per device": units.DASH} for row in rows]
    blocks = [markdown(rows, differing)]
    if any(row["ratio"] != units.DASH for row in rows):
        blocks.append(RATIO)
    starts = [
        {**_names(entry, differing), **_start(entry)}
        for group in groups
        for entry in group
        if entry.row.phases or entry.row.memory
    ]
    if starts:
        blocks += [START, markdown(starts, differing)]
    return blocks + _versions(entries)


def _names(entry: Entry, differing: Sequence[str]) -> dict[str, str]:
    contender = entry.row.case.contender
    found = {**grouping.parts(entry), "contender": f"**{OURS}**" if contender == OURS else contender}
    return {name: found.get(name, units.DASH) for name in differing}


def _times(entry: Entry) -> dict[str, str]:
    row = entry.row
    found = records.summary(row, entry.machine.roof)
    work = found["flops_per_second"]
    low, high = (units.milliseconds(found[name]) for name in ("p10", "p90"))
    return {
        "median, ms": units.milliseconds(row.median),
        "p10-p90, ms": f"{low}-{high}" if row.median else units.DASH,
        "images/s": units.number(found["images_per_second"]),
        "images/s per device": units.number(found["images_per_second_per_device"]),
        "GFLOP/s": units.number(work / 1e9 if work else None),
        "share of peak": units.percent(found["share_of_peak"]),
        "FLOPs": units.quantity(row.flops, "flops"),
        "FLOPs by the compiler": units.quantity(row.compiler_flops, "flops"),
    }


def _ratios(group: Sequence[Entry]) -> list[str]:
    row = grouping.reference(group)
    base = row.median if row else None
    medians = [entry.row.median for entry in group]
    return [units.ratio(median / base if median and base else None) for median in medians]


def _figures(entry: Entry, names: Iterable[str]) -> dict[str, str]:
    figures = entry.row.figures
    return {name.replace("_", " "): units.figure(name, figures.get(name)) for name in names}


def _start(entry: Entry) -> dict[str, str]:
    phases, memory = entry.row.phases, entry.row.memory
    seconds = config.to_dict(phases) if phases else {}
    sizes = config.to_dict(memory) if memory else {}
    names = [field.name for field in dataclasses.fields(records.Phases)]
    return {
        **{f"{name}, s": units.number(seconds.get(name)) for name in names},
        "in all, s": units.number(phases.total if phases else None),
        **{
            field.name: units.quantity(sizes.get(field.name), "bytes")
            for field in dataclasses.fields(records.Memory)
        },
    }


def _versions(entries: Sequence[Entry]) -> list[str]:
    """Lists the packages of contenders that are not those of the machine itself."""
    found: dict[str, None] = {}
    for entry in entries:
        row = entry.row
        if row.versions.items() - entry.machine.versions.items():
            packages = ", ".join(f"{name} {version}" for name, version in sorted(row.versions.items()))
            found[f"- {row.case.contender}: {escape(packages)}"] = None
    return ["Contenders:\n\n" + "\n".join(sorted(found))] if found else []


def _why_not(entry: Entry) -> str:
    row = entry.row
    message = " ".join((row.message or "").split())
    shown = message if len(message) <= LONGEST else message[:LONGEST] + "…"
    label = escape(row.case.label)
    return f"{label}: {row.status.replace('_', ' ')}" + (f": {escape(shown)}" if shown else "")
