r"""What a style transfer makes small: distances of content and of style, and the roughness of the picture.

.. math:: L = \alpha \sum_l c_l + \beta \sum_s w_s \sum_l e_{s,l} + \gamma \, v

Gatys et al., arXiv:1508.06576. Departure: each distance is divided by the size of what it is measured
against, so that weights mean the same for every network, layer and size of picture.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgan import ops
from jaxgan.typing import Array

Maps = Mapping[str, Array]
SMALLEST = 1e-12
"""What a size counts for at least."""


class Style(NamedTuple):
    """A style that is wanted.

    Attributes:
        grams: f32[1, C, C] by the names of layers, from `gram`.
        weight: how much it counts beside other styles.
        mask: f32[1, H, W, 1] in [0, 1], where in the picture; None for everywhere.
    """

    grams: Maps
    weight: Array
    mask: Array | None = None


class Wanted(NamedTuple):
    """What the picture is to become like.

    Attributes:
        content: the maps of the content, f32[1, H', W', C] by the names of layers.
        styles: the styles.
        content_weight: alpha, f32[].
        style_weight: beta, f32[].
        variation_weight: gamma, f32[].
    """

    content: Maps
    styles: Sequence[Style]
    content_weight: Array
    style_weight: Array
    variation_weight: Array


def gram(maps: Array, mask: Array | None = None) -> Array:
    r"""Finds which features of maps come together, wherever that is.

    .. math:: G_{ij} = \sum_p m_p F_{pi} F_{pj} \; / \; \sum_p m_p

    Args:
        maps: f[N, H, W, C].
        mask: f[N, H', W', 1] in [0, 1], how much each place p counts; None for all alike.

    Returns:
        f[N, C, C].

    >>> gram(jnp.float32([[1.0, 2.0], [3.0, 0.0]]).reshape(1, 1, 2, 2))[0].tolist()
    [[5.0, 1.0], [1.0, 2.0]]

    Source: Gatys et al., arXiv:1505.07376, divided by the number of places.
    """
    count, height, width, channels = maps.shape
    places = height * width
    flat = maps.reshape(count, places, channels)
    total = jnp.full((count, 1, 1), places, maps.dtype)
    if mask is not None:
        shares = ops.adaptive_avg_pool2d(mask, size=(height, width)).reshape(count, places, 1)
        flat, total = flat * jnp.sqrt(shares), jnp.maximum(shares.sum(1, keepdims=True), SMALLEST)
    # image by image, as products of batches of matrices take the CPU twice as long
    return jax.lax.map(_square, flat) / total


@jax.custom_jvp
def _square(rows: Array) -> Array:
    """Multiplies the transpose of f[P, C] with itself: f[C, C]."""
    return rows.T @ rows


@_square.defjvp
def _square_slope(rows: tuple[Array], change: tuple[Array]) -> tuple[Array, Array]:
    """Its derivative: a matrix and its transpose, so that reverse mode takes one product and not two."""
    half = rows[0].T @ change[0]
    return _square(rows[0]), half + half.T


def distance(found: Array, wanted: Array) -> Array:
    r"""Finds how far arrays are from others, by the size of these: f[N].

    .. math:: d = \frac{\sum (x - y)^2}{\sum y^2}

    >>> distance(jnp.zeros((1, 2)), jnp.float32([[1.0, 2.0]])).tolist()
    [1.0]
    """
    axes = tuple(range(1, found.ndim))
    return ((found - wanted) ** 2).sum(axes) / jnp.maximum((wanted**2).sum(axes), SMALLEST)


def variation(images: Array) -> Array:
    r"""Finds how rough images are: the mean squared difference of neighbours, f[N].

    >>> variation(jnp.float32([0.0, 1.0, 1.0, 1.0]).reshape(1, 2, 2, 1)).tolist()
    [1.0]

    Source: Mahendran and Vedaldi, arXiv:1412.0035, with the exponent 2.
    """
    rows, columns = jnp.diff(images, axis=1), jnp.diff(images, axis=2)
    return (rows**2).mean((1, 2, 3)) + (columns**2).mean((1, 2, 3))


def parts(images: Array, maps: Maps, wanted: Wanted) -> dict[str, Array]:
    """Finds the parts of the loss, without their weights.

    Args:
        images: f32[N, H, W, 3], the pictures.
        maps: what the encoder sees of them, by the names of layers.
        wanted: what they are to become like.

    Returns:
        ``content_loss``, ``style_loss`` and ``variation``, f32[N] each.
    """
    zero = jnp.zeros(images.shape[0])
    content = sum((distance(maps[layer], each) for layer, each in wanted.content.items()), zero)
    style = zero
    for each in wanted.styles:
        for layer, target in each.grams.items():
            share = each.weight / len(each.grams)
            style = style + share * distance(gram(maps[layer], each.mask), target)
    return {"content_loss": content, "style_loss": style, "variation": variation(images)}


def total(found: Mapping[str, Array], wanted: Wanted) -> Array:
    """Weighs the parts and adds them: f32[N]."""
    return (
        wanted.content_weight * found["content_loss"]
        + wanted.style_weight * found["style_loss"]
        + wanted.variation_weight * found["variation"]
    )
