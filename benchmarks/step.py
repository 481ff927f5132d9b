"""``step``: times the training step of any model, alone, inside a loop, and for many GANs in one program."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from jaxgan.validation import require

from . import flops, machine, process, screen
from .contenders.jaxgan import DTYPES, PARALLEL, configuration, repetitions, updates
from .options import Sizes, Timing, read_flags, read_models
from .records import Case, Row, Scalar

Options = dict[str, Scalar]
REPEATED = ("steps_in_scan", "members")
"""The options with which a sample holds several single steps."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Times the training step of models, each case in fresh processes, by turns.

    Attributes:
        models: models of the zoo; gans, classifiers or style for all of those.
        batch_sizes: the images of a step, over all devices; where the discriminator takes several updates, as
            many of them as these can share equally.
        dtypes: float32, bfloat16 or float64.
        parallel: jit, pmap, shard_map, or none for jax.jit without a layout.
        devices: the numbers of devices.
        scan: also time so many steps inside one jax.lax.scan, against as many single steps.
        members: also time so many GANs under one jax.vmap, against as many single steps.
        data: a source of real images (digits, idx:FOLDER, ...) instead of random ones; a sample then also
            fetches its batch.
        flags: tuned (the XLA flags that pay here), default (none), or flags without their dashes, in quotes.
        cache: a folder for compiled programs, so that a second run shows the second start.
        roof: measure what the device can do, where that is not known.
        out: the file to write.
    """

    models: tyro.conf.Positional[tuple[str, ...]] = ("dcgan", "cnn")
    batch_sizes: tuple[int, ...] = (128,)
    dtypes: tuple[str, ...] = ("float32",)
    parallel: tuple[str, ...] = ("jit",)
    devices: tuple[int, ...] = (1,)
    scan: int | None = None
    members: int | None = None
    data: str | None = None
    flags: str = "tuned"
    cache: Path | None = None
    timing: Annotated[Timing, tyro.conf.arg(name="")] = Timing()
    sizes: Annotated[Sizes, tyro.conf.arg(name="")] = Sizes()
    roof: bool = True
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("benchmark-step.json")


def run(arguments: list[str]) -> int:
    """Times the steps."""
    flags = tyro.cli(Flags, args=arguments, prog="benchmarks step")
    cases = make_cases(flags)
    screen.check_out(flags.out)
    host = machine.describe(measure_roof=flags.roof, flags=read_flags(flags.flags))
    check_devices(cases, host.device_count)
    with screen.progress(flags.timing.rounds * len(cases)) as say:
        rows = measure_steps(cases, flags.timing, say)
    return screen.finish(["step", *arguments], host, rows, flags.out)


def make_cases(flags: Flags) -> list[Case]:
    """Makes the cases of all combinations of what was asked for.

    Raises:
        InputError: something unknown, or that does not go together.
    """
    shared = flags.sizes.chosen()
    shared |= {} if flags.flags == "tuned" else {"flags": read_flags(flags.flags)}
    shared |= {} if flags.cache is None else {"cache": str(flags.cache)}
    shared |= {} if flags.data is None else {"data": flags.data}
    variants: list[Options] = [{}]
    for name, count in zip(REPEATED, (flags.scan, flags.members), strict=True):
        if count is not None:
            require(count >= 2, "scan" if name == "steps_in_scan" else name, count, ">= 2")
            variants.append({name: count})
    choices = itertools.product(
        read_models(flags.models), flags.batch_sizes, flags.dtypes, flags.parallel, flags.devices, variants
    )
    cases = [
        Case(
            suite="step",
            contender="jaxgan",
            work=work,
            batch_size=fit(batch_size, work, shared, devices),
            dtype=dtype,
            parallel=parallel,
            devices=devices,
            options={**shared, **variant},
        )
        for work, batch_size, dtype, parallel, devices, variant in choices
    ]
    for case in cases:
        check_case(case)
    return cases


def fit(batch_size: int, work: str, options: Options, devices: int) -> int:
    """Leaves out the images that the updates of a step, on each device, cannot share equally.

    >>> fit(128, "dcgan", {}, 1)  # one update, which takes all
    128
    """
    count = updates(configuration(work, options)[1])
    left_out = batch_size % (count * devices) if count > 1 else 0
    return batch_size - left_out or batch_size  # too few for all stay, to be refused


def check_case(case: Case) -> None:
    """Refuses a case that cannot be measured anywhere; what is missing here is found out later.

    Raises:
        InputError: an unknown model, dtype, parallel mode or source of images, or a batch that does not fit.
    """
    _, config = configuration(case.work, case.options)
    require(case.dtype in DTYPES, "dtype", case.dtype, f"one of {', '.join(DTYPES)}")
    require(case.parallel in PARALLEL, "parallel", case.parallel, f"one of {', '.join(PARALLEL)}")
    alone = case.parallel != "none" or case.devices == 1
    require(alone, "devices", case.devices, "1 where parallel is none")
    shared = f"a multiple of {case.devices}, the number of devices"
    require(case.batch_size % case.devices == 0, "batch_size", case.batch_size, shared)
    parts = updates(config) * case.devices
    shared = f"a multiple of {parts}, the discriminator's updates in a step times the devices"
    require(case.batch_size % parts == 0, "batch_size", case.batch_size, shared)
    if "data" in case.options:
        _check_data(
            str(case.options["data"]), config, case.batch_size * int(case.options.get("steps_in_scan") or 1)
        )


def _check_data(spec: str, config: Any, count: int) -> None:
    from jaxgan import data, zoo

    images = data.load(spec, "train", image_size=config.image_size, channels=config.channels)
    data.require_labels(images, zoo.num_classes(config))
    data.require_domains(images, zoo.domains(config))
    require(
        count <= len(images), "batch_size", count, f"at most {len(images)}, the number of images in {spec}"
    )


def check_devices(cases: Sequence[Case], count: int) -> None:
    """Refuses cases for more devices than there are.

    Raises:
        InputError: there is one.
    """
    for case in cases:
        require(
            case.devices <= count, "devices", case.devices, f"at most {count}, the number of devices here"
        )


def measure_steps(cases: Sequence[Case], timing: Timing, say: Callable[[str], None]) -> list[Row]:
    """Measures steps of jaxgan.

    Args:
        cases: the cases.
        timing: how often and how long.
        say: told of each process before it begins.

    Returns:
        The rows with their analytic FLOPs. One whose sample holds several single steps also has the figure
        ``times_single_steps``: its median over that of as many steps of the same case taken one by one.
    """
    rows = process.measure(cases, **dataclasses.asdict(timing), say=say)
    rows = [dataclasses.replace(row, flops=flops.of_sample(row.case)) for row in rows]
    return [compare_with_single(row, rows) for row in rows]


def compare_with_single(row: Row, rows: Sequence[Row]) -> Row:
    """Adds ``times_single_steps`` to a row whose sample holds several, if the single one is there."""
    count = repetitions(row.case.options)
    options = {name: value for name, value in row.case.options.items() if name not in REPEATED}
    single = dataclasses.replace(row.case, options=options)
    base = next((other.median for other in rows if other.case == single), None)
    if count == 1 or row.median is None or base is None:
        return row
    figures = {**row.figures, "times_single_steps": row.median / (count * base)}
    return dataclasses.replace(row, figures=figures)
