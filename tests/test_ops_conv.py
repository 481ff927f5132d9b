"""Convolutions against SciPy and a float64 loop, with all their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from scipy.signal import correlate2d

from jaxgan import ops

pytestmark = [pytest.mark.usefixtures("x64"), pytest.mark.smoke]
SIDES, STRIDES, DILATIONS = st.integers(1, 7), st.integers(1, 3), st.integers(1, 2)
PADDINGS = st.one_of(
    st.sampled_from(["SAME", "VALID"]),
    st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2),
)


def same_pads(side, kernel, stride):
    """The zeros of SAME padding: ceil(side / stride) windows, the odd zero behind."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def correlate(x, kernel, stride, padding, dilation):
    """The equation of `ops.conv2d`, one image and channel pair at a time, by SciPy."""
    spread = np.zeros([(k - 1) * dilation + 1 for k in kernel.shape[:2]] + list(kernel.shape[2:]))
    spread[::dilation, ::dilation] = kernel
    if padding == "SAME":
        padding = [same_pads(x.shape[a + 1], spread.shape[a], stride) for a in (0, 1)]
    elif padding == "VALID":
        padding = [(0, 0), (0, 0)]
    x = np.pad(x, [(0, 0), *padding, (0, 0)])
    if any(x.shape[a + 1] < spread.shape[a] for a in (0, 1)):
        return None
    images = [
        sum(correlate2d(image[..., c], spread[..., c, o], "valid") for c in range(x.shape[3]))
        for image in x
        for o in range(kernel.shape[3])
    ]
    y = np.stack(images).reshape(len(x), kernel.shape[3], *images[0].shape)
    return y.transpose(0, 2, 3, 1)[:, ::stride, ::stride]


def transpose_reference(x, kernel, stride, padding, dilation):
    """The equation of `ops.conv2d_transpose`: every pixel stamps the turned kernel."""
    n, h, w, _ = x.shape
    p, q, _, o = kernel.shape
    reach = [(p - 1) * dilation, (q - 1) * dilation]
    full = np.zeros((n, (h - 1) * stride + reach[0] + 1, (w - 1) * stride + reach[1] + 1, o))
    for i in range(h):
        for j in range(w):
            for a in range(p):
                for b in range(q):
                    row = i * stride + reach[0] - a * dilation
                    column = j * stride + reach[1] - b * dilation
                    full[:, row, column] += x[:, i, j] @ kernel[a, b]
    if padding == "VALID":
        sizes = [s * stride + max(r + 1 - stride, 0) for s, r in zip((h, w), reach, strict=True)]
        starts = [0, 0]
    elif padding == "SAME":
        sizes = [h * stride, w * stride]
        # the transpose of a SAME convolution over an image of that size: its padding is cut off
        starts = [max(r + 1 - stride, 0) // 2 for r in reach]
    else:
        sizes = [
            (s - 1) * stride + 1 + sum(pad) - r for s, r, pad in zip((h, w), reach, padding, strict=True)
        ]
        starts = [r - pad[0] for r, pad in zip(reach, padding, strict=True)]
    if min(sizes) < 1:
        return None
    y = np.zeros((n, *sizes, o))
    for row in range(sizes[0]):
        for column in range(sizes[1]):
            i, j = row + starts[0], column + starts[1]
            if 0 <= i < full.shape[1] and 0 <= j < full.shape[2]:
                y[:, row, column] = full[:, i, j]
    return y


def arrays(*shapes, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=shape) for shape in shapes]


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, st.integers(1, 4), st.integers(1, 4), STRIDES, PADDINGS, DILATIONS)
def test_conv2d_is_the_equation(h, w, p, q, stride, padding, dilation):
    x, kernel = arrays((2, h, w, 2), (p, q, 2, 3))
    expected = correlate(x, kernel, stride, padding, dilation)
    if expected is None:
        return
    y = ops.conv2d(jnp.asarray(x), jnp.asarray(kernel), stride=stride, padding=padding, dilation=dilation)
    np.testing.assert_allclose(y, expected, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, st.integers(1, 4), st.integers(1, 4), STRIDES, PADDINGS, DILATIONS)
def test_conv2d_transpose_is_the_equation(h, w, p, q, stride, padding, dilation):
    x, kernel = arrays((2, h, w, 2), (p, q, 2, 3))
    expected = transpose_reference(x, kernel, stride, padding, dilation)
    if expected is None:
        return
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    y = ops.conv2d_transpose(jnp.asarray(x), jnp.asarray(kernel), **options)
    np.testing.assert_allclose(y, expected, atol=1e-12)
    keras = jnp.asarray(kernel)[::-1, ::-1].swapaxes(2, 3)
    z = ops.conv2d_transpose(jnp.asarray(x), keras, transpose_kernel=True, **options)
    np.testing.assert_allclose(z, expected, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("side", [4, 5])
def test_conv2d_transpose_in_keras_form_is_the_transpose_of_conv2d(stride, side):
    x, kernel, y = arrays((2, side * stride, side * stride, 3), (4, 4, 3, 2), (2, side, side, 2))
    forward = jnp.vdot(ops.conv2d(jnp.asarray(x), jnp.asarray(kernel), stride=stride), y)
    back = ops.conv2d_transpose(jnp.asarray(y), jnp.asarray(kernel), stride=stride, transpose_kernel=True)
    np.testing.assert_allclose(forward, jnp.vdot(x, back))


OPS = {
    "conv": lambda x, k: ops.conv2d(x, k, stride=2),
    "dilated": lambda x, k: ops.conv2d(x, k, padding=((1, 0), (2, 1)), dilation=2),
    "grouped": lambda x, k: ops.conv2d(x, k[:, :, :1], groups=2),
    "transpose": lambda x, k: ops.conv2d_transpose(x, k, stride=2),
    "transpose-1": lambda x, k: ops.conv2d_transpose(x, k, padding="VALID"),
    "transpose-d": lambda x, k: ops.conv2d_transpose(x, k, stride=3, padding=((2, 0), (1, 3)), dilation=2),
}


@pytest.mark.parametrize("name", OPS)
def test_derivatives_to_second_order(name):
    x, kernel = map(jnp.asarray, arrays((2, 4, 5, 2), (3, 3, 2, 2)))
    check_grads(OPS[name], (x, kernel), order=2, modes=["fwd", "rev"], eps=1e-4)


@pytest.mark.parametrize("name", OPS)
def test_transformations(name):
    op = OPS[name]
    xs, kernels = map(jnp.asarray, arrays((3, 2, 4, 5, 2), (3, 3, 3, 2, 2)))
    one = op(xs[0], kernels[0])
    np.testing.assert_allclose(jax.jit(op)(xs[0], kernels[0]), one)
    loop = np.stack([op(x, k) for x, k in zip(xs, kernels, strict=True)])
    np.testing.assert_allclose(jax.vmap(op)(xs, kernels), loop)
    for axes in [(0, None), (None, 0)]:
        arguments = [a if axis == 0 else a[0] for a, axis in zip((xs, kernels), axes, strict=True)]
        assert jax.vmap(op, in_axes=axes)(*arguments).shape == loop.shape
    scanned = jax.lax.scan(lambda c, xk: (c, op(*xk)), 0, (xs, kernels))[1]
    np.testing.assert_allclose(scanned, loop)

    def gradient(x, k):
        return jax.grad(lambda k: jnp.sum(jnp.sin(op(x, k))))(k)

    np.testing.assert_allclose(
        jax.vmap(gradient)(xs, kernels), jax.lax.map(lambda xk: gradient(*xk), (xs, kernels))
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stride": 0}, "stride is 0"),
        ({"padding": "FULL"}, "padding is 'FULL'"),
        ({"dilation": (1, 2, 3)}, "dilation is"),
        ({"groups": 2}, "groups is 2"),
    ],
)
def test_bad_options_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        ops.conv2d(jnp.ones((1, 4, 4, 3)), jnp.ones((3, 3, 3, 2)), **options)


def test_bad_shapes_are_named():
    with pytest.raises(ValueError, match=r"\[N, H, W, C\]"):
        ops.conv2d(jnp.ones((4, 4, 3)), jnp.ones((3, 3, 3, 2)))
    with pytest.raises(ValueError, match="has 3 channels"):
        ops.conv2d_transpose(jnp.ones((1, 4, 4, 3)), jnp.ones((3, 3, 2, 2)))
