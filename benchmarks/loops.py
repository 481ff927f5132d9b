"""``loops``: times work inside control flow against the same work outside: what ``cond`` and ``scan`` cost.

Two kinds of work, of the networks of any model: the gradient of a gradient penalty (R1), as it is taken
every few steps in a ``cond``; and gradients that are accumulated over parts of a batch in a ``scan``. Whole
steps in a ``scan``, and under ``vmap``, are timed by ``step --scan N --members N``; those with a penalty in a
``cond`` by ``lazy``.
"""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import tyro

from jaxgan.validation import require

from . import machine, process, screen
from .contenders.jaxgan import configuration
from .contenders.loops import CONSTRUCTS, PLACES
from .options import Sizes, Timing, read_flags, read_models
from .records import Case, Row


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Times a penalty in lax.cond and accumulated gradients in lax.scan against the same work outside.

    Attributes:
        models: models of the zoo; gans or classifiers for all of those.
        batch_size: the images of a penalty, and of all parts of a batch together.
        parts: over how many parts of a batch gradients are accumulated.
        flags: tuned (the XLA flags that pay here), default (none), or flags without their dashes, in quotes.
        roof: measure what the device can do, where that is not known.
        out: the file to write.
    """

    models: tyro.conf.Positional[tuple[str, ...]] = ("dcgan", "cnn")
    batch_size: int = 128
    parts: int = 4
    flags: str = "tuned"
    timing: Annotated[Timing, tyro.conf.arg(name="")] = Timing(rounds=2, repeats=10)
    sizes: Annotated[Sizes, tyro.conf.arg(name="")] = Sizes()
    roof: bool = True
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("benchmark-loops.json")


def run(arguments: list[str]) -> int:
    """Times the constructs."""
    flags = tyro.cli(Flags, args=arguments, prog="benchmarks loops")
    cases = make_cases(flags)
    screen.check_out(flags.out)
    host = machine.describe(measure_roof=flags.roof, flags=read_flags(flags.flags))
    with screen.progress(flags.timing.rounds * len(cases)) as say:
        rows = measure_loops(cases, flags.timing, say)
    return screen.finish(["loops", *arguments], host, rows, flags.out)


def make_cases(flags: Flags) -> list[Case]:
    """Makes a case for each place of each construct, of each model.

    Raises:
        InputError: an unknown model, or numbers that do not go together.
    """
    options = flags.sizes.chosen()
    options |= {} if flags.flags == "tuned" else {"flags": read_flags(flags.flags)}
    require(flags.parts >= 2, "parts", flags.parts, ">= 2")
    multiple = f"a multiple of {flags.parts}, the number of parts"
    require(flags.batch_size % flags.parts == 0, "batch_size", flags.batch_size, multiple)
    models = read_models(flags.models)
    for model in models:
        configuration(model, options)
    return [
        Case(
            suite="loops",
            contender="loops",
            work=model,
            batch_size=flags.batch_size,
            parallel="none",
            options={**options, "construct": construct, "parts": flags.parts, "place": place},
        )
        for model, construct, place in itertools.product(models, CONSTRUCTS, PLACES)
    ]


def measure_loops(cases: Sequence[Case], timing: Timing, say: Callable[[str], None]) -> list[Row]:
    """Measures the work in both places, by turns.

    Args:
        cases: from `make_cases`.
        timing: how often and how long.
        say: told of each process before it begins.

    Returns:
        The rows; the contender of each is its place. The figure ``times_outside`` is the median over that of
        the same work outside.
    """
    found = process.measure(cases, **dataclasses.asdict(timing), say=say)
    rows = []
    for outside, inside in zip(found[::2], found[1::2], strict=True):
        rows += [_finished(row, outside.median) for row in (outside, inside)]
    return rows


def _finished(row: Row, outside: float | None) -> Row:
    options = dict(row.case.options)
    place, construct = str(options.pop("place")), str(options.pop("construct"))
    if construct != "accumulation in scan":
        options.pop("parts")
    case = dataclasses.replace(
        row.case, contender=place, work=f"{row.case.work}: {construct}", options=options
    )
    figures = {"times_outside": row.median / outside if row.median and outside else None}
    return dataclasses.replace(row, case=case, figures=figures)
