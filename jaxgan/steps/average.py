"""The moving average of a network, from which it samples or predicts."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgan.steps.state import ClassifierState, GANState, NetState
from jaxgan.typing import Array, PyTree
from jaxgan.validation import require


def check_decay(ema_decay: float | None) -> None:
    """Refuses a decay outside [0, 1).

    Raises:
        InputError: it is neither in the range nor None.
    """
    require(ema_decay is None or 0 <= ema_decay < 1, "ema_decay", ema_decay, "in [0, 1) or None")


class Averages(NamedTuple):
    """The averages of a network's params and of its model state, whose statistics belong to those params."""

    params: PyTree
    model_state: PyTree


def init_averages(network: NetState, *, decay: float | None) -> Averages:
    """Starts the averages at the network; {} where there are none (a decay of None)."""
    if decay is None:
        return Averages({}, {})
    return jax.tree.map(jnp.copy, Averages(network.params, network.model_state))


def update_averages(averages: Averages, network: NetState, *, decay: float | None, step: Array) -> Averages:
    """Moves both averages as `update_average` does."""
    return update_average(averages, Averages(network.params, network.model_state), decay=decay, step=step)


def averaged(state: GANState | ClassifierState, network: NetState) -> Averages:
    """What to sample or predict from: the averages of a state, or the network itself where there are none."""
    if state.ema_params:
        return Averages(state.ema_params, state.ema_model_state)
    return Averages(network.params, network.model_state)


def update_average(average: PyTree, params: PyTree, *, decay: float | None, step: Array) -> PyTree:
    r"""Moves an average towards the new params; early on faster, so that it forgets where it began.

    .. math:: \bar\theta \leftarrow d_t \, \bar\theta + (1 - d_t) \, \theta,
              \qquad d_t = \min\left(d, \frac{1 + t}{10 + t}\right)

    So a short run averages over about the last tenth of its steps, a long one over about 1 / (1 - d).

    Args:
        average: the average so far; {} without one.
        params: the params after the step.
        decay: d, in [0, 1); None for no average.
        step: int32[], t, the number of steps before this one.

    >>> average = update_average({"w": jnp.zeros(1)}, {"w": jnp.ones(1)}, decay=0.999, step=jnp.int32(0))
    >>> round(average["w"].item(), 3)
    0.9

    Source: the ramp is that of TensorFlow's ``tf.train.ExponentialMovingAverage`` with ``num_updates``.
    """
    if decay is None:
        return average
    share = 1 - jnp.minimum(decay, (1 + step) / (10 + step))
    updated = optax.incremental_update(params, average, share)
    return jax.tree.map(lambda new, old: new.astype(old.dtype), updated, average)
