"""``ops``: times every op, forward and each derivative, in each form: the table behind the choice of form.

The three maps of a convolution are its forward pass and its two derivatives (see `jaxgan.ops.trilinear`), and
so are they those of the transposed convolution.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import tyro

from jaxgan.ops import forms
from jaxgan.validation import require

from . import machine, process, screen
from .contenders.ops import LAYERS, MAPS, OTHERS, forms_of, geometry_of, shapes_of
from .options import Timing, read_flags
from .records import Case, Row


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Times the ops, each form in a fresh process.

    Attributes:
        layers: some of the layers; all by default.
        batch_size: the images of a call.
        dtype: of the arithmetic.
        flags: tuned (the XLA flags that pay here), default (none), or flags without their dashes, in quotes.
        roof: measure what the device can do, where that is not known.
        out: the file to write.
    """

    layers: tuple[str, ...] = (*LAYERS, *OTHERS)
    batch_size: int = 128
    dtype: str = "float32"
    flags: str = "tuned"
    timing: Annotated[Timing, tyro.conf.arg(name="")] = Timing(rounds=1, repeats=20)
    roof: bool = True
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("benchmark-ops.json")


def run(arguments: list[str]) -> int:
    """Times the ops."""
    flags = tyro.cli(Flags, args=arguments, prog="benchmarks ops")
    cases = make_cases(flags)
    screen.check_out(flags.out)
    host = machine.describe(measure_roof=flags.roof, flags=read_flags(flags.flags))
    with screen.progress(flags.timing.rounds * len(cases)) as say:
        rows = measure_ops(cases, host.platform, flags.timing, say)
    return screen.finish(["ops", *arguments], host, rows, flags.out)


def make_cases(flags: Flags) -> list[Case]:
    """Makes a case for each form of each map of each layer.

    Raises:
        InputError: an unknown layer or dtype.
    """
    known = (*LAYERS, *OTHERS)
    for layer in flags.layers:
        require(layer in known, "layer", layer, f"one of {', '.join(known)}")
    require(flags.dtype in ("float32", "bfloat16"), "dtype", flags.dtype, "float32 or bfloat16")
    set_flags = {} if flags.flags == "tuned" else {"flags": read_flags(flags.flags)}
    return [
        Case(
            suite="ops",
            contender="ops",
            work=f"{layer}: {wanted}",
            batch_size=flags.batch_size,
            dtype=flags.dtype,
            parallel="none",
            options={"layer": layer, "wanted": wanted, "form": form, **set_flags},
        )
        for layer in flags.layers
        for wanted in (MAPS if layer in LAYERS else ("forward", "gradient"))
        for form in forms_of(layer, wanted)
    ]


def measure_ops(
    cases: Sequence[Case], platform: str, timing: Timing, say: Callable[[str], None]
) -> list[Row]:
    """Measures the forms.

    Args:
        cases: from `make_cases`.
        platform: ``"cpu"``, ``"gpu"`` or ``"tpu"``; whose choice of form is marked.
        timing: how often and how long.
        say: told of each process before it begins.

    Returns:
        The rows; the contender of each is its form. The figure ``chosen`` is 1 for the form that jaxgan takes
        on this platform, and ``times_lax`` is how many times as fast as the form "lax" it is.
    """
    found = process.measure(cases, **dataclasses.asdict(timing), say=say)
    rows = []
    for work, group in itertools.groupby(found, key=lambda row: row.case.work):
        members = list(group)
        base = next((row.median for row in members if row.case.options["form"] == "lax"), None)
        rows += [_finished(row, work, base, platform) for row in members]
    return rows


def _finished(row: Row, work: str, base: float | None, platform: str) -> Row:
    options = row.case.options
    layer, wanted, form = (str(options[name]) for name in ("layer", "wanted", "form"))
    flops, chosen = None, "jaxgan"
    if layer in LAYERS:
        shapes = shapes_of(LAYERS[layer], wanted, row.case.batch_size)
        platform_of_table = "cpu" if platform == "cpu" else None
        geometry = geometry_of(LAYERS[layer])
        chosen = forms.choose(platform_of_table, wanted, geometry, *shapes, dtype=row.case.dtype)
        flops = _flops(layer, row.case.batch_size)
    figures: dict[str, float | None] = {
        "times_lax": base / row.median if base and row.median else None,
        "chosen": float(form == chosen),
    }
    rest = {name: value for name, value in options.items() if name == "flags"}
    case = dataclasses.replace(row.case, contender=form, work=work, options=rest)
    return dataclasses.replace(row, case=case, flops=flops, figures=figures)


def _flops(layer: str, batch_size: int) -> float:
    """The same for each map: 2 for each term of the trilinear form."""
    y, kernel = shapes_of(LAYERS[layer], "image", batch_size)
    return 2.0 * math.prod(y) * math.prod(kernel[:3])
