"""Seeing what a network sees: closed forms, linear models, and a network of the zoo under jit and vmap."""

import functools

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import interpret, nn, ops, zoo
from jaxgan.classifiers import cnn
from jaxgan.gans import dcgan
from jaxgan.interpret import neighbors
from jaxgan.validation import InputError

SMALL = {
    "cnn": {"image_size": (10, 10), "features": 2, "hidden": 8, "attention": "cbam"},
    "vgg": {"image_size": (8, 8), "features": 2, "channels": 1},
    "resnet": {"image_size": (8, 8), "features": 2, "channels": 1},
    **{
        name: {"image_size": (8, 8), "features": 2, "latent_size": 4}
        for name in ("dcgan", "wgan_gp", "sngan", "sagan", "r3gan")
    },
}


class Averaging(linen.Module):
    """A convolution, a rectifier, the mean over places and a dense layer."""

    @linen.compact
    def __call__(self, images, *, train):
        del train
        maps = nn.Identity(name="relu")(ops.relu(nn.Conv2D(3, window=3)(images)))
        return nn.Dense(4)(maps.mean((1, 2)))


class Linear(linen.Module):
    @linen.compact
    def __call__(self, images, *, train):
        del train
        return nn.Dense(2)(images.reshape(len(images), -1))


def made(network, images):
    return jax.jit(functools.partial(network.init, train=False))(jax.random.key(1), images)


@functools.cache
def drawn(count=3, size=8, channels=2):
    return jax.random.uniform(jax.random.key(0), (count, size, size, channels), jnp.float32)


@functools.cache
def small_cnn():
    network = cnn.Network(cnn.Config(**{**SMALL["cnn"], "attention": "none"}))
    return network, made(network, drawn(1, 10, 1))


def of_linear(images, labels):
    variables = made(Linear(), images)
    score = interpret.score_of(Linear(), variables, select=interpret.of_class(labels))
    weights = variables["params"]["Dense_0"]["kernel"]
    return score, np.asarray(weights.T[labels]).reshape(images.shape)


def test_the_saliency_of_a_linear_model_is_its_weights():
    images, labels = drawn(), jnp.array([1, 0, 1])
    score, weights = of_linear(images, labels)
    np.testing.assert_array_equal(interpret.saliency(score, images), weights)


@pytest.mark.usefixtures("x64")
def test_saliency_is_what_finite_differences_give():
    network, variables = small_cnn()
    variables = jax.tree.map(lambda leaf: leaf.astype(float), variables)
    images = drawn(2, 10, 1).astype(float)
    direction = jax.random.normal(jax.random.key(3), images.shape, float)
    score = interpret.score_of(network, variables, select=interpret.of_class(jnp.array([3, 7])))
    slope = (jax.jit(lambda x: interpret.saliency(score, x))(images) * direction).sum((1, 2, 3))
    ahead, behind = (jax.jit(score)(images + step * direction) for step in (1e-6, -1e-6))
    np.testing.assert_allclose(slope, (ahead - behind) / 2e-6, rtol=1e-5)


def test_smoothgrad_without_noise_is_saliency_and_with_noise_the_mean_of_its_draws():
    network, variables = small_cnn()
    images, labels = drawn(2, 10, 1), jnp.array([3, 7])
    score = interpret.score_of(network, variables, select=interpret.of_class(labels))
    smooth = functools.partial(interpret.smooth_grad, score, images, jax.random.key(5))
    still = jax.jit(lambda: smooth(deviation=0.0, samples=4))()
    slope = jax.jit(lambda: interpret.saliency(score, images))()
    np.testing.assert_allclose(still, slope, rtol=1e-5, atol=1e-7)

    def cube(images):  # whose gradient at x + e is 3 (x + e)^2, on average 3 (x^2 + sigma^2)
        return (images**3).sum((1, 2, 3))

    found = interpret.smooth_grad(cube, images, jax.random.key(5), deviation=0.5, samples=4000)
    np.testing.assert_allclose(found, 3 * (images**2 + 0.25), atol=0.35)
    assert abs(float((found - 3 * (images**2 + 0.25)).mean())) < 0.02


def test_the_noise_of_an_image_does_not_depend_on_those_beside_it():
    images = drawn(3, 10, 1)
    cube = lambda images: (images**3).sum((1, 2, 3))  # noqa: E731
    smooth = functools.partial(interpret.smooth_grad, cube, deviation=0.5, samples=2)
    alone, together = (smooth(each, jax.random.key(5)) for each in (images[:1], images))
    np.testing.assert_array_equal(alone, together[:1])


@pytest.mark.parametrize("baseline", [0.0, 0.25, "noise"])
def test_integrated_gradients_are_exact_on_a_linear_model(baseline):
    images, labels = drawn(), jnp.array([1, 0, 1])
    score, weights = of_linear(images, labels)
    start = drawn(3, 8, 2)[::-1] if baseline == "noise" else baseline
    found = interpret.integrated_gradients(score, images, baseline=start, steps=1)
    np.testing.assert_allclose(found, weights * (images - start), rtol=1e-6)


@pytest.mark.usefixtures("x64")
def test_integrated_gradients_add_up_to_the_difference_of_the_scores():
    network, variables = small_cnn()
    variables = jax.tree.map(lambda leaf: leaf.astype(float), variables)
    images = drawn(3, 10, 1).astype(float)
    score = interpret.score_of(network, variables, select=interpret.of_class(jnp.array([0, 5, 9])))
    integrate = jax.jit(lambda x: interpret.integrated_gradients(score, x, baseline=0.0, steps=400))
    found, compiled = integrate(images).sum((1, 2, 3)), jax.jit(score)
    difference = compiled(images) - compiled(jnp.zeros_like(images))
    assert np.abs(difference).min() > 1e-3
    np.testing.assert_allclose(found, difference, rtol=2e-3)


def test_grad_cam_behind_a_mean_is_the_class_activation_map():
    images = drawn()
    variables = made(Averaging(), images)
    labels = jnp.array([2, 0, 3])
    maps = interpret.activations(Averaging(), variables, images)["relu"]
    weights = variables["params"]["Dense_0"]["kernel"].T[labels]
    cam = np.maximum(np.einsum("nhwk,nk->nhw", maps, weights), 0) / 64
    assert (cam > 0).any()
    found = interpret.grad_cam(
        Averaging(), variables, images, layer="relu", select=interpret.of_class(labels)
    )
    np.testing.assert_allclose(found, cam, rtol=1e-5, atol=1e-7)


def test_the_derivative_by_a_layer_is_that_of_the_rest_of_the_network():
    network, variables = small_cnn()
    images = drawn(2, 10, 1)
    given = interpret.activations(network, variables, images)

    def rest(features):
        return ops.dense(features, variables["params"]["Dense_1"]["kernel"])[:, 3].sum()

    def moved(offset):
        return interpret.apply_moved(network, variables, images, layer="features", offset=offset)[:, 3].sum()

    zeros = jnp.zeros_like(given["features"])
    np.testing.assert_allclose(jax.grad(moved)(zeros), jax.grad(rest)(given["features"]), rtol=1e-6)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("conv9", "layer is 'conv9'; it must be one of Conv2D_0, relu1, pool1, Conv2D_1, relu2"),
        ("features", r"what features gives is \(8,\); it must be \(H, W, C\)"),
    ],
)
def test_grad_cam_refuses_a_layer_that_is_unknown_or_has_no_places(layer, message):
    network, variables = small_cnn()
    select = interpret.of_class(jnp.array([3]))
    with pytest.raises(InputError, match=message):
        interpret.grad_cam(network, variables, drawn(1, 10, 1), layer=layer, select=select)


def test_numbers_that_make_no_sense_are_refused():
    score, images = (lambda images: images.sum((1, 2, 3))), drawn()
    with pytest.raises(InputError, match="samples is 0; it must be >= 1"):
        interpret.smooth_grad(score, images, jax.random.key(0), deviation=0.1, samples=0)
    with pytest.raises(InputError, match="steps is 0; it must be >= 1"):
        interpret.integrated_gradients(score, images, baseline=0.0, steps=0)
    with pytest.raises(InputError, match="the shape of the baseline"):
        interpret.integrated_gradients(score, images, baseline=images[:1])
    for name, value in (("steps", 0), ("learning_rate", 0.0), ("damping", -1.0), ("total_variation", -1.0)):
        with pytest.raises(InputError, match=f"{name} is"):
            interpret.maximize(
                score, jax.random.key(0), shape=(1, 4, 4, 1), value_range=(0, 1), **{name: value}
            )
    with pytest.raises(InputError, match="neighbors is 0"):
        neighbors.init(3, 0)
    with pytest.raises(InputError, match="the shape of the rows"):
        neighbors.update(neighbors.init(3, 1), images, images[..., :1], 0)


@pytest.mark.parametrize("name", SMALL)
def test_every_network_of_the_zoo_shows_its_layers_and_can_be_moved_at_each(name):
    model = zoo.get(name)
    config = model.config(**SMALL[name])
    for network, shape in model.networks(config).values():
        example = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
        variables = jax.eval_shape(lambda x, network=network: made(network, x), example)
        shapes = interpret.layer_shapes(network, variables, example)
        chosen = interpret.last_of_each_shape(shapes)
        assert chosen
        assert len({shapes[layer] for layer in chosen}) == len(chosen)
        assert set(interpret.filters(variables["params"])) <= set(shapes)
        for layer in (chosen[0], chosen[-1]):
            offset = jax.ShapeDtypeStruct(shapes[layer], jnp.float32)
            moved = functools.partial(interpret.apply_moved, network, layer=layer)
            jaxpr = jax.make_jaxpr(lambda v, x, offset, moved=moved: moved(v, x, offset=offset))(
                variables, example, offset
            )
            used = {id(var) for equation in jaxpr.eqns for var in equation.invars}
            assert id(jaxpr.jaxpr.invars[-1]) in used  # the offset goes into what the network gives


def test_layers_give_what_the_network_computes():
    config = dcgan.Config(**SMALL["dcgan"])
    (network, shape), _ = dcgan.networks(config).values()
    latents = jax.random.normal(jax.random.key(0), (3, *shape))
    variables = made(network, latents)
    found = interpret.activations(network, variables, latents)
    shapes = interpret.layer_shapes(network, variables, latents)
    assert {layer: output.shape for layer, output in found.items()} == shapes
    last = list(shapes)[-1]
    images = network.apply(variables, latents, train=False)
    np.testing.assert_array_equal(ops.tanh(found[last]), images)
    kernel = interpret.filters(variables["params"])[last]
    before = ops.leaky_relu(found[list(shapes)[-2]], slope=config.slope)
    np.testing.assert_allclose(
        ops.conv2d_transpose(before, kernel, stride=2), found[last], rtol=1e-5, atol=1e-6
    )


def test_a_network_with_named_activations_is_the_same_network():
    network, variables = small_cnn()
    images = drawn(2, 10, 1)
    x = images
    for number, name in enumerate(("relu1", "relu2")):
        layer = variables["params"][f"Conv2D_{number}"]
        x = ops.relu(ops.conv2d(x, layer["kernel"], padding="VALID") + layer["bias"].reshape(1, 1, 1, -1))
        np.testing.assert_allclose(interpret.activations(network, variables, images)[name], x, rtol=1e-5)
        x = ops.max_pool2d(x, window=2)
    assert set(variables["params"]) == {"Conv2D_0", "Conv2D_1", "Dense_0", "Dense_1"}


def test_maximization_raises_the_activation_and_stays_within_the_range():
    network, variables = small_cnn()
    score = interpret.score_of(network, variables, select=interpret.of_class(jnp.array([3, 7])))
    score = jax.jit(score)
    options = {"shape": (2, 10, 10, 1), "value_range": (0.0, 1.0)}
    climb = jax.jit(
        lambda steps: interpret.maximize(score, jax.random.key(0), steps=steps, **options), static_argnums=0
    )
    begun, ended = (climb(steps) for steps in (1, 200))
    assert (score(ended) > score(begun) + 0.1).all()
    assert (score(ended) > score(drawn(2, 10, 1)) + 0.1).all()
    assert 0 <= float(ended.min()) < float(ended.max()) <= 1
    np.testing.assert_array_equal(ended, climb(200))


def test_variation_is_kept_small_by_its_price_and_by_damping():
    def checkers(images):
        signs = jnp.asarray((-1.0) ** np.add.outer(np.arange(8), np.arange(8)), images.dtype)
        return jnp.abs((images * signs[None, :, :, None]).sum((1, 2, 3)))

    def roughness(**options):
        options |= {"shape": (1, 8, 8, 1), "value_range": (0, 1), "steps": 60}
        images = jax.jit(lambda key: interpret.maximize(checkers, key, **options))(jax.random.key(0))
        return float(sum((jnp.diff(images, axis=axis) ** 2).sum() for axis in (1, 2)))

    free = roughness(damping=0.0)
    assert roughness(damping=2.0) < free / 2
    assert roughness(damping=0.0, total_variation=10.0) < free / 2


def test_the_nearest_neighbours_are_those_that_scipy_finds_and_a_copy_is_at_zero():
    from scipy.spatial.distance import cdist

    random = np.random.default_rng(0)
    rows, others = (random.uniform(size=(count, 4, 4, 1)).astype(np.float32) for count in (5, 40))
    rows[3] = others[17]
    state = neighbors.init(5, 3)
    for first in (0, 16, 32):
        state = neighbors.update(state, rows, others[first : first + 16], first)
    distances = cdist(rows.reshape(5, -1), others.reshape(40, -1))
    np.testing.assert_array_equal(state.places, distances.argsort(1)[:, :3])
    np.testing.assert_allclose(state.distances, np.sort(distances, 1)[:, :3], atol=1e-6)
    assert (state.places[3, 0], state.distances[3, 0]) == (17, 0.0)
    few = neighbors.update(neighbors.init(5, 3), rows, others[:2], 0)
    assert (few.places[:, 2] == -1).all()
    assert np.isinf(few.distances[:, 2]).all()


def test_everything_works_under_jit_and_vmap():
    network, images, labels = Averaging(), drawn(2), jnp.array([3, 1])
    variables, others = made(network, images), drawn(3)

    def explain(image, label):
        some, labels = image[None], label[None]
        select = interpret.of_class(labels)
        score = interpret.score_of(network, variables, select=select)
        key = jax.random.key(0)
        return {
            "saliency": interpret.saliency(score, some)[0],
            "smooth": interpret.smooth_grad(score, some, key, deviation=0.1, samples=2)[0],
            "integrated": interpret.integrated_gradients(score, some, baseline=0.0, steps=2)[0],
            "cam": interpret.grad_cam(network, variables, some, layer="relu", select=select)[0],
            "best": interpret.maximize(score, key, shape=(1, 8, 8, 2), value_range=(0, 1), steps=2)[0],
            "nearest": neighbors.update(neighbors.init(1, 1), some, others, 0).distances[0],
        }

    mapped, one_by_one = jax.jit(jax.vmap(explain))(images, labels), jax.jit(explain)
    alone = [one_by_one(image, label) for image, label in zip(images, labels, strict=True)]
    for number, one in enumerate(alone):
        jax.tree.map(
            lambda a, b, number=number: np.testing.assert_allclose(a[number], b, rtol=1e-4, atol=1e-6),
            mapped,
            one,
        )
