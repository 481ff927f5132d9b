"""The fully connected layer."""

from jaxgan.typing import Array


def dense(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    r"""Maps the last axis linearly.

    .. math:: y_{\dots o} = \sum_c x_{\dots c} \, k_{c o} + b_o

    Args:
        x: f[..., C].
        kernel: f[C, O].
        bias: f[O] or None.

    Returns:
        f[..., O].

    Raises:
        ValueError: sizes that do not fit.

    >>> import jax.numpy as jnp
    >>> dense(jnp.array([[1.0, 2.0]]), jnp.array([[3.0], [4.0]]), jnp.array([0.5])).tolist()
    [[11.5]]
    """
    if kernel.ndim != 2 or x.ndim < 1 or x.shape[-1] != kernel.shape[0]:
        raise ValueError(f"x {x.shape} and kernel {kernel.shape} do not fit: [..., C] and [C, O]")
    y = x @ kernel
    if bias is None:
        return y
    if bias.shape != kernel.shape[1:]:
        raise ValueError(f"bias has shape {bias.shape}; the kernel {kernel.shape} wants [O]")
    return y + bias.reshape((1,) * (y.ndim - 1) + bias.shape)
