"""Settings of the compiler that pay: XLA flags, and a cache of compiled programs.

Nothing here runs on import. The command line and the benchmarks call `configure` and `cache_programs`; a
program or a notebook may do the same, before its first use of JAX.
"""

import ctypes
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import platformdirs

from jaxgan.files import whole

CPU_FLAGS = ("--xla_cpu_experimental_ynn_fusion_type=LIBRARY_FUSION_TYPE_REDUCE,LIBRARY_FUSION_TYPE_DOT",)
"""YNNPACK for sums and for matrix products with what surrounds them, XLA's own code for convolutions."""

_MALLOPT = {
    "M_TRIM_THRESHOLD": (-1, 2**31 - 1),
    "M_TOP_PAD": (-2, 2**28),
    "M_MMAP_MAX": (-4, 0),
    "M_ARENA_MAX": (-8, 1),
}


def configure() -> str:
    """Adds the flags that pay to ``XLA_FLAGS``, as far as the installed jaxlib knows them.

    XLA reads the variable when JAX is first used, and a flag that it does not know ends the process. So
    whether it knows them is tried in a process of its own, once for each version of jaxlib; the answer is
    kept in the user's cache folder. A flag that the variable sets already keeps its value.

    Returns:
        The value of ``XLA_FLAGS`` now in force.

    >>> import os
    >>> before = os.environ.get("XLA_FLAGS", "")
    >>> configure().startswith(before)  # doctest: +SKIP
    True
    """
    present = os.environ.get("XLA_FLAGS", "").split()
    names = {_name(flag) for flag in present}
    wanted = [flag for flag in known_flags() if _name(flag) not in names]
    if wanted:
        os.environ["XLA_FLAGS"] = " ".join([*present, *wanted])
    return os.environ.get("XLA_FLAGS", "")


def known_flags() -> tuple[str, ...]:
    """Finds those of the flags that the installed jaxlib knows; none for processors not measured yet."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return ()
    path = cache_folder() / "flags.json"
    key = f"jaxlib {importlib.metadata.version('jaxlib')}: {' '.join(CPU_FLAGS)}"
    answers = _read(path)
    if key not in answers:
        unknown = [] if _accepts(CPU_FLAGS) else [flag for flag in CPU_FLAGS if not _accepts([flag])]
        answers[key] = [flag for flag in CPU_FLAGS if flag not in unknown]
        _keep(path, answers)
    return tuple(answers[key])


def cache_programs() -> Path:
    """Lets JAX keep compiled programs in the user's cache folder, so that a second start need not compile.

    A folder that is set already (``JAX_COMPILATION_CACHE_DIR``) stays.

    Returns:
        The folder.
    """
    import jax

    option = "jax_compilation_cache_dir"
    if not getattr(jax.config, option):
        jax.config.update(option, str(cache_folder() / "programs"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    return Path(getattr(jax.config, option))


def keep_memory() -> bool:
    """Lets the C library keep memory that was freed, so that a step on CPU finds what the one before it used.

    XLA on CPU asks for a step's temporary memory at each call and gives it back, and without this the system
    takes it away and clears it again each time. The process then stays as large as it once was.

    Returns:
        Whether this C library can (that of GNU).
    """
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    return sum(library.mallopt(number, value) for number, value in _MALLOPT.values()) == len(_MALLOPT)


def cache_folder() -> Path:
    """Names the user's cache folder, which need not exist.

    >>> cache_folder().name
    'jaxgan'
    """
    return platformdirs.user_cache_path("jaxgan", appauthor=False)


def _name(flag: str) -> str:
    return flag.partition("=")[0]


def _accepts(flags: list[str] | tuple[str, ...]) -> bool:
    """Starts JAX with the flags, in a process of its own."""
    environment = {**os.environ, "XLA_FLAGS": " ".join(flags), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", "import jax; jax.devices()"]
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def _read(path: Path) -> dict[str, list[str]]:
    try:
        answers: dict[str, list[str]] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return answers


def _keep(path: Path, answers: dict[str, list[str]]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as partial:
            partial.write_text(json.dumps(answers, indent=1))
    except OSError:
        pass  # asked again at the next start
