"""PyTorch, its networks compiled by ``torch.compile``; all else as in ``torch.py``.

Compiling the networks ran faster than compiling the whole step, losses and gradients included. Each process
compiles anew, as the contenders in JAX do, and by itself: idle workers of the compiler slowed the steps down.
"""

import os
from collections.abc import Mapping
from typing import Any

PACKAGES = ("torch", "numpy")
WORKS = ("dcgan", "cnn", "gatys")


def prepare(case: Mapping[str, Any]) -> dict[str, Any]:
    """Builds the networks, compiles them and takes the first step; see ``torch.py``."""
    os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    from . import torch as eager

    return eager.prepare(case, compiled=True)
