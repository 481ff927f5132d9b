"""Pooling, dense layers, normalisation and activations against float64 references."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from jaxgan import ops
from jaxgan.ops import winners

pytestmark = [pytest.mark.usefixtures("x64"), pytest.mark.smoke]


def array(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def pool_reference(x, window, stride, padding, reduce):
    """Goes over the windows one by one; NaN marks padding."""
    n, h, w, c = x.shape
    if padding == "SAME":
        totals = [max((-(-s // stride) - 1) * stride + window - s, 0) for s in (h, w)]
        padding = [(t // 2, t - t // 2) for t in totals]
    elif padding == "VALID":
        padding = [(0, 0), (0, 0)]
    x = np.pad(x, [(0, 0), *padding, (0, 0)], constant_values=np.nan)
    sizes = [(side - window) // stride + 1 for side in x.shape[1:3]]
    if min(sizes) < 1:
        return None
    y = np.zeros((n, *sizes, c))
    for i in range(sizes[0]):
        for j in range(sizes[1]):
            rows = slice(i * stride, i * stride + window)
            columns = slice(j * stride, j * stride + window)
            y[:, i, j] = reduce(x[:, rows, columns], axis=(1, 2))
    return y


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 7),
    st.integers(1, 7),
    st.integers(2, 3),
    st.integers(1, 3),
    st.sampled_from(["SAME", "VALID", ((1, 0), (0, 1))]),
)
def test_pools_are_the_equation(h, w, window, stride, padding):
    x = array(2, h, w, 3)
    options = {"window": window, "stride": stride, "padding": padding}
    for op, reduce in [(ops.max_pool2d, np.nanmax), (ops.avg_pool2d, np.nanmean)]:
        expected = pool_reference(np.asarray(x), window, stride, padding, reduce)
        if expected is not None:
            np.testing.assert_allclose(op(x, **options), expected)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 7), st.integers(1, 7))
def test_adaptive_pools_are_means_of_windows(h, w, rows, columns):
    x = np.asarray(array(2, h, w, 3))

    def windows(side, count):
        return [slice(i * side // count, math.ceil((i + 1) * side / count)) for i in range(count)]

    expected = [[x[:, r, c].mean((1, 2)) for c in windows(w, columns)] for r in windows(h, rows)]
    found = ops.adaptive_avg_pool2d(x, size=(rows, columns))
    np.testing.assert_allclose(found, np.moveaxis(expected, 2, 0), rtol=1e-5, atol=1e-6)


FUNCTIONS = {
    "max_pool2d": lambda x: ops.max_pool2d(x, window=3, stride=2, padding="SAME"),
    "max_pool2d of tiles": lambda x: ops.max_pool2d(x, window=2),
    "adaptive_avg_pool2d": lambda x: ops.adaptive_avg_pool2d(x, size=(3, 2)),
    "avg_pool2d": lambda x: ops.avg_pool2d(x, window=2, padding="SAME"),
    "dense": lambda x: ops.dense(x, x[0, 0, :2].T, x[0, 1, :2, 0]),
    "batch_norm": lambda x: ops.batch_norm(x, *ops.batch_moments(x), x[0, 0, 0], x[0, 0, 1]),
    "sigmoid": ops.sigmoid,
    "tanh": ops.tanh,
    "relu": ops.relu,
    "leaky_relu": lambda x: ops.leaky_relu(x, slope=0.3),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_and_transformations(name):
    f = FUNCTIONS[name]
    xs = array(3, 2, 4, 5, 2)
    check_grads(f, (xs[0],), order=2, modes=["fwd", "rev"], eps=1e-5)
    loop = np.stack([f(x) for x in xs])
    np.testing.assert_allclose(jax.jit(jax.vmap(f))(xs), loop)
    np.testing.assert_allclose(jax.lax.map(f, xs), loop)


@pytest.mark.parametrize("window", [1, 2, (2, 3)])
def test_a_maximum_has_one_winner_in_each_window(window):
    """Also among equals, where it is the first, as XLA has it."""
    x = jnp.round(array(2, 5, 7, 3))

    def pull(pool):
        y, pull = jax.vjp(pool, x)
        return pull(1.0 + jnp.arange(y.size).reshape(y.shape))[0]

    sides = (1, *((window, window) if isinstance(window, int) else window), 1)
    expected = pull(lambda x: jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, sides, sides, "VALID"))
    np.testing.assert_array_equal(pull(lambda x: ops.max_pool2d(x, window=window)), expected)


def test_a_maximum_scatters_on_accelerators_only():
    def lowered(platform):
        slope = jax.grad(lambda x: ops.max_pool2d(x, window=2).sum())
        traced = jax.jit(slope).trace(array(1, 4, 4, 2))
        return traced.lower(lowering_platforms=(platform,)).as_text()

    assert "select_and_scatter" in lowered("tpu")
    assert "select_and_scatter" in lowered("cuda")
    assert "scatter" not in lowered("cpu")


@pytest.mark.parametrize("back", [False, True])
def test_both_ways_to_differentiate_a_maximum_agree(back):
    x = jnp.round(array(2, 5, 7, 3))
    values = array(*((2, 2, 2, 3) if back else x.shape), seed=1)
    plain, fast = (
        form(x, values, sides=(2, 3), back=back)
        for form in (winners._winners_lax, winners._winners_elementwise)
    )
    np.testing.assert_array_equal(plain, fast)


def test_a_window_larger_than_the_image_gives_nothing_also_when_mapped():
    assert jax.vmap(lambda x: ops.max_pool2d(x, window=2))(array(3, 2, 1, 4, 1)).shape == (3, 2, 0, 2, 1)
    assert jax.vmap(lambda x: ops.max_pool2d(x, window=2))(jnp.zeros((0, 2, 4, 4, 1))).shape == (
        0,
        2,
        2,
        2,
        1,
    )


def test_dense_and_batch_norm_are_the_equation():
    x, kernel, bias = array(4, 3, 5), array(5, 2, seed=1), array(2, seed=2)
    z = np.asarray(x)
    np.testing.assert_allclose(
        ops.dense(x, kernel, bias), np.einsum("abc,co->abo", z, kernel) + np.asarray(bias)
    )
    mean, variance = ops.batch_moments(x)
    np.testing.assert_allclose(mean, z.mean((0, 1)))
    np.testing.assert_allclose(variance, z.var((0, 1)))
    scale, shift = array(5, seed=3), array(5, seed=4)
    np.testing.assert_allclose(
        ops.batch_norm(x, mean, variance, scale, shift, epsilon=1e-3),
        np.asarray(scale) * (z - z.mean((0, 1))) / np.sqrt(z.var((0, 1)) + 1e-3) + np.asarray(shift),
    )


def test_activations_are_the_equation():
    x = np.linspace(-4, 4, 33)
    z = jnp.asarray(x)
    np.testing.assert_allclose(ops.sigmoid(z), 1 / (1 + np.exp(-x)))
    np.testing.assert_allclose(ops.tanh(z), (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)))
    np.testing.assert_allclose(ops.relu(z), np.maximum(x, 0))
    np.testing.assert_allclose(ops.leaky_relu(z, slope=0.3), np.where(x >= 0, x, 0.3 * x))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="window is 0"):
        ops.max_pool2d(array(1, 4, 4, 1), window=0)
    with pytest.raises(ValueError, match="padding is"):
        ops.avg_pool2d(array(1, 4, 4, 1), padding=((2, 0), (0, 0)))
    with pytest.raises(ValueError, match="do not fit"):
        ops.dense(array(2, 3), array(4, 5))
    with pytest.raises(ValueError, match="scale has shape"):
        ops.batch_norm(array(2, 3), array(3), array(3), array(2))
