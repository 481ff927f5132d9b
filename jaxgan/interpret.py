"""Seeing what a network sees: pure functions of a network, its variables and its inputs."""

from typing import Any

import flax.linen as linen
from flax.traverse_util import flatten_dict

from jaxgan.typing import Array, PyTree

OWN = "__call__"
"""The name under which Flax keeps what a module itself gives."""


def activations(
    network: linen.Module, variables: PyTree, *inputs: Array, until: str | None = None
) -> dict[str, Array]:
    """Gives the output of every layer of a network, outside training.

    Args:
        network: any network of the zoo.
        variables: its params, and its model state if it has one.
        *inputs: what it maps: images f32[N, H, W, C], say.
        until: the last layer that is wanted, where the network can stop at one (VGG, ResNet): what lies
            behind it need not have params then.

    Returns:
        The outputs by the names of the layers, with dots for layers in layers, such as ``relu4_2`` or
        ``layer1_0.conv2``, in the order in which they are computed. Under ``jax.jit`` only those are computed
        that are used.

    >>> import jax, jax.numpy as jnp
    >>> from jaxgan.classifiers import cnn
    >>> network, (shape) = cnn.networks()["network"]
    >>> images = jnp.zeros((1, *shape))
    >>> variables = network.init(jax.random.key(0), images, train=False)
    >>> sorted(activations(network, variables, images))
    ['Conv2D_0', 'Conv2D_1', 'Dense_0', 'Dense_1', 'features']
    """
    options: dict[str, Any] = {} if until is None else {"until": until}
    _, found = network.apply(
        variables,
        *inputs,
        train=False,
        capture_intermediates=True,
        mutable=["intermediates"],
        **options,
    )
    flat = flatten_dict(found["intermediates"])
    named = {".".join(part for part in path if part != OWN): each[-1] for path, each in flat.items()}
    named.pop("", None)  # of the network as a whole
    return named
