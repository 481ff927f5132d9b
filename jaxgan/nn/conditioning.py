"""Conditioning on labels: layers that are told the class of each example.

A class is looked up by a product with one-hot rows, which every device does well. A label that names no class
has a row of zeros, and nothing in a compiled program can refuse it: data are checked before
(`jaxgan.data.require_labels`).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan import ops
from jaxgan.nn.layers import GLOROT, BatchNorm, Dense, Initializer, running_moments
from jaxgan.nn.spectral import spectral
from jaxgan.typing import Array


def concatenate_labels(x: Array, labels: Array, *, num_classes: int) -> Array:
    """Adds a channel for each class: 1 at every place of an example of that class, 0 elsewhere.

    Beside a latent these are the K numbers of a one-hot row, beside an image K planes.

    Args:
        x: f[N, ..., C], latents f[N, L] or images f[N, H, W, C].
        labels: int32[N], in 0 ... K - 1.
        num_classes: K, >= 1.

    Returns:
        f[N, ..., C + K].

    Raises:
        ValueError: labels that are not whole numbers, one for each example.

    >>> concatenate_labels(jnp.array([[0.5], [0.25]]), jnp.array([2, 0]), num_classes=3).tolist()
    [[0.5, 0.0, 0.0, 1.0], [0.25, 1.0, 0.0, 0.0]]

    Source: Mirza and Osindero, arXiv:1411.1784.
    """
    rows = _alongside(x, _one_hot(x, labels, num_classes)).astype(x.dtype)
    return jnp.concatenate([x, jnp.broadcast_to(rows, (*x.shape[:-1], num_classes))], axis=-1)


class ConditionalBatchNorm(nn.Module):
    r"""Batch normalisation with a ``scale`` f32[K, C] and a ``bias`` f32[K, C] for each class.

    .. math:: y_n = \gamma_{l_n} \, \frac{x_n - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta_{l_n}

    with the label :math:`l_n` of an example. The moments are those of all classes together, and run as in
    `BatchNorm`.

    >>> layer = ConditionalBatchNorm(num_classes=3)
    >>> x, labels = jnp.ones((2, 4, 4, 8)), jnp.array([2, 0])
    >>> y, variables = layer.init_with_output(jax.random.key(0), x, labels, train=False)
    >>> y.shape, variables["params"]["scale"].shape
    ((2, 4, 4, 8), (3, 8))

    Source: de Vries et al., arXiv:1707.00683; in the generator of a GAN, Miyato and Koyama, arXiv:1802.05637.
    """

    num_classes: int
    momentum: float = 0.99
    epsilon: float = 1e-3

    @nn.compact
    def __call__(self, x: Array, labels: Array, *, train: bool) -> Array:
        """Maps f[N, ..., C] and int32[N] to f[N, ..., C]."""
        rows = _one_hot(x, labels, self.num_classes)
        shape = (self.num_classes, x.shape[-1])
        scale = self.param("scale", nn.initializers.ones_init(), shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), shape, jnp.float32)
        moments = running_moments(self, x, momentum=self.momentum, train=train)
        y = ops.batch_norm(x.astype(jnp.float32), *moments, epsilon=self.epsilon)
        y = y * _alongside(x, _look_up(scale, rows)) + _alongside(x, _look_up(bias, rows))
        return y.astype(x.dtype)


def normalize(
    x: Array,
    *labels: Array,
    num_classes: int | None,
    train: bool,
    momentum: float = 0.99,
    epsilon: float = 1e-3,
) -> Array:
    """Normalises a batch, by class where there are classes; inside a compact method.

    Args:
        x: f[N, ..., C].
        labels: int32[N] where there are classes; else none.
        num_classes: K, or None without classes.
        train: whether the moments are those of the batch.
        momentum: the decay of the running averages, in [0, 1).
        epsilon: what is added to the variance, > 0.

    Returns:
        f[N, ..., C], of a `BatchNorm` or a `ConditionalBatchNorm`.

    >>> class Network(nn.Module):
    ...     @nn.compact
    ...     def __call__(self, x, *labels):
    ...         return normalize(x, *labels, num_classes=2, train=False)
    >>> variables = Network().init(jax.random.key(0), jnp.ones((1, 3)), jnp.zeros(1, jnp.int32))
    >>> list(variables["params"])
    ['ConditionalBatchNorm_0']
    """
    if num_classes is None:
        return BatchNorm(momentum, epsilon)(x, train=train)
    return ConditionalBatchNorm(num_classes, momentum, epsilon)(x, *labels, train=train)


class Projection(nn.Module):
    r"""What a discriminator adds to its logit: how well features go with a class.

    There is an ``embedding`` f32[K, F], a row for each class:

    .. math:: \langle V_{l_n}, x_n \rangle

    >>> layer = Projection(num_classes=3)
    >>> layer.init_with_output(jax.random.key(0), jnp.ones((2, 5)), jnp.array([2, 0]))[0].shape
    (2,)

    Source: Miyato and Koyama, arXiv:1802.05637.
    """

    num_classes: int
    embedding_init: Initializer = GLOROT

    @nn.compact
    def __call__(self, features: Array, labels: Array) -> Array:
        """Maps f[N, F] and int32[N] to f[N]."""
        if features.ndim != 2:
            raise ValueError(f"features have shape {features.shape}; they must be [N, F]")
        rows = _one_hot(features, labels, self.num_classes)
        shape = (self.num_classes, features.shape[-1])
        embedding = self.param("embedding", self.embedding_init, shape, jnp.float32)
        products = _look_up(embedding, rows) * features.astype(jnp.float32)
        return products.sum(-1).astype(features.dtype)


def judge(
    features: Array, *labels: Array, num_classes: int | None, train: bool, spectral_norm: bool
) -> Array:
    """The last layer of a discriminator, and the projection where there are classes; inside a compact method.

    Args:
        features: f[N, F].
        labels: int32[N] where there are classes; else none.
        num_classes: K, or None without classes.
        train: whether the vectors of the spectral normalisation move.
        spectral_norm: whether the kernels are spectrally normalised.

    Returns:
        Logits f[N].

    >>> class Network(nn.Module):
    ...     @nn.compact
    ...     def __call__(self, x, *labels):
    ...         return judge(x, *labels, num_classes=2, train=False, spectral_norm=False)
    >>> Network().init_with_output(jax.random.key(0), jnp.ones((3, 4)), jnp.zeros(3, jnp.int32))[0].shape
    (3,)
    """
    logits = spectral(Dense(1), train=train, when=spectral_norm)(features)[:, 0]
    if num_classes is None:
        return logits
    return logits + spectral(Projection(num_classes), train=train, when=spectral_norm)(features, *labels)


def _one_hot(x: Array, labels: Array, num_classes: int) -> Array:
    """f32[N, K], a row for each example of x."""
    if x.ndim < 2 or labels.shape != x.shape[:1] or not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(
            f"x {x.shape} and labels {labels.dtype}{list(labels.shape)} do not fit: [N, ..., C] and int32[N]"
        )
    return jax.nn.one_hot(labels, num_classes, dtype=jnp.float32)


def _look_up(table: Array, rows: Array) -> Array:
    """The rows of a table, f32[N, C], exactly: by default TPUs would round them to bfloat16."""
    return jnp.matmul(rows, table, precision=jax.lax.Precision.HIGHEST)


def _alongside(x: Array, rows: Array) -> Array:
    """Gives rows f32[N, C] the axes of x."""
    return rows.reshape(rows.shape[0], *(1,) * (x.ndim - 2), rows.shape[1])
