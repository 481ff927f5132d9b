"""Style transfer: the loss, the colours, the step, and all of it against PyTorch."""

import dataclasses
import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import unflatten_dict
from references import style as reference
from references import vision

from jaxgan import foreign, parallel, published
from jaxgan.style import colors, encoders, gatys, objective
from jaxgan.validation import InputError

FOLDER = Path(reference.__file__).parent
LAYERS = ("relu1_1", "relu2_1")


def uniform(seed, *shape):
    return jax.random.uniform(jax.random.key(seed), shape)


@functools.cache
def encoder():
    config = encoders.random_config(depth=11, features=2)
    draw = parallel.compile_function(functools.partial(encoders.random, config=config))
    return encoders.Encoder("random", config, draw(jax.random.key(0)))


def settings(**others):
    return gatys.Config(content_layers=("relu2_1",), style_layers=LAYERS, **others)


def wanted_by(stylizer, *, styles=1, masks=None, weights=None):
    pictures = [uniform(seed + 1, 1, 32, 40, 3) for seed in range(styles)]
    weights = [jnp.float32(each) for each in weights or [1] * styles]
    return stylizer.want(uniform(0, 1, 32, 32, 3), pictures, weights, masks or [None] * styles)


@pytest.mark.slow
@pytest.mark.parametrize("pooling", reference.POOLINGS)
def test_loss_and_gradient_are_those_of_pytorch(pooling):
    config = published.configuration(reference.NETWORK)
    shapes = json.loads((FOLDER / "vision.json").read_text())["networks"][reference.NETWORK]["shapes"]
    flat = foreign.convert(config, Path(reference.NETWORK), vision.random_state(shapes))
    config = dataclasses.replace(config, pooling=pooling)
    seer = encoders.Encoder("theirs", config, unflatten_dict(flat, sep="."))
    stylizer = gatys.build(
        seer,
        gatys.Config(
            content_layers=reference.CONTENT,
            style_layers=reference.STYLE,
            **{f"{name}_weight": value for name, value in reference.WEIGHTS.items()},
        ),
    )

    def run(image, content, style):
        wanted = stylizer.want(content, [style], [jnp.float32(1)], [None])
        gradient = jax.grad(lambda image: stylizer.measure(image, wanted)["loss"])(image)
        return stylizer.measure(image, wanted), gradient

    found, gradient = jax.device_get(parallel.compile_function(run)(*reference.pictures()))
    expected = json.loads((FOLDER / "style.json").read_text())["found"][pooling]
    names = {"loss": "loss", "content_loss": "content", "style_loss": "style", "variation": "variation"}
    for name, theirs in names.items():
        np.testing.assert_allclose(found[name], expected[theirs], rtol=1e-3, err_msg=name)
    np.testing.assert_allclose(np.linalg.norm(gradient), expected["gradient_norm"], rtol=1e-3)
    values = gradient.ravel()[vision.places(0, gradient.size)]
    scale = expected["gradient_norm"] / gradient.size**0.5
    np.testing.assert_allclose(values, expected["gradient"], atol=1e-3 * scale, rtol=1e-3)


def test_a_gram_matrix_counts_places_by_the_mask():
    maps = uniform(0, 2, 4, 6, 3)
    half = jnp.zeros((2, 4, 6, 1)).at[:, :, :3].set(1.0)
    np.testing.assert_allclose(objective.gram(maps, half), objective.gram(maps[:, :, :3]), rtol=1e-5)
    np.testing.assert_allclose(
        objective.gram(maps, jnp.full_like(half, 0.3)), objective.gram(maps), rtol=1e-5
    )
    flat = np.asarray(maps, np.float64).reshape(2, 24, 3)
    expected = np.einsum("npi,npj->nij", flat, flat) / 24
    np.testing.assert_allclose(objective.gram(maps), expected, rtol=1e-5)
    assert not np.isnan(objective.gram(maps, jnp.zeros_like(half))).any()


def test_variation_of_a_ramp_is_the_square_of_its_slope():
    ramp = jnp.broadcast_to(0.1 * jnp.arange(8.0)[None, :, None, None], (1, 8, 5, 3))
    np.testing.assert_allclose(objective.variation(ramp), [0.01], rtol=1e-5)


def test_the_loss_is_nothing_where_content_and_style_are_the_picture():
    picture = uniform(0, 1, 32, 32, 3)
    stylizer = gatys.build(encoder(), settings(variation_weight=0.0))

    def run(picture):
        return stylizer.measure(picture, stylizer.want(picture, [picture], [jnp.float32(1)], [None]))

    found = parallel.compile_function(run)(picture)
    assert float(found["loss"]) == pytest.approx(0, abs=1e-6)
    assert float(found["variation"]) > 0


def test_styles_are_blended_by_their_weights():
    stylizer = gatys.build(encoder(), settings())

    @parallel.compile_function
    def losses():
        picture = uniform(9, 1, 32, 32, 3)
        both = wanted_by(stylizer, styles=2, weights=[0.25, 0.75])
        single = [both._replace(styles=[style._replace(weight=jnp.float32(1))]) for style in both.styles]
        return [stylizer.measure(picture, each)["style_loss"] for each in (both, *single)]

    both, first, second = losses()
    np.testing.assert_allclose(both, 0.25 * first + 0.75 * second, rtol=1e-5)


def test_a_style_outside_its_mask_asks_for_nothing():
    stylizer = gatys.build(encoder(), settings(variation_weight=0.0, content_weight=0.0))
    mask = jnp.zeros((1, 32, 32, 1)).at[:, :, :16].set(1.0)

    @parallel.compile_function
    def slope():
        wanted = wanted_by(stylizer, masks=[mask])
        return jax.grad(lambda image: stylizer.measure(image, wanted)["loss"])(uniform(9, 1, 32, 32, 3))

    found = np.abs(slope()[0]).max((0, 2))
    assert found[:16].min() > 0
    assert found[22:].max() == 0  # beyond what a window reaches over the edge


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_many_steps_in_one_loop_are_the_same_as_one_by_one_and_lower_the_loss(optimizer):
    stylizer = gatys.build(encoder(), settings(optimizer=optimizer, learning_rate=1e-3))
    wanted = parallel.compile_function(lambda: wanted_by(stylizer))()
    step = parallel.compile_function(stylizer.step)
    state = start = stylizer.init(uniform(9, 1, 32, 32, 3))
    losses = []
    for _ in range(4):
        state, metrics = step(state, wanted)
        losses.append(float(metrics["loss"]))
    repeat = parallel.compile_function(functools.partial(gatys.repeat, stylizer), static_argnums=(2,))
    together, found = repeat(start, wanted, 4)
    np.testing.assert_allclose(found, losses, rtol=1e-4)
    np.testing.assert_allclose(together.images, state.images, atol=1e-4)
    assert int(together.step) == 4
    assert losses == sorted(losses, reverse=True)
    if optimizer == "adam":
        assert 0 <= float(state.images.min()) <= float(state.images.max()) <= 1


def test_lbfgs_knows_the_loss_that_its_line_search_found():
    """Else every step would see the picture once more than it needs to."""
    stylizer = gatys.build(encoder(), settings())
    wanted = parallel.compile_function(lambda: wanted_by(stylizer))()
    state, _ = parallel.compile_function(stylizer.step)(stylizer.init(uniform(9, 1, 32, 32, 3)), wanted)
    measured = parallel.compile_function(stylizer.measure)(state.images, wanted)
    _, metrics = parallel.compile_function(stylizer.step)(state, wanted)
    np.testing.assert_allclose(metrics["loss"], measured["loss"], rtol=1e-5)


def test_matched_colours_have_the_moments_of_the_others():
    pictures, others = 0.3 + 0.3 * uniform(0, 2, 9, 9, 3), 0.4 + 0.2 * uniform(1, 2, 7, 5, 3)
    found = np.asarray(colors.match(pictures, others), np.float64).reshape(2, -1, 3)
    wanted = np.asarray(others, np.float64).reshape(2, -1, 3)
    np.testing.assert_allclose(found.mean(1), wanted.mean(1), atol=1e-5)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(np.cov(ours.T, bias=True), np.cov(theirs.T, bias=True), atol=2e-5)


def test_a_picture_with_its_own_colours_stays():
    pictures = uniform(0, 1, 8, 8, 3)
    np.testing.assert_allclose(colors.match(pictures, pictures[:, ::-1]), pictures, atol=1e-4)
    grey = jnp.full((1, 4, 4, 3), 0.5)
    assert np.isfinite(colors.match(grey, pictures)).all()


def test_random_kernels_are_orthogonal():
    for name, layer in encoder().variables["params"].items():
        kernel = np.asarray(layer["kernel"]).reshape(-1, layer["kernel"].shape[-1])
        product = kernel.T @ kernel
        np.testing.assert_allclose(product, 2 * np.eye(len(product)), atol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: gatys.Config(style_weight=-1.0), "style_weight is -1.0; it must be >= 0"),
        (lambda: gatys.Config(optimizer="sgd"), "optimizer is 'sgd'; it must be one of lbfgs, adam"),
        (lambda: gatys.Config(learning_rate=0.0), "learning_rate is 0.0"),
        (lambda: gatys.Config(memory=0), "memory is 0"),
        (
            lambda: gatys.build(encoder(), gatys.Config(content_layers=("relu9_1",))),
            "content_layers is 'relu9_1'; it must be one of conv1_1, relu1_1, pool1, conv2_1",
        ),
        (lambda: gatys.build(encoder(), gatys.Config(style_layers=())), "at least one layer"),
    ],
)
def test_bad_settings_are_named(make, words):
    with pytest.raises(InputError) as raised:
        make()
    assert words in str(raised.value)
