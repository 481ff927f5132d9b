"""``metrics``: times FID, the features of Inception and the scores of a generator, also in torch-fidelity.

Three kinds of work: the distance of two sets of features (``fid``), the 2,048 features of images of 299x299
(``inception``), and what `jaxgan evaluate --metrics` does to score the images of a generator (``score``),
which is jaxgan's alone. Both contenders are given the same features and images; their weights are random.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table
from rich.text import Text

from jaxgan.scoring import Scoring
from jaxgan.validation import require

from . import flops, machine, peers, process, screen, units
from .contenders.metrics import WORKS
from .contenders.torch_fidelity import WORKS as THEIRS
from .options import Timing
from .records import Case, Row, Scalar

OURS, PEER = peers.OURS, "torch_fidelity"
FILES = {OURS: "metrics", PEER: PEER}
"""The files of `benchmarks.contenders` that do the work."""
TARGETS = {"fid": 1.0, "inception": 1.3, "score": 60.0}
"""What is aimed at: torch-fidelity's best speed times so much; for ``score``, seconds of the first pass."""
SPEED, SHARE = "times_torch_fidelity", "times_target"
SHOWN = {
    "FID": "fid",
    "differs by": "fid_difference",
    "x torch-fidelity": SPEED,
    "x target": SHARE,
    "first pass": "first_pass_seconds",
    "training": "extractor_seconds",
}
"""The figures in the table, by their headings."""
CAPTION = (
    "x torch-fidelity: the speed over its best in the same work; x target: that over 1 (fid) or 1.3 "
    "(inception), for score 60 s over the first pass; differs by: the share by which torch-fidelity's FID is "
    "another; training: of the extractor, where it was not kept from before"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Times FID, Inception and the scores of a generator, by turns, in jaxgan and in torch-fidelity.

    Attributes:
        works: fid (of two sets of features), inception (the features of images) or score (the images of a
            generator, drawn, seen and counted; by jaxgan alone).
        samples: the features in each set of fid, and the generated images of score.
        features: the dimension of the features of fid.
        metrics: what score counts, as `jaxgan evaluate` names it.
        batch_sizes: the images that inception sees at once; the best of each contender are compared.
        contenders: jaxgan, torch_fidelity; by default all that can do the work.
        python: torch_fidelity=PATH, its interpreter. This one by default.
        threads: the cores that each contender may use; by default all that this process may.
        roof: measure what the device can do, where that is not known.
        out: the file to write.
    """

    works: tyro.conf.Positional[tuple[str, ...]] = WORKS
    samples: int = 10_000
    features: int = 2048
    metrics: str = Scoring.metrics
    batch_sizes: tuple[int, ...] = (16, 32)
    contenders: tuple[str, ...] = ()
    python: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    threads: int | None = None
    timing: Annotated[Timing, tyro.conf.arg(name="")] = Timing(rounds=2, repeats=3, warmup=0)
    roof: bool = True
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("benchmark-metrics.json")


def run(arguments: list[str]) -> int:
    """Times the works."""
    flags = tyro.cli(Flags, args=arguments, prog="benchmarks metrics")
    pythons = peers.interpreters(flags.python, (PEER,))
    make_cases(flags)  # what is wrong is said before anything is measured
    screen.check_out(flags.out)
    with peers.cores(flags.threads):
        host = machine.describe(measure_roof=flags.roof)
        cases = make_cases(flags, platform=host.platform)
        with screen.progress(flags.timing.rounds * len(cases)) as say:
            rows = measure_metrics(cases, flags.timing, pythons, say)
    return screen.finish(["metrics", *arguments], host, rows, flags.out, table(rows))


def make_cases(flags: Flags, *, platform: str = "cpu") -> list[Case]:
    """Makes a case for each contender of each work; those of one work and size differ in the contender only.

    Args:
        flags: what was asked for.
        platform: of jaxgan's devices, on which both must run Inception.

    Raises:
        InputError: an unknown work or contender, or a number that is not allowed.
    """
    for name in flags.contenders:
        peers.check_contender(name, tuple(FILES))
    require(bool(flags.works), "works", flags.works, f"some of {', '.join(WORKS)}")
    require(bool(flags.batch_sizes), "batch_sizes", flags.batch_sizes, "at least one number")
    require(flags.features >= 1, "features", flags.features, ">= 1")
    require(flags.samples >= 2, "samples", flags.samples, ">= 2")
    if "score" in flags.works:
        Scoring(samples=flags.samples, metrics=flags.metrics)
    threads: dict[str, Scalar] = {} if flags.threads is None else {"threads": flags.threads}
    cases = []
    for work in dict.fromkeys(flags.works):
        require(work in WORKS, "work", work, f"one of {', '.join(WORKS)}")
        can = (OURS, PEER) if work in THEIRS else (OURS,)
        special: dict[str, dict[str, Scalar]] = {
            "fid": {"features": flags.features},
            "inception": {} if platform == "cpu" else {"platform": platform},
            "score": {"metrics": flags.metrics},
        }
        sizes = dict.fromkeys(flags.batch_sizes) if work == "inception" else (flags.samples,)
        cases += [
            Case(
                suite="metrics",
                contender=FILES[contender],
                work=work,
                batch_size=size,
                parallel="none",
                options={**threads, **special[work]},
            )
            for size in sizes
            for contender in dict.fromkeys(flags.contenders or can)
        ]
    return cases


def measure_metrics(
    cases: Sequence[Case],
    timing: Timing,
    interpreters: Mapping[str, str],
    say: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """Measures each work by turns.

    Args:
        cases: from `make_cases`.
        timing: how often and how long.
        interpreters: the Python of a contender, by its name; this process's own by default.
        say: told of each process before it begins.

    Returns:
        The rows, with the FLOPs of Inception and the figures that `with_figures` adds.
    """
    rows: list[Row] = []
    for work in dict.fromkeys(case.work for case in cases):
        rows += process.measure(
            [case for case in cases if case.work == work],
            **dataclasses.asdict(timing),
            interpreters=interpreters,
            say=say,
        )
    return with_figures([_named(row) for row in rows])


def _named(row: Row) -> Row:
    """Gives a row its contender's name, and the analytic work of Inception."""
    names = {file: name for name, file in FILES.items()}
    case = dataclasses.replace(row.case, contender=names[row.case.contender])
    counted = case.work == "inception" and row.seconds
    return dataclasses.replace(row, case=case, flops=flops.of_inception(case.batch_size) if counted else None)


def with_figures(rows: Sequence[Row]) -> list[Row]:
    """Adds what can be concluded from the rows together.

    * ``times_torch_fidelity``: the speed over the best of torch-fidelity in the same work, at any batch size;
    * ``times_target``: of jaxgan, that over its target, or for ``score`` the target over the seconds of the
      first pass: from 1 on the target is reached;
    * ``fid_difference``: of torch-fidelity, the difference of its FID from jaxgan's, over jaxgan's.
    """
    best = {
        work: max(
            (_speed(row) for row in rows if (row.case.work, row.case.contender) == (work, PEER)), default=0
        )
        for work in WORKS
    }
    ours = next((row for row in rows if (row.case.work, row.case.contender) == ("fid", OURS)), None)
    return [_with_figures(row, best[row.case.work], ours) for row in rows]


def _with_figures(row: Row, best: float, ours: Row | None) -> Row:
    work, figures = row.case.work, dict(row.figures)
    if best and row.seconds:
        figures[SPEED] = _speed(row) / best
    first, speed = figures.get("first_pass_seconds"), figures.get(SPEED)
    if row.case.contender == OURS and work == "score" and first:
        figures[SHARE] = TARGETS[work] / first
    elif row.case.contender == OURS and speed:
        figures[SHARE] = speed / TARGETS[work]
    value, base = figures.get("fid"), ours.figures.get("fid") if ours else None
    if row.case.contender == PEER and value is not None and base:
        figures["fid_difference"] = abs(value - base) / base
    return dataclasses.replace(row, figures=figures)


def _speed(row: Row) -> float:
    """Images, or what else the work is done on, a second; 0 where nothing was timed."""
    return row.case.batch_size / row.median if row.median else 0.0


def table(rows: Sequence[Row]) -> Table:
    """Makes the table: the contenders of each work side by side, and why there are no numbers."""
    problems = [f"{row.case.work} {row.case.contender}: {row.message}" for row in rows if row.message]
    made = Table(caption=Text("\n".join([CAPTION, *problems])))
    for heading in ("work", "contender"):
        made.add_column(heading, no_wrap=True)
    figures = {heading: name for heading, name in SHOWN.items() if any(name in row.figures for row in rows)}
    for heading in ("ms", "p10-p90", "images/s", "GFLOP/s", *figures):
        made.add_column(heading, justify="right", overflow="fold")
    for row in rows:
        work = row.flops_per_second
        cells = [
            units.milliseconds(row.median) if row.status == "ok" else row.status.replace("_", " "),
            "-".join(units.milliseconds(row.quantile(share)) for share in (0.1, 0.9))
            if row.seconds
            else units.DASH,
            units.number(row.images_per_second),
            units.number(work and work / 1e9),
            *(units.figure(name, row.figures.get(name)) for name in figures.values()),
        ]
        made.add_row(f"{row.case.work} {row.case.batch_size}", row.case.contender, *cells)
    return made
