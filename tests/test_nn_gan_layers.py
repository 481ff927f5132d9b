"""Layers of the classic GANs: spectral normalisation, self-attention, residual blocks."""

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import nn
from jaxgan.validation import InputError

KEY = jax.random.key(0)


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


class Normalized(linen.Module):
    """One layer, spectrally normalised or not."""

    layer: linen.Module
    when: bool = True

    @linen.compact
    def __call__(self, x, *, train):
        return nn.spectral(self.layer, train=train, when=self.when)(x)


def iterate(module, x, times):
    variables = module.init(KEY, x, train=False)
    for _ in range(times):
        y, moved = module.apply(variables, x, train=True, mutable=["batch_stats"])
        variables = {**variables, **moved}
    return y, variables


def test_spectral_normalisation_divides_by_the_largest_singular_value():
    x = draw(5, 6)
    y, variables = iterate(Normalized(nn.Dense(4, use_bias=False)), x, 60)
    (kernel,) = jax.tree.leaves(variables["params"])
    np.testing.assert_allclose(y, x @ kernel / np.linalg.svd(kernel)[1][0], rtol=1e-4, atol=1e-5)


def test_spectral_normalisation_of_a_convolution_takes_its_kernel_for_a_matrix():
    x = draw(2, 5, 5, 3)
    layer = nn.Conv2D(4, window=3, use_bias=False)
    y, variables = iterate(Normalized(layer), x, 60)
    (kernel,) = jax.tree.leaves(variables["params"])
    largest = np.linalg.svd(np.reshape(kernel, (-1, 4)))[1][0]
    plain = layer.apply({"params": {"kernel": kernel}}, x)
    np.testing.assert_allclose(y, plain / largest, rtol=1e-4, atol=1e-5)


def test_spectral_vectors_move_in_training_only():
    x = draw(5, 6)
    module = Normalized(nn.Dense(4))
    variables = module.init(KEY, x, train=False)
    first, still = module.apply(variables, x, train=False, mutable=["batch_stats"])
    jax.tree.map(np.testing.assert_array_equal, still, {"batch_stats": variables["batch_stats"]})
    second, moved = module.apply(variables, x, train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(first, second, rtol=1e-6)
    same = jax.tree.map(np.array_equal, moved, {"batch_stats": variables["batch_stats"]})
    assert not all(jax.tree.leaves(same))


def test_without_spectral_normalisation_the_layer_is_itself():
    x = draw(5, 6)
    layer = nn.Dense(4)
    bare, named = (
        module.init(KEY, x, train=False) for module in (Normalized(layer, when=False), Normalized(layer))
    )
    assert "batch_stats" not in bare
    shapes = [jax.tree.map(jnp.shape, variables["params"]) for variables in (bare, named)]
    assert shapes[0] == shapes[1]
    y = Normalized(layer, when=False).apply(bare, x, train=True)
    np.testing.assert_allclose(y, layer.apply({"params": bare["params"]["layer"]}, x), rtol=1e-6)


def attend(x, params, pool):
    """The equations of the paper, place by place, in double precision."""
    kernels = {name: np.float64(params[name]["kernel"][0, 0]) for name in params if name != "gamma"}
    x = np.float64(x)
    height, width, channels = x.shape

    def seen(maps):
        rows, columns = height // pool, width // pool
        cut = maps[: rows * pool, : columns * pool].reshape(rows, pool, columns, pool, -1)
        return cut.max((1, 3)).reshape(rows * columns, -1)

    keys, values = seen(x @ kernels["keys"]), seen(x @ kernels["values"])
    y = np.empty((height, width, channels))
    for i, j in np.ndindex(height, width):
        scores = np.exp(keys @ (x[i, j] @ kernels["queries"]))
        y[i, j] = (scores / scores.sum()) @ values @ kernels["output"]
    return x + np.float64(params["gamma"]) * y


@pytest.mark.parametrize("pool", [1, 2])
def test_self_attention_is_that_of_the_paper(pool):
    x = draw(2, 5, 4, 16)
    layer = nn.SelfAttention(pool=pool)
    y, variables = layer.init_with_output(KEY, x, train=False)
    np.testing.assert_array_equal(y, x)  # gamma begins at zero
    params = {**variables["params"], "gamma": jnp.float32(0.7)}
    y = layer.apply({"params": params}, x, train=False)
    expected = [attend(image, params, pool) for image in x]
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_self_attention_keeps_the_type_and_refuses_small_maps():
    layer = nn.SelfAttention()
    y, variables = layer.init_with_output(KEY, jnp.ones((1, 2, 2, 4), jnp.bfloat16), train=False)
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    with pytest.raises(InputError, match=r"pool is 2; it must be 1 \.\.\. 1"):
        layer.init(KEY, jnp.ones((1, 1, 3, 4)), train=False)


@pytest.mark.parametrize("resample", ["none", "up", "down"])
def test_a_residual_block_adds_a_branch_to_a_shortcut(resample):
    """In the order of the paper, the shortcut's convolution where the map is large."""
    x = draw(2, 4, 6, 3)
    block = nn.ResidualBlock(5, resample=resample)
    y, variables = block.init_with_output(KEY, x, train=False)
    params = variables["params"]

    def convolve(name, x):
        window = params[name]["kernel"].shape[0]
        return nn.Conv2D(5, window).apply({"params": params[name]}, x)

    resize = {"none": lambda x: x, "up": nn.double, "down": nn.halve}[resample]
    branch = convolve("first", jax.nn.relu(x))
    if resample == "up":
        branch = convolve("second", jax.nn.relu(nn.double(branch)))
    else:
        branch = resize(convolve("second", jax.nn.relu(branch)))
    np.testing.assert_allclose(y, convolve("shortcut", resize(x)) + branch, rtol=1e-4, atol=1e-5)


def test_a_residual_block_of_equal_width_keeps_what_comes_in():
    block = nn.ResidualBlock(3)
    x = draw(1, 4, 4, 3)
    variables = block.init(KEY, x, train=False)
    assert set(variables["params"]) == {"first", "second"}
    nothing = jax.tree.map(jnp.zeros_like, variables)
    np.testing.assert_array_equal(block.apply(nothing, x, train=False), x)


def test_a_normalising_block_has_no_biases_and_knows_the_class():
    block = nn.ResidualBlock(3, batch_norm=True, num_classes=2)
    variables = block.init(KEY, draw(2, 4, 4, 3), jnp.array([0, 1]), train=False)
    assert "bias" not in variables["params"]["first"]
    assert variables["params"]["ConditionalBatchNorm_0"]["scale"].shape == (2, 3)
    same = jnp.broadcast_to(draw(1, 4, 4, 3), (2, 4, 4, 3))
    params = jax.tree.map(lambda leaf: leaf, variables["params"])
    params["ConditionalBatchNorm_0"]["bias"] = jnp.array([[0.0] * 3, [1.0] * 3])
    y = block.apply({**variables, "params": params}, same, jnp.array([0, 1]), train=False)
    assert not np.allclose(y[0], y[1])


@pytest.mark.parametrize("window", [3, (1, 5)])
def test_a_convolution_mirrors_its_image_at_the_borders(window):
    """As one that does not pad, of an image that is mirrored already."""
    x = draw(2, 6, 7, 3)
    layer = nn.Conv2D(4, window, padding="REFLECT")
    variables = layer.init(KEY, x)
    rows, columns = (side // 2 for side in ((window, window) if isinstance(window, int) else window))
    padded = np.pad(np.asarray(x), ((0, 0), (rows, rows), (columns, columns), (0, 0)), mode="reflect")
    found = layer.apply(variables, x)
    assert found.shape == (2, 6, 7, 4)
    np.testing.assert_allclose(
        found, nn.Conv2D(4, window, padding="VALID").apply(variables, padded), rtol=1e-5
    )
