"""``jaxgan recommend``."""

import contextlib
import dataclasses
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from jaxgan.recommend import TASKS, recommend, rules, styles
from jaxgan.recommend.devices import HERE, NAMES
from jaxgan.recommend.rules import Choice, Device, format_hours, format_memory
from jaxgan.validation import InputError, require

WIDTH = 120
"""The columns of a table that goes to a file."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Names the models and presets that fit data, a device and hours, best first, and a command to run.

    Parameters and FLOPs are counted, nothing is trained. What a step takes is its FLOPs by what the device
    reaches: the output says whether that was measured or how it was estimated.

    Attributes:
        task: classify, generate, translate or stylize.
        data: digits, idx:FOLDER, folder:PATH and so on, as for train; for stylize the file of the picture, or
            demo.
        data_dir: where the prepared data sets of tfds lie; tfds's own place by default.
        device: here, which is measured, cpu, gpu, tpu, or a kind: h100, h200, a100, l4, t4, v100, tpu-v4,
            tpu-v5e, tpu-v5p, tpu-v6e.
        hours: the time there is.
        count: how many to show.
        measure: compile and time the steps of those that are shown, on this device: minutes.
    """

    task: str
    data: str | None = None
    data_dir: Path | None = None
    device: str = HERE
    hours: float = 1.0
    count: int = 5
    measure: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False


def run(arguments: list[str]) -> int:
    """Prints the table."""
    flags = tyro.cli(Flags, args=arguments, prog="jaxgan recommend", config=(tyro.conf.FlagCreatePairsOff,))
    known = (*TASKS, "stylize")
    require(flags.task in known, "task", flags.task, "one of " + ", ".join(known))
    require(flags.device in NAMES, "device", flags.device, "one of " + ", ".join(NAMES))
    require(flags.count >= 1, "count", flags.count, ">= 1")
    console = Console()
    console = console if console.is_terminal else Console(width=WIDTH)
    return (_stylize if flags.task == "stylize" else _train)(flags, console)


def _train(flags: Flags, console: Console) -> int:
    with _status(console) as watch:
        advice = recommend(
            flags.task,
            flags.data or "digits",
            device=flags.device,
            hours=flags.hours,
            measured=flags.count if flags.measure else 0,
            count=flags.count,
            data_dir=flags.data_dir,
            watch=watch,
        )
    data = advice.data
    labels = f"{data.num_classes} classes" if data.num_classes else "no labels"
    size = "x".join(map(str, (*data.image_size, data.channels)))
    print(f"{data.spec}: {data.images:,} training images of {size}, {labels}")
    _say_device(advice.device, flags.hours)
    score = "accuracy" if flags.task == "classify" else "FID"
    console.print(_table(advice.choices[: flags.count], flags.hours, score))
    print(
        "parameters, FLOPs and memory are counted, ~ is estimated from the device's FLOP/s. The time is\n"
        "that of the recipe's steps, scaled to the data, without compiling and writing.\n"
        f"{score}: as measured where the recipe was chosen, on a set of so many images"
    )
    _say_rules(rules.RULES)
    print(f"\n{advice.command}")
    first = advice.choices[0]
    if "time" in first.complaints:
        steps = first.affordable_steps(flags.hours)
        print(f"nothing fits: this takes {steps:,} of the {first.steps:,} steps, as there is time for")
    if flags.task == "generate" and data.num_classes:
        print(f"to ask for one of the {data.num_classes} classes, add --model.num-classes {data.num_classes}")
    return 0


def _table(choices: Sequence[Choice], hours: float, score: str) -> Table:
    table = _empty_table("model", hours)
    headings = ("images", "parameters", "GFLOPs/step", "batch", "images/h", "steps", "time", "memory")
    for heading in (*headings, f"{score}, on"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("against it")
    for choice in choices:
        candidate = choice.candidate
        score_on = "-" if candidate.score is None else f"{candidate.score:g} {candidate.recipe_images:,}"
        table.add_row(
            choice.name,
            "x".join(map(str, (*candidate.image_size, candidate.channels))),
            f"{candidate.parameters:,}",
            f"{candidate.step_flops / 1e9:,.1f}",
            str(candidate.batch_size),
            f"{'' if choice.is_measured else '~'}{float(f'{choice.images_per_hour:.3g}'):,.0f}",
            f"{choice.steps:,}",
            f"{'' if choice.is_measured else '~'}{format_hours(choice.hours)}",
            format_memory(candidate.memory),
            score_on,
            ", ".join(choice.complaints) or "-",
        )
    return table


def _empty_table(first: str, hours: float) -> Table:
    title = f"best first, for {format_hours(hours)}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    return table


def _stylize(flags: Flags, console: Console) -> int:
    if flags.measure:
        raise InputError("measure is for tasks that train; for stylize the device alone is measured")
    with _status(console):
        advice = styles.recommend(flags.data or styles.DEMO, device=flags.device, hours=flags.hours)
    height, width = advice.picture
    print(f"{flags.data or styles.DEMO}: a picture of {height} x {width}")
    _say_device(advice.device, flags.hours)
    table = _empty_table("seen by", flags.hours)
    for heading in ("picture", "parameters", "GFLOPs/step", "steps", "time", "memory"):
        table.add_column(heading, justify="right")
    table.add_column("against it")
    for choice in advice.choices[: flags.count]:
        table.add_row(
            choice.weights,
            "x".join(map(str, choice.shape)),
            f"{choice.parameters:,}",
            f"{choice.step_flops / 1e9:,.1f}",
            str(choice.steps),
            f"~{format_hours(choice.hours)}",
            format_memory(choice.memory),
            "; ".join(choice.complaints.values()) or "-",
        )
    console.print(table)
    print("parameters, FLOPs and memory are counted, ~ is estimated from the device's FLOP/s")
    _say_rules(styles.RULES)
    print(f"\n{advice.command}\n\nfor many pictures, trained once; then each is drawn in one pass:")
    console.print(_stylists(advice.stylists, flags.hours))
    print(f"{advice.stylists[0].command}\nthen: jaxgan stylize CONTENT STYLE --run RUN")
    return 0


def _stylists(choices: Sequence[styles.StylistChoice], hours: float) -> Table:
    table = _empty_table("model", hours)
    for heading in ("images", "parameters", "GFLOPs/step", "batch", "steps", "time"):
        table.add_column(heading, justify="right")
    table.add_column("against it")
    for choice in choices:
        table.add_row(
            choice.name,
            "x".join(map(str, choice.image_size)),
            f"{choice.parameters:,}",
            f"{choice.step_flops / 1e9:,.1f}",
            str(choice.batch_size),
            f"{choice.steps:,}",
            f"~{format_hours(choice.hours)}",
            "; ".join(choice.complaints.values()) or "-",
        )
    return table


def _say_device(device: Device, hours: float) -> None:
    memory = "" if device.memory is None else f", {format_memory(device.memory)}"
    print(f"{device.name}{memory}, {format_hours(hours)}")
    print(textwrap.fill(device.source, WIDTH, initial_indent="  ", subsequent_indent="  "))


def _say_rules(lines: Sequence[str]) -> None:
    print("rules, the gravest first:", *lines, sep="\n  ")


@contextlib.contextmanager
def _status(console: Console) -> Iterator[Any]:
    """Shows what is being done, on a screen only."""
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("") as status:
        yield status.update
