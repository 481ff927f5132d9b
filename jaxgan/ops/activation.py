"""The non-linear functions of the field."""

import jax
import jax.numpy as jnp

from jaxgan.typing import Array


def sigmoid(x: Array) -> Array:
    r"""The logistic function, :math:`\sigma(x) = 1 / (1 + e^{-x})`, elementwise, in (0, 1).

    >>> sigmoid(jnp.array(0.0)).item()
    0.5
    """
    return jax.nn.sigmoid(x)


def tanh(x: Array) -> Array:
    r"""The hyperbolic tangent, :math:`(e^x - e^{-x}) / (e^x + e^{-x})`, elementwise, in (-1, 1).

    >>> tanh(jnp.array(0.0)).item()
    0.0
    """
    return jnp.tanh(x)


def relu(x: Array) -> Array:
    r"""The rectifier, :math:`\max(x, 0)`, elementwise; its derivative at 0 is 0.

    >>> relu(jnp.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]

    A number that is not one stays so. Written as a choice: a maximum with a constant, which has one array,
    XLA on CPU computes anew, with all that led to it, for each gradient of a kernel (a tenth of a step of
    ResNet-20).

    Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.
    """
    return jnp.where(x <= 0, jnp.zeros_like(x), x)


def leaky_relu(x: Array, *, slope: float = 0.2) -> Array:
    r"""The leaky rectifier, :math:`x` where :math:`x \ge 0` and :math:`\alpha x` elsewhere.

    Args:
        x: f[...].
        slope: alpha, the derivative on the negative side.

    Returns:
        f[...].

    >>> leaky_relu(jnp.array([-1.0, 2.0]), slope=0.5).tolist()
    [-0.5, 2.0]

    Source: Maas et al., "Rectifier nonlinearities improve neural network acoustic models", 2013.
    """
    return jnp.where(x >= 0, x, slope * x)
