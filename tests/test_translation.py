"""Translators: their pool, their losses by closed forms, their noise, and the sizes they refuse."""

import dataclasses
import functools
import itertools

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import nn, parallel
from jaxgan.gans import cyclegan, pix2pix
from jaxgan.steps import Adam, Translation, translator
from jaxgan.steps.pool import exchange, init_pool
from jaxgan.validation import InputError

KEY = jax.random.key(0)
PIX2PIX = pix2pix.Config(image_size=(16, 16), features=2, patch_features=2)
CYCLEGAN = cyclegan.Config(image_size=(16, 16), features=2, blocks=1, patch_features=2, patch_halvings=1)


def numbered(first, count):
    """Images of one pixel that are their own numbers."""
    return jnp.arange(first, first + count, dtype=jnp.float32).reshape(-1, 1, 1, 1)


# -- the pool --


def test_a_pool_that_is_not_full_gives_back_what_it_is_given():
    pool, given = exchange(init_pool(5, (1, 1, 1)), numbered(0, 4), KEY)
    np.testing.assert_array_equal(given, numbered(0, 4))
    assert int(pool.filled) == 4
    np.testing.assert_array_equal(pool.images[:4], numbered(0, 4))


def test_a_full_pool_exchanges_half_the_time_and_loses_nothing():
    """What was given to it is either still there or was given back, and nothing twice."""
    pool = init_pool(50, (1, 1, 1))
    pool, first = jax.jit(exchange)(pool, numbered(1, 50), KEY)
    pool, given = jax.jit(exchange)(pool, numbered(51, 2000), jax.random.key(1))
    kept, returned = np.asarray(pool.images).ravel(), np.asarray(given).ravel()
    np.testing.assert_array_equal(np.sort([*kept, *returned]), np.arange(1, 2051))
    old = (returned != np.arange(51, 2051)).mean()
    assert 0.45 < old < 0.55
    np.testing.assert_array_equal(first, numbered(1, 50))


def test_a_pool_is_that_of_the_whole_batch_however_it_is_divided():
    pool, _ = exchange(init_pool(3, (1, 1, 1)), numbered(0, 3), KEY)
    expected, whole = exchange(pool, numbered(3, 8), KEY)
    parts = numbered(3, 8).reshape(4, 2, 1, 1, 1)
    found, given = jax.vmap(exchange, in_axes=(None, 0, None), axis_name="batch")(pool, parts, KEY)
    np.testing.assert_array_equal(given.reshape(whole.shape), whole)
    for part in range(4):
        jax.tree.map(lambda a, b, part=part: np.testing.assert_array_equal(a[part], b), found, expected)


# -- losses --


class Shift(linen.Module):
    """Adds a number to an image."""

    @linen.compact
    def __call__(self, images, *, train):
        del train
        return images + self.param("shift", linen.initializers.constant(0.25), (), jnp.float32)


class Mean(linen.Module):
    """Judges each pixel by its channels' mean, scaled."""

    @linen.compact
    def __call__(self, images, *, train):
        del train
        return images.mean(-1) * self.param("scale", linen.initializers.ones_init(), (), jnp.float32)


def metrics_of(directions, *, weights, **options):
    config = Translation(loss="least_squares", generator=Adam(learning_rate=1e-3), **options)
    made = translator(
        Shift(),
        Mean(),
        directions=directions,
        image_shape=(2, 2, 1),
        config=config,
        conditional=False,
        weights=weights,
    )
    batch = {"image": jnp.full((2, 2, 2, 1), 0.5), "target": jnp.zeros((2, 2, 2, 1))}
    state = made.init(KEY)
    return state, *jax.jit(made.step)(state, batch, KEY)


def test_the_losses_are_those_of_their_equations():
    """A shift by a quarter: there and back it is one by a half, of what belongs there already a quarter."""
    weights = {"cycle_weight": 10.0, "identity_weight": 5.0, "l1_weight": 0.0}
    state, after, metrics = metrics_of(("a_to_b", "b_to_a"), weights=weights)
    assert metrics["cycle_loss"] == 0.5
    assert metrics["identity_loss"] == 0.25
    assert "l1_loss" not in metrics
    fakes = {"a_to_b": 0.75, "b_to_a": 0.25}
    reals = {"a_to_b": 0.0, "b_to_a": 0.5}
    losses = [((reals[d] - 1) ** 2 + fakes[d] ** 2) / 2 for d in fakes]
    np.testing.assert_allclose(metrics["discriminator_loss"], np.mean(losses), rtol=1e-6)
    adversarial = [(fake - 1) ** 2 / 2 for fake in fakes.values()]
    np.testing.assert_allclose(metrics["generator_loss"], np.mean(adversarial), rtol=1e-6)
    # d/ds of 10 * |s + s'| in both directions, of 5 * |s| in its own and of (fake - 1)^2 / 2.
    slopes = [10 * 2 + 5 + fake - 1 for fake in fakes.values()]
    np.testing.assert_allclose(metrics["generator_gradient_norm"], np.hypot(*slopes), rtol=1e-6)
    moved = [after.generators[d].params["shift"] - state.generators[d].params["shift"] for d in fakes]
    np.testing.assert_allclose(moved, [-1e-3, -1e-3], rtol=1e-3)


def test_the_truth_pulls_by_its_weight():
    _, after, metrics = metrics_of(("a_to_b",), weights={"l1_weight": 100.0}, adversarial_weight=0.0)
    assert metrics["l1_loss"] == 0.75
    assert metrics["generator_gradient_norm"] == 100
    assert set(after.weights) == {"adversarial_weight", "discriminator_weight", "l1_weight"}


def test_a_cycle_takes_two_directions():
    with pytest.raises(InputError, match=r"cycle_weight is 10.0; it must be 0 for one direction"):
        metrics_of(("a_to_b",), weights={"cycle_weight": 10.0})


# -- networks --


def test_the_papers_networks_have_their_sizes():
    """Patches of 70 pixels; parameters counted by hand from the papers' tables, without scales and biases."""
    assert nn.patch_side(3) == 70
    key, image = jax.eval_shape(lambda: KEY), jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)

    def kernels(network, shape=image):
        init = functools.partial(network.init, train=False)
        params = jax.eval_shape(init, key, shape)["params"]
        return sum(leaf.size for path, leaf in jax.tree_util.tree_leaves_with_path(params) if leaf.ndim == 4)

    down = [3, 64, 128, 256, 512, 512, 512, 512, 512]
    up = [(512, 512), (1024, 512), (1024, 512), (1024, 512), (1024, 256), (512, 128), (256, 64), (128, 3)]
    expected = 16 * (sum(a * b for a, b in itertools.pairwise(down)) + sum(a * b for a, b in up))
    generator, discriminator = (network for network, _ in pix2pix.networks(pix2pix.FACADES.config).values())
    assert kernels(generator) == expected
    pair = jax.ShapeDtypeStruct((1, 256, 256, 6), jnp.float32)
    assert kernels(discriminator, pair) == 16 * (6 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512)
    resnet = cyclegan.networks(cyclegan.HORSES.config)["a_to_b"][0]
    ends = 49 * 2 * 3 * 64 + 9 * 2 * (64 * 128 + 128 * 256)
    assert kernels(resnet) == ends + 9 * 2 * 9 * 256 * 256


@pytest.mark.parametrize("halvings", [1, 2])
def test_a_logit_sees_its_patch_alone(halvings):
    """But for what instance normalisation lets it know of the whole image, which is left out here."""
    network = nn.PatchDiscriminator(features=2, halvings=halvings)
    image = jax.random.normal(KEY, (1, 48, 48, 1))
    variables = network.init(KEY, image, train=False)

    def leave_out_norms(method, given, options, context):
        return given[0] if isinstance(context.module, nn.InstanceNorm) else method(*given, **options)

    @jax.jit
    @jax.grad
    def slopes(image):
        with linen.intercept_methods(leave_out_norms):
            logits = network.apply(variables, image, train=False)[0]
        return logits[logits.shape[0] // 2, logits.shape[1] // 2]

    rows, columns = np.nonzero(slopes(image)[0, :, :, 0])
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == nn.patch_side(halvings)


def test_noise_comes_from_the_key_alone():
    made = pix2pix.build(PIX2PIX)
    state = made.init(KEY)
    images = jax.random.uniform(KEY, (2, 16, 16, 1), minval=-1)
    plain, again = made.translate(state, images), made.translate(state, images)
    np.testing.assert_array_equal(plain, again)
    first, same, other = (made.translate(state, images, key=jax.random.key(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, plain)


def test_an_average_translates_in_place_of_the_network():
    config = dataclasses.replace(PIX2PIX, game=Translation(ema_decay=0.9))
    made = pix2pix.build(config)
    images = jnp.ones((2, 16, 16, 1))
    state = made.init(KEY)
    state, _ = parallel.compile_function(made.step)(state, {"image": images, "target": -images}, KEY)
    other = dataclasses.replace(state, ema_params=jax.tree.map(jnp.zeros_like, state.ema_params))
    assert np.abs(made.translate(state, images)).max() > 0
    assert np.abs(made.translate(other, images)).max() == 0


# -- what is refused --


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: pix2pix.Config(image_size=(36, 32)),
            r"\(36, 32\); it must be two multiples of 2 \*\* depth, 8",
        ),
        (lambda: pix2pix.Config(image_size=(16, 8)), "at least 16 on each side, the side of a patch"),
        (lambda: pix2pix.Config(patch_halvings=2), "at least 34 on each side, the side of a patch after 2"),
        (lambda: pix2pix.Config(depth=1), "depth is 1; it must be >= 2"),
        (lambda: pix2pix.Config(dropout=1.0), r"dropout is 1.0; it must be in \[0, 1\)"),
        (lambda: pix2pix.Config(channels=4), "channels is 4; it must be 1 or 3"),
        (lambda: cyclegan.Config(image_size=(38, 36)), r"two multiples of 2 \*\* halvings, 4"),
        (lambda: cyclegan.Config(image_size=(64, 64), halvings=6), "at least 128 on each side"),
        (lambda: cyclegan.Config(blocks=0), "blocks is 0; it must be >= 1"),
        (lambda: cyclegan.build(dataclasses.replace(CYCLEGAN, cycle_weight=-1.0)), "cycle_weight is -1.0"),
        (lambda: Translation(loss="other"), "loss is 'other'"),
        (
            lambda: Translation(adversarial_weight=-1.0),
            "adversarial_weight is -1.0; it must be >= 0 and finite",
        ),
        (lambda: Translation(compute_dtype="float16"), "compute_dtype is 'float16'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ({"image": (2, 16, 16, 1)}, "the batch has no 'target'"),
        ({"image": (2, 16, 16, 1), "target": (3, 16, 16, 1)}, r"target'\] \(3, 16, 16, 1\)"),
        ({"image": (2, 8, 8, 1), "target": (2, 8, 8, 1)}, r"the model takes \[N, 16, 16, 1\] twice"),
    ],
)
def test_batches_that_do_not_fit_are_refused(batch, words):
    made = pix2pix.build(PIX2PIX)
    given = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in batch.items()}
    with pytest.raises(ValueError, match=words):
        jax.eval_shape(made.step, jax.eval_shape(made.init, KEY), given, KEY)


def test_a_direction_that_there_is_not_is_refused():
    made = pix2pix.build(PIX2PIX)
    with pytest.raises(InputError, match="direction is 'b_to_a'; it must be one of a_to_b"):
        made.translate(made.init(KEY), jnp.zeros((1, 16, 16, 1)), direction="b_to_a")
