"""What networks trained on ImageNet expect of images."""

import jax.numpy as jnp

from jaxgan.typing import Array

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""Of the red, green and blue of its images, in [0, 1]."""


def standardize(images: Array) -> Array:
    r"""Brings images to the mean and deviation of those of ImageNet.

    .. math:: y_c = (x_c - \mu_c) / \sigma_c

    Args:
        images: f[N, H, W, 3] in [0, 1].

    >>> [round(value, 3) for value in standardize(jnp.full((1, 1, 1, 3), 0.5)).ravel().tolist()]
    [0.066, 0.196, 0.418]
    """
    mean, deviation = (jnp.asarray(each, images.dtype).reshape(1, 1, 1, 3) for each in (MEAN, DEVIATION))
    return (images - mean) / deviation
