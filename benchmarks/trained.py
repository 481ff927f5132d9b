"""What ``quality`` and ``stacked`` share: generators trained and judged, each in processes of its own."""

import contextlib
import dataclasses
import datetime
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from jaxgan.extractors import short_name
from jaxgan.validation import InputError, require

from . import process, records
from .records import Case, Machine, Report, Row, Scalar

TRAIN, JUDGE = "jaxgan_train", "judge"
"""The files of `benchmarks.contenders` that train jaxgan's generators and that judge all."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """A generator to be trained and judged.

    Attributes:
        case: what the report says of it; its work is the model, and its options hold ``steps``, ``seed``,
            ``data`` and, where it is judged, ``samples``.
        file: the file of `benchmarks.contenders` that trains it.
        options: more options for that file, such as places on this machine, which the report leaves out.
        makes: what the file leaves in its option ``to``: ``"run"``, a folder, or ``"images"``, an archive.
        metrics: by what it is judged; not at all where there are none.
    """

    case: Case
    file: str = TRAIN
    options: Mapping[str, Scalar] = dataclasses.field(default_factory=dict)
    makes: str = "run"
    metrics: str = ""

    @property
    def name(self) -> str:
        """Names the task's variant and seed.

        >>> options = {"variant": "ema", "seed": 1}
        >>> case = Case(suite="quality", contender="jaxgan", work="dcgan", batch_size=8, options=options)
        >>> Task(case=case).name
        'ema-seed1'
        """
        return f"{self.case.options['variant']}-seed{self.case.options['seed']}"


def do(task: Task, folder: Path, *, timeout: float, interpreters: Mapping[str, str]) -> Row:
    """Trains and judges.

    Args:
        task: the task.
        folder: where to leave the run, or the images; what is there stays.
        timeout: the seconds that either may take.
        interpreters: the Python of a file of the contenders, by its name; this process's own by default.

    Returns:
        The row: its one sample is the seconds of the whole training, its figures the scores.
    """
    ending = "" if task.makes == "run" else ".npz"
    to = next(
        path
        for number in itertools.count(1)
        if not (path := folder / f"{task.name}{'' if number == 1 else f'-{number}'}{ending}").exists()
    )

    def measured(file: str, batch_size: int, options: Mapping[str, Scalar]) -> Row:
        case = dataclasses.replace(task.case, contender=file, batch_size=batch_size, options=dict(options))
        (row,) = process.measure(
            [case],
            rounds=1,
            repeats=1,
            warmup=0,
            timeout=timeout,
            interpreters=interpreters,
            flags={} if file in (TRAIN, JUDGE) else {file: ""},
        )
        figures = {name: value for name, value in row.figures.items() if name != "cold_start"}
        return dataclasses.replace(row, case=task.case, figures=figures)

    shared = {**task.case.options, "to": str(to)}
    trained = measured(task.file, task.case.batch_size, {**shared, **task.options})
    if trained.status != "ok" or not task.metrics:
        return trained
    options = {"data": shared["data"], "metrics": task.metrics, task.makes: str(to)}
    judged = measured(JUDGE, int(shared["samples"] or 0), options)
    if judged.status != "ok":
        return dataclasses.replace(judged, message=f"trained, but not judged: {judged.message}")
    scores = {name: value for name, value in judged.figures.items() if "_std_" not in name}
    versions = {**trained.versions, "extractor": judged.versions["extractor"]}
    return dataclasses.replace(trained, figures={**trained.figures, **scores}, versions=versions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Book:
    """The report while it grows: it is written again after each row, so that nothing done is lost.

    Attributes:
        out: its file.
        command: what was asked for.
        machine: where.
        figures: adds what can be concluded from all rows together.
        rows: those there are so far, in a list that grows.
    """

    out: Path
    command: Sequence[str]
    machine: Machine
    figures: Callable[[Sequence[Row]], list[Row]] = list
    rows: list[Row] = dataclasses.field(default_factory=list)

    def find(self, case: Case) -> Row | None:
        """Finds the row of a case that has been measured."""
        return next((row for row in self.rows if row.case == case and row.status == "ok"), None)

    def add(self, row: Row) -> None:
        """Adds a row, in the place of an earlier one of that case, and writes the report."""
        self.rows[:] = self.figures([*(old for old in self.rows if old.case != row.case), row])
        created = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        report = Report(command=list(self.command), created=created, machine=self.machine, rows=self.rows)
        records.write(report, self.out)


def do_once(book: Book, task: Task, folder: Path, *, timeout: float) -> Row:
    """Gives the row of a task: that of the report, or a new one, which then is in the report; see `do`."""
    row = book.find(task.case)
    if row is None:
        row = do(task, folder, timeout=timeout, interpreters={})
        book.add(row)
    return row


def earlier_rows(out: Path, suite: str, *, resume: bool) -> list[Row]:
    """Gives the rows of the report that is to be gone on with; none where there is no report yet.

    Raises:
        InputError: there is one, though nothing was said of going on with it, or it is none of this suite.
    """
    if not out.exists():
        return []
    if not resume:
        raise InputError(f"--out {out} exists: --resume adds to it; or choose another file")
    rows = records.read(out).rows
    for row in rows:
        require(row.case.suite == suite, f"the suite of {out}", row.case.suite, repr(suite))
    return rows


@contextlib.contextmanager
def place(folder: Path | None) -> Iterator[Path]:
    """Gives the folder in which runs are left, or one that is removed in the end.

    Raises:
        InputError: it cannot be made.
    """
    if folder is None:
        temporary = Path(tempfile.mkdtemp(prefix="jaxgan-runs-"))
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--runs {folder} cannot be made: {error.strerror}") from None
    yield folder.resolve()


def numbers(texts: Sequence[str], name: str) -> list[int]:
    """Reads whole numbers with commas or spaces between them, each once.

    Raises:
        InputError: something else, or nothing.

    >>> numbers(["0,1", "1", "7"], "seeds")
    [0, 1, 7]
    """
    words = [word.strip() for text in texts for word in text.split(",") if word.strip()]
    fine = bool(words) and all(word.isdecimal() and int(word) < 2**32 for word in words)
    require(fine, name, ",".join(texts), "whole numbers below 2**32, with commas between them")
    return list(dict.fromkeys(map(int, words)))


def score_name(data: str, name: str, end: str = "") -> str:
    """Gives the full name of a score, which says through which classifier it was seen.

    >>> score_name("idx:/data/fashion-mnist", "fid", "low")
    'fid_fashion_mnist_cnn_low'
    """
    return "_".join(part for part in (name, short_name(data), "cnn", end) if part)


def score(row: Row, name: str, end: str = "") -> float | None:
    """Finds a score of a row; None where there is none."""
    return row.figures.get(score_name(str(row.case.options["data"]), name, end))
