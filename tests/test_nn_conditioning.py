"""Conditioning on labels: each layer against NumPy, which looks rows up by their numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import nn

KEY = jax.random.key(0)
CLASSES = 5
LABELS = np.array([3, 0, 3, 1], np.int32)
PRESENT = [0, 1, 3]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def scaled(params, x, train):
    """The layer with these params, and running averages that are not those of the batch."""
    averages = {"mean": jnp.full(x.shape[-1], 0.5), "variance": jnp.full(x.shape[-1], 2.0)}
    return nn.ConditionalBatchNorm(CLASSES).apply(
        {"params": params, "batch_stats": averages}, x, LABELS, train=train, mutable=["batch_stats"]
    )


@pytest.mark.parametrize("train", [False, True])
def test_classes_that_are_alike_give_batch_normalisation(train):
    x, scale, bias = normal(4, 3, 2, 6), normal(6, seed=1), normal(6, seed=2)
    averages = {"mean": jnp.full(6, 0.5), "variance": jnp.full(6, 2.0)}
    wanted, after = nn.BatchNorm().apply(
        {"params": {"scale": scale, "bias": bias}, "batch_stats": averages},
        x,
        train=train,
        mutable=["batch_stats"],
    )
    rows = {"scale": np.tile(scale, (CLASSES, 1)), "bias": np.tile(bias, (CLASSES, 1))}
    found, same = scaled(rows, x, train)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, same, after)
    assert train == bool(np.any(after["batch_stats"]["mean"] != 0.5))


@pytest.mark.parametrize("shape", [(4, 6), (4, 3, 2, 6)])
def test_each_example_is_scaled_and_shifted_by_the_row_of_its_class(shape):
    x, scale, bias = normal(*shape), normal(CLASSES, 6, seed=1), normal(CLASSES, 6, seed=2)
    found, _ = scaled({"scale": scale, "bias": bias}, x, train=False)
    for y, example, label in zip(found, x, LABELS, strict=True):
        wanted = scale[label] * (example - 0.5) / np.sqrt(2.0 + 1e-3) + bias[label]
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)


def test_the_projection_is_the_product_with_the_row_of_the_class():
    features, embedding = normal(4, 7), normal(CLASSES, 7, seed=1)
    found = nn.Projection(CLASSES).apply({"params": {"embedding": embedding}}, features, LABELS)
    np.testing.assert_allclose(found, (embedding[LABELS] * features).sum(1), rtol=1e-5)


@pytest.mark.parametrize("shape", [(4, 7), (4, 3, 2, 1)])
def test_labels_stand_beside_every_place(shape):
    x = normal(*shape)
    found = np.asarray(nn.concatenate_labels(x, LABELS, num_classes=CLASSES))
    np.testing.assert_array_equal(found[..., : shape[-1]], x)
    for planes, label in zip(found[..., shape[-1] :], LABELS, strict=True):
        np.testing.assert_array_equal(planes, np.broadcast_to(np.eye(CLASSES)[label], planes.shape))


@pytest.mark.parametrize("name", ["scale", "bias", "embedding"])
def test_gradients_reach_the_rows_of_the_classes_at_hand(name):
    x = normal(4, 6)
    if name == "embedding":
        params = {"embedding": normal(CLASSES, 6, seed=1)}
        output = lambda params: nn.Projection(CLASSES).apply({"params": params}, x, LABELS)  # noqa: E731
    else:
        params = {"scale": normal(CLASSES, 6, seed=1), "bias": normal(CLASSES, 6, seed=2)}
        output = lambda params: scaled(params, x, True)[0]  # noqa: E731
    gradient = jax.grad(lambda params: (output(params) ** 2).sum())(params)[name]
    assert np.flatnonzero(np.any(gradient != 0, axis=1)).tolist() == PRESENT


def test_layers_keep_the_dtype_and_begin_as_they_say():
    x = normal(4, 6).astype(jnp.bfloat16)
    y, variables = nn.ConditionalBatchNorm(CLASSES).init_with_output(KEY, x, LABELS, train=True)
    assert y.dtype == nn.concatenate_labels(x, LABELS, num_classes=CLASSES).dtype == jnp.bfloat16
    np.testing.assert_array_equal(variables["params"]["scale"], np.ones((CLASSES, 6), np.float32))
    np.testing.assert_array_equal(variables["params"]["bias"], np.zeros((CLASSES, 6), np.float32))
    logits, variables = nn.Projection(CLASSES).init_with_output(KEY, x, LABELS)
    assert logits.dtype == jnp.bfloat16
    assert (variables["params"]["embedding"].shape, variables["params"]["embedding"].dtype) == (
        (CLASSES, 6),
        jnp.float32,
    )


@pytest.mark.parametrize(
    "labels", [LABELS[:3], LABELS[:, np.newaxis], LABELS.astype(np.float32), np.int32(3)]
)
def test_labels_that_do_not_fit_are_refused(labels):
    x, labels = jnp.ones((4, 6)), jnp.asarray(labels)
    for layer in (nn.ConditionalBatchNorm(CLASSES), nn.Projection(CLASSES)):
        options = {"train": True} if isinstance(layer, nn.ConditionalBatchNorm) else {}
        with pytest.raises(ValueError, match=r"do not fit: \[N, ..., C\] and int32\[N\]"):
            layer.init(KEY, x, labels, **options)
    with pytest.raises(ValueError, match="do not fit"):
        nn.concatenate_labels(x, labels, num_classes=CLASSES)


def test_features_with_places_are_not_projected():
    with pytest.raises(ValueError, match=r"features have shape \(4, 3, 3, 2\)"):
        nn.Projection(CLASSES).init(KEY, jnp.ones((4, 3, 3, 2)), jnp.asarray(LABELS))
