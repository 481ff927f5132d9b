"""``estimate MODEL --topology v5e:2x4``: a training step on TPUs that are not there.

The compiler for TPUs compiles without one (it comes with the extra ``tpu``), and says what the program of one
device takes: FLOPs, bytes, memory and a time. That time is the compiler's belief, not a measurement, so
it stands in a row's figures and never among its samples:

- ``estimated_seconds`` of a step, and the ``estimated_images_per_second`` of all devices that it would mean.
  The network is not in it (a step takes as long for 256 devices as for 4), nor are custom calls, whose time
  the compiler does not know: ``custom_call_count`` of them;
- ``bytes_accessed`` and ``planned_peak_bytes``, of one device, like ``compiler_flops`` and the row's memory;
- ``collective_count`` and ``collective_bytes``, what one device hands to the others, and both for each kind
  that occurs, as in ``all_reduce_count``; see `hlo.count_collectives`;
- ``chips``: a device is a chip, but for TPU v2, v3, v4 and 7x, where it is one of a chip's two cores.

The row's ``flops`` are those of the whole batch, as everywhere.
"""

import dataclasses
import datetime
import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from jaxgan import config
from jaxgan.validation import InputError, require

from . import flops, machine, process, records, screen, units
from .contenders.jaxgan import configuration
from .options import Sizes
from .records import Case, Memory, Report, Row, Scalar

ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "JAX_ENABLE_COMPILATION_CACHE": "false",
    "TPU_SKIP_MDS_QUERY": "1",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}
"""What the process that compiles needs: JAX on the CPU, times without a cache, no question to the network
about TPUs, and no lock, since none is used."""
BATCH_PER_DEVICE = 128
"""TPUs like multiples of 128."""
LOOKING_UP = 600.0
"""The seconds that looking up topologies may take; it takes a few."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Compiles a model's training step for TPUs that are not there, and shows what it would take.

    Each topology is compiled in a process of its own, which takes minutes at full size. Needs the
    extra ``tpu``.

    Attributes:
        model: a model of the zoo.
        topology: one or more: the kind of TPU and its grid, from v5e:1x1 (one chip) to v5e:16x16 (256).
        batch_size: the images of a step, over all devices; a multiple of their number.
        batch_per_device: the same for each device, 128 by default; give one of the two.
        parallel: how the step is divided over the devices.
        timeout: the seconds that one topology may take.
        out: the file to write.
    """

    model: Annotated[str, tyro.conf.Positional] = "dcgan"
    topology: tuple[str, ...] = ("v5e:2x4",)
    batch_size: int | None = None
    batch_per_device: int | None = None
    parallel: Literal["jit", "shard_map"] = "jit"
    sizes: Annotated[Sizes, tyro.conf.arg(name="")] = Sizes()
    timeout: float = 1800.0
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("benchmark-estimate.json")


def run(arguments: list[str]) -> int:
    """Estimates a step on each topology."""
    flags = tyro.cli(Flags, args=arguments, prog="benchmarks estimate")
    require(flags.timeout > 0, "timeout", flags.timeout, "> 0")
    cases = find_cases(
        flags.model,
        flags.topology,
        flags.sizes.chosen(),
        batch_size=flags.batch_size,
        batch_per_device=flags.batch_per_device,
        parallel=flags.parallel,
    )
    screen.check_out(flags.out)
    host = machine.describe(measure_roof=False, flags="default")
    rows = []
    with screen.progress(len(cases)) as say:
        for case in cases:
            say(f"compiling {case.label}")
            rows.append(compile_case(case, timeout=flags.timeout))
    created = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    records.write(
        Report(command=["estimate", *arguments], created=created, machine=host, rows=rows), flags.out
    )
    show(rows)
    print(f"the results are in {flags.out}")
    return 0 if any(row.status == "ok" for row in rows) else 1


def find_cases(
    model: str,
    topologies: Sequence[str],
    options: Mapping[str, Scalar],
    *,
    batch_size: int | None = None,
    batch_per_device: int | None = None,
    parallel: str = "jit",
) -> list[Case]:
    """Finds the devices of topologies, and checks that the step can be divided over them.

    Args:
        model: its name in the zoo.
        topologies: names such as ``"v5e:2x4"``.
        options: settings of the model; see `contenders.jaxgan.configuration`.
        batch_size: the images of one step, of all devices together.
        batch_per_device: the same for each device; 128 by default.
        parallel: ``"jit"`` or ``"shard_map"``.

    Returns:
        One case for each topology.

    Raises:
        InputError: no compiler for TPUs, or a model, topology or batch that cannot be used.
    """
    configuration(model, options)
    check_arguments(topologies, batch_size, batch_per_device)
    check_compiler()
    arguments = {
        "work": model,
        "options": dict(options),
        "mode": parallel,
        "names": list(topologies),
        "batch_size": batch_size,
        "batch_per_device": batch_per_device or BATCH_PER_DEVICE,
    }
    answer = ask("look_up", arguments, timeout=LOOKING_UP)
    if answer["status"] != "ok":
        raise InputError(f"the compiler for TPUs cannot be used here: {answer['message']}")
    return [make_case(model, parallel, options, **place) for place in answer["found"]]


def check_arguments(topologies: Sequence[str], batch_size: int | None, batch_per_device: int | None) -> None:
    """Refuses what can be refused before the compiler is asked.

    Raises:
        InputError: a value that is not allowed.
    """
    require(bool(topologies), "topology", tuple(topologies), "at least one name, such as v5e:2x4")
    for name in topologies:
        require(bool(name), "topology", name, "a name, such as v5e:2x4")
        require(topologies.count(name) == 1, "topology", name, "given once")
    if batch_size is not None and batch_per_device is not None:
        raise InputError("batch_size and batch_per_device are both given; it must be one of them")
    for what, value in (("batch_size", batch_size), ("batch_per_device", batch_per_device)):
        require(value is None or value >= 1, what, value, ">= 1")


def check_compiler() -> None:
    """Checks that the compiler for TPUs is installed.

    Raises:
        InputError: it is not.
    """
    if importlib.util.find_spec("libtpu") is None and not os.environ.get("TPU_LIBRARY_PATH"):
        raise InputError(
            "estimate needs libtpu, the compiler for TPUs, which is not installed; "
            "on Linux, pip install 'jaxgan[tpu]' installs it"
        )


def make_case(
    model: str, parallel: str, options: Mapping[str, Scalar], *, topology: str, devices: int, batch_size: int
) -> Case:
    """Says what is estimated."""
    return Case(
        suite="estimate",
        contender="jaxgan",
        work=model,
        batch_size=batch_size,
        parallel=parallel,
        devices=devices,
        options={"topology": topology, **options},
    )


def compile_case(case: Case, *, timeout: float) -> Row:
    """Compiles one case in a process of its own, whose answer holds the fields of a row."""
    answer = ask("compile_step", {"case": config.to_dict(case)}, timeout=timeout)
    if answer["status"] == "ok":
        answer["flops"] = flops.of_sample(case)
    return config.from_dict(Row, {"case": config.to_dict(case), **answer}, case.label)


def ask(task: str, arguments: dict[str, Any], *, timeout: float) -> dict[str, Any]:
    """Lets a fresh process do a task of `ahead_of_time`; see `estimate_worker` for the answer.

    Raises:
        InputError: the process refused the task.
    """
    job = {"task": task, "arguments": arguments}
    answer = process.run("estimate_worker.py", job, variables=ENVIRONMENT, timeout=timeout)
    if answer["status"] == "refused":
        raise InputError(answer["message"])
    return answer


def show(rows: Sequence[Row]) -> None:
    """Prints the rows side by side, and what was said of those that failed."""
    console = Console()
    (console if console.is_terminal else Console(width=screen.WIDTH)).print(table(rows))
    for row in rows:
        if row.message:
            print(f"{row.case.options['topology']}: {row.message}")


def table(rows: Sequence[Row]) -> Table:
    """Sets rows side by side: a column for each topology."""
    found = Table(caption="as the compiler plans it, without the network; nothing was run")
    found.add_column("of one device", no_wrap=True)
    for row in rows:
        found.add_column(str(row.case.options["topology"]), justify="right")
    columns = [_cells(row) for row in rows]
    for name in dict.fromkeys(name for column in columns for name in column):
        found.add_row(name, *(column.get(name, units.DASH) for column in columns))
    return found


def _cells(row: Row) -> dict[str, str]:
    """Gives what the table says of a row, by the headings of its lines."""
    cells = {"devices": str(row.case.devices), "images, all devices": f"{row.case.batch_size:,}"}
    if row.status != "ok":
        return cells | {"status": row.status.replace("_", " ")}
    figures = dict(row.figures)
    cells["step, estimated"] = units.quantity(figures.pop("estimated_seconds"), "seconds")
    cells["images/s, all devices"] = units.number(figures.pop("estimated_images_per_second"))
    cells["compiler's FLOPs"] = units.quantity(row.compiler_flops, "flops")
    cells["bytes accessed"] = units.quantity(figures.pop("bytes_accessed"), "bytes")
    for name, value in dataclasses.asdict(row.memory or Memory()).items():
        if value is not None:
            cells[name] = units.quantity(value, "bytes")
    cells |= {name.replace("_", " "): units.figure(name, value) for name, value in figures.items()}
    cells["compiled in"] = units.quantity(row.phases.compile if row.phases else None, "seconds")
    return cells
