"""``sweep``: times a sweep of many members in one program against as many separate runs."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import tyro

from jaxgan.validation import require

from . import machine, process, screen
from .contenders.jaxgan import configuration
from .contenders.sweeps import PLACES
from .options import Sizes, Timing, read_flags
from .records import Case, Row


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Times one step of all members of a sweep, in one program and as separate runs.

    Attributes:
        models: models of the zoo.
        batch_size: the images of one member's step.
        members: the numbers of members.
        flags: tuned (the XLA flags that pay here), default (none), or flags without their dashes, in quotes.
        roof: measure what the device can do, where that is not known.
        out: the file to write.
    """

    models: tyro.conf.Positional[tuple[str, ...]] = ("dcgan", "cnn")
    batch_size: int = 16
    members: tuple[int, ...] = (8,)
    flags: str = "tuned"
    timing: Annotated[Timing, tyro.conf.arg(name="")] = Timing(rounds=2, repeats=15)
    sizes: Annotated[Sizes, tyro.conf.arg(name="")] = Sizes()
    roof: bool = True
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("benchmark-sweep.json")


def run(arguments: list[str]) -> int:
    """Times the sweeps."""
    flags = tyro.cli(Flags, args=arguments, prog="benchmarks sweep")
    cases = make_cases(flags)
    screen.check_out(flags.out)
    host = machine.describe(measure_roof=flags.roof, flags=read_flags(flags.flags))
    with screen.progress(flags.timing.rounds * len(cases)) as say:
        rows = measure_sweeps(cases, flags.timing, say)
    return screen.finish(["sweep", *arguments], host, rows, flags.out)


def make_cases(flags: Flags) -> list[Case]:
    """Makes two cases, members apart and together, for each model and each number of members.

    Raises:
        InputError: an unknown model, or numbers that are not allowed.
    """
    options = flags.sizes.chosen()
    options |= {} if flags.flags == "tuned" else {"flags": read_flags(flags.flags)}
    require(flags.batch_size >= 1, "batch_size", flags.batch_size, ">= 1")
    for members in flags.members:
        require(members >= 2, "members", members, ">= 2")
    for model in flags.models:
        configuration(model, options)
    return [
        Case(
            suite="sweep",
            contender="sweeps",
            work=model,
            batch_size=flags.batch_size,
            parallel="none",
            options={**options, "members": members, "place": place},
        )
        for model, members, place in itertools.product(flags.models, flags.members, PLACES)
    ]


def measure_sweeps(cases: Sequence[Case], timing: Timing, say: Callable[[str], None]) -> list[Row]:
    """Measures members apart and together, by turns.

    Args:
        cases: from `make_cases`.
        timing: how often and how long.
        say: told of each process before it begins.

    Returns:
        The rows; the contender of each is its place. The figure ``times_apart`` is the median over that of
        the same members apart; ``all_started`` the seconds until all members have taken their first step,
        where those apart start a process each, without a cache of programs.
    """
    found = process.measure(cases, **dataclasses.asdict(timing), say=say)
    rows = []
    for apart, together in zip(found[::2], found[1::2], strict=True):
        rows += [_finished(row, apart.median) for row in (apart, together)]
    return rows


def _finished(row: Row, apart: float | None) -> Row:
    options = dict(row.case.options)
    place, members = str(options.pop("place")), int(options["members"] or 0)
    case = dataclasses.replace(row.case, contender=place, options=options)
    start = row.figures.get("cold_start")
    figures = {
        **row.figures,
        "times_apart": row.median / apart if row.median and apart else None,
        "all_started": start * (members if place == PLACES[0] else 1) if start else None,
    }
    return dataclasses.replace(row, case=case, figures=figures)
