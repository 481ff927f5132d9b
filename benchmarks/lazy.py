"""``lazy``: times a GAN's steps with a penalty at every k-th step, at every step and without it.

The penalty is that of the game, as its settings name it. At the other steps a lazy penalty should cost
nothing, and so on average a k-th of what it costs at every step: its share.
"""

import dataclasses
import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table
from rich.text import Text

from jaxgan import penalties
from jaxgan.validation import require

from . import flops, machine, process, screen, step, units
from .contenders.jaxgan import configuration
from .options import Sizes, Timing, read_flags, read_models
from .records import Case, Row, Scalar

NONE, ALWAYS = "no penalty", "every step"
"""The contenders beside those that are lazy."""
CAPTION = (
    "step: the mean of a whole period; due and idle: the medians of the steps with and without the penalty; "
    "times least: what the penalty adds to the mean step, over a k-th of what it adds at every step"
)
Groups = Mapping[str, Sequence[Case]]
"""By the work: a case without the penalty, one with it at every step, and the lazy ones."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Times steps with a penalty at every k-th step against steps with and without it, by turns.

    Attributes:
        models: GANs of the zoo; gans for all.
        penalties: NAME[:WEIGHT] each, in place of the model's own.
        every: the intervals k.
        batch_size: the images of a step; where the discriminator takes several updates, as many of them as
            these can share equally.
        timing: the repeats must be a multiple of all intervals, so that only whole periods are timed.
        flags: tuned (the XLA flags that pay here), default (none), or flags without their dashes, in quotes.
        roof: measure what the device can do, where that is not known.
        out: the file to write.
    """

    models: tyro.conf.Positional[tuple[str, ...]] = ("dcgan",)
    penalties: tuple[str, ...] = ("r1",)
    every: tuple[int, ...] = (4, 16)
    batch_size: int = 128
    flags: str = "tuned"
    timing: Annotated[Timing, tyro.conf.arg(name="")] = Timing(repeats=32)
    sizes: Annotated[Sizes, tyro.conf.arg(name="")] = Sizes()
    roof: bool = True
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("benchmark-lazy.json")


def run(arguments: list[str]) -> int:
    """Times the steps."""
    flags = tyro.cli(Flags, args=arguments, prog="benchmarks lazy")
    groups = make_cases(flags)
    screen.check_out(flags.out)
    host = machine.describe(measure_roof=flags.roof, flags=read_flags(flags.flags))
    with screen.progress(flags.timing.rounds * sum(map(len, groups.values()))) as say:
        rows = measure_lazy(groups, flags.timing, math.lcm(*flags.every), say)
    return screen.finish(["lazy", *arguments], host, rows, flags.out, table(rows))


def make_cases(flags: Flags) -> dict[str, list[Case]]:
    """Makes the cases of each penalty of each model.

    Raises:
        InputError: an unknown model or penalty, one that does not suit the other, or numbers that do not go
            together.
    """
    options = flags.sizes.chosen()
    options |= {} if flags.flags == "tuned" else {"flags": read_flags(flags.flags)}
    for every in flags.every:
        require(every >= 2, "every", every, ">= 2")
    period = math.lcm(*flags.every)
    whole = f"a multiple of {period}, the steps after which all intervals begin again"
    require(flags.timing.repeats % period == 0, "repeats", flags.timing.repeats, whole)
    found = {}
    for model, text in itertools.product(read_models(flags.models), flags.penalties):
        term = penalties.parse(text)
        require(term.every == 1, "penalty", text, "NAME[:WEIGHT], as its intervals are those of --every")
        specs = ["", *(f"{term.name}:{term.weight}:{every}" for every in (1, *flags.every))]
        found[f"{model}: {text}"] = [_case(flags, model, {**options, "penalties": spec}) for spec in specs]
    return found


def _case(flags: Flags, model: str, options: dict[str, Scalar]) -> Case:
    known, config = configuration(model, options)
    known.build(config)  # refuses a penalty that does not suit the discriminator
    batch_size = step.fit(flags.batch_size, model, options, 1)
    case = Case(suite="lazy", contender="jaxgan", work=model, batch_size=batch_size, options=options)
    step.check_case(case)
    return case


def measure_lazy(groups: Groups, timing: Timing, period: int, say: Callable[[str], None]) -> list[Row]:
    """Measures the steps, by turns.

    Args:
        groups: from `make_cases`.
        timing: how often and how long.
        period: the steps that make a sample, a multiple of every interval.
        say: told of each process before it begins.

    Returns:
        The rows; the contender of each is when it has the penalty. See `finish` for their figures.
    """
    cases = list(itertools.chain(*groups.values()))
    found = iter(process.measure(cases, **dataclasses.asdict(timing), say=say))
    rows: list[Row] = []
    for work, own in groups.items():
        group = [next(found) for _ in own]
        rows += finish(work, group, first=1 + timing.warmup, period=period)
    return rows


def finish(work: str, rows: Sequence[Row], *, first: int, period: int) -> list[Row]:
    r"""Puts steps together to periods, and says what the penalty costs.

    With t the time of a step, the figure ``times_least`` of a lazy penalty is

    .. math:: \frac{\bar t_{lazy} - t_{none}}{(t_{always} - t_{none}) / k}, \qquad
        \bar t_{lazy} = \frac{t_{due} + (k - 1) \, t_{idle}}{k}

    Args:
        work: what all rows do.
        rows: of single steps: without the penalty, with it at every step, and the lazy ones.
        first: the number of the first timed step of a process; that of the state's first is 0.
        period: the steps of a sample, a multiple of every interval that divides those of a process.

    Returns:
        Rows with the analytic FLOPs of a period and the figures ``due_seconds`` and ``idle_seconds``, the
        medians of the steps with and without the penalty, ``step_seconds``, their mean over a period, and
        ``times_least``.
    """
    none, always = (_figures(row, first)["step_seconds"] for row in rows[:2])
    works = [flops.of_sample(row.case) for row in rows[:2]]
    finished = []
    for row in rows:
        figures, every = _figures(row, first), interval(row.case)
        if every and every > 1:
            figures["times_least"] = _times_least(figures["step_seconds"], none, always, every)
        share = 1 / every if every else 0.0
        whole = dataclasses.replace(
            row,
            case=_named(row.case, work, every, period),
            samples=[_sums(steps, period) for steps in row.samples],
            images=row.images and row.images * period,
            flops=period * (works[0] + share * (works[1] - works[0])),
            compiler_flops=None,
            figures={**row.figures, **figures},
        )
        finished.append(whole)
    return finished


def interval(case: Case) -> int | None:
    """Finds the interval of a case's penalty; None where it has none.

    >>> options = {"penalties": "r1:10.0:4"}
    >>> interval(Case(suite="lazy", contender="jaxgan", work="dcgan", batch_size=1, options=options))
    4
    """
    spec = str(case.options["penalties"])
    return penalties.parse(spec).every if spec else None


def _named(case: Case, work: str, every: int | None, period: int) -> Case:
    contender = NONE if every is None else ALWAYS if every == 1 else f"every {every} steps"
    options = {name: value for name, value in case.options.items() if name != "penalties"}
    return dataclasses.replace(case, contender=contender, work=work, options={**options, "steps": period})


def _figures(row: Row, first: int) -> dict[str, float | None]:
    every = interval(row.case)
    due: list[float] = []
    idle: list[float] = []
    for steps in row.samples:
        for number, seconds in enumerate(steps, first):
            (due if every and number % every == 0 else idle).append(seconds)
    medians = [statistics.median(seconds) if seconds else None for seconds in (due, idle)]
    shares = (1 / every, 1 - 1 / every) if every else (0.0, 1.0)
    known = [share * median for share, median in zip(shares, medians, strict=True) if median is not None]
    mean = math.fsum(known) if known else None
    return {"due_seconds": medians[0], "idle_seconds": medians[1], "step_seconds": mean}


def _times_least(lazy: float | None, none: float | None, always: float | None, every: int) -> float | None:
    if lazy is None or none is None or always is None or always <= none:
        return None
    return every * (lazy - none) / (always - none)


def _sums(steps: Sequence[float], period: int) -> list[float]:
    return [math.fsum(steps[start : start + period]) for start in range(0, len(steps), period)]


def table(rows: Sequence[Row]) -> Table:
    """Makes the table: a line for each interval of each penalty, and why there are no numbers."""
    problems = [f"{row.case.label}: {row.message}" for row in rows if row.message]
    made = Table(caption=Text("\n".join([CAPTION, *problems])))
    for heading in ("work", "penalty"):
        made.add_column(heading, overflow="fold")
    for heading in ("batch", "step, ms", "due, ms", "idle, ms", "times least"):
        made.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        names = (row.case.work, row.case.contender, str(row.case.batch_size))
        made.add_row(*map(Text, (*names, *_cells(row))))
    return made


def _cells(row: Row) -> list[str]:
    if row.status != "ok":
        return [row.status.replace("_", " "), *[units.DASH] * 3]
    times = [row.figures.get(f"{name}_seconds") for name in ("step", "due", "idle")]
    return [*map(units.milliseconds, times), units.ratio(row.figures.get("times_least"))]
