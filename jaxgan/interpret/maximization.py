"""Activation maximisation: images that raise a score as far as they can, and stay images."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan.interpret.attribution import Score
from jaxgan.typing import Array
from jaxgan.validation import require

Carry = tuple[Array, optax.OptState]

START = 0.1
"""The deviation of the first pixels, before the sigmoid."""


def maximize(
    score: Score,
    key: Array,
    *,
    shape: tuple[int, int, int, int],
    value_range: tuple[float, float],
    steps: int = 256,
    learning_rate: float = 0.05,
    damping: float = 1.0,
    jitter: int = 2,
    total_variation: float = 0.0,
) -> Array:
    r"""Climbs from noise to images that raise a score.

    .. math:: x = l + (h - l) \, \sigma\left(F^{-1}(s \, z)\right), \qquad
              \max_z \; f(\text{roll}(x)) - \lambda \sum_{i,j} |\nabla x_{ij}|^2, \qquad
              s(\omega) \propto \max(|\omega|, \omega_1)^{-d}

    Without regularisation the way up leads to fine noise that only the network minds. So the climb moves
    Fourier coefficients z, the fast ones less than the slow ones (the frequency damping d); each step looks
    at the images shifted by a few random pixels, which wrap around (the jitter); and their variation may
    cost. Adam takes the steps, for each image as if it were alone.

    Args:
        score: f; for each image it may be another one.
        key: decides the first images and the jitter.
        shape: (N, H, W, C) of the images.
        value_range: (l, h), the values of black and white.
        steps: how many, >= 1.
        learning_rate: Adam's, > 0.
        damping: d, >= 0; 0 moves all frequencies alike.
        jitter: the farthest shift in pixels, >= 0.
        total_variation: lambda, >= 0, the price of squared differences of neighbours.

    Returns:
        f32[N, H, W, C], within the range.

    Raises:
        InputError: a number outside its range.

    >>> brightness = lambda images: images.mean((1, 2, 3))
    >>> images = maximize(brightness, jax.random.key(0), shape=(1, 8, 8, 1), value_range=(0, 1), steps=50)
    >>> bool(images.mean() > 0.7)
    True

    Source: Erhan et al., "Visualizing higher-layer features of a deep network", 2009; Simonyan et al.,
    arXiv:1312.6034, for classes; Mahendran and Vedaldi, arXiv:1412.0035, for the variation; Olah et al.,
    "Feature visualization", 2017, doi:10.23915/distill.00007, for Fourier coefficients and jitter.
    """
    for name, value in (("damping", damping), ("jitter", jitter), ("total_variation", total_variation)):
        require(value >= 0, name, value, ">= 0")
    require(steps >= 1, "steps", steps, ">= 1")
    require(learning_rate > 0, "learning_rate", learning_rate, "> 0")
    low, high = value_range
    scale = jnp.asarray(_scale(shape[1], shape[2], damping))

    def draw(coefficients: Array) -> Array:
        pixels = jnp.fft.irfft2(
            jax.lax.complex(*coefficients) * scale, s=shape[1:3], axes=(1, 2), norm="ortho"
        )
        return low + (high - low) * jax.nn.sigmoid(pixels)

    def cost(coefficients: Array, shift: Array) -> Array:
        images = draw(coefficients)
        moved = jnp.roll(images, shift, axis=(1, 2))
        return total_variation * _variation(images) - score(moved).sum()

    tx = optax.adam(learning_rate)
    start, shifts = jax.random.split(key)

    def climb(
        carry: tuple[Array, optax.OptState], number: Array
    ) -> tuple[tuple[Array, optax.OptState], None]:
        coefficients, opt_state = carry
        shift = jax.random.randint(jax.random.fold_in(shifts, number), (2,), -jitter, jitter + 1)
        updates, opt_state = tx.update(jax.grad(cost)(coefficients, shift), opt_state)
        return (optax.apply_updates(coefficients, updates), opt_state), None

    first = START * jax.random.normal(start, (2, shape[0], shape[1], shape[2] // 2 + 1, shape[3]))
    (last, _), _ = jax.lax.scan(climb, (first, tx.init(first)), jnp.arange(steps))
    return draw(last)


def _scale(height: int, width: int, damping: float) -> np.ndarray:
    """The share f32[1, H, W // 2 + 1, 1] of each frequency, with a mean square of 1."""
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    scale = np.maximum(np.hypot(rows, columns), 1 / max(height, width)) ** -damping
    return (scale / np.sqrt((scale**2).mean())).astype(np.float32)[None, :, :, None]


def _variation(images: Array) -> Array:
    return (jnp.diff(images, axis=1) ** 2).sum() + (jnp.diff(images, axis=2) ** 2).sum()
