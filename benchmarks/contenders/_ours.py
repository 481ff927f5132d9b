"""What jaxgan's own contenders share: how JAX is set up, the memory that they took, their versions."""

import importlib.metadata
import platform
from typing import Any

from ._work import host_peak

VERSIONS = ("jax", "jaxlib", "flax", "optax", "numpy")


def start_jax(case: dict[str, Any]) -> None:
    """Sets JAX up as the options of a case say; see `benchmarks.contenders.jaxgan`."""
    options = case["options"]
    if options.get("flags", "tuned") == "tuned":
        from jaxgan import xla

        xla.keep_memory()
        xla.configure()
    import jax

    jax.config.update("jax_enable_x64", case["dtype"] == "float64")
    jax.config.update("jax_enable_compilation_cache", "cache" in options)
    if "cache" in options:
        jax.config.update("jax_compilation_cache_dir", options["cache"])
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    if "virtual_devices" in options:
        jax.config.update("jax_num_cpu_devices", options["virtual_devices"])
        if jax.default_backend() != "cpu":
            raise NotImplementedError(f"virtual devices are for the CPU, not for {jax.default_backend()}")


def peak() -> int | None:
    """The most memory in use so far: of the fullest device, or on CPU of the process."""
    import jax

    counts = [(device.memory_stats() or {}).get("peak_bytes_in_use") for device in jax.local_devices()]
    known = [count for count in counts if count is not None]
    if known:
        return int(max(known))
    return host_peak() if jax.default_backend() == "cpu" else None


def versions() -> dict[str, str]:
    """Finds the versions of Python and of what jaxgan is made of."""
    import jaxgan

    found = {name: importlib.metadata.version(name) for name in VERSIONS}
    return {"python": platform.python_version(), "jaxgan": jaxgan.__version__, **found}
