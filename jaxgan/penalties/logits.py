r"""Penalties on logits: what the discriminator may not say of images, whatever its slopes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgan import batch_axis
from jaxgan.typing import Array


class Anchors(NamedTuple):
    """What `lecam` remembers: the moving averages f32[] of the logits on real and on generated images."""

    real: Array
    fake: Array


def update_anchors(
    anchors: Anchors, real_logits: Array, fake_logits: Array, *, decay: float | Array = 0.99
) -> Anchors:
    r"""Moves the anchors towards the means of the whole batch, through which no gradient flows.

    .. math:: \alpha \leftarrow d \, \alpha + (1 - d) \frac{1}{N} \sum_n C(x_n)

    >>> start = Anchors(jnp.zeros(()), jnp.zeros(()))
    >>> [float(anchor) for anchor in update_anchors(start, jnp.ones(2), -jnp.ones(2), decay=0.5)]
    [0.5, -0.5]
    """
    means = jax.lax.stop_gradient(batch_axis.pmean((real_logits.mean(), fake_logits.mean())))
    return Anchors(*(decay * old + (1 - decay) * new for old, new in zip(anchors, means, strict=True)))


def lecam(real_logits: Array, fake_logits: Array, anchors: Anchors) -> Array:
    r"""Draws the logits on images of either kind to what those on the other kind were lately.

    .. math:: (C(x_n) - \alpha_F)^2 + (C(G(z_n)) - \alpha_R)^2

    Args:
        real_logits: f32[N].
        fake_logits: f32[N].
        anchors: the averages of `update_anchors`.

    Returns:
        f32[N], each >= 0.

    >>> lecam(jnp.array([2.0]), jnp.array([-1.0]), Anchors(jnp.array(1.0), jnp.array(0.0))).tolist()
    [8.0]

    Source: Tseng et al., arXiv:2104.03310.
    """
    return jnp.square(real_logits - anchors.fake) + jnp.square(fake_logits - anchors.real)


def consistency(logits: Array, augmented_logits: Array) -> Array:
    r"""Makes the discriminator judge an image as it judges the same image augmented.

    .. math:: (C(x_n) - C(T(x_n)))^2

    Args:
        logits: f32[N].
        augmented_logits: f32[N], those of the same images after a random augmentation T.

    Returns:
        f32[N], each >= 0; the paper weighs them by 10.

    >>> consistency(jnp.array([2.0]), jnp.array([-1.0])).tolist()
    [9.0]

    Source: Zhang et al., arXiv:1910.12027 (CR, on real images).
    """
    return jnp.square(logits - augmented_logits)


def balanced_consistency(
    real_logits: Array, augmented_real_logits: Array, fake_logits: Array, augmented_fake_logits: Array
) -> Array:
    r"""`consistency` on real and on generated images, which else take up artefacts of the augmentation.

    .. math:: (C(x_n) - C(T(x_n)))^2 + (C(G(z_n)) - C(T(G(z_n))))^2

    >>> balanced_consistency(*(jnp.array([value]) for value in (2.0, 1.0, 0.0, 3.0))).tolist()
    [10.0]

    Source: Zhao et al., arXiv:2002.04724 (bCR).
    """
    real = consistency(real_logits, augmented_real_logits)
    return real + consistency(fake_logits, augmented_fake_logits)
