"""Convolution and transposed convolution of images."""

import jax

from jaxgan.ops.geometry import Geometry, Padding, Pads, Pair, as_padding, as_pair, require_images
from jaxgan.ops.trilinear import convolve
from jaxgan.typing import Array


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
    strides, dilations = as_pair("stride", stride), as_pair("dilation", dilation)
    sides = tuple((side - 1) * dilation + 1 for side, dilation in zip(kernel.shape, dilations, strict=False))
    geometry = Geometry(
        image=(x.shape[1], x.shape[2]),
        window=(kernel.shape[0], kernel.shape[1]),
        strides=strides,
        pads=_pads(x.shape[1:3], sides, strides, as_padding(padding)),
        dilations=dilations,
        groups=groups,
    )
    return convolve("output", geometry, x, kernel)


def _pads(
    sides: tuple[int, ...], window: tuple[int, ...], strides: tuple[int, int], padding: str | Pads
) -> Pads:
    if isinstance(padding, str):
        (top, bottom), (left, right) = jax.lax.padtype_to_pads(sides, window, strides, padding)
        return (int(top), int(bottom)), (int(left), int(right))
    return padding


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
    return _convolve_spread(strides, pads, dilations, x, kernel)


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


def _convolve_spread(
    strides: tuple[int, int], pads: Pads, dilations: tuple[int, int], x: Array, kernel: Array
) -> Array:
    """Convolves x with its pixels ``strides`` apart: as the transpose of the convolution that goes back."""
    sides, window = (x.shape[1], x.shape[2]), (kernel.shape[0], kernel.shape[1])
    if strides == (1, 1):
        return convolve("output", Geometry(sides, window, strides, pads, dilations), x, kernel)
    image, back = [], []
    for axis in (0, 1):
        reach = (window[axis] - 1) * dilations[axis]
        extent = (sides[axis] - 1) * strides[axis] + 1
        image.append(extent + sum(pads[axis]) - reach)
        back.append((reach - pads[axis][0], reach - pads[axis][1]))
    geometry = Geometry(tuple(image), window, strides, tuple(back), dilations)  # type: ignore[arg-type]
    return convolve("image", geometry, x, kernel[::-1, ::-1].swapaxes(2, 3))
