"""The members of a sweep as one trainable: their states stacked, their step mapped over them.

Every array of the stacked state has the members along its first axis, but for the number of steps, which
they share: what happens every so many steps (`jax.lax.cond`) then happens for all of them or for none.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.typing import Array, Batch, Metrics, PyTree, Trainable


class Stacked(NamedTuple):
    """A trainable of all members, from `stacked`.

    Attributes:
        init: ``keys[M] -> state``.
        step: ``(state, batch, keys[M]) -> (state, metrics)``, with ``batch`` f[M, N, ...] and metrics f32[M],
            for any number of members.
    """

    init: Callable[[Array], PyTree]
    step: Callable[[PyTree, Batch, Array], tuple[PyTree, Metrics]]


def stacked(trainables: Sequence[Trainable]) -> Stacked:
    """Makes one trainable of members that differ in nothing but their initial states.

    Args:
        trainables: one for each member; members that are alike may share one.
    """
    groups: dict[int, list[int]] = {}
    for place, trainable in enumerate(trainables):
        groups.setdefault(id(trainable), []).append(place)
    order = np.argsort(np.concatenate(list(groups.values())))

    def init(keys: Array) -> PyTree:
        states = [jax.vmap(trainables[places[0]].init)(keys[np.array(places)]) for places in groups.values()]
        state = jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[order], *states)
        return dataclasses.replace(state, step=state.step[0])

    return Stacked(init, map_members(trainables[0].step, 2, gives_state=True))


def map_members(function: Callable, others: int, *, gives_state: bool) -> Callable:
    """Maps a function of one member's state over all members.

    Args:
        function: ``(state, *others) -> result``, or ``-> (state, result)``.
        others: the number of other arguments, which have an axis of members too.
        gives_state: whether it gives a state as well.

    Returns:
        The function of a stacked state.
    """

    def mapped(state: PyTree, *arguments: PyTree) -> PyTree:
        axes = dataclasses.replace(jax.tree.map(lambda _: 0, state), step=None)
        results = (axes, 0) if gives_state else 0
        return jax.vmap(function, in_axes=(axes, *(0,) * others), out_axes=results)(state, *arguments)

    return mapped


def join(states: Sequence[PyTree]) -> PyTree:
    """Stacks states of single members, all at the same step, on the host."""
    state = jax.tree.map(lambda *leaves: np.stack(leaves), *states)
    return dataclasses.replace(state, step=state.step[0])


def take(state: PyTree, member: int) -> PyTree:
    """Takes the state of one member, as NumPy arrays, out of a stacked state on the host."""
    alone = jax.tree.map(lambda leaf: leaf[member], dataclasses.replace(state, step=()))
    return dataclasses.replace(alone, step=state.step)
