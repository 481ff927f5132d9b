"""The states: pytrees of arrays and of nothing else."""

import functools
from typing import Any

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxgan.steps.optimizer import last_was_finite
from jaxgan.typing import Array, PyTree


@flax.struct.dataclass
class NetState:
    """One network and its optimiser.

    Attributes:
        params: the trained arrays.
        model_state: every other collection of the network (running averages, say); {} if none.
        opt_state: the optimiser's state, its hyper-parameters among it.
    """

    params: PyTree
    model_state: PyTree
    opt_state: PyTree


@flax.struct.dataclass
class GANState:
    """The state of a GAN.

    Attributes:
        step: int32[], the number of steps taken.
        generator: the generator and its optimiser.
        discriminator: the discriminator and its optimiser.
        ema_params: the moving average of the generator's params; {} without one.
        ema_model_state: that of its model state; {} without one.
        penalties: the weights of the penalties and what is remembered of them, by name; {} without any.
        augmentation: the state of a controlled augmentation; {} without one.
    """

    step: Array
    generator: NetState
    discriminator: NetState
    ema_params: PyTree
    ema_model_state: PyTree
    penalties: PyTree
    augmentation: PyTree


@flax.struct.dataclass
class ClassifierState:
    """The state of a classifier.

    Attributes:
        step: int32[], the number of steps taken.
        network: the network and its optimiser.
        ema_params: the moving average of the network's params; {} without one.
        ema_model_state: that of its model state; {} without one.
    """

    step: Array
    network: NetState
    ema_params: PyTree
    ema_model_state: PyTree


@flax.struct.dataclass
class TranslatorState:
    """The state of a translator: everything by direction, ``"a_to_b"`` and perhaps ``"b_to_a"``.

    Attributes:
        step: int32[], the number of steps taken.
        generators: the networks that translate, and their optimisers.
        discriminators: those that judge what each of them makes.
        ema_params: the moving averages of the generators' params; {} each without one.
        ema_model_state: those of their model states; {} each without one.
        pools: translations of earlier steps, that discriminators are shown; {} without pools.
        weights: f32[] by name, the factors of the losses.
    """

    step: Array
    generators: dict[str, NetState]
    discriminators: dict[str, NetState]
    ema_params: dict[str, PyTree]
    ema_model_state: dict[str, PyTree]
    pools: PyTree
    weights: dict[str, Array]


@flax.struct.dataclass
class StylistState:
    """The state of a network that draws pictures in the style of others.

    Attributes:
        step: int32[], the number of steps taken.
        network: the network that learns, and its optimiser.
        encoder: the variables of what sees the pictures, which stay.
        weights: f32[] by name, the factors of the losses.
    """

    step: Array
    network: NetState
    encoder: PyTree
    weights: dict[str, Array]


def init_network(module: nn.Module, tx: optax.GradientTransformation, key: Array, *inputs: Array) -> NetState:
    """Makes the state of a network from one example of its inputs."""
    variables = dict(module.init({"params": key}, *inputs, train=False))
    params = variables.pop("params")
    return NetState(params=params, model_state=variables, opt_state=tx.init(params))


def apply_network(
    module: nn.Module, params: PyTree, model_state: PyTree, key: Array, *inputs: Array
) -> tuple[Any, PyTree]:
    """Runs a network in training: its output and its new model state."""
    return module.apply(
        {"params": params, **model_state},
        *inputs,
        train=True,
        rngs={"dropout": key},
        mutable=list(model_state),
    )


def evaluate_network(module: nn.Module, params: PyTree, model_state: PyTree, *inputs: Array) -> Array:
    """Runs a network outside training: its output in float32."""
    outputs: Array = module.apply({"params": params, **model_state}, *inputs, train=False)  # type: ignore[assignment]
    return outputs.astype(jnp.float32)


def update_network(
    state: NetState, tx: optax.GradientTransformation, gradients: PyTree, model_state: PyTree
) -> NetState:
    """Moves the params one optimiser step along the gradients.

    Where the optimiser leaves an update out, its model state stays too.
    """
    updates, opt_state = tx.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    finite = last_was_finite(opt_state)
    if finite is not None:
        keep = functools.partial(jnp.where, finite)
        model_state = jax.tree.map(keep, model_state, state.model_state)
    return NetState(params=params, model_state=model_state, opt_state=opt_state)


def parameter_count(params: PyTree) -> int:
    """Counts the numbers in a pytree.

    >>> parameter_count({"kernel": jnp.zeros((2, 3)), "bias": jnp.zeros(3)})
    9
    """
    return sum(leaf.size for leaf in jax.tree.leaves(params))
