"""``quality``: how good the images are that a DCGAN draws, in ways of training it and in Keras.

Every contender is trained from nothing for as many steps on the same images, and judged by the same function:
its drawn images against all real ones, through the classifier that jaxgan trains on these data.
"""

import dataclasses
import statistics
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.table import Table
from rich.text import Text

from jaxgan import data
from jaxgan.data import Dataset
from jaxgan.scoring import Scoring
from jaxgan.validation import require

from . import machine, peers, screen, trained, units, variants
from .options import Training
from .records import Case, Row
from .trained import Book, Task
from .variants import Variant

OURS, PEER = peers.OURS, "keras_tensorflow"
PEER_FILE, PEER_MODEL, PEER_SHAPE = "keras_gan", "dcgan", (28, 28, 1)
"""The file of `benchmarks.contenders` that trains the peer, and what it can train."""
TABLE = Path(__file__).resolve().parent / "ablation.toml"
METRICS = "fid,kid,is,pr,modes"
CADENCE = {"cadence.sample-every": 500}
RATIO = "times_peer"
"""The figure of a row: its FID over the peer's, the mean of all its seeds."""
CAPTION = (
    "FID with a 95 % interval of the images that happened to be drawn, for all seeds the mean with the "
    "smallest and the largest; x Keras: the FID over the mean of the peer's; least class: the smallest share "
    "that a class has in the images, of all seeds the smallest"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Trains DCGANs for as many steps and judges their images, in jaxgan and in Keras on TensorFlow.

    Each training and each judging has a process of its own. The report is written after every row. Several
    trainings at once are for a device with room, such as a GPU: the scores are the same, the times are those
    of a device that is shared. There XLA_PYTHON_CLIENT_PREALLOCATE=false lets them share its memory.

    Attributes:
        data: the images, as `jaxgan train` names them.
        steps: the steps of every training.
        batch_size: the images of a step.
        samples: the images that each generator draws to be judged.
        variants: names in the table, with commas between them; by default all.
        contenders: jaxgan, keras_tensorflow; by default both.
        table: the variants; see benchmarks/ablation.toml.
        python: keras_tensorflow=PATH, its interpreter. This one by default.
        at_once: the trainings at the same time.
        out: the file to write.
    """

    data: str
    steps: int = 1500
    batch_size: int = 128
    samples: int = 10_000
    variants: tuple[str, ...] = ()
    contenders: tuple[str, ...] = ()
    table: Annotated[Path, tyro.conf.arg(metavar="FILE.toml")] = TABLE
    python: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    at_once: int = 1
    training: Annotated[Training, tyro.conf.arg(name="")] = Training()
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("benchmark-quality.json")


def run(arguments: list[str]) -> int:
    """Trains and judges."""
    flags = tyro.cli(Flags, args=arguments, prog="benchmarks quality")
    how = flags.training
    pythons = peers.interpreters(flags.python, (PEER,))
    tasks = make_tasks(flags)  # what is wrong is said before anything is trained
    images = read_images(flags.data)
    screen.check_out(flags.out)
    rows = trained.earlier_rows(flags.out, "quality", resume=how.resume)
    with peers.cores(how.threads), trained.place(how.runs) as folder:
        host = machine.describe(measure_roof=False)
        command = ["quality", *arguments]
        book = Book(out=flags.out, command=command, machine=host, figures=with_ratios, rows=rows)
        by_file = {PEER_FILE: pythons[PEER]} if pythons else {}
        left = [task for task in tasks if book.find(task.case) is None]
        if any(task.file == PEER_FILE for task in left):
            left = [with_archive(task, images, folder) for task in left]
        with screen.progress(len(left)) as say:

            def do(task: Task) -> Row:
                say(f"{task.case.contender} {task.name}")
                return trained.do(task, folder, timeout=how.timeout, interpreters=by_file)

            for row in at_once(do, left, flags.at_once):
                book.add(row)
    return screen.finish(command, host, book.rows, flags.out, table(book.rows))


def at_once(do: Callable[[Task], Row], tasks: Sequence[Task], count: int) -> Iterator[Row]:
    """Does so many tasks at the same time and gives the row of each as it ends; an error stops the rest."""
    with ThreadPoolExecutor(count) as pool:
        begun = [pool.submit(do, task) for task in tasks]
        try:
            for ended in as_completed(begun):
                yield ended.result()
        finally:
            pool.shutdown(cancel_futures=True)


def make_tasks(flags: Flags) -> list[Task]:
    """Makes a task for each contender, variant and seed: the peer first, seed by seed.

    Raises:
        InputError: an unknown contender or variant, or a setting that is not allowed.
    """
    for name in flags.contenders:
        peers.check_contender(name, (OURS, PEER))
    require(flags.steps >= 1, "steps", flags.steps, ">= 1")
    require(flags.at_once >= 1, "at_once", flags.at_once, ">= 1")
    Scoring(samples=flags.samples, metrics=METRICS)
    seeds = trained.numbers(flags.training.seeds, "seeds")
    chosen = variants.choose(variants.read_table(flags.table), flags.variants)
    contenders = flags.contenders or (PEER, OURS)
    tasks = []
    for seed in seeds:
        tasks += [_peer_task(flags, seed)] if PEER in contenders else []
        tasks += [_our_task(flags, variant, seed) for variant in chosen if OURS in contenders]
    return tasks


def _our_task(flags: Flags, variant: Variant, seed: int) -> Task:
    given = {"data": flags.data, "steps": flags.steps, "batch-size": flags.batch_size, "seed": seed}
    whole, _ = variants.complete(variant, {**given, **CADENCE})
    case = _case(flags, OURS, variant.name, variant.command, seed, work=variant.model)
    return Task(case=case, options={"arguments": whole.command}, metrics=METRICS)


def _peer_task(flags: Flags, seed: int) -> Task:
    case = _case(flags, PEER, PEER, None, seed, work=PEER_MODEL)
    return Task(case=case, file=PEER_FILE, makes="images", metrics=METRICS)


def _case(flags: Flags, contender: str, name: str, command: str | None, seed: int, *, work: str) -> Case:
    return Case(
        suite="quality",
        contender=contender,
        work=work,
        batch_size=flags.batch_size,
        options={
            **flags.training.chosen(),
            **({} if flags.at_once == 1 else {"at_once": flags.at_once}),
            "variant": name,
            "train": command,
            "data": flags.data,
            "steps": flags.steps,
            "seed": seed,
            "samples": flags.samples,
        },
    )


def read_images(spec: str) -> Dataset:
    """Reads the images to be learnt, in the shape that the peer's networks take.

    Raises:
        InputError: they cannot be read.
    """
    return data.load(spec, "train", image_size=PEER_SHAPE[:2], channels=PEER_SHAPE[2])


def with_archive(task: Task, images: Dataset, folder: Path) -> Task:
    """Gives a task of the peer the images that it learns from, as an archive in the folder of the runs."""
    if task.file != PEER_FILE:
        return task
    path = folder / "images.npz"
    if not path.exists():
        np.savez(path, images=images.read(np.arange(len(images)))["image"])
    return dataclasses.replace(task, options={"images": str(path)})


def with_ratios(rows: Sequence[Row]) -> list[Row]:
    """Adds ``times_peer`` to the rows: their FID over the mean of the peer's in the same work."""
    return [_with_ratio(row, rows) for row in rows]


def _with_ratio(row: Row, rows: Sequence[Row]) -> Row:
    theirs = [
        trained.score(other, "fid") for other in rows if other.case.contender == PEER and _alike(other, row)
    ]
    known = [value for value in theirs if value is not None]
    value = trained.score(row, "fid")
    if value is None or not known:
        return row
    return dataclasses.replace(row, figures={**row.figures, RATIO: value / statistics.fmean(known)})


def _alike(first: Row, second: Row) -> bool:
    """Tells whether the scores of two rows may be compared: the same data, steps and judge."""
    names = ("data", "steps", "samples")
    same = all(first.case.options[name] == second.case.options[name] for name in names)
    judges = (row.versions.get("extractor") for row in (first, second))
    return same and first.case.batch_size == second.case.batch_size and len(set(judges)) == 1


def table(rows: Sequence[Row]) -> Table:
    """Makes the table: a line for each training, and why there are no numbers."""
    problems = [f"{row.case.options['variant']}: {row.message}" for row in rows if row.message]
    made = Table(caption=Text("\n".join([CAPTION, *problems])))
    for heading in ("contender", "variant"):
        made.add_column(heading, overflow="fold")
    columns = ("seed", "steps", "s", "ms/step", "FID", "interval", "x Keras", "KID", "precision", "recall")
    for heading in (*columns, "least class"):
        made.add_column(heading, justify="right", no_wrap=True)
    for row in [*rows, *means(rows)]:
        options = row.case.options
        names = (row.case.contender, *(str(options[name]) for name in ("variant", "seed", "steps")))
        made.add_row(*map(Text, (*names, *_cells(row))))
    return made


def means(rows: Sequence[Row]) -> list[Row]:
    """Makes a row of means for each training that was done with several seeds, in the order of their FID.

    The bounds of an FID are then its smallest and its largest value, and the smallest share of a class is
    that of any seed.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.status == "ok":
            alike = {name: value for name, value in row.case.options.items() if name != "seed"}
            key = repr((row.case.contender, row.case.batch_size, sorted(alike.items())))
            groups.setdefault(key, []).append(row)
    found = [_mean(group) for group in groups.values() if len(group) > 1]
    return sorted(found, key=lambda row: trained.score(row, "fid") or 0.0)


def _mean(rows: Sequence[Row]) -> Row:
    case = rows[0].case
    spec = str(case.options["data"])
    values = {
        name: [value for row in rows if (value := row.figures.get(name)) is not None]
        for name in rows[0].figures
    }
    figures: dict[str, float | None] = {name: statistics.fmean(each) for name, each in values.items() if each}
    fid = values.get(trained.score_name(spec, "fid"), [])
    shares = values.get("least_class_share", [])
    if fid and shares:
        ends = {"low": min(fid), "high": max(fid)}
        figures |= {trained.score_name(spec, "fid", end): value for end, value in ends.items()}
        figures["least_class_share"] = min(shares)
    options = {**case.options, "seed": f"all {len(rows)}"}
    samples = [sample for row in rows for sample in row.samples]
    return Row(case=dataclasses.replace(case, options=options), samples=samples, figures=figures)


def _cells(row: Row) -> list[str]:
    if row.status != "ok":
        return [row.status.replace("_", " "), *[units.DASH] * 8]
    low, high = (units.number(trained.score(row, "fid", end)) for end in ("low", "high"))
    return [
        units.number(row.median),
        units.milliseconds(row.figures.get("step_seconds")),
        units.number(trained.score(row, "fid")),
        f"{low}-{high}",
        units.ratio(row.figures.get(RATIO)),
        *(units.number(trained.score(row, name)) for name in ("kid", "precision", "recall")),
        units.percent(row.figures.get("least_class_share")),
    ]
