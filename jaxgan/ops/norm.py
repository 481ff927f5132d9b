"""Normalisation: of a batch, as moments and a map, and of each image by itself."""

import jax
import jax.numpy as jnp

from jaxgan import batch_axis
from jaxgan.ops.geometry import require_images
from jaxgan.typing import Array


def batch_moments(x: Array) -> tuple[Array, Array]:
    r"""Computes the mean and the (biased) variance of each channel over a batch.

    .. math:: \mu_c = \frac{1}{M} \sum_m x_{m c}, \qquad
              \sigma^2_c = \frac{1}{M} \sum_m (x_{m c} - \mu_c)^2

    over all M examples and pixels; those of the whole batch where it is divided over devices along
    `jaxgan.batch_axis.NAME`.

    Args:
        x: f[..., C] with at least two axes.

    Returns:
        The mean f[C] and the variance f[C].

    >>> mean, variance = batch_moments(jnp.array([[1.0, 0.0], [3.0, 0.0]]))
    >>> mean.tolist(), variance.tolist()
    ([2.0, 0.0], [1.0, 0.0])
    """
    if x.ndim < 2:
        raise ValueError(f"x has shape {x.shape}; batch moments need [..., C]")
    axes = tuple(range(x.ndim - 1))
    mean = batch_axis.pmean(x.mean(axes, keepdims=True))
    variance = batch_axis.pmean(jnp.square(x - mean).mean(axes))
    return mean.reshape(-1), variance


def batch_norm(
    x: Array,
    mean: Array,
    variance: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    *,
    epsilon: float = 1e-3,
) -> Array:
    r"""Normalises each channel by the given moments, then scales and shifts it.

    .. math:: y = \gamma \, \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta

    Args:
        x: f[..., C].
        mean: f[C], the mean mu.
        variance: f[C], the variance sigma squared, >= 0.
        scale: f[C], gamma; 1 if None.
        bias: f[C], beta; 0 if None.
        epsilon: added to the variance, > 0.

    Returns:
        f[..., C].

    Raises:
        ValueError: a parameter that is not [C].

    >>> x = jnp.array([[1.0], [3.0]])
    >>> batch_norm(x, *batch_moments(x), epsilon=1e-12).tolist()
    [[-1.0], [1.0]]

    Source: Ioffe and Szegedy, arXiv:1502.03167.
    """
    shape = (1,) * (x.ndim - 1) + (x.shape[-1],)
    parameters = {"mean": mean, "variance": variance, "scale": scale, "bias": bias}
    for name, value in parameters.items():
        if value is not None and value.shape != x.shape[-1:]:
            raise ValueError(f"{name} has shape {value.shape}; x {x.shape} wants {x.shape[-1:]}")
    gain = jax.lax.rsqrt(variance + epsilon)
    if scale is not None:
        gain = gain * scale
    y = (x - mean.reshape(shape)) * gain.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def instance_norm(
    x: Array, scale: Array | None = None, bias: Array | None = None, *, epsilon: float = 1e-5
) -> Array:
    r"""Normalises each channel of each image by its own mean and variance, then scales and shifts it.

    .. math:: y_{nijc} = \gamma_c \, \frac{x_{nijc} - \mu_{nc}}{\sqrt{\sigma^2_{nc} + \epsilon}} + \beta_c

    So a map of one pixel becomes the bias, whatever it was.

    Args:
        x: f[N, H, W, C].
        scale: f[C], gamma; 1 if None.
        bias: f[C], beta; 0 if None.
        epsilon: added to the variance, > 0.

    Returns:
        f[N, H, W, C].

    Raises:
        ValueError: x is no batch of images, or a parameter is not [C].

    >>> instance_norm(jnp.array([1.0, 3.0]).reshape(1, 1, 2, 1), epsilon=1e-12).ravel().tolist()
    [-1.0, 1.0]

    Source: Ulyanov et al., arXiv:1607.08022.
    """
    require_images(x.shape)
    for name, value in {"scale": scale, "bias": bias}.items():
        if value is not None and value.shape != x.shape[-1:]:
            raise ValueError(f"{name} has shape {value.shape}; x {x.shape} wants {x.shape[-1:]}")
    mean = x.mean((1, 2), keepdims=True)
    variance = jnp.square(x - mean).mean((1, 2), keepdims=True)
    y = (x - mean) * jax.lax.rsqrt(variance + epsilon)
    y = y if scale is None else y * scale.reshape(1, 1, 1, -1)
    return y if bias is None else y + bias.reshape(1, 1, 1, -1)
