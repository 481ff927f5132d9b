r"""Penalties on slopes: functions of the derivative of each logit by its image.

They differentiate ``discriminate``, a pure function of images f32[N, ...] to logits f32[N] at fixed params,
by each image, so each logit must depend on its own image alone: no batch normalisation.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import jax
import jax.numpy as jnp

from jaxgan import batch_axis
from jaxgan.typing import Array
from jaxgan.validation import require

Discriminate = Callable[[Array], Array]
Probe = Literal["rademacher", "gaussian"]
PROBES: Mapping[Probe, Callable[..., Array]] = {
    "rademacher": jax.random.rademacher,
    "gaussian": jax.random.normal,
}
"""How the directions of `estimated_squared_slopes` are drawn: ``(key, shape, dtype) -> directions``."""


def _squares(images: Array) -> Array:
    flat = images.reshape(images.shape[0], -1)
    return jnp.square(flat.astype(jnp.promote_types(flat.dtype, jnp.float32))).sum(axis=1)


def squared_slopes(discriminate: Discriminate, images: Array) -> Array:
    r"""The squared gradient of each logit by its image.

    .. math:: |\nabla_x C(x_n)|^2

    Args:
        discriminate: images -> logits f[N], each of its own image.
        images: f[N, ...].

    Returns:
        f32[N], each >= 0.

    Raises:
        InputError: the logits are not one for each image.

    >>> squared_slopes(lambda images: images @ jnp.array([3.0, 4.0]), jnp.zeros((1, 2))).tolist()
    [25.0]
    """

    def total(images: Array) -> tuple[Array, Array]:
        logits = discriminate(images)
        return logits.sum(), logits

    slopes, logits = jax.grad(total, has_aux=True)(images)
    allowed = f"{images.shape[:1]}, one logit for each image"
    require(logits.shape == images.shape[:1], "the shape of the logits", logits.shape, allowed)
    return _squares(slopes)


def estimated_squared_slopes(
    discriminate: Discriminate, images: Array, key: Array, *, probes: int = 1, probe: Probe = "rademacher"
) -> Array:
    r"""An unbiased estimate of `squared_slopes`, from derivatives along random directions.

    .. math:: \frac{1}{M} \sum_{m=1}^{M} (v_m \cdot \nabla_x C(x_n))^2, \qquad E[v v^T] = 1

    It takes Jacobian-vector products forward in place of a derivative backward, and so is differentiated by
    the params in one backward pass, not in one through another. With g the gradient, the variance is

    .. math:: \frac{2}{M} \Big(|g|^4 - \sum_i g_i^4\Big) \text{ (rademacher)}, \qquad
        \frac{2}{M} |g|^4 \text{ (gaussian)}:

    over N images and M probes the relative standard error of the mean is about sqrt(2 / (N M)) where the
    slopes are alike. The derivative by the params is unbiased too.

    Args:
        discriminate: as in `squared_slopes`.
        images: f[N, ...].
        key: a typed PRNG key; each example draws from one of its own.
        probes: M >= 1.
        probe: ``"rademacher"`` (signs, the smaller variance) or ``"gaussian"``.

    Returns:
        f32[N], each >= 0.

    Raises:
        InputError: ``probes`` < 1, or an unknown ``probe``.

    >>> estimate = estimated_squared_slopes(lambda x: 3 * x[:, 0], jnp.zeros((1, 1)), jax.random.key(0))
    >>> estimate.tolist()  # in one dimension a sign tells all
    [9.0]

    Source: Hutchinson, Communications in Statistics 18 (1989), whose estimate of a trace this is.
    """
    require(probes >= 1, "probes", probes, ">= 1")
    require(probe in PROBES, "probe", probe, "one of " + ", ".join(PROBES))

    def along(key: Array) -> Array:
        keys = batch_axis.example_keys(key, images.shape[0])
        directions = jax.vmap(lambda key: PROBES[probe](key, images.shape[1:], images.dtype))(keys)
        _, slopes = jax.jvp(discriminate, (images,), (directions,))
        return _squares(slopes)

    return jnp.stack([along(key) for key in jax.random.split(key, probes)]).mean(axis=0)


def _distances(squares: Array, target: float, one_sided: bool) -> Array:
    steep = squares > 0
    norms = jnp.where(steep, jnp.sqrt(jnp.where(steep, squares, 1)), 0)  # at 0 the root has no derivative
    excess = norms - target
    return jnp.square(jnp.maximum(excess, 0) if one_sided else excess)


def gradient_penalty(
    discriminate: Discriminate,
    real_images: Array,
    fake_images: Array,
    key: Array,
    *,
    target: float = 1.0,
    one_sided: bool = False,
) -> Array:
    r"""Draws a critic's slope to 1, between real and generated images.

    .. math:: (|\nabla_x C(\hat{x}_n)| - 1)^2, \qquad
        \hat{x}_n = \epsilon_n x_n + (1 - \epsilon_n) G(z_n), \quad \epsilon_n \sim U[0, 1)

    Args:
        discriminate: as in `squared_slopes`.
        real_images: f[N, ...].
        fake_images: f[N, ...].
        key: a typed PRNG key; each example draws from one of its own.
        target: the slope that costs nothing.
        one_sided: whether a smaller slope costs nothing either: max(0, |grad| - 1)^2.

    Returns:
        f32[N], each >= 0; the paper weighs them by 10.

    Raises:
        InputError: the images' shapes differ.

    >>> critic = lambda images: images @ jnp.array([3.0, 4.0])
    >>> gradient_penalty(critic, jnp.ones((1, 2)), jnp.zeros((1, 2)), jax.random.key(0)).tolist()
    [16.0]

    Source: Gulrajani et al., arXiv:1704.00028, equation 3; section 4 for one-sided.
    """
    same = real_images.shape == fake_images.shape
    require(same, "the shape of fake_images", fake_images.shape, f"that of real_images, {real_images.shape}")
    keys = batch_axis.example_keys(key, real_images.shape[0])
    ones = (1,) * (real_images.ndim - 1)
    shares = jax.vmap(lambda key: jax.random.uniform(key, ones, real_images.dtype))(keys)
    between = shares * real_images + (1 - shares) * fake_images
    return _distances(squared_slopes(discriminate, between), target, one_sided)


def dragan(
    discriminate: Discriminate, real_images: Array, key: Array, *, std: float = 0.5, target: float = 1.0
) -> Array:
    r"""Draws the slope to 1 around real images.

    .. math:: (|\nabla_x C(x_n + \delta_n)| - 1)^2, \qquad \delta_n \sim N(0, \text{std}^2)

    Args:
        discriminate: as in `squared_slopes`.
        real_images: f[N, ...].
        key: a typed PRNG key; each example draws from one of its own.
        std: how far around; it depends on the range of the images, here of [-1, 1].
        target: the slope that costs nothing.

    Returns:
        f32[N], each >= 0; the paper weighs them by 10.

    >>> critic = lambda images: images @ jnp.array([3.0, 4.0])
    >>> dragan(critic, jnp.ones((1, 2)), jax.random.key(0)).tolist()
    [16.0]

    Source: Kodali et al., arXiv:1705.07215.
    """
    keys = batch_axis.example_keys(key, real_images.shape[0])
    noise = jax.vmap(lambda key: jax.random.normal(key, real_images.shape[1:], real_images.dtype))(keys)
    return _distances(squared_slopes(discriminate, real_images + std * noise), target, one_sided=False)


def r1(discriminate: Discriminate, real_images: Array) -> Array:
    r"""Flattens the discriminator at real images.

    .. math:: \tfrac{1}{2} |\nabla_x C(x_n)|^2

    Args, returns and errors as in `squared_slopes`; the paper's weight is :math:`\gamma`, 10 there.

    >>> r1(lambda images: images @ jnp.array([3.0, 4.0]), jnp.zeros((1, 2))).tolist()
    [12.5]

    Source: Mescheder et al., arXiv:1801.04406, equation 9.
    """
    return squared_slopes(discriminate, real_images) / 2


def r2(discriminate: Discriminate, fake_images: Array) -> Array:
    r"""Flattens the discriminator at generated images: `r1` of those.

    .. math:: \tfrac{1}{2} |\nabla_x C(G(z_n))|^2

    >>> r2(lambda images: images @ jnp.array([3.0, 4.0]), jnp.zeros((1, 2))).tolist()
    [12.5]

    Source: Mescheder et al., arXiv:1801.04406, equation 10.
    """
    return squared_slopes(discriminate, fake_images) / 2
