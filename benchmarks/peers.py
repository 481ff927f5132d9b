"""``peers``: times the same work in jaxgan, plain Flax, Keras and PyTorch, by turns and in fresh processes.

The peers' programs are in `benchmarks.contenders`. Their analytic FLOPs are jaxgan's, as `jaxgan.cost` counts
them: the networks and the update are the same, so they stand for the work asked for, however it is done.
"""

import dataclasses
import datetime
import difflib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jaxgan.validation import InputError, require

from . import flops, machine, process, records, screen, units
from .options import Timing
from .records import Case, Report, Row, Scalar

OURS = "jaxgan"
PEERS = ("flax", "keras_jax", "keras_tensorflow", "torch", "torch_compile")
CONTENDERS = (OURS, *PEERS)
SPEED = "speed_over_jaxgan"
"""The figure of a row: its images per second over jaxgan's in the same work."""


class Work(NamedTuple):
    """A kind of work.

    Attributes:
        model: the model of the zoo that it trains; None for a style transfer.
        batch_size: the images of a step, unless another is asked for.
        peers: who can do it.
        whole: whether a sample is a whole epoch, of which there is one in each process, after a first one.
    """

    model: str | None
    batch_size: int
    peers: tuple[str, ...]
    whole: bool = False


WORKS = {
    "dcgan": Work("dcgan", 128, PEERS),
    "cnn": Work("cnn", 32, PEERS),
    "gatys": Work(None, 1, ("torch", "torch_compile")),
    "cnn-epoch": Work("cnn", 32, ("keras_jax", "keras_tensorflow"), whole=True),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Times the same work in jaxgan and in other libraries, by turns, each time in a fresh process.

    Attributes:
        works: dcgan (an update of both players), cnn (an update), gatys (a step of a style transfer at
            256x384) or cnn-epoch (an epoch of the training loop: one in each process, after a first one that
            is not timed).
        batch_size: the images of a step; by default 128 for dcgan and 32 for cnn. One for gatys.
        contenders: jaxgan, flax, keras_jax, keras_tensorflow, torch, torch_compile; by default all that can
            do the work.
        python: NAME=PATH, the interpreter of a contender; give it once for each. This one by default.
        threads: the cores that each contender may use; by default all that this process may.
        features: the width of the DCGAN, and of the VGG of gatys; by default 64.
        images: the images of an epoch, a multiple of the batch size.
        roof: measure what the device can do, where that is not known.
        out: the file to write.
    """

    works: tyro.conf.Positional[tuple[str, ...]] = ("dcgan",)
    batch_size: int | None = None
    contenders: tuple[str, ...] = ()
    python: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    threads: int | None = None
    features: int | None = None
    images: int = 60_000
    timing: Annotated[Timing, tyro.conf.arg(name="")] = Timing(rounds=2, repeats=10, warmup=2)
    roof: bool = True
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("benchmark-peers.json")


def run(arguments: list[str]) -> int:
    """Times the contenders and compares them."""
    flags = tyro.cli(Flags, args=arguments, prog="benchmarks peers")
    pythons = interpreters(flags.python)
    make_cases(flags)  # what is wrong is said before anything is measured
    screen.check_out(flags.out)
    with cores(flags.threads):
        host = machine.describe(measure_roof=flags.roof)
        cases = make_cases(flags, platform=host.platform)
        with screen.progress(flags.timing.rounds * len(cases)) as say:
            rows = measure_peers(cases, flags.timing, pythons, say)
    created = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    report = Report(command=["peers", *arguments], created=created, machine=host, rows=rows)
    records.write(report, flags.out)
    show(rows, flags.out)
    return 0 if any(row.status == "ok" for row in rows) else 1


def interpreters(pairs: Sequence[str], names: Sequence[str] = CONTENDERS) -> dict[str, str]:
    """Reads ``NAME=PATH`` pairs: the Python of each contender, of those named.

    Raises:
        InputError: not such a pair, an unknown contender, one named twice, or a file that cannot be run.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        require(bool(equals and path), "python", pair, f"NAME=PATH, such as {names[-1]}=/usr/bin/python3")
        check_contender(name, names)
        require(name not in found, "python", pair, f"given once for {name}")
        program = shutil.which(Path(path).expanduser())
        require(program is not None, f"the interpreter of {name}", path, "a program that can be run")
        found[name] = str(program)
    return found


def check_contender(name: str, names: Sequence[str] = CONTENDERS) -> None:
    """Refuses a contender that is not among those named.

    Raises:
        InputError: its message names those there are.

    >>> check_contender("torch-compile")
    Traceback (most recent call last):
    ...
    jaxgan.validation.InputError: peer is 'torch-compile'; it must be one of jaxgan, flax, keras_jax,
    keras_tensorflow, torch, torch_compile; did you mean torch_compile?
    """
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"peer is {name!r}; it must be one of {', '.join(names)}{hint}")


def make_cases(flags: Flags, *, platform: str = "cpu") -> list[Case]:
    """Makes a case for each contender of each work; those of one work differ in the contender only.

    Args:
        flags: what was asked for.
        platform: of jaxgan's devices, which every contender must use; those that cannot are skipped.

    Raises:
        InputError: an unknown work or contender, or a number that is not allowed.
    """
    for name in flags.contenders:
        check_contender(name)
    require(bool(flags.works), "works", flags.works, f"some of {', '.join(WORKS)}")
    require(flags.features is None or flags.features >= 1, "features", flags.features, ">= 1")
    cases = []
    for name in dict.fromkeys(flags.works):
        require(name in WORKS, "work", name, f"one of {', '.join(WORKS)}")
        work = WORKS[name]
        batch_size = work.batch_size if flags.batch_size is None or work.model is None else flags.batch_size
        options: dict[str, Scalar] = {} if flags.threads is None else {"threads": flags.threads}
        if flags.features is not None and name in ("dcgan", "gatys"):
            options["features"] = flags.features
        if platform != "cpu":
            options["platform"] = platform
        if work.whole:
            options["images"] = flags.images
        cases += [
            Case(suite="peers", contender=contender, work=name, batch_size=batch_size, options=options)
            for contender in dict.fromkeys(flags.contenders or (OURS, *work.peers))
        ]
        whole = batch_size <= flags.images and flags.images % batch_size == 0
        require(
            whole or not work.whole, "images", flags.images, f"a multiple of {batch_size}, the batch size"
        )
    return cases


@contextmanager
def cores(threads: int | None) -> Iterator[None]:
    """Keeps this process, and those that it starts meanwhile, to so many cores; all by default.

    So no contender has more, whatever it offers to set. Where the system cannot do that (macOS), only
    PyTorch and TensorFlow heed the number.

    Raises:
        InputError: more cores than there are, or fewer than one.
    """
    if threads is None:
        yield
        return
    can = hasattr(os, "sched_setaffinity")
    before = os.sched_getaffinity(0) if can else set(range(os.cpu_count() or 1))
    there = f"from 1 to {len(before)}, the number of cores here"
    require(1 <= threads <= len(before), "threads", threads, there)
    if not can:
        yield
        return
    os.sched_setaffinity(0, sorted(before)[:threads])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure_peers(
    cases: Sequence[Case],
    timing: Timing,
    interpreters: Mapping[str, str],
    say: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """Measures each work by turns.

    The peers run without XLA flags, those of the user among them: they are measured as they come.

    Args:
        cases: what to measure.
        timing: how often; of an epoch there is always one in each process, after a first one.
        interpreters: the Python of a contender, by its name; this process's own by default.
        say: told of each process before it begins.

    Returns:
        The rows with their analytic FLOPs and, where jaxgan did the same work, the figure
        ``speed_over_jaxgan``.
    """
    rows = []
    for name in dict.fromkeys(case.work for case in cases):
        counts = {"repeats": 1, "warmup": 1} if WORKS[name].whole else {}
        rows += process.measure(
            [case for case in cases if case.work == name],
            **dataclasses.asdict(dataclasses.replace(timing, **counts)),
            interpreters=interpreters,
            flags=dict.fromkeys(PEERS, ""),
            say=say,
        )
    rows = [dataclasses.replace(row, flops=flops_of(row.case) if row.seconds else None) for row in rows]
    return [with_speed(with_share_outside(row), rows) for row in rows]


def flops_of(case: Case) -> float | None:
    """Counts the work of one sample as jaxgan does it: of a step, or of all the steps of an epoch.

    None for a style transfer, which `jaxgan.cost` does not count.
    """
    work = WORKS[case.work]
    if work.model is None:
        return None
    step = flops.of_sample(dataclasses.replace(case, work=work.model))
    return step * int(case.options.get("images") or 0) / case.batch_size if work.whole else step


def with_share_outside(row: Row) -> Row:
    """Adds ``share_outside_step`` to an epoch: what of its time is not that of its steps taken alone."""
    step = row.figures.get("step_seconds")
    if step is None or row.median is None:
        return row
    steps = int(row.case.options.get("images") or 0) / row.case.batch_size
    return dataclasses.replace(
        row, figures={**row.figures, "share_outside_step": 1 - steps * step / row.median}
    )


def with_speed(row: Row, rows: Sequence[Row]) -> Row:
    """Adds the figure ``speed_over_jaxgan`` to a row, if both were measured."""
    ours = dataclasses.replace(row.case, contender=OURS)
    base = next((other.images_per_second for other in rows if other.case == ours), None)
    rate = row.images_per_second
    if rate is None or base is None:
        return row
    return dataclasses.replace(row, figures={**row.figures, SPEED: rate / base})


def show(rows: Sequence[Row], out: Path) -> None:
    """Prints the table, what could not be measured and why, and where the report is."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=screen.WIDTH)
    console.print(table(rows))
    for row in rows:
        if row.status != "ok":
            print(f"{row.case.work} {row.case.contender}: {row.status.replace('_', ' ')}: {row.message}")
    print(f"the results are in {out}")


def table(rows: Sequence[Row]) -> Table:
    """Makes the table: the contenders of each work, in the order in which they were measured."""
    found = Table(
        caption="x jaxgan: how many times jaxgan's speed; cold start: seconds from the start of a process to "
        "the end of its first step"
    )
    for heading in ("work", "contender", "versions"):
        found.add_column(heading, overflow="fold")
    for heading in ("median, ms", "p10, ms", "p90, ms", "images/s", "x jaxgan", "cold start, s"):
        found.add_column(heading, justify="right")
    for row in rows:
        names = (f"{row.case.work} {row.case.batch_size}", row.case.contender, _versions(row))
        found.add_row(*map(Text, (*names, *_cells(row))))
    return found


def _versions(row: Row) -> str:
    unsaid = ("python", "numpy", "jaxlib")
    return ", ".join(f"{name} {version}" for name, version in row.versions.items() if name not in unsaid)


def _cells(row: Row) -> list[str]:
    if row.status != "ok":
        return [row.status.replace("_", " "), *[units.DASH] * 5]
    times = (row.median, row.quantile(0.1), row.quantile(0.9))
    numbers = (row.images_per_second, row.figures.get(SPEED), row.figures.get("cold_start"))
    return [*map(units.milliseconds, times), *map(units.number, numbers)]
