"""Giving a picture the colours of another."""

from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp

from jaxgan.typing import Array

Colors = Literal["style", "content", "free"]
"""Whose colours a result has."""
SMALLEST = 1e-5
"""What is added to the variances of colours, so that a grey picture has some."""


def match(images: Array, reference: Array) -> Array:
    r"""Gives pictures the mean and the covariance of the colours of others.

    .. math:: y = \mu_r + A (x - \mu), \qquad
              A = \Sigma^{-1/2} (\Sigma^{1/2} \Sigma_r \Sigma^{1/2})^{1/2} \Sigma^{-1/2}

    the one among the linear maps that do so which changes the colours least.

    Args:
        images: f32[N, H, W, 3] in [0, 1].
        reference: f32[N, H', W', 3] in [0, 1].

    Returns:
        f32[N, H, W, 3], cut to [0, 1].

    >>> import jax
    >>> dark = 0.3 * jax.random.uniform(jax.random.key(0), (1, 8, 8, 3))
    >>> light = 0.5 + 0.4 * jax.random.uniform(jax.random.key(1), (1, 9, 9, 3))
    >>> bool(abs(match(dark, light).mean() - light.mean()) < 0.01)
    True

    Source: Gatys et al., arXiv:1606.05897, section 4; the map is that of Pitié and Kokaram, "The linear
    Monge-Kantorovitch linear colour mapping for example-based colour transfer", 2007.
    """
    (center, cover), (wanted, target) = _moments(images), _moments(reference)
    root, inverse = _power(cover, 0.5), _power(cover, -0.5)
    change = inverse @ _power(root @ target @ root, 0.5) @ inverse
    moved = jnp.einsum("nhwi,nij->nhwj", images - center, change) + wanted
    return jnp.clip(moved, 0.0, 1.0)


def settle(
    whose: Colors,
    content: Array,
    styles: Sequence[Array],
    shares: Sequence[Array],
    masks: Sequence[Array | None],
) -> tuple[Array, list[Array]]:
    """Recolours the content as the styles are, or the styles as the content is, before anything is drawn.

    Args:
        whose: ``"style"`` changes the content, ``"content"`` the styles (arXiv:1606.05897), ``"free"``
            neither.
        content: f32[N, H, W, 3] in [0, 1].
        styles: f32[N, H', W', 3] in [0, 1] each.
        shares: how much each counts, f32[], >= 0.
        masks: for each f32[1, H'', W'', 1] in [0, 1], where in the content; None for everywhere.

    Returns:
        The content and the styles.

    >>> grey, red = jnp.full((1, 4, 4, 3), 0.5), jnp.zeros((1, 4, 4, 3)).at[..., 0].set(1.0)
    >>> settle("style", grey, [red], [jnp.float32(1)], [None])[0][0, 0, 0].round(2).tolist()
    [1.0, 0.0, 0.0]
    """
    if whose == "style":
        content = _recolor(content, styles, shares, masks)
    if whose == "content":
        styles = [match(style, content) for style in styles]
    return content, list(styles)


def _recolor(
    content: Array, styles: Sequence[Array], shares: Sequence[Array], masks: Sequence[Array | None]
) -> Array:
    """Gives the content the colours of the styles, of each where it is wanted, and leaves the rest."""
    size = content.shape[1:3]
    moved, total = jnp.zeros_like(content), jnp.zeros((1, *size, 1))
    for style, share, mask in zip(styles, shares, masks, strict=True):
        where = jnp.ones_like(total) if mask is None else jax.image.resize(mask, total.shape, "linear")
        here = share * where
        moved, total = moved + here * match(content, style), total + here
    return jnp.where(total > 0, moved / jnp.maximum(total, 1e-6), content)


def _moments(images: Array) -> tuple[Array, Array]:
    """The means f32[N, 1, 1, 3] and the covariances f32[N, 3, 3] of the colours."""
    mean = images.mean((1, 2), keepdims=True)
    rest = (images - mean).reshape(images.shape[0], -1, images.shape[3])
    cover = jnp.einsum("npi,npj->nij", rest, rest) / rest.shape[1]
    return mean, cover + SMALLEST * jnp.eye(images.shape[3])[None]


def _power(matrices: Array, exponent: float) -> Array:
    """A power of symmetric matrices without negative eigenvalues."""
    values, vectors = jnp.linalg.eigh(matrices)
    powers = jnp.maximum(values, SMALLEST**2) ** exponent
    return jnp.einsum("nij,nj,nkj->nik", vectors, powers, vectors)
