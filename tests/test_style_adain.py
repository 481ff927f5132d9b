"""AdaIN: statistics exchanged, a decoder that learns, pictures in one pass."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import parallel
from jaxgan.steps import Adam
from jaxgan.style import adain
from jaxgan.validation import InputError

CONFIG = adain.Config(image_size=(32, 32), features=2, stacks=2, optimizer=Adam(learning_rate=1e-2))
KEY = jax.random.key(0)


def uniform(seed, *shape):
    return jax.random.uniform(jax.random.key(seed), shape)


@functools.cache
def stylist():
    return adain.build(CONFIG)


@functools.cache
def initial():
    return jax.device_get(parallel.compile_function(stylist().init)(KEY))


BATCH = {
    "image": np.asarray(uniform(1, 4, 32, 32, 3)),
    "target": np.asarray(uniform(2, 4, 32, 32, 3)) ** 2,
}


def test_exchanged_maps_have_the_statistics_of_the_style_and_the_pattern_of_the_content():
    content, style = uniform(0, 2, 5, 6, 3), 3 * uniform(1, 2, 4, 4, 3) - 1
    found = np.asarray(adain.exchange(content, style), np.float64)
    wanted = np.asarray(style, np.float64)
    np.testing.assert_allclose(found.mean((1, 2)), wanted.mean((1, 2)), atol=1e-4)
    np.testing.assert_allclose(found.std((1, 2)), wanted.std((1, 2)), rtol=1e-3)
    for image, maps in zip(np.asarray(content), found, strict=True):
        for channel in range(3):
            assert np.corrcoef(image[..., channel].ravel(), maps[..., channel].ravel())[0, 1] > 0.999


def test_the_decoder_learns_and_the_encoder_stays():
    step = parallel.compile_function(stylist().step)
    state, losses = initial(), []
    for _ in range(12):
        state, metrics = step(state, BATCH, KEY)
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.7 * losses[0]
    assert float(metrics["loss"]) == pytest.approx(
        float(metrics["content_loss"] + CONFIG.style_weight * metrics["style_loss"]), rel=1e-5
    )
    jax.tree.map(np.testing.assert_array_equal, state.encoder, initial().encoder)
    assert int(state.step) == 12


def test_a_divided_batch_gives_the_same_step():
    together, expected = parallel.compile_function(stylist().step)(initial(), BATCH, KEY)
    halves = {name: each.reshape(2, 2, 32, 32, 3) for name, each in BATCH.items()}
    mapped = jax.vmap(stylist().step, in_axes=(None, 0, None), out_axes=None, axis_name="batch")
    apart, found = parallel.compile_function(mapped)(initial(), halves, KEY)
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-5)
    for a, b in zip(jax.tree.leaves(apart), jax.tree.leaves(together), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_styles_are_blended_and_the_strength_goes_from_the_content_to_them():
    first, second = BATCH["target"][:1], 1 - BATCH["image"][1:2, :24]
    content = BATCH["image"][:1]

    @parallel.compile_function
    def run(state):
        make = functools.partial(stylist().stylize, state, content)
        return {
            "first": make([first]),
            "both": make([first, second], shares=jnp.float32([1, 0])),
            "mixed": make([first, second], shares=jnp.float32([3, 1])),
            "alike": make([first, first]),
            "none": make([first], strength=0.0),
            "other none": make([second], strength=0.0),
        }

    found = jax.device_get(run(initial()))
    for name in ("both", "alike"):
        np.testing.assert_allclose(found[name], found["first"], atol=1e-5)
    np.testing.assert_allclose(found["none"], found["other none"], atol=1e-5)
    assert np.abs(found["mixed"] - found["first"]).max() > 1e-3
    assert all(0 <= each.min() <= each.max() <= 1 for each in found.values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"channels": 1}, "channels is 1; it must be 3"),
        ({"stacks": 6}, "stacks is 6"),
        ({"image_size": (34, 64), "stacks": 3}, "image_size is (34, 64); it must be multiples of 4"),
        ({"image_size": (16, 16)}, "each at least 32"),
        ({"style_weight": -1.0}, "style_weight is -1.0"),
        ({"depth": 12}, "depth is 12"),
    ],
)
def test_bad_settings_are_named(change, words):
    with pytest.raises(InputError) as raised:
        adain.Config(**change)
    assert words in str(raised.value)
