"""``scaling``: times a step on 1 to N devices; the work of each, or that of all together, stays the same."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from jaxgan.validation import require

from . import machine, screen
from .contenders.jaxgan import configuration
from .options import Sizes, Timing, read_flags
from .records import Case, Row
from .step import check_case, check_devices, measure_steps

KINDS = ("weak", "strong")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Times a step on 1 to N devices and finds how well they are used.

    Attributes:
        model: a model of the zoo.
        batch_size: the images of one device (weak), or of all of them together (strong).
        kinds: weak (the batch grows with the devices), strong (it stays), or both.
        devices: the numbers of devices; 1, 2, 4, ... and all of them by default.
        virtual_devices: so many devices on the CPU, which share its cores: they show that a step divides, and
            what dividing it costs.
        parallel: jit, pmap or shard_map.
        dtype: float32, bfloat16 or float64.
        flags: tuned (the XLA flags that pay here), default (none), or flags without their dashes, in quotes.
        roof: measure what the device can do, where that is not known.
        out: the file to write.
    """

    model: tyro.conf.Positional[str] = "dcgan"
    batch_size: int = 128
    kinds: tuple[str, ...] = KINDS
    devices: tuple[int, ...] | None = None
    virtual_devices: int | None = None
    parallel: str = "jit"
    dtype: str = "float32"
    flags: str = "tuned"
    timing: Annotated[Timing, tyro.conf.arg(name="")] = Timing(repeats=10)
    sizes: Annotated[Sizes, tyro.conf.arg(name="")] = Sizes()
    roof: bool = True
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("benchmark-scaling.json")


def run(arguments: list[str]) -> int:
    """Times the steps."""
    flags = tyro.cli(Flags, args=arguments, prog="benchmarks scaling")
    _check(flags)
    screen.check_out(flags.out)
    host = machine.describe(measure_roof=flags.roof, flags=read_flags(flags.flags))
    if flags.virtual_devices is not None:
        require(host.platform == "cpu", "the platform", host.platform, "cpu for virtual devices")
    there = flags.virtual_devices or host.device_count
    cases = make_cases(flags, flags.devices or powers_of_two(there))
    check_devices(cases, there)
    with screen.progress(flags.timing.rounds * len(cases)) as say:
        rows = measure_steps(cases, flags.timing, say)
    return screen.finish(["scaling", *arguments], host, add_efficiency(rows), flags.out)


def _check(flags: Flags) -> None:
    """Refuses what is wrong on every machine, before the devices are looked at."""
    configuration(flags.model, flags.sizes.chosen())
    for kind in flags.kinds:
        require(kind in KINDS, "kinds", kind, "weak or strong")
    require(flags.parallel != "none", "parallel", flags.parallel, "one of jit, pmap, shard_map")
    count = flags.virtual_devices
    require(count is None or count >= 1, "virtual_devices", count, ">= 1")
    make_cases(flags, flags.devices or (1,))


def powers_of_two(most: int) -> tuple[int, ...]:
    """Gives 1, 2, 4, ... and the number itself.

    >>> powers_of_two(6)
    (1, 2, 4, 6)
    """
    return (*(2**power for power in range(most.bit_length()) if 2**power < most), most)


def make_cases(flags: Flags, devices: Sequence[int]) -> list[Case]:
    """Makes a case for each kind and number of devices.

    Raises:
        InputError: an unknown model, dtype or parallel mode, or a batch that the devices cannot share.
    """
    options = flags.sizes.chosen()
    options |= {} if flags.flags == "tuned" else {"flags": read_flags(flags.flags)}
    options |= {} if flags.virtual_devices is None else {"virtual_devices": flags.virtual_devices}
    cases = [
        Case(
            suite="scaling",
            contender="jaxgan",
            work=flags.model,
            batch_size=flags.batch_size * (count if kind == "weak" else 1),
            dtype=flags.dtype,
            parallel=flags.parallel,
            devices=count,
            options={**options, "scaling": kind},
        )
        for kind in flags.kinds
        for count in devices
    ]
    for case in cases:
        check_case(case)
    return cases


def add_efficiency(rows: Sequence[Row]) -> list[Row]:
    r"""Compares each row with that of the fewest devices of its kind.

    With r images per second on d devices, against r_0 on d_0, the figures are

    .. math:: \text{speedup} = r / r_0, \qquad \text{efficiency} = \frac{r / d}{r_0 / d_0}.
    """
    compared = []
    for row in rows:
        kind = row.case.options["scaling"]
        alike = [other for other in rows if other.case.options["scaling"] == kind and other.images_per_second]
        base = min(alike, key=lambda other: other.case.devices, default=None)
        if base is not None and base.images_per_second and row.images_per_second:
            speedup = row.images_per_second / base.images_per_second
            efficiency = speedup * base.case.devices / row.case.devices
            row = dataclasses.replace(
                row, figures={**row.figures, "speedup": speedup, "efficiency": efficiency}
            )
        compared.append(row)
    return compared
