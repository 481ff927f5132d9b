"""Rotation, shift, scale, shear and flip of the training images of a classifier, on the device."""

import jax.numpy as jnp

from jaxgan.augment.affine_settings import Affine
from jaxgan.augment.common import Range, check_images, draw_uniform
from jaxgan.augment.warp import compose, warp
from jaxgan.typing import Array

__all__ = ["Affine", "apply", "inverse_maps", "invert"]


def apply(key: Array, images: Array, config: Affine, *, value_range: Range = (-1.0, 1.0)) -> Array:
    r"""Changes each image by an affine map of its own; what comes from beyond the borders is black.

    .. math:: q = s \, R(\alpha) \begin{pmatrix} 1 & 0 \\ \tan \beta & 1 \end{pmatrix} F (p - c) + c + t

    moves the point p = (row, column): flipped (F), sheared (beta), turned (alpha), grown (s) and shifted (t).

    Args:
        key: a typed PRNG key.
        images: f[N, H, W, C] in the range.
        config: how much of each.
        value_range: (low, high), the values of black and white.

    Returns:
        f[N, H, W, C]; linear in the images but for the black that comes in.

    Raises:
        ValueError: a shape, dtype or range that does not fit.

    >>> import jax
    >>> images = jnp.ones((2, 4, 6, 1))
    >>> apply(jax.random.key(0), images, Affine()) is images
    True
    """
    check_images(images, value_range)
    if not config.enabled:
        return images
    maps = inverse_maps(draw_uniform(key, len(images), 6), config, *images.shape[1:3])
    return warp(images, maps, fill=value_range[0])


def inverse_maps(draws: Array, config: Affine, height: int, width: int) -> Array:
    """Finds where new pixels come from.

    Args:
        draws: f32[N, 6] in [0, 1): for angle, shear, growth, down, right and flip.
        config: how much of each.
        height: the images' height, >= 1.
        width: the images' width, >= 1.

    Returns:
        f32[N, 2, 3], for `jaxgan.augment.warp.warp`.

    >>> import jax
    >>> jax.eval_shape(lambda draws: inverse_maps(draws, Affine(), 4, 8), jnp.zeros((5, 6))).shape
    (5, 2, 3)
    """
    angle, shear, growth, down, right = (2 * draws[:, :5] - 1).T
    scale = 1 + config.scale * growth
    sign = jnp.where(draws[:, 5] < 0.5, -1.0, 1.0) if config.flip else jnp.ones_like(scale)
    return invert(
        angle=jnp.radians(config.rotation) * angle,
        shift=config.shift * jnp.stack([down * height, right * width], -1),
        scale=scale,
        tangent=jnp.tan(jnp.radians(config.shear) * shear),
        sign=sign,
    )


def invert(*, angle: Array, shift: Array, scale: Array, tangent: Array, sign: Array) -> Array:
    r"""Inverts the map of `apply`: :math:`A = F^{-1} S^{-1} R(-\alpha) / s` and :math:`b = -A t`.

    Args:
        angle: f32[N], alpha in radians; positive turns an image against the clock.
        shift: f32[N, 2], t in pixels, down and right.
        scale: f32[N], s > 0.
        tangent: f32[N], that of the shear's angle.
        sign: f32[N], -1 to mirror left to right and 1 to leave it.

    Returns:
        f32[N, 2, 3], A and b, for `jaxgan.augment.warp.warp`.

    >>> zero, one = jnp.zeros(1), jnp.ones(1)
    >>> invert(angle=zero, shift=jnp.ones((1, 2)), scale=2 * one, tangent=zero, sign=one)[0].tolist()
    [[0.5, 0.0, -0.5], [0.0, 0.5, -0.5]]
    """
    turn = _matrix(jnp.cos(angle), jnp.sin(angle), -jnp.sin(angle), jnp.cos(angle))
    zero, one = jnp.zeros_like(scale), jnp.ones_like(scale)
    slide = _matrix(one, zero, -tangent, one)
    linear = compose(_matrix(one, zero, zero, sign), slide, turn) / scale[:, None, None]
    offset = -(linear * shift[:, None, :]).sum(-1)
    return jnp.concatenate([linear, offset[:, :, None]], -1)


def _matrix(a: Array, b: Array, c: Array, d: Array) -> Array:
    return jnp.stack([jnp.stack([a, b], -1), jnp.stack([c, d], -1)], -2)
