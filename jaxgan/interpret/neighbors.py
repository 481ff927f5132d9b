"""The nearest of many rows: whether a generator repeats the images that it learnt from.

state = neighbors.init(8, 5)                   # five neighbours of each of eight samples
for first, images in ...:                      # the training images, batch by batch
state = neighbors.update(state, samples, images, first)
state.distances, state.places
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.typing import Array
from jaxgan.validation import require


class Neighbors(NamedTuple):
    """The nearest so far, near ones first.

    Attributes:
        distances: f32[M, k], Euclidean; infinite where there are fewer.
        places: int32[M, k], their numbers; -1 where there are fewer.
    """

    distances: Array
    places: Array


def init(count: int, neighbors: int) -> Neighbors:
    """Starts with no neighbours.

    Args:
        count: M, >= 1.
        neighbors: k, >= 1.

    >>> init(2, 3).places.tolist()
    [[-1, -1, -1], [-1, -1, -1]]
    """
    require(neighbors >= 1, "neighbors", neighbors, ">= 1")
    shape = (count, neighbors)
    return Neighbors(jnp.full(shape, jnp.inf), jnp.full(shape, -1, jnp.int32))


def update(state: Neighbors, rows: Array, others: Array, first: Array | int) -> Neighbors:
    r"""Looks for nearer ones among some more.

    .. math:: d(x, y) = \sqrt{\sum_i (x_i - y_i)^2}

    The differences are worked out one by one, so that a copy is at a distance of exactly 0.

    Args:
        state: the nearest so far.
        rows: f32[M, ...], images or features.
        others: f32[n, ...], of the same shape but for the count, n >= 1.
        first: the number of the first of these.

    Returns:
        The nearest of all; of others as near, those that came first.

    Raises:
        InputError: shapes that do not fit.

    >>> rows, others = jnp.array([[0.0, 0.0]]), jnp.array([[3.0, 4.0], [0.0, 0.0], [0.0, 1.0]])
    >>> found = update(init(1, 2), rows, others, 10)
    >>> found.distances.tolist(), found.places.tolist()
    ([[0.0, 1.0]], [[11, 12]])
    """
    shape = (len(state.distances), *others.shape[1:])
    require(rows.shape == shape, "the shape of the rows", rows.shape, f"{shape}")
    numbers = first + jnp.arange(len(others), dtype=jnp.int32)

    def find(one: tuple[Array, Array, Array]) -> Neighbors:
        row, distances, places = one
        squares = ((others - row[None]) ** 2).reshape(len(others), -1).sum(1)
        every = jnp.concatenate([distances, jnp.sqrt(squares)])
        negative, chosen = jax.lax.top_k(-every, len(distances))
        return Neighbors(-negative, jnp.concatenate([places, numbers])[chosen])

    return jax.lax.map(find, (rows, *state))
