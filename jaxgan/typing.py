"""Names for the arrays and records that every file speaks of."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import numpy as np

Array = jax.Array
PyTree = Any
"""A nested container (dict, tuple, dataclass) whose leaves are arrays."""

Batch = Mapping[str, Array]
"""One batch: ``image`` f32[N, H, W, C] and, for labelled data, ``label`` int32[N]."""

Metrics = dict[str, Array]
"""Named scalars f32[]."""

Watch = Callable[[str, int, int], None]
"""Told how long work goes on: what is counted, how many are done, and how many there will be."""


def unwatched(_what: str, _done: int, _total: int) -> None:
    """Watches nothing."""


class Trainable(Protocol):
    """What the loop, the parallel wrappers and checkpoints know of a model: two pure functions.

    ``init(key) -> state`` makes a pytree of arrays; ``step(state, batch, key) -> (state, metrics)``
    updates it once. ``key`` is the root key of the run, the same at every step: the state counts
    its steps and the step derives what it draws from both.
    """

    @property
    def init(self) -> Callable[[Array], Any]:
        """``(key) -> state``."""

    @property
    def step(self) -> Callable[[Any, Batch, Array], tuple[Any, Metrics]]:
        """``(state, batch, key) -> (state, metrics)``."""


class Batches(Protocol):
    """An endless stream of host batches that knows its place."""

    def __next__(self) -> Mapping[str, np.ndarray]:
        """Gives the next batch: this process's part of it."""

    def state(self) -> dict[str, Any]:
        """Gives the place after the last batch, as JSON can hold it."""

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to such a place."""
