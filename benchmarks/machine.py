"""Where a benchmark runs: the device, the host, the versions, and the most that one device can do."""

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path

from jaxgan.validation import InputError

from . import process
from .records import Machine, Roof

PEAKS: dict[str, tuple[float, float]] = {
    "NVIDIA H100 80GB HBM3": (989e12, 3.35e12),
    "NVIDIA H200": (989e12, 4.8e12),
    "NVIDIA A100-SXM4-80GB": (312e12, 2.0e12),
    "TPU v4": (275e12, 1.2e12),
    "TPU v5 lite": (197e12, 0.81e12),
    "TPU v5e": (197e12, 0.81e12),
    "TPU v5": (459e12, 2.8e12),
    "TPU v5p": (459e12, 2.8e12),
    "TPU v6 lite": (920e12, 1.6e12),
    "TPU v6e": (920e12, 1.6e12),
}
"""By JAX's ``device_kind``, from the makers' data sheets: dense bfloat16 FLOPs and bytes per second.

The peak of a device that is not among them is measured, in float32.
"""

PACKAGES = (
    "jaxgan", "jax", "jaxlib", "jax-cuda12-plugin", "jax-cuda13-plugin", "libtpu", "flax", "optax", "numpy"
)  # fmt: skip


def describe(*, measure_roof: bool, flags: str = "tuned") -> Machine:
    """Describes the machine; the devices are looked at by a process of its own.

    Args:
        measure_roof: whether to measure what a device of a kind that is not in `PEAKS` can do: seconds.
        flags: the XLA flags in force: ``"tuned"`` for those of `jaxgan.xla.configure`, ``"default"`` for none
            beside those that are set, or more flags.

    Raises:
        InputError: JAX finds no device that works, or does not know a flag.
    """
    job = {"known": list(PEAKS), "measure": measure_roof, "tuned": flags == "tuned"}
    found = process.run("device.py", job, variables=process.flag_variables(flags))
    if found["status"] != "ok":
        raise InputError(f"JAX does not start: {found['message']}")
    return Machine(
        platform=found["platform"],
        device_kind=found["device_kind"],
        device_count=found["device_count"],
        process_count=found["process_count"],
        processor=_processor(),
        cores=_cores(),
        memory=_memory(),
        system=platform.platform(),
        python=platform.python_version(),
        versions=_versions(),
        flags=found["flags"],
        commit=_commit(),
        roof=_roof(found),
    )


def _roof(found: process.Found) -> Roof:
    if found["device_kind"] in PEAKS:
        flops, copied = PEAKS[found["device_kind"]]
        return Roof(
            flops_per_second=flops, flops_source="table", bytes_per_second=copied, bytes_source="table"
        )
    if found["flops_per_second"] is None:
        return Roof()
    return Roof(
        flops_per_second=found["flops_per_second"],
        flops_source="measured",
        bytes_per_second=found["bytes_per_second"],
        bytes_source="measured",
    )


def _processor() -> str:
    """The name of the processor: the kernel's, where it gives one."""
    try:
        name = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        name = None
    return name[1] if name else platform.processor() or platform.machine()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """The commit of the checkout, with ``+`` where tracked files have changed; None outside one."""
    if _git("ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    return commit and (f"{commit}+" if changes else commit)


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(Path(__file__).resolve().parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
