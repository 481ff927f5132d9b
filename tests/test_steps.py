"""The steps' properties: determinism, who is updated, modes that agree, one trace."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxgan import losses
from jaxgan.classifiers import cnn
from jaxgan.gans import dcgan
from jaxgan.steps import Adam, Adversarial, ClassifierState, GANState, adversarial
from jaxgan.steps.average import update_average
from jaxgan.steps.backward import Opinion, pull_once, pull_twice
from jaxgan.steps.state import parameter_count
from jaxgan.steps.supervised import cross_entropy

pytestmark = pytest.mark.smoke

TINY = dcgan.Config(image_size=(8, 8), features=4, latent_size=6)
KEY = jax.random.key(0)


def images(count=4, shape=(8, 8, 1), seed=0):
    values = np.random.default_rng(seed).uniform(-1, 1, (count, *shape))
    return jnp.asarray(values, jnp.float32)


def initial(gan):
    return jax.jit(gan.init)(KEY)


def variant(**options):
    return dcgan.build(dataclasses.replace(TINY, game=Adversarial(**options)))


def assert_trees_equal(first, second):
    jax.tree.map(np.testing.assert_array_equal, first, second)


def differ(first, second):
    return any(
        not np.array_equal(a, b) for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    )


def test_parameter_counts_are_those_of_the_sources():
    state = jax.eval_shape(dcgan.build().init, KEY)
    assert parameter_count(state.generator.params) == 1_936_256
    assert parameter_count(state.discriminator.params) == 138_561
    assert parameter_count(jax.eval_shape(cnn.build().init, KEY).network.params) == 225_034


@pytest.mark.parametrize(
    ("size", "channels"),
    [((28, 28), 1), ((32, 32), 3), ((64, 64), 3), ((128, 128), 3), ((28, 36), 1), ((128, 96), 3)],
)
def test_dcgan_makes_images_of_its_size(size, channels):
    gan = dcgan.build(dcgan.Config(image_size=size, channels=channels))
    state = jax.eval_shape(gan.init, KEY)
    fakes = jax.eval_shape(lambda state: gan.sample(state, KEY, 2), state)
    assert fakes.shape == (2, *size, channels)
    batch = {"image": jax.ShapeDtypeStruct(fakes.shape, fakes.dtype)}
    stepped, metrics = jax.eval_shape(gan.step, state, batch, KEY)
    assert jax.tree.structure(stepped) == jax.tree.structure(state)
    assert {value.shape for value in metrics.values()} == {()}


@pytest.mark.parametrize(
    ("updates", "loss"),
    [
        ("simultaneous", "minimax"),
        ("simultaneous", "hinge"),
        ("alternating", "non_saturating"),
        ("alternating", "relativistic_average"),
    ],
)
def test_one_trace_serves_many_steps_and_all_stay_finite(updates, loss):
    gan = variant(updates=updates, loss=loss, ema_decay=0.9, discriminator_steps=2)
    traces = []

    @jax.jit
    def step(state, batch, key):
        traces.append(1)
        return gan.step(state, batch, key)

    state = initial(gan)
    assert isinstance(state, GANState)
    for number in range(3):
        state, metrics = step(state, {"image": images(seed=number)}, KEY)
    assert len(traces) == 1
    assert int(state.step) == 3
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((state, metrics)))
    samples = jax.jit(gan.sample, static_argnums=2)(state, KEY, 3)
    assert samples.shape == (3, 8, 8, 1)
    assert np.abs(samples).max() <= 1


class Constant(nn.Module):
    """Makes images of zeros; as a discriminator, gives the brightness and 100 more."""

    generates: bool

    @nn.compact
    def __call__(self, inputs, *, train):
        del train
        scale = self.param("scale", nn.initializers.ones, ())
        if self.generates:
            return 0 * scale * jnp.zeros((len(inputs), 8, 8, 1))
        return scale * inputs.mean((1, 2, 3)) + 100


@pytest.mark.parametrize(("loss", "fake_accuracy"), [("hinge", 0), ("wasserstein", 1)])
def test_accuracies_measure_from_where_the_loss_is_undecided(loss, fake_accuracy):
    """A critic's logits tell by their differences alone, however large they are."""
    config = Adversarial(loss=loss)
    networks = Constant(generates=True), Constant(generates=False)
    gan = adversarial(*networks, latent_size=2, image_shape=(8, 8, 1), config=config)
    _, metrics = jax.jit(gan.step)(initial(gan), {"image": jnp.ones((4, 8, 8, 1))}, KEY)
    assert (metrics["real_accuracy"], metrics["fake_accuracy"]) == (1, fake_accuracy)


def test_the_players_losses_are_the_value_function():
    """With minimax and simultaneous updates one player's loss is the other's with the sign turned."""
    gan = variant(loss="minimax")
    _, metrics = jax.jit(gan.step)(initial(gan), {"image": images()}, KEY)
    np.testing.assert_allclose(metrics["generator_loss"], -metrics["discriminator_loss"], rtol=1e-6)


@pytest.mark.parametrize("loss", ["non_saturating", "relativistic_average"])
def test_simultaneous_gradients_are_those_of_separate_passes(loss):
    """The shared forward pass gives what alternating gives when the discriminator does not move."""
    still = Adam(learning_rate=1e-30)
    batch = {"image": images()}
    states = []
    for updates in ("simultaneous", "alternating"):
        gan = variant(loss=loss, updates=updates, discriminator=still)
        states.append(jax.jit(gan.step)(initial(gan), batch, KEY)[0].generator.params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), *states)


@pytest.mark.parametrize("loss", losses.LOSSES)
@pytest.mark.parametrize("certainty", [1.0, 300.0], ids=["unsure", "certain"])
def test_one_backward_pass_gives_what_two_give(loss, certainty):
    """Also where the discriminator is so sure of itself that its own derivatives vanish.

    Hinges make them vanish altogether; relativistic losses make the generator depend on real logits too.
    """
    logits = certainty * jnp.array([0.5, -1.0, 0.1, -0.9]), certainty * jnp.array([-1.0, 0.7, -0.4, 0.0])
    random = np.random.default_rng(0)
    slopes, images_of = (jnp.asarray(random.normal(size=shape)) for shape in ((2, 4, 3), (4, 2, 2, 1)))

    def pull(bars):  # of a discriminator with three params
        by_logits = jnp.stack([bar.logits for bar in bars])
        return jnp.einsum("rn,rnp->p", by_logits, slopes), by_logits[1].reshape(-1, 1, 1, 1) * images_of

    chosen = losses.get(loss)
    bars = [
        tuple(map(Opinion, jax.grad(lambda logits, player=player: player(*logits).mean())(logits)))
        for player in (chosen.discriminator, chosen.generator)
    ]
    for once, twice in zip(pull_once(pull, *bars), pull_twice(pull, *bars), strict=True):
        np.testing.assert_allclose(once, twice, rtol=1e-5, atol=1e-12)


def assert_averages(average, trail, decay):
    """Compares a moving average with its weights written out: each step has one, the start what is left."""
    decays = [min(decay, (1 + step) / (10 + step)) for step in range(len(trail) - 1)]
    left = np.cumprod([1.0, *decays[::-1]])
    shares = [left[-1], *((1 - d) * rest for d, rest in zip(decays, left[-2::-1], strict=True))]
    assert sum(shares) == pytest.approx(1)
    expected = jax.tree.map(lambda *leaves: sum(map(np.multiply, shares, leaves)), *trail)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), average, expected)


def test_ema_follows_the_generator():
    gan = variant(ema_decay=0.15)  # the ramp passes it at the second step
    state, step = initial(gan), jax.jit(gan.step)
    trail = [state.generator.params]
    for number in range(3):
        state, _ = step(state, {"image": images(seed=number)}, KEY)
        trail.append(state.generator.params)
    assert_averages(state.ema_params, trail, 0.15)


def test_an_average_keeps_the_dtype_of_its_params():
    params = {"w": jnp.ones(3, jnp.bfloat16)}
    average = update_average(params, params, decay=0.9, step=jnp.int32(0))
    assert average["w"].dtype == jnp.bfloat16


def test_hyper_parameters_are_arrays_that_a_vmap_varies():
    gan = dcgan.build(TINY)
    state = initial(gan)
    rates = jnp.array([0.0, 1e-3])
    states = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), state)
    states.generator.opt_state.hyperparams["learning_rate"] = rates
    stepped, _ = jax.jit(jax.vmap(gan.step, in_axes=(0, None, None)))(states, {"image": images()}, KEY)
    kernels = stepped.generator.params["Dense_0"]["kernel"]
    np.testing.assert_array_equal(kernels[0], state.generator.params["Dense_0"]["kernel"])
    assert differ(kernels[1], kernels[0])


def test_a_scan_over_steps_equals_a_loop():
    gan = dcgan.build(TINY)
    batches = {"image": jnp.stack([images(seed=number) for number in range(3)])}
    scanned, _ = jax.lax.scan(lambda state, batch: gan.step(state, batch, KEY), initial(gan), batches)
    state, step = initial(gan), jax.jit(gan.step)
    for number in range(3):
        state, _ = step(state, {"image": batches["image"][number]}, KEY)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), scanned, state)


def test_gradients_flow_through_a_step():
    gan = dcgan.build(TINY)
    state = initial(gan)

    def outcome(batch):
        return gan.step(state, {"image": batch}, KEY)[1]["discriminator_loss"]

    assert np.abs(jax.jit(jax.grad(outcome))(images())).max() > 0


def test_samples_do_not_depend_on_the_count():
    gan = dcgan.build(TINY)
    state = initial(gan)
    sample = jax.jit(gan.sample, static_argnums=2)
    np.testing.assert_allclose(sample(state, KEY, 2), sample(state, KEY, 5)[:2], atol=1e-6)


def test_the_classifier_learns_and_predicts_distributions():
    classifier = cnn.build(
        cnn.Config(
            image_size=(10, 10), features=4, hidden=8, num_classes=2, optimizer=Adam(learning_rate=1e-2)
        )
    )
    labels = jnp.arange(8) % 2
    batch = {"image": jnp.ones((8, 10, 10, 1)) * labels.reshape(8, 1, 1, 1), "label": labels}
    state, step = initial(classifier), jax.jit(classifier.step)
    assert isinstance(state, ClassifierState)
    first = None
    for _ in range(40):
        state, metrics = step(state, batch, KEY)
        first = metrics["loss"] if first is None else first
    assert metrics["loss"] < 0.5 * first
    probabilities = jax.jit(classifier.predict)(state, batch["image"])
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
    np.testing.assert_array_equal(probabilities.argmax(1), labels)


def test_smoothed_labels_share_a_part_of_each_with_all_classes():
    logits = jnp.float32([[1.0, -2.0, 0.5], [0.0, 0.3, 0.1]])
    labels = jnp.int32([2, 0])
    logs = special.log_softmax(np.asarray(logits, np.float64), 1)
    for smoothing in (0.0, 0.3):
        wanted = np.eye(3)[labels] * (1 - smoothing) + smoothing / 3
        found = cross_entropy(logits, labels, smoothing=smoothing)
        np.testing.assert_allclose(found, -(wanted * logs).sum(1), rtol=1e-6)


def test_the_classifier_predicts_from_its_average():
    config = cnn.Config(image_size=(10, 10), features=2, hidden=4, num_classes=2, ema_decay=0.15)
    classifier, plain = cnn.build(config), cnn.build(dataclasses.replace(config, ema_decay=None))
    batch = {"image": images(shape=(10, 10, 1)), "label": jnp.arange(4) % 2}
    state, step, predict = initial(classifier), jax.jit(classifier.step), jax.jit(classifier.predict)
    trail = [state.network.params]
    for _ in range(3):
        state, _ = step(state, batch, KEY)
        trail.append(state.network.params)
    assert_averages(state.ema_params, trail, 0.15)
    averaged = state.replace(network=state.network.replace(params=state.ema_params), ema_params={})
    assert_trees_equal(predict(state, batch["image"]), jax.jit(plain.predict)(averaged, batch["image"]))
    assert differ(predict(state, batch["image"]), predict(state.replace(ema_params={}), batch["image"]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: dcgan.Config(image_size=(30, 28)), r"image_size is \(30, 28\)"),
        (lambda: dcgan.Config(channels=2), "channels is 2"),
        (lambda: dcgan.Config(num_classes=1), "num_classes is 1; it must be >= 2"),
        (lambda: dcgan.Config(conditioning="labels"), "conditioning is 'labels'.*concatenation"),
        (lambda: Adversarial(loss="hinged"), "loss is 'hinged'.*minimax"),
        (lambda: Adversarial(discriminator_steps=0), "discriminator_steps is 0"),
        (lambda: Adversarial(ema_decay=1.0), "ema_decay is 1.0"),
        (lambda: Adam(learning_rate=0.0), "learning_rate is 0.0"),
        (lambda: cnn.Config(num_classes=1), "num_classes is 1"),
        (lambda: cnn.Config(ema_decay=-0.1), "ema_decay is -0.1"),
    ],
)
def test_bad_settings_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_batch_of_another_shape_is_refused():
    gan = dcgan.build(TINY)
    with pytest.raises(ValueError, match=r"\(4, 12, 8, 1\).*\[N, 8, 8, 1\]"):
        gan.step(initial(gan), {"image": images(shape=(12, 8, 1))}, KEY)
