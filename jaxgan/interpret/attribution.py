"""Which pixels a score depends on: gradients, smoothed gradients, integrated gradients.

A score is any pure function of images that gives one number for each, and depends for each on that image
alone: the logit of a class, of a discriminator, a channel of a layer.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as linen
import jax
import jax.numpy as jnp

from jaxgan import batch_axis
from jaxgan.typing import Array, PyTree
from jaxgan.validation import require

Score = Callable[[Array], Array]
"""Maps images f[N, H, W, C] to f[N]."""


def of_class(labels: Array) -> Score:
    """Chooses one logit of each image.

    Args:
        labels: int32[N], in 0 ... K - 1.

    Returns:
        A function of logits f[N, K] that gives f[N].

    >>> of_class(jnp.array([1, 0]))(jnp.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [2.0, 3.0]
    """
    return lambda logits: jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]


def score_of(
    network: linen.Module, variables: PyTree, *labels: Array, select: Callable[[Any], Array]
) -> Score:
    """Makes a score of a network, as it is outside training.

    Args:
        network: maps images, and labels if it takes them.
        variables: its params, and its model state if it has one.
        *labels: int32[N], if it takes them.
        select: gives f[N] from what the network gives, as `of_class` does.

    >>> from jaxgan.classifiers import cnn
    >>> network, shape = cnn.networks()["network"]
    >>> variables = network.init(jax.random.key(0), jnp.zeros((1, *shape)), train=False)
    >>> score_of(network, variables, select=of_class(jnp.array([3, 3])))(jnp.zeros((2, *shape))).shape
    (2,)
    """
    return lambda images: select(network.apply(variables, images, *labels, train=False))


def saliency(score: Score, images: Array) -> Array:
    r"""The gradient of a score by the pixels.

    .. math:: g = \frac{\partial f(x)}{\partial x}

    The paper shows the largest of its absolute values over the channels.

    Args:
        score: f.
        images: x, f[N, H, W, C].

    Returns:
        g, f[N, H, W, C].

    >>> saliency(lambda images: 3 * images.sum((1, 2, 3)), jnp.zeros((1, 1, 2, 1))).ravel().tolist()
    [3.0, 3.0]

    Source: Simonyan et al., arXiv:1312.6034.
    """
    gradient: Array = jax.grad(lambda images: score(images).sum())(images)
    return gradient


def smooth_grad(score: Score, images: Array, key: Array, *, deviation: float, samples: int = 50) -> Array:
    r"""The mean of the gradients at images with noise, in which what changes from place to place cancels.

    .. math:: \frac{1}{n} \sum_{i=1}^n \left. \frac{\partial f}{\partial x} \right|_{x + \epsilon_i},
              \qquad \epsilon_i \sim N(0, \sigma^2)

    Args:
        score: f.
        images: x, f[N, H, W, C].
        key: decides the noise, for each image by its place.
        deviation: sigma, >= 0; the paper takes 0.1 to 0.2 of the range of the images.
        samples: n, >= 1.

    Returns:
        f[N, H, W, C].

    Raises:
        InputError: no samples.

    >>> square = lambda images: (images**2).sum((1, 2, 3))
    >>> smooth_grad(square, jnp.ones((1, 1, 1, 1)), jax.random.key(0), deviation=0.0).item()
    2.0

    Source: Smilkov et al., arXiv:1706.03825.
    """
    require(samples >= 1, "samples", samples, ">= 1")
    keys = batch_axis.example_keys(key, len(images))

    def add(total: Array, number: Array) -> tuple[Array, None]:
        def draw(key: Array) -> Array:
            return jax.random.normal(jax.random.fold_in(key, number), images.shape[1:], images.dtype)

        return total + saliency(score, images + deviation * jax.vmap(draw)(keys)), None

    total, _ = jax.lax.scan(add, jnp.zeros_like(images), jnp.arange(samples))
    return total / samples


def integrated_gradients(score: Score, images: Array, *, baseline: Array | float, steps: int = 64) -> Array:
    r"""What each pixel adds to a score on the straight way from a baseline.

    .. math:: (x - b) \int_0^1 \left. \frac{\partial f}{\partial x} \right|_{b + a (x - b)} da

    The sum over the pixels is f(x) - f(b), as far as the integral is exact; it is worked out at the middles
    of equal steps.

    Args:
        score: f.
        images: x, f[N, H, W, C].
        baseline: b, f[N, H, W, C], or one number for all pixels, such as black.
        steps: of the integral, >= 1; the paper takes 20 to 300.

    Returns:
        f[N, H, W, C].

    Raises:
        InputError: no steps, or a baseline of another shape.

    >>> square = lambda images: (images**2).sum((1, 2, 3))
    >>> integrated_gradients(square, jnp.full((1, 1, 1, 1), 3.0), baseline=1.0).item()
    8.0

    Source: Sundararajan et al., arXiv:1703.01365.
    """
    require(steps >= 1, "steps", steps, ">= 1")
    fits = jnp.shape(baseline) in ((), images.shape)
    require(fits, "the shape of the baseline", jnp.shape(baseline), f"{images.shape}, or a number")
    start = jnp.broadcast_to(jnp.asarray(baseline, images.dtype), images.shape)
    way = images - start

    def add(total: Array, share: Array) -> tuple[Array, None]:
        return total + saliency(score, start + share * way), None

    shares = (jnp.arange(steps, dtype=images.dtype) + 0.5) / steps
    total, _ = jax.lax.scan(add, jnp.zeros_like(images), shares)
    return way * total / steps
