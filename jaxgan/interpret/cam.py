"""Grad-CAM: where in an image a layer finds what speaks for a score."""

from collections.abc import Callable
from typing import Any

import flax.linen as linen
import jax
import jax.numpy as jnp

from jaxgan.interpret.layers import activations, apply_moved, layer_shapes, require_layer
from jaxgan.typing import Array, PyTree
from jaxgan.validation import require


def grad_cam(
    network: linen.Module, variables: PyTree, *inputs: Array, layer: str, select: Callable[[Any], Array]
) -> Array:
    r"""Weighs the channels of a layer by how much the score rises with them, and adds them up.

    .. math:: \max\left(0, \sum_k \alpha_k A^k\right), \qquad
              \alpha_k = \frac{1}{h w} \sum_{i,j} \frac{\partial f}{\partial A^k_{ij}}

    Where the score is linear in the means of the maps A, as behind a global average, these are the class
    activation maps of Zhou et al. (arXiv:1512.04150), rectified and divided by the number of places.

    Args:
        network: any network of the zoo that sees images.
        variables: its params, and its model state if it has one.
        *inputs: images f32[N, H, W, C], and labels if it takes them.
        layer: the name of a layer that has places, as `activations` has it.
        select: gives the score f, f[N], from what the network gives, as `of_class` does.

    Returns:
        f32[N, h, w] >= 0, at the places of the layer.

    Raises:
        InputError: an unknown layer, or one without places.

    >>> from jaxgan.classifiers import cnn
    >>> network, shape = cnn.networks()["network"]
    >>> images = jnp.ones((2, *shape))
    >>> variables = network.init(jax.random.key(0), images, train=False)
    >>> grad_cam(network, variables, images, layer="relu2", select=lambda logits: logits[:, 3]).shape
    (2, 11, 11)

    Source: Selvaraju et al., arXiv:1610.02391.
    """
    shapes = layer_shapes(network, variables, *inputs)
    require_layer(layer, shapes)
    has_places = len(shapes[layer]) == 4
    require(has_places, f"what {layer} gives", shapes[layer][1:], "(H, W, C)")
    maps = activations(network, variables, *inputs)[layer]

    def score(offset: Array) -> Array:
        return select(apply_moved(network, variables, *inputs, layer=layer, offset=offset)).sum()

    weights = jax.grad(score)(jnp.zeros_like(maps)).mean((1, 2), keepdims=True)
    return jax.nn.relu((weights * maps).sum(-1))
