"""Convolution and transposed convolution of images."""

import functools
from typing import Any

import jax
from jax.custom_derivatives import SymbolicZero

from jaxgan.ops.geometry import Padding, Pair, as_padding, as_pair, require_images
from jaxgan.typing import Array

Pads = tuple[tuple[int, int], tuple[int, int]]
_IMAGES = ("NHWC", "HWIO", "NHWC")


def conv2d(
    x: Array,
    kernel: Array,
    *,
    stride: Pair = 1,
    padding: Padding = "SAME",
    dilation: Pair = 1,
    groups: int = 1,
) -> Array:
    r"""Convolves images with a kernel, in the field's sense: a cross-correlation.

    .. math:: y_{n,i,j,o} = \sum_{p,q,c} x_{n,\, s i + d p,\, s j + d q,\, c} \; k_{p,q,c,o}

    with stride s and dilation d, over x padded with zeros. With groups, output channel o sees only
    the input channels of its own group.

    Args:
        x: f[N, H, W, C], the images.
        kernel: f[P, Q, C / groups, O].
        stride: the step s between windows, >= 1, one number or one a side.
        padding: ``"SAME"`` (output side = ceil(side / stride)), ``"VALID"`` (no padding) or
            ``((top, bottom), (left, right))``.
        dilation: the distance d between the taps of the kernel, >= 1.
        groups: the number of channel groups; divides C and O.

    Returns:
        f[N, H', W', O].

    Raises:
        ValueError: shapes, stride, padding, dilation or groups that do not fit.

    >>> import jax.numpy as jnp
    >>> conv2d(jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 2)), padding="VALID").shape
    (1, 2, 2, 2)

    Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998; dilation
    after Yu and Koltun, arXiv:1511.07122.
    """
    require_images(x.shape)
    if kernel.ndim != 4:
        raise ValueError(f"kernel has shape {kernel.shape}; it must be [P, Q, C / groups, O]")
    if groups < 1 or x.shape[3] % groups or kernel.shape[3] % groups:
        raise ValueError(
            f"groups is {groups}; it must divide the channels of x {x.shape} and kernel {kernel.shape}"
        )
    if x.shape[3] // groups != kernel.shape[2]:
        raise ValueError(
            f"x {x.shape} has {x.shape[3]} channels in {groups} group(s), "
            f"but kernel {kernel.shape} takes {kernel.shape[2]} a group"
        )
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=as_pair("stride", stride),
        padding=as_padding(padding),
        rhs_dilation=as_pair("dilation", dilation),
        dimension_numbers=_IMAGES,
        feature_group_count=groups,
    )


def conv2d_transpose(
    x: Array,
    kernel: Array,
    *,
    stride: Pair = 1,
    padding: Padding = "SAME",
    dilation: Pair = 1,
    transpose_kernel: bool = False,
) -> Array:
    r"""Convolves images whose pixels are spread ``stride`` apart, which enlarges them.

    .. math:: y_{n,i,j,o} = \sum_{p,q,c} \hat{x}_{n,\, i + d p - a,\, j + d q - a,\, c} \; k_{p,q,c,o},
              \qquad \hat{x}_{n, s i, s j, c} = x_{n,i,j,c}, \text{ zero elsewhere}

    The padding a makes a map that is the transpose of a strided `conv2d` (with the same padding, and
    the kernel turned by 180 degrees).

    Args:
        x: f[N, H, W, C], the images.
        kernel: f[P, Q, C, O], as in `jax.lax.conv_transpose`; with ``transpose_kernel`` the Keras form
            f[P, Q, O, C], used turned by 180 degrees.
        stride: the enlargement s, >= 1, one number or one a side.
        padding: ``"SAME"`` (output side = side * stride), ``"VALID"`` (side * stride +
            max(P' - stride, 0) for a dilated kernel side P'), or explicit
            ``((top, bottom), (left, right))`` zeros around the spread image.
        dilation: the distance d between the taps of the kernel, >= 1.
        transpose_kernel: whether ``kernel`` is in the Keras form.

    Returns:
        f[N, H', W', O]; equal to `jax.lax.conv_transpose`, and with ``transpose_kernel`` to the Keras
        layer ``Conv2DTranspose``. Differentiable to any order, in reverse and in forward mode.

    Raises:
        ValueError: shapes, stride, padding or dilation that do not fit.

    >>> import jax.numpy as jnp
    >>> conv2d_transpose(jnp.ones((1, 7, 7, 2)), jnp.ones((4, 4, 2, 3)), stride=2).shape
    (1, 14, 14, 3)

    Source: Dumoulin and Visin, arXiv:1603.07285, chapter 4.
    """
    require_images(x.shape)
    if kernel.ndim != 4:
        raise ValueError(f"kernel has shape {kernel.shape}; it must have four dimensions")
    if transpose_kernel:
        kernel = kernel[::-1, ::-1].swapaxes(2, 3)
    if x.shape[3] != kernel.shape[2]:
        raise ValueError(f"x {x.shape} has {x.shape[3]} channels, but the kernel takes {kernel.shape[2]}")
    strides, dilations = as_pair("stride", stride), as_pair("dilation", dilation)
    pads = _transpose_pads(kernel.shape[:2], strides, dilations, as_padding(padding))
    return _conv2d_transpose(strides, pads, dilations, x, kernel)


def _transpose_pads(
    sides: tuple[int, ...],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    padding: str | Pads,
) -> Pads:
    """Gives the zeros around the spread image that make the transpose of a padded convolution."""
    if not isinstance(padding, str):
        return padding
    pads = []
    for side, stride, dilation in zip(sides, strides, dilations, strict=True):
        reach = (side - 1) * dilation  # how far the dilated kernel extends beyond its first tap
        if padding == "VALID":
            before, total = reach, reach + max(reach, stride - 1)
        else:
            total = reach + stride - 1
            before = min(reach, -(-total // 2))
        pads.append((before, total - before))
    return tuple(pads)  # type: ignore[return-value]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _conv2d_transpose(
    strides: tuple[int, int], pads: Pads, dilations: tuple[int, int], x: Array, kernel: Array
) -> Array:
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(1, 1),
        padding=pads,
        lhs_dilation=strides,
        rhs_dilation=dilations,
        dimension_numbers=_IMAGES,
    )


def _conv2d_transpose_jvp(
    strides: tuple[int, int],
    pads: Pads,
    dilations: tuple[int, int],
    primals: tuple[Array, Array],
    tangents: tuple[Any, Any],
) -> tuple[Array, Array | SymbolicZero]:
    """Differentiates a bilinear map: one term for each argument that varies.

    Reverse mode transposes these terms, and the form of a term decides the form of its transpose: see
    `_with_kernel_as_image`.
    """
    x, kernel = primals
    x_dot, kernel_dot = tangents
    y = _conv2d_transpose(strides, pads, dilations, x, kernel)
    terms = []
    if not isinstance(x_dot, SymbolicZero):
        terms.append(_conv2d_transpose(strides, pads, dilations, x_dot, kernel))
    if not isinstance(kernel_dot, SymbolicZero):
        terms.append(_with_kernel_as_image(strides, pads, dilations, x, kernel_dot, y.shape))
    return y, sum(terms[1:], start=terms[0])


_conv2d_transpose.defjvp(_conv2d_transpose_jvp, symbolic_zeros=True)  # type: ignore[arg-type]


def _with_kernel_as_image(
    strides: tuple[int, int],
    pads: Pads,
    dilations: tuple[int, int],
    x: Array,
    kernel: Array,
    y_shape: tuple[int, ...],
) -> Array:
    """The same map with the roles swapped: the kernel is the image, and x the taps, ``stride`` apart.

    Used for the kernel's tangent only. It transposes to the weight gradient of the strided convolution that
    maps y onto x, a form that every compiler knows; the transpose of the usual form convolves over a spread
    *and* reversed operand, which falls to naive loops on CPU.
    """
    swapped_pads = []
    for axis in (0, 1):
        reach = (x.shape[axis + 1] - 1) * strides[axis]
        window = (kernel.shape[axis] - 1) * dilations[axis]
        after = y_shape[axis + 1] - 1 - pads[axis][0]
        swapped_pads.append((reach - window + pads[axis][0], after))
    return jax.lax.conv_general_dilated(
        kernel[::-1, ::-1],
        x[:, ::-1, ::-1],
        window_strides=(1, 1),
        padding=swapped_pads,
        lhs_dilation=dilations,
        rhs_dilation=strides,
        dimension_numbers=("HWCN", "OHWI", "CHWN"),
    )
