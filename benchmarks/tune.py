"""``tune``: tries sets of XLA flags on a model's step, and says which of them pays on this device."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import tyro

from jaxgan.validation import InputError

from . import machine, screen
from .options import Sizes, Timing, read_flags
from .records import Case, Row
from .step import check_case, measure_steps

_ONEDNN = "--xla_cpu_use_onednn=true --xla_cpu_experimental_onednn_custom_call=true"
_YNN = "--xla_cpu_experimental_ynn_fusion_type="
_FAST_MATH = "--xla_cpu_enable_fast_math=true"

CANDIDATES: dict[str, tuple[str, ...]] = {
    "cpu": (
        _YNN,
        f"{_YNN}-individual_convolution",
        f"{_ONEDNN} {_YNN}",
        f"{_ONEDNN} {_YNN}LIBRARY_FUSION_TYPE_REDUCE",
        _FAST_MATH,
        "--xla_cpu_prefer_vector_width=512",
    ),
    "gpu": (
        "--xla_gpu_enable_latency_hiding_scheduler=true",
        "--xla_gpu_enable_command_buffer=",
        "--xla_gpu_enable_triton_gemm=false",
        "--xla_gpu_cudnn_gemm_fusion_level=2",
        "--xla_gpu_exhaustive_tiling_search=true",
    ),
    "tpu": (
        "--xla_tpu_enable_latency_hiding_scheduler=true",
        "--xla_tpu_scoped_vmem_limit_kib=65536",
        "--xla_tpu_rwb_fusion=false",
    ),
}
"""Sets of flags to try, by platform, beside none and those of `jaxgan.xla.configure`.

On CPU: which library takes convolutions and matrix products (oneDNN, or XLA itself instead of YNNPACK),
whether sums may be reordered, how wide vectors are. On GPU: the order of copies and kernels, launching
kernels one by one instead of in a graph, which library multiplies matrices, how long to search for the best
kernel. On TPU, where they go to ``LIBTPU_INIT_ARGS``: the order of communication and work, the fast memory of
one operation, fusing reductions.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Tries sets of XLA flags on a step, each in fresh processes, by turns, and says which is the fastest.

    Attributes:
        model: a model of the zoo.
        batch_size: the images of a step.
        dtype: float32, bfloat16 or float64.
        sets: the sets to try, flags without their dashes, each set in quotes; by default those that are known
            for the platform.
        out: the file to write.
    """

    model: tyro.conf.Positional[str] = "dcgan"
    batch_size: int = 128
    dtype: str = "float32"
    sets: tuple[str, ...] | None = None
    timing: Annotated[Timing, tyro.conf.arg(name="")] = Timing(rounds=2, repeats=10)
    sizes: Annotated[Sizes, tyro.conf.arg(name="")] = Sizes()
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("benchmark-tune.json")


def run(arguments: list[str]) -> int:
    """Tries the sets."""
    flags = tyro.cli(Flags, args=arguments, prog="benchmarks tune")
    named = None if flags.sets is None else [read_flags(words) for words in flags.sets]
    make_case(flags, "default")
    screen.check_out(flags.out)
    host = machine.describe(measure_roof=False, flags="default")
    sets = CANDIDATES.get(host.platform, ()) if named is None else named
    cases = [make_case(flags, words) for words in dict.fromkeys(("default", "tuned", *sets))]
    with screen.progress(len(cases) * (1 + flags.timing.rounds)) as say:
        rows = try_flags(cases, flags.timing, say)
    status = screen.finish(["tune", *arguments], host, rows, flags.out)
    print(conclude(rows))
    return status


def make_case(flags: Flags, words: str) -> Case:
    """Makes the case of one set.

    Raises:
        InputError: an unknown model or dtype.
    """
    case = Case(
        suite="tune",
        contender="jaxgan",
        work=flags.model,
        batch_size=flags.batch_size,
        dtype=flags.dtype,
        options={**flags.sizes.chosen(), "flags": words},
    )
    check_case(case)
    return case


def try_flags(cases: Sequence[Case], timing: Timing, say: Callable[[str], None]) -> list[Row]:
    """Starts JAX with each set, since an unknown flag ends the process, and times those with which it starts.

    Args:
        cases: the cases, the first with the flags ``"default"``.
        timing: how often and how long.
        say: told of each process before it begins: one for each case, and those that time it.

    Returns:
        The rows, in the order of the cases. Those that are timed have the figure ``gain``: how much faster
        than the first the step is, as a share of its own time.
    """
    refused: dict[str, Row] = {}
    for case in cases:
        say(f"does JAX start with {case.options['flags']}?")
        problem = probe(str(case.options["flags"]))
        if problem is not None:
            refused[case.label] = Row(case=case, status="skipped", message=problem)
    timed = measure_steps([case for case in cases if case.label not in refused], timing, say)
    found = refused | {row.case.label: row for row in add_gain(timed)}
    return [found[case.label] for case in cases]


def probe(flags: str) -> str | None:
    """Starts JAX with some flags in a process of its own.

    Returns:
        None if it starts, or else what it said.
    """
    try:
        machine.describe(measure_roof=False, flags=flags)
    except InputError as error:
        return str(error)
    return None


def add_gain(rows: Sequence[Row]) -> list[Row]:
    """Compares each row with the first, which has no flags."""
    base = rows[0].median if rows else None
    return [
        dataclasses.replace(row, figures={**row.figures, "gain": base / row.median - 1})
        if base and row.median
        else row
        for row in rows
    ]


def conclude(rows: Sequence[Row]) -> str:
    """Says which set is the fastest."""
    timed = [row for row in rows if row.median is not None]
    if not timed:
        return "no set of flags could be timed"
    best = min(timed, key=lambda row: row.median or 0.0)
    gain = best.figures.get("gain")
    if best.case.options["flags"] == "default" or not gain:
        return "none of the sets is faster than no flags"
    return f"the fastest is {best.case.options['flags']}: {gain:.1%} more steps a second than without flags"
