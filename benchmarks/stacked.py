"""``stacked``: how many of the 1,000 modes of stacked digits GANs reach in as many minutes.

The budget is time, but a busy machine must not decide: the step of every model is timed first, one after the
other, and each is then trained for as many steps as fit into the minutes at that speed, however long that
takes in the end.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table
from rich.text import Text

from jaxgan.scoring import Scoring
from jaxgan.validation import InputError, require

from . import machine, peers, screen, trained, units, variants
from .options import Training
from .records import Case, Row, Scalar
from .trained import Book, Task
from .variants import Variant

TABLE = Path(__file__).resolve().parent / "stacked.toml"
METRICS = "modes"
CADENCE = {"cadence.sample-every": 1000, "cadence.checkpoint-every": 1000}
TIMED = {"cadence.log-every": 5}
STEP = "step_seconds"
"""The figure of a row: the median time of a step; and the option of a case: that by which it was planned."""
TIMING = "timed"
"""The option of a case that is there only to time the step."""
CAPTION = (
    "modes: classes of stacks that at least one image has, as a classifier sees its channels; KL: to an even "
    "spread over all; step: timed before the training, by which its steps were counted"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Trains GANs on stacked digits for as many minutes and counts the modes that they reach.

    First the step of each model is timed: let nothing else run meanwhile. The report is written after every
    row.

    Attributes:
        data: the stacks, as `jaxgan train` names them.
        minutes: the time of all steps of a training.
        models: names in the table, with commas between them; by default all.
        samples: the images that each generator draws to be counted.
        step_seconds: NAME=SECONDS, the time of a model's step where it is known; give it once for each.
        timed_steps: the steps by which the others are timed.
        table: the models; see benchmarks/stacked.toml.
        out: the file to write.
    """

    data: str = "stacked:digits"
    minutes: float = 20.0
    models: tuple[str, ...] = ()
    samples: int = 25_600
    step_seconds: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    timed_steps: int = 60
    table: Annotated[Path, tyro.conf.arg(metavar="FILE.toml")] = TABLE
    training: Annotated[Training, tyro.conf.arg(name="")] = Training()
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("benchmark-stacked.json")


def run(arguments: list[str]) -> int:
    """Times the steps, trains and counts."""
    flags = tyro.cli(Flags, args=arguments, prog="benchmarks stacked")
    how = flags.training
    chosen = check(flags)
    known = read_seconds(flags.step_seconds, [variant.name for variant in chosen])
    seeds = trained.numbers(how.seeds, "seeds")
    screen.check_out(flags.out)
    rows = trained.earlier_rows(flags.out, "stacked", resume=how.resume)
    with peers.cores(how.threads), trained.place(how.runs) as folder:
        host = machine.describe(measure_roof=False)
        command = ["stacked", *arguments]
        book = Book(out=flags.out, command=command, machine=host, rows=rows)
        timed = [variant for variant in chosen if variant.name not in known]
        with screen.progress(len(timed) + len(chosen) * len(seeds)) as say:
            for variant in timed:
                say(f"the step of {variant.name}")
                row = trained.do_once(book, timing_task(flags, variant), folder, timeout=how.timeout)
                if seconds := row.figures.get(STEP):
                    known[variant.name] = seconds
            for seed, variant in itertools.product(seeds, chosen):
                say(f"{variant.name}, seed {seed}")
                if variant.name in known:
                    task = training_task(flags, variant, seed, known[variant.name])
                    trained.do_once(book, task, folder, timeout=how.timeout)
    return screen.finish(command, host, book.rows, flags.out, table(book.rows))


def check(flags: Flags) -> list[Variant]:
    """Gives the models that were chosen.

    Raises:
        InputError: an unknown model, or a setting that is not allowed.
    """
    require(flags.minutes > 0, "minutes", flags.minutes, "> 0")
    require(flags.timed_steps >= 20, "timed_steps", flags.timed_steps, ">= 20")
    require(flags.data.startswith("stacked:"), "data", flags.data, "stacked:SPEC, such as stacked:digits")
    Scoring(samples=flags.samples, metrics=METRICS)
    chosen = variants.choose(variants.read_table(flags.table), flags.models)
    for variant in chosen:
        timing_task(flags, variant)
    return chosen


def read_seconds(pairs: Sequence[str], names: Sequence[str]) -> dict[str, float]:
    """Reads ``NAME=SECONDS`` pairs.

    Raises:
        InputError: something else, or a model that was not chosen.

    >>> read_seconds(["dcgan=0.25"], ["dcgan", "sngan"])
    {'dcgan': 0.25}
    """
    found = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            found[name] = float(text)
        except ValueError:
            found[name] = 0.0
        fine = name in names and 0 < found[name] < float("inf")
        require(fine, "step_seconds", pair, f"NAME=SECONDS with one of {', '.join(names)}")
    return found


def timing_task(flags: Flags, variant: Variant) -> Task:
    """Makes the task that times the step of a model: its first steps, with all that a training does."""
    return _task(flags, variant, flags.timed_steps, 0, TIMED, {TIMING: True}, "")


def training_task(flags: Flags, variant: Variant, seed: int, step_seconds: float) -> Task:
    """Makes the task that trains a model for as many steps as fit into the minutes."""
    steps = max(1, round(flags.minutes * 60 / step_seconds))
    more: dict[str, Scalar] = {"minutes": flags.minutes, STEP: step_seconds, "samples": flags.samples}
    return _task(flags, variant, steps, seed, CADENCE, more, METRICS)


def _task(
    flags: Flags,
    variant: Variant,
    steps: int,
    seed: int,
    cadence: Mapping[str, int],
    more: Mapping[str, Scalar],
    metrics: str,
) -> Task:
    whole, settings = variants.complete(
        variant, {"data": flags.data, "steps": steps, "seed": seed, **cadence}
    )
    if settings.model.channels != 3:
        raise InputError(f"variant {variant.name} has {settings.model.channels} channel; stacks have 3")
    case = Case(
        suite="stacked",
        contender=peers.OURS,
        work=variant.model,
        batch_size=settings.batch_size,
        options={
            **flags.training.chosen(),
            "variant": variant.name,
            "train": variant.command,
            "data": flags.data,
            "steps": steps,
            "seed": seed,
            **more,
        },
    )
    return Task(case=case, options={"arguments": whole.command}, metrics=metrics)


def table(rows: Sequence[Row]) -> Table:
    """Makes the table: a line for each training, and why there are no numbers."""
    problems = [f"{row.case.options['variant']}: {row.message}" for row in rows if row.message]
    made = Table(caption=Text("\n".join([CAPTION, *problems])))
    made.add_column("model", overflow="fold")
    for heading in ("seed", "modes", "KL", "steps", "batch", "step, ms", "ms/step", "minutes"):
        made.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        if TIMING not in row.case.options:
            made.add_row(*map(Text, _cells(row)))
    return made


def _cells(row: Row) -> list[str]:
    options = row.case.options
    names = [str(options["variant"]), str(options["seed"])]
    if row.status != "ok":
        return [*names, row.status.replace("_", " "), *[units.DASH] * 6]
    minutes = row.median and row.median / 60
    return [
        *names,
        units.number(trained.score(row, "modes")),
        units.number(trained.score(row, "kl")),
        str(options["steps"]),
        str(row.case.batch_size),
        units.milliseconds(float(options[STEP] or 0)),
        units.milliseconds(row.figures.get(STEP)),
        units.number(minutes),
    ]
