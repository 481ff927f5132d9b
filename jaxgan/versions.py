"""The versions that results depend on."""

import importlib.metadata
import platform

from jaxgan import __version__

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


def versions() -> dict[str, str]:
    """Names the versions of this project, of Python and of the packages that results depend on.

    >>> versions()["jaxgan"] == __version__
    True
    """
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"jaxgan": __version__, "python": platform.python_version(), **found}
