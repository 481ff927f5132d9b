"""What all augmentations ask of their images, and where their randomness comes from."""

import math

import jax
import jax.numpy as jnp

from jaxgan import batch_axis
from jaxgan.ops.geometry import require_images
from jaxgan.typing import Array
from jaxgan.validation import require

Range = tuple[float, float]
"""The values of black and white."""


def check_images(images: Array, value_range: Range) -> tuple[float, float]:
    """Refuses what is not a batch of images, and finds the middle of their values.

    Args:
        images: f[N, H, W, C].
        value_range: (low, high).

    Returns:
        The value halfway between black and white, and its distance from either.

    Raises:
        ValueError: the shape, dtype or range does not fit.

    >>> check_images(jnp.zeros((1, 2, 2, 3)), (0.0, 1.0))
    (0.5, 0.5)
    """
    require_images(images.shape, "images")
    floating = jnp.issubdtype(images.dtype, jnp.floating)
    require(floating, "the dtype of the images", str(images.dtype), "of floating point")
    low, high = value_range
    holds = math.isfinite(low) and math.isfinite(high) and low < high
    require(holds, "value_range", value_range, "two finite numbers, the smaller first")
    return (low + high) / 2, (high - low) / 2


def working_dtype(images: Array) -> jnp.dtype:
    """Names what to compute in: float32, or float64 for images of float64.

    >>> working_dtype(jnp.zeros(1, jnp.bfloat16)).name
    'float32'
    """
    return jnp.promote_types(images.dtype, jnp.float32)


def draw_uniform(key: Array, count: int, numbers: int) -> Array:
    """Draws numbers from [0, 1) for each example of this part of the batch.

    Args:
        key: a typed PRNG key.
        count: the examples in this part.
        numbers: how many for each.

    Returns:
        f32[count, numbers].

    >>> draw_uniform(jax.random.key(0), 2, 5).shape
    (2, 5)
    """
    keys = batch_axis.example_keys(key, count)
    return jax.vmap(lambda own: jax.random.uniform(own, (numbers,), jnp.float32))(keys)


def draw_normal(key: Array, count: int, numbers: int) -> Array:
    """Draws from the standard normal distribution; otherwise as `draw_uniform`.

    >>> draw_normal(jax.random.key(0), 2, 5).shape
    (2, 5)
    """
    keys = batch_axis.example_keys(key, count)
    return jax.vmap(lambda own: jax.random.normal(own, (numbers,), jnp.float32))(keys)
