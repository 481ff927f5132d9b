"""What a benchmark writes: one JSON file, a `Report`, with a `Row` for each `Case`. Version 1.

Units: seconds, bytes, FLOPs (one multiply-add is 2), images. What was not measured is null, never 0 or -1.
"""

import dataclasses
import json
import math
import statistics
from pathlib import Path
from typing import Any

from jaxgan import config, files
from jaxgan.validation import InputError, require

SCHEMA = "jaxgan-benchmark/1"
STATUSES = ("ok", "skipped", "out_of_memory", "error")

Scalar = str | int | float | bool | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """What is measured. Two rows may be compared if their cases are equal but for the contender.

    Attributes:
        suite: the subcommand: ``"step"``, ``"loops"``, ``"lazy"``, ``"sweep"``, ``"ops"``, ``"data"``,
            ``"metrics"``, ``"quality"``, ``"stacked"``, ``"scaling"``, ``"peers"``, ``"estimate"``.
        contender: whose code does the work: ``"jaxgan"``, ``"flax"``, ``"torch"``, ...
        work: what it does: a model of the zoo, an op, a data source.
        batch_size: the images of one step, of all devices together.
        dtype: of the arithmetic.
        parallel: ``"jit"``, ``"pmap"``, ``"shard_map"`` or ``"none"``.
        devices: the number of devices.
        options: whatever else tells cases apart, by name; values are plain.
    """

    suite: str
    contender: str
    work: str
    batch_size: int
    dtype: str = "float32"
    parallel: str = "jit"
    devices: int = 1
    options: dict[str, Scalar] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        require(self.batch_size >= 1, "batch_size", self.batch_size, ">= 1")
        require(self.devices >= 1, "devices", self.devices, ">= 1")

    @property
    def label(self) -> str:
        """Names the case in one line.

        >>> Case(suite="step", contender="jaxgan", work="dcgan", batch_size=128).label
        'dcgan batch 128 float32 jit x1 jaxgan'
        """
        options = "".join(f" {name}={value}" for name, value in sorted(self.options.items()))
        return (
            f"{self.work} batch {self.batch_size} {self.dtype} {self.parallel} x{self.devices} "
            f"{self.contender}{options}"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phases:
    """The way to the first result in a fresh process, in seconds; null where a contender has no such phase.

    Attributes:
        load: importing what the contender needs.
        trace: running the Python functions on abstract arrays.
        lower: writing the program down for the compiler.
        compile: compiling it.
        first: the first step, once compiled; for contenders that compile on the way, all of it.
    """

    load: float | None = None
    trace: float | None = None
    lower: float | None = None
    compile: float | None = None
    first: float | None = None

    @property
    def total(self) -> float:
        """The seconds from the start of the process to the end of the first step."""
        return math.fsum(value for value in dataclasses.astuple(self) if value is not None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes on one device, as the compiler planned them; ``peak`` is the process's or the device's own count.

    Attributes:
        arguments: what goes in.
        outputs: what comes out, ``aliased`` included.
        temporaries: what lives in between.
        aliased: the part of the outputs that takes the place of donated arguments.
        peak: the most that was in use at once: of the device, or on CPU of the process.
    """

    arguments: int | None = None
    outputs: int | None = None
    temporaries: int | None = None
    aliased: int | None = None
    peak: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """What was found for a case.

    Attributes:
        case: the case.
        status: ``"ok"``; or ``"skipped"`` (not installed, not possible here), ``"out_of_memory"`` or
            ``"error"``: then ``message`` says why and there are no samples.
        message: a sentence, or null.
        samples: the seconds of each timed step, one list for each fresh process.
        images: the images that one sample takes in.
        flops: the analytic count of one sample's work; see `jaxgan.cost.forward_flops`.
        compiler_flops: the compiler's own count, or null where it is not usable.
        phases: the way to the first step, of the first process.
        memory: what it takes.
        versions: of the packages that the contender is made of.
        figures: further numbers by name, such as a share or a ratio.
    """

    case: Case
    status: str = "ok"
    message: str | None = None
    samples: list[list[float]] = dataclasses.field(default_factory=list)
    images: int | None = None
    flops: float | None = None
    compiler_flops: float | None = None
    phases: Phases | None = None
    memory: Memory | None = None
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    figures: dict[str, float | None] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        require(self.status in STATUSES, "status", self.status, f"one of {', '.join(STATUSES)}")
        steps = [sample for process in self.samples for sample in process]
        require(all(step > 0 and math.isfinite(step) for step in steps), "samples", steps, "seconds > 0")

    @property
    def seconds(self) -> list[float]:
        """All samples, sorted.

        >>> case = Case(suite="step", contender="jaxgan", work="dcgan", batch_size=8)
        >>> Row(case=case, samples=[[0.3, 0.1], [0.2]]).seconds
        [0.1, 0.2, 0.3]
        """
        return sorted(sample for process in self.samples for sample in process)

    @property
    def median(self) -> float | None:
        """The median of the samples; null if there are none."""
        return statistics.median(self.seconds) if self.seconds else None

    def quantile(self, share: float) -> float | None:
        """Finds a quantile of the samples, between neighbours by linear interpolation.

        >>> case = Case(suite="step", contender="jaxgan", work="dcgan", batch_size=8)
        >>> Row(case=case, samples=[[1.0, 2.0, 3.0]]).quantile(0.25)
        1.5
        """
        if not self.seconds:
            return None
        place = share * (len(self.seconds) - 1)
        below = math.floor(place)
        above = min(below + 1, len(self.seconds) - 1)
        return self.seconds[below] + (place - below) * (self.seconds[above] - self.seconds[below])

    @property
    def images_per_second(self) -> float | None:
        """The images of a sample by its median time."""
        return self.images / self.median if self.images and self.median else None

    @property
    def flops_per_second(self) -> float | None:
        """The analytic work of a sample by its median time."""
        return self.flops / self.median if self.flops and self.median else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Roof:
    """The most that one device can do, and how that is known.

    Attributes:
        flops_per_second: arithmetic; ``flops_source`` is ``"table"`` or ``"measured"``.
        bytes_per_second: memory; ``bytes_source`` likewise.
    """

    flops_per_second: float | None = None
    flops_source: str | None = None
    bytes_per_second: float | None = None
    bytes_source: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machine:
    """Where it was measured.

    Attributes:
        platform: ``"cpu"``, ``"gpu"`` or ``"tpu"``.
        device_kind: the device's name, as its maker gives it.
        device_count: the devices there.
        process_count: the processes that shared the work.
        processor: the host's processor.
        cores: the host's cores that the process may use.
        memory: the host's memory in bytes.
        system: the operating system.
        python: the version of Python.
        versions: of the packages.
        flags: the XLA flags in force.
        commit: of the checkout, with ``+`` where it has changes; null outside one.
        roof: what one device can do.
    """

    platform: str
    device_kind: str
    device_count: int
    process_count: int
    processor: str
    cores: int
    memory: int | None
    system: str
    python: str
    versions: dict[str, str]
    flags: str
    commit: str | None
    roof: Roof


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """One run of one benchmark.

    Attributes:
        command: what was asked for, after ``benchmarks``.
        created: when, in ISO 8601 with the offset from UTC.
        machine: where.
        rows: what was found.
        schema: always `SCHEMA`.
    """

    command: list[str]
    created: str
    machine: Machine
    rows: list[Row]
    schema: str = SCHEMA


def write(report: Report, path: Path) -> None:
    """Writes a report as JSON, whole or not at all.

    For readers without this module, each row also gets its derived ``summary``: median, p10 and p90 in
    seconds, images per second in all and per device, and the share of the device's peak.

    Raises:
        InputError: the file cannot be written.
    """
    data = config.to_dict(report)
    for row, found in zip(data["rows"], report.rows, strict=True):
        row["summary"] = summary(found, report.machine.roof)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.whole(path) as part:
            part.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def summary(row: Row, roof: Roof) -> dict[str, float | None]:
    """Derives the figures of a row that tables show."""
    rate, work = row.images_per_second, row.flops_per_second
    peak = roof.flops_per_second
    return {
        "median": row.median,
        "p10": row.quantile(0.1),
        "p90": row.quantile(0.9),
        "images_per_second": rate,
        "images_per_second_per_device": rate and rate / row.case.devices,
        "flops_per_second": work,
        "share_of_peak": work / (peak * row.case.devices) if work and peak else None,
    }


def read(path: Path) -> Report:
    """Reads a report and checks it.

    Raises:
        InputError: no such file, not JSON, another schema, or a value that is not allowed.
    """
    try:
        data: Any = json.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from None
    found = data.get("schema") if isinstance(data, dict) else None
    if found != SCHEMA:
        raise InputError(f"{path} has schema {found!r}; it must be {SCHEMA!r}")
    for row in data.get("rows", []):
        if isinstance(row, dict):
            row.pop("summary", None)
    return config.from_dict(Report, data, str(path))
