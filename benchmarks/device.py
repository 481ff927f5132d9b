"""The process that looks at the devices: a job as JSON on standard input, what was found on the last line.

A process of its own, since whoever opens a TPU keeps it from all others. The job: ``{"known": [...],
"measure": bool, "tuned": bool}``; a device whose kind is known is not measured, and with ``tuned``
`jaxgan.xla.configure` is called first.
"""

import functools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIDES = (2048, 4096)
"""The sides of the square matrices; the larger is left out where the smaller takes long."""
LONG = 0.5
COPIED = 2**26
"""The numbers that are read and written to measure memory: 256 MiB of them."""


def main() -> None:
    """Does the job."""
    folder = Path(__file__).resolve().parent
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != folder]  # its files hide packages
    job = json.load(sys.stdin)
    try:
        print(json.dumps({"status": "ok", "message": None, **look(job)}), flush=True)
    except Exception as error:  # whatever the drivers raise
        message = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
        print(json.dumps({"status": "error", "message": message}), flush=True)


def look(job: dict[str, Any]) -> dict[str, Any]:
    """Names the devices and, if asked for, measures one of a kind that is not known."""
    if job["tuned"]:
        from jaxgan import xla

        xla.configure()
    import jax

    kind = jax.devices()[0].device_kind
    measured = job["measure"] and kind not in job["known"]
    return {
        "platform": jax.default_backend(),
        "device_kind": kind,
        "device_count": jax.device_count(),
        "process_count": jax.process_count(),
        "flags": os.environ.get("XLA_FLAGS", ""),
        "flops_per_second": measure_product() if measured else None,
        "bytes_per_second": measure_copy() if measured else None,
    }


def measure_product() -> float:
    """The FLOPs per second of a large float32 matrix product, the best of several."""
    import jax
    import jax.numpy as jnp

    best = 0.0
    for side in SIDES:
        a, b = (jax.random.uniform(jax.random.key(number), (side, side)) for number in (0, 1))
        seconds = best_of(5, functools.partial(jax.jit(jnp.matmul), a, b))
        best = max(best, 2 * side**3 / seconds)
        if seconds > LONG:
            break
    return best


def measure_copy() -> float:
    """The bytes per second that are read and written when numbers change in place, the best of several."""
    import jax
    import jax.numpy as jnp

    add = jax.jit(lambda x: x + 1, donate_argnums=0)
    numbers = jnp.zeros(COPIED, jnp.float32)

    def change() -> Any:
        nonlocal numbers
        numbers = add(numbers)
        return numbers

    return 2 * 4 * COPIED / best_of(5, change)


def best_of(count: int, run: Callable[[], Any]) -> float:
    """The seconds of the fastest of so many runs, each to the end of its work, after one that does not count.

    >>> best_of(2, lambda: None) < 1
    True
    """
    import jax

    jax.block_until_ready(run())
    times = []
    for _ in range(count):
        began = time.perf_counter()
        jax.block_until_ready(run())
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    main()
