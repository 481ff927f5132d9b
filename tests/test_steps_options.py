"""What a game can be told besides its loss: augmentation, labels, precision, what steadies updates."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from players import KEY, SHAPE, Critic, Painter, close, game, gradient, reals, same, started
from scipy import special

from jaxgan.gans import dcgan
from jaxgan.steps import Adam

LABELS = jnp.array([0, 2, 2, 1, 2, 0])
PLAYERS = ("generator", "discriminator")
STILL = Adam(b1=0.0, learning_rate=1e-30)


def with_params(state, **params):
    """The state with some of the discriminator's params replaced."""
    discriminator = state.discriminator
    discriminator = discriminator.replace(params=discriminator.params | params)
    return state.replace(discriminator=discriminator)


def test_both_players_see_through_the_augmentation():
    """Where a hole is cut into an image, it is not learned from, nor is a generated image improved."""
    state, step = started(game(augment="diffaugment:cutout", discriminator=STILL))
    picture, ones = np.asarray(state.generator.params["picture"]), jnp.ones(SHAPE)
    state, holes = with_params(state, w=ones), set()
    for _ in range(2):
        state, _ = step(state, {"image": ones[None]}, KEY)
        left_of_fake = -np.asarray(gradient(state.generator)["picture"])
        left_of_real = left_of_fake * picture - gradient(state.discriminator)["w"]
        for left in (left_of_fake, left_of_real):
            close(left * (1 - left), np.zeros(SHAPE))
            assert 4 <= np.round(1 - left).sum() <= 16  # half a side squared, less what lies outside
            holes.add(np.round(left).tobytes())
        picture = np.asarray(state.generator.params["picture"])
    assert len(holes) > 1


@functools.cache
def adaptive():
    return started(game(augment="ada:b", ada_images=64.0))


def test_ada_of_no_strength_is_none_and_the_strength_lies_in_the_state():
    (state, step), (_, plain_step) = adaptive(), started(game())
    batch = {"image": reals(4)}
    after, metrics = step(state, batch, KEY)
    alone, _ = plain_step(state.replace(augmentation={}), batch, KEY)
    assert metrics["augment_p"] == 0
    close(after.replace(augmentation={}), alone, 1e-6)
    strong = state.replace(augmentation=state.augmentation._replace(p=jnp.float32(1)))
    after, metrics = step(strong, batch, KEY)
    assert metrics["augment_p"] == 1
    moved = gradient(after.discriminator)["w"] - gradient(alone.discriminator)["w"]
    assert np.abs(moved).max() > 0.1


def test_ada_moves_its_strength_every_fourth_step_by_the_signs_of_real_logits():
    """All are positive, so that the strength grows by 4 batches of 4 in 64; then all are negative."""
    state, step = adaptive()
    state = with_params(state, w=jnp.full(SHAPE, 0.1, jnp.float32))
    bright = jnp.abs(reals(4)) + 0.5
    strengths = []
    for number in range(12):
        state, metrics = step(state, {"image": bright if number < 8 else -bright}, KEY)
        assert metrics["augment_p"] == state.augmentation.p
        strengths.append(float(metrics["augment_p"]))
    assert strengths == [0] * 3 + [0.25] * 4 + [0.5] * 4 + [0.25]


@functools.cache
def conditional():
    return started(game(Painter(classes=3), Critic(classes=3), num_classes=3))


def dot(images, w):
    return (np.asarray(images) * np.asarray(w)).sum((1, 2, 3))


def test_labels_reach_both_players():
    state, step = conditional()
    generator, discriminator = (jax.device_get(getattr(state, name).params) for name in PLAYERS)
    w, bias = discriminator["w"], discriminator["bias"][LABELS]
    fakes = generator["picture"] + generator["shade"][LABELS].reshape(-1, 1, 1, 1)
    after, metrics = step(state, {"image": reals(), "label": LABELS}, KEY)
    close(metrics["real_logit"], (dot(reals(), w) + bias).mean())
    close(metrics["fake_logit"], (dot(fakes, w) + bias).mean())
    close(gradient(after.discriminator)["w"], fakes.mean(0) - reals().mean(0))
    counts = np.bincount(LABELS, minlength=3)
    close(gradient(after.generator)["shade"], -w.sum() * counts / len(LABELS))


def test_samples_are_of_the_labels_asked_for_or_of_drawn_ones():
    gan = game(Painter(classes=3, spread=0.1), Critic(classes=3), num_classes=3, ema_decay=0.9)
    state, sample = gan.init(KEY), jax.jit(gan.sample, static_argnums=2)
    bare = state.replace(ema_params=state.ema_params | {"shade": jnp.zeros(3)})
    levels = sample(bare, KEY, 6, LABELS)
    shades = state.ema_params["shade"][LABELS].reshape(-1, 1, 1, 1)
    close(sample(state, KEY, 6, LABELS), levels + shades)
    many = sample(state, KEY, 60) - sample(bare, KEY, 60)  # the latents and the labels are the same
    drawn = np.abs(many[:, :1, 0, 0] - state.ema_params["shade"][None]).argmin(1)
    close(many, jnp.broadcast_to(state.ema_params["shade"][drawn].reshape(-1, 1, 1, 1), many.shape))
    assert np.bincount(drawn, minlength=3).min() > 8
    close(sample(state, KEY, 6), sample(state, KEY, 60)[:6])


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ({}, "the batch has no 'label'; a model with classes is trained on labelled images"),
        ({"label": LABELS[:5]}, r"batch\['label'\] has shape \(5,\); it must be \(6,\)"),
        ({"label": jax.nn.one_hot(LABELS, 3)}, r"batch\['label'\] has shape \(6, 3\); it must be \(6,\)"),
    ],
    ids=["none", "too few", "one-hot"],
)
def test_labels_that_do_not_fit_are_refused(batch, words):
    state, step = conditional()
    with pytest.raises(ValueError, match=words):
        step(state, {"image": reals(), **batch}, KEY)


def test_labels_are_refused_where_there_are_no_classes():
    gan = game()
    with pytest.raises(ValueError, match="labels are given; this model was made without classes"):
        gan.sample(gan.init(KEY), KEY, 6, LABELS)


def test_class_logits_are_refused_where_there_are_no_classes():
    gan = game(critic=Critic(auxiliary=True))
    with pytest.raises(ValueError, match="gives class logits; that takes num_classes, which is None"):
        jax.eval_shape(gan.step, gan.init(KEY), {"image": reals()}, KEY)


@pytest.mark.parametrize("updates", ["simultaneous", "alternating"])
def test_an_auxiliary_classifier_costs_both_players_its_cross_entropy(updates):
    critic = Critic(classes=3, auxiliary=True)
    options = {"updates": updates, "discriminator": STILL, "penalties": ("r1:2",)}
    gan = game(Painter(classes=3), critic, num_classes=3, **options)
    state, step = started(gan)
    generator, discriminator = (jax.device_get(getattr(state, name).params) for name in PLAYERS)
    w, v, bias = (discriminator[name] for name in ("w", "v", "bias"))
    images, right = np.asarray(reals()), np.eye(3)[LABELS]
    fakes = generator["picture"] + generator["shade"][LABELS].reshape(-1, 1, 1, 1)
    flat = [kind.reshape(-1, 64) for kind in (images, fakes)]
    entropies = [-(special.log_softmax(kind @ v, 1) * right).sum(1).mean() for kind in flat]
    wrong = [(special.softmax(kind @ v, 1) - right) / len(right) for kind in flat]
    after, metrics = step(state, {"image": reals(), "label": LABELS}, KEY)
    real, fake = ((dot(kind, w) + bias[LABELS]).mean() for kind in (images, fakes))
    close(metrics["discriminator_loss"], fake - real + sum(entropies))
    close(metrics["generator_loss"], -fake + entropies[1])
    by_discriminator, by_generator = gradient(after.discriminator), gradient(after.generator)
    close(by_discriminator["v"], sum(kind.T @ error for kind, error in zip(flat, wrong, strict=True)))
    close(by_discriminator["w"], fakes.mean(0) - images.mean(0) + 2 * w)
    close(by_generator["picture"], -w + (wrong[1] @ v.T).sum(0).reshape(SHAPE))


def dtypes(tree):
    return jax.tree.map(lambda leaf: leaf.dtype, tree)


def test_bfloat16_computes_what_float32_does_and_keeps_params_and_moments():
    players = Painter(spread=1.0), Critic(bend=0.2)
    options = {"loss": "non_saturating", "penalties": ("r1:0.5",)}
    (state, step), (_, half_step) = (
        started(game(*players, **options, compute_dtype=dtype)) for dtype in ("float32", "bfloat16")
    )
    (whole, metrics), (half, half_metrics) = (
        run(state, {"image": reals()}, KEY) for run in (step, half_step)
    )
    assert dtypes(half) == dtypes(state)
    assert set(dtypes(half_metrics).values()) == {jnp.dtype("float32")}
    close(half_metrics, metrics, 0.03)
    for name in PLAYERS:
        found, expected = (gradient(getattr(state, name)) for state in (half, whole))
        error = optax.tree.norm(optax.tree.sub(found, expected)) / optax.tree.norm(expected)
        assert 1e-4 < error < 0.05


def test_every_layer_of_the_dcgan_computes_in_what_it_is_given():
    config = dcgan.Config(image_size=(8, 8), features=2)
    for network, shape in dcgan.networks(config).values():
        inputs = jnp.zeros((2, *shape), jnp.bfloat16)

        def run(inputs, network=network):
            variables = network.init({"params": KEY}, inputs.astype(jnp.float32), train=False)
            rngs = {"dropout": KEY}
            mutable = ["batch_stats", "intermediates"]
            options = {"train": True, "rngs": rngs, "mutable": mutable, "capture_intermediates": True}
            return network.apply(variables, inputs, **options)[1]["intermediates"]

        layers = jax.tree.leaves(jax.eval_shape(run, inputs))
        assert len(layers) > 4
        assert {layer.dtype for layer in layers} == {jnp.dtype("bfloat16")}


def test_gathered_gradients_make_one_update_of_their_mean():
    gathering = Adam(b1=0.0, accumulate=2)
    state, step = started(game(generator=gathering, discriminator=gathering))
    first, _ = step(state, {"image": reals(seed=1)}, KEY)
    for name in PLAYERS:
        same(getattr(first, name).params, getattr(state, name).params)
    second, _ = step(first, {"image": reals(seed=2)}, KEY)
    w, picture = state.discriminator.params["w"], state.generator.params["picture"]
    mean = picture - (reals(seed=1) + reals(seed=2)).mean(0) / 2
    close(gradient(second.discriminator)["w"], mean)
    close(second.discriminator.params["w"], w - 1e-3 * jnp.sign(mean), 1e-6)
    close(second.generator.params["picture"], picture + 1e-3 * jnp.sign(w), 1e-6)


def test_updates_that_are_not_finite_are_left_out_and_counted():
    careful = Adam(b1=0.0, skip_non_finite=2)
    gan = game(loss="relativistic", generator=careful, discriminator=careful, ema_decay=0.5)
    state, step = started(gan)
    state, metrics = step(state, {"image": reals()}, KEY)
    assert metrics["skipped_updates"] == 0
    kept = state
    for count, broken in ((2, jnp.nan), (4, jnp.inf)):
        state, metrics = step(state, {"image": broken * reals()}, KEY)
        assert metrics["skipped_updates"] == count
        for name in PLAYERS:
            before, after = getattr(kept, name), getattr(state, name)
            same((after.params, after.model_state), (before.params, before.model_state))
    state, metrics = step(state, {"image": reals(seed=1)}, KEY)
    assert metrics["skipped_updates"] == 4
    assert int(state.step) == 4
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))
    for name in PLAYERS:
        moved = jax.tree.map(jnp.subtract, getattr(state, name).params, getattr(kept, name).params)
        assert all(np.abs(leaf).max() > 1e-4 for leaf in jax.tree.leaves(moved))
    seen = [after.discriminator.model_state["statistics"]["seen"] for after in (kept, state)]
    assert seen[0] != seen[1]


def test_players_have_learning_rates_of_their_own_and_are_left_out_by_themselves():
    """What a Wasserstein generator learns does not depend on the real images."""
    gan = game(generator=Adam(learning_rate=1e-4), discriminator=Adam(learning_rate=4e-4, skip_non_finite=1))
    state, step = started(gan)
    for images, skipped, rates in ((reals(), 0, (1e-4, 4e-4)), (jnp.nan * reals(), 1, (1e-4, 0))):
        after, metrics = step(state, {"image": images}, KEY)
        assert metrics["skipped_updates"] == skipped
        for name, rate in zip(PLAYERS, rates, strict=True):
            moved = jax.tree.map(jnp.subtract, getattr(after, name).params, getattr(state, name).params)
            for leaf in jax.tree.leaves(moved):
                np.testing.assert_allclose(np.abs(leaf), rate, rtol=0.01)
