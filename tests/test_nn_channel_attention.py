"""Attention to channels and places: the papers' formulas in NumPy, and parameters counted by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import nn, ops
from jaxgan.classifiers import cnn
from jaxgan.cost import network_cost
from jaxgan.validation import InputError

KEY = jax.random.key(0)
SHAPE = (3, 5, 6, 8)
LAYERS = {"se": nn.SqueezeExcite(reduction=4), "cbam": nn.CBAM(reduction=4, window=3)}


def features(shape=SHAPE, dtype=np.float32):
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def logistic(x):
    return 1 / (1 + np.exp(-x))


def excited(params, x):
    return np.maximum(x @ params["reduce"]["kernel"], 0) @ params["expand"]["kernel"]


def squeezed(params, x):
    return logistic(excited(params["excitation"], x.mean((1, 2))))[:, None, None] * x


def refined(params, x):
    """CBAM, its convolution written out as a sum over the taps."""
    means, largest = (excited(params["excitation"], seen) for seen in (x.mean((1, 2)), x.max((1, 2))))
    x = logistic(means + largest)[:, None, None] * x
    kernel = params["places"]["kernel"][..., 0]
    seen = np.pad(np.stack([x.mean(3), x.max(3)], 3), ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = x.shape[1:3]
    places = sum(
        (seen[:, i : i + height, j : j + width] * kernel[i, j]).sum(3) for i in range(3) for j in range(3)
    )
    return logistic(places)[..., None] * x


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("name", "expected"), [("se", squeezed), ("cbam", refined)])
def test_it_is_the_formula_of_its_paper(name, expected):
    x = 5 * features(dtype=np.float64)
    params = jax.tree.map(np.float64, LAYERS[name].init(KEY, x)["params"])
    y = np.asarray(LAYERS[name].apply({"params": params}, x))
    np.testing.assert_allclose(y, expected(params, x), atol=1e-12)
    assert np.abs(y / x - 0.5).max() > 0.05  # the gates are not all alike


def test_it_keeps_the_dtype():
    x = features(dtype=jnp.bfloat16)
    for layer in LAYERS.values():
        y, variables = jax.eval_shape(lambda layer=layer: layer.init_with_output(KEY, x))
        assert y.dtype == jnp.bfloat16
        assert {leaf.dtype.name for leaf in jax.tree.leaves(variables)} == {"float32"}


def test_squeeze_and_excitation_knows_no_places_and_cbam_does():
    x = features()
    mixed = x[:, ::-1, np.random.default_rng(1).permutation(6)]
    for name, layer in LAYERS.items():
        gates = np.asarray(layer.apply(layer.init(KEY, x), np.r_[x, mixed])) / np.r_[x, mixed]
        assert 0 < gates.min() < gates.max() < 1
        if name == "se":
            np.testing.assert_allclose(gates, gates[:, :1, :1] + np.zeros_like(gates), rtol=1e-4)
            np.testing.assert_allclose(gates[:3, 0, 0], gates[3:, 0, 0], rtol=1e-4)
        else:
            assert np.ptp(gates[:, :, :, 0], (1, 2)).min() > 1e-3


@pytest.mark.parametrize(
    ("layer", "count"),
    [
        (nn.SqueezeExcite(), 32 * 2 + 2 * 32),
        (nn.SqueezeExcite(reduction=100), 32 * 1 + 1 * 32),
        (nn.CBAM(), 32 * 2 + 2 * 32 + 7 * 7 * 2),
        (nn.CBAM(reduction=8, window=3), 32 * 4 + 4 * 32 + 3 * 3 * 2),
    ],
)
def test_parameters_are_those_counted_by_hand(layer, count):
    params = jax.eval_shape(layer.init, KEY, jnp.zeros((1, 4, 4, 32)))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


@pytest.mark.parametrize(
    ("attention", "more"),
    [("none", 0), ("se", 2 * 32 * 4 + 2 * 64 * 8), ("cbam", 2 * 32 * 4 + 2 * 64 * 8 + 2 * 7 * 7 * 2)],
)
def test_the_classifier_has_so_many_parameters_more(attention, more):
    network = cnn.Network(cnn.Config(attention=attention))
    assert network_cost(network, (28, 28, 1)).parameters == 225_034 + more
    assert {"none": 0, "se": 1_280, "cbam": 1_476}[attention] == more


def test_the_classifier_without_attention_is_the_network_of_the_examples():
    images = np.random.default_rng(0).uniform(size=(2, 12, 11, 1)).astype(np.float32)
    configs = {name: cnn.Config(image_size=(12, 11), features=4, attention=name) for name in ("none", "cbam")}
    started = {name: jax.jit(cnn.build(config).init)(KEY).network.params for name, config in configs.items()}
    params = started["none"]

    @jax.jit
    def logits(params, x):
        for name in ("Conv2D_0", "Conv2D_1"):
            x = (
                ops.conv2d(x, params[name]["kernel"], padding="VALID")
                + params[name]["bias"][None, None, None]
            )
            x = ops.max_pool2d(jnp.maximum(x, 0))
        x = jnp.maximum(x.reshape(2, -1) @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"][None], 0)
        return x @ params["Dense_1"]["kernel"] + params["Dense_1"]["bias"][None]

    apply = jax.jit(lambda params, x: cnn.Network(configs["none"]).apply({"params": params}, x, train=False))
    np.testing.assert_array_equal(apply(params, images), logits(params, images))
    for name, leaves in params.items():  # attention only adds
        jax.tree.map(np.testing.assert_array_equal, leaves, started["cbam"][name])
    assert {*started["cbam"]} - {*params} == {"CBAM_0", "CBAM_1"}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: cnn.Config(attention="self"), "attention is 'self'; it must be one of none, se, cbam"),
        (lambda: nn.CBAM(reduction=0).init(KEY, features()), "reduction is 0; it must be >= 1"),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()
    with pytest.raises(ValueError, match="x has shape"):
        nn.SqueezeExcite().init(KEY, features()[0])
