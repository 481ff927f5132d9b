"""The contract that every model of the zoo keeps."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import parallel, zoo
from jaxgan.checkpoint import Checkpoints
from jaxgan.steps import GAN, Built, Stylist, Translator
from jaxgan.steps.state import apply_network, parameter_count

KEY = jax.random.key(0)
TINY = {"image_size": (12, 12), "features": 2}
PATCHES = {"patch_features": 2, "patch_halvings": 1}
SMALLER = {
    "r3gan": {"blocks": 1, "group_width": 2},
    "vgg": {"depth": 11, "image_size": (32, 32)},
    "pix2pix": {"image_size": (16, 16), "patch_features": 2},
    "cyclegan": {
        "image_size": (16, 16),
        "patch_features": 2,
        "patch_halvings": 1,
        "blocks": 1,
        "pool_size": 3,
    },
    "adain": {"image_size": (32, 32), "stacks": 2},
}
"""What others need; where VGG's maps are single pixels, normalisation leaves gradients of rounding errors."""
QUICK = {
    ("cnn", "pmap"),
    *((name, "shard_map") for name in ("dcgan", "wgan_gp", "cyclegan", "adain")),
}
"""Which models, run how, the fast tests compare with ``jax.jit``; the slow ones compare all."""
OF_GANS = [name for name in zoo.names() if zoo.folders()[name] == "gans"]
TRANSLATORS = [name for name in OF_GANS if zoo.domains(zoo.get(name).config())]
GANS = [name for name in OF_GANS if name not in TRANSLATORS]


@functools.cache
def built(name):
    model = zoo.get(name)
    config = model.config(**TINY | SMALLER.get(name, {}))
    return model, config, model.build(config)


def batch(config):
    generator = np.random.default_rng(0)
    count = 4 * getattr(getattr(config, "game", None), "discriminator_steps", 1)
    shape = (count, *config.image_size, config.channels)
    labels = generator.integers(0, zoo.num_classes(config) or 1, count)
    image, target = (generator.uniform(*config.value_range, shape).astype(np.float32) for _ in range(2))
    return {"image": image, "target": target, "label": labels.astype(np.int32)}


@functools.cache
def initial(name):
    return jax.device_get(parallel.compile_function(built(name)[2].init)(KEY))


@functools.cache
def compiled(name, mode):
    return parallel.layout(mode).compile(built(name)[2].step)


def step(name, mode, state):
    """One compiled step; the state given stays."""
    layout = parallel.layout(mode)
    inputs = layout.put_state(state), layout.put_batch(batch(built(name)[1])), layout.put_state(KEY)
    return compiled(name, mode)(*inputs)


@functools.cache
def stepped(name, mode):
    """The state before and after two compiled steps, and the metrics."""
    before = initial(name)
    state, metrics = step(name, mode, jax.device_get(step(name, mode, before)[0]))
    return before, state, jax.device_get(metrics)


def assert_equal(first, second):
    jax.tree.map(np.testing.assert_array_equal, first, second)


@pytest.mark.smoke
@pytest.mark.parametrize("name", zoo.trainable())
def test_the_module_says_what_it_is(name):
    model, config, trainable = built(name)
    assert isinstance(trainable, Built)
    assert model.summary
    assert all(recipe.steps > 0 for recipe in model.recipes.values())
    assert model.networks(config)


@pytest.mark.smoke
@pytest.mark.parametrize("name", zoo.trainable())
def test_a_step_keeps_the_structure_and_moves_the_numbers(name):
    before, state, metrics = stepped(name, "jit")
    described = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), (before, state))
    assert described[0] == described[1]
    assert int(state.step) == 2
    assert metrics
    assert all(np.shape(value) == () and np.isfinite(value) for value in metrics.values())
    changed = jax.tree.map(lambda a, b: not np.array_equal(a, b), before, state)
    assert np.mean(jax.tree.leaves(changed)) > 0.5


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        pytest.param(name, mode, marks=() if (name, mode) in QUICK else pytest.mark.slow)
        for name in zoo.trainable()
        for mode in ("pmap", "shard_map")
    ],
)
def test_every_way_of_running_gives_the_same(name, mode):
    for a, b in zip(*(jax.tree.leaves(stepped(name, m)[1]) for m in ("jit", mode)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("name", GANS)
def test_a_discriminator_said_to_judge_each_image_alone_does(name):
    """Else one backward pass would not be enough for both players."""
    _, config, trainable = built(name)
    rules = trainable.step.args[0]
    state = initial(name).discriminator

    def judge(images):
        logits, _ = apply_network(rules.discriminator, state.params, state.model_state, KEY, images)
        return logits

    images = jnp.asarray(batch(config)["image"])
    alone, together = (parallel.compile_function(judge)(each) for each in (images[:1], images))
    assert rules.per_image
    np.testing.assert_allclose(alone, together[:1], rtol=1e-4, atol=1e-6)


@pytest.mark.smoke
@pytest.mark.parametrize("name", zoo.trainable())
def test_a_state_survives_a_checkpoint(name, tmp_path):
    state = stepped(name, "jit")[1]
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(2, state, {"at": [1, 2]})
    checkpoints.close()
    found = Checkpoints(tmp_path).restore(parallel.layout().abstract_state(state), say=pytest.fail)
    assert_equal(found.state, state)
    assert jax.tree.structure(found.state) == jax.tree.structure(state)


@pytest.mark.smoke
@pytest.mark.parametrize("name", zoo.trainable())
def test_what_it_makes_is_in_range(name):
    _, config, trainable = built(name)
    state = stepped(name, "jit")[1]
    if isinstance(trainable, GAN):
        images = parallel.compile_function(trainable.sample, static_argnums=(2,))(state, KEY, 3)
        assert images.shape == (3, *config.image_size, config.channels)
        low, high = config.value_range
        assert low <= images.min() < images.max() <= high
    elif isinstance(trainable, Translator):
        given = jnp.asarray(batch(config)["image"])
        for direction in trainable.directions:
            translate = functools.partial(trainable.translate, direction=direction)
            images = parallel.compile_function(translate)(state, given)
            low, high = config.value_range
            assert images.shape == given.shape
            assert low <= images.min() < images.max() <= high
    elif isinstance(trainable, Stylist):
        given = batch(config)
        styles = [jnp.asarray(given["target"])]
        images = parallel.compile_function(trainable.stylize)(state, jnp.asarray(given["image"]), styles)
        low, high = config.value_range
        assert images.shape == given["image"].shape
        assert low <= images.min() < images.max() <= high
    else:
        shares = parallel.compile_function(trainable.predict)(state, jnp.asarray(batch(config)["image"]))
        np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)


@pytest.mark.smoke
@pytest.mark.parametrize("name", GANS)
@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_players_update_leaves_the_other_alone(name, player):
    """A player that learns nothing stays bit for bit the same, whatever the other one does."""
    before = initial(name)
    still = jax.tree.map(jnp.asarray, before)
    getattr(still, player).opt_state.hyperparams["learning_rate"] = jnp.float32(0)
    after, _ = step(name, "jit", still)
    assert_equal(getattr(before, player).params, getattr(after, player).params)
    other = {"generator": "discriminator", "discriminator": "generator"}[player]
    same = jax.tree.map(np.array_equal, getattr(before, other).params, getattr(after, other).params)
    assert not all(jax.tree.leaves(same))


@pytest.mark.smoke
@pytest.mark.parametrize("name", TRANSLATORS)
@pytest.mark.parametrize("player", ["generators", "discriminators"])
def test_a_translators_players_leave_each_other_alone(name, player):
    """In each direction; a learning rate is that of a network of its own."""
    before = initial(name)
    still = jax.tree.map(jnp.asarray, before)
    for net in getattr(still, player).values():
        net.opt_state.hyperparams["learning_rate"] = jnp.float32(0)
    after, _ = step(name, "jit", still)
    other = {"generators": "discriminators", "discriminators": "generators"}[player]
    for direction in built(name)[2].directions:
        old, new = (getattr(each, player)[direction].params for each in (before, after))
        assert_equal(old, new)
        old, new = (getattr(each, other)[direction].params for each in (before, after))
        assert not all(jax.tree.leaves(jax.tree.map(np.array_equal, old, new)))


@pytest.mark.smoke
@pytest.mark.parametrize("name", GANS)
def test_with_classes_labels_reach_both_networks(name):
    """Traced, not computed: the networks of the game take labels, and their params know the classes."""
    model = zoo.get(name)
    config = dataclasses.replace(built(name)[1], num_classes=3)
    gan = model.build(config)
    state, plain = (jax.eval_shape(build.init, KEY) for build in (gan, built(name)[2]))
    for player in ("generator", "discriminator"):
        counts = [parameter_count(getattr(each, player).params) for each in (state, plain)]
        assert counts[0] > counts[1]
    stepped, _ = jax.eval_shape(gan.step, state, batch(config), KEY)
    assert jax.tree.structure(stepped) == jax.tree.structure(state)
    labels = jnp.array([0, 2, 1])
    images = jax.eval_shape(lambda state: gan.sample(state, KEY, 3, labels), state)
    assert images.shape == (3, *config.image_shape)
