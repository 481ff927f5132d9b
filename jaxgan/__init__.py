"""Generative adversarial networks in JAX, as pure functions over arrays.

>>> import jax
>>> from jaxgan.gans import dcgan
>>> gan = dcgan.build(dcgan.Config(features=4))
>>> state = gan.init(jax.random.key(0))
>>> gan.sample(state, jax.random.key(1), 2).shape
(2, 28, 28, 1)
"""

import importlib
from typing import Any

__version__ = "0.1.0"

__all__ = [
    "app",
    "augment",
    "batch_axis",
    "checkpoint",
    "classifiers",
    "comparison",
    "cost",
    "data",
    "evaluation",
    "explain",
    "extractors",
    "gans",
    "interpret",
    "loop",
    "losses",
    "metrics",
    "nn",
    "ops",
    "parallel",
    "penalties",
    "pictures",
    "robustness",
    "run_folder",
    "run_scores",
    "runs",
    "scoring",
    "settings",
    "steps",
    "style",
    "stylists",
    "stylizing",
    "translation",
    "weights",
    "xla",
    "zoo",
]


def __getattr__(name: str) -> Any:
    """Imports a public module at its first use, so that importing jaxgan itself costs nothing."""
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
