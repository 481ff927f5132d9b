"""The penalties of a game against closed forms: of a linear critic, at every step and at some."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import KEY, PLAIN, Critic, close, game, gradient, reals, same, started

from jaxgan.penalties import WEIGHTS, Anchors
from jaxgan.validation import InputError

plain = functools.cache(lambda: started(game()))


def unit_slope(w):
    """The value of a penalty that asks for a slope of 1, and its derivative by w."""
    norm = np.linalg.norm(w)
    return (norm - 1) ** 2, 2 * (1 - 1 / norm) * w


def flat(w):
    """Those of a penalty that asks for no slope."""
    return np.square(w).sum() / 2, w


FORMS = {
    "r1": flat,
    "r2": flat,
    "gradient_penalty": unit_slope,
    "gradient_penalty_one_sided": unit_slope,  # the slope is above 1
    "dragan": unit_slope,
}


def weighted(state, **weights):
    """The state with the weights of penalties replaced; those not named become 0."""
    penalties = {
        name: penalty._replace(weight=jnp.float32(weights.get(name, 0)))
        for name, penalty in state.penalties.items()
    }
    return state.replace(penalties=penalties)


def by_loss(state, images):
    """The derivative by w of what a critic loses: the mean of the generated less that of the real images."""
    return state.generator.params["picture"] - images.mean(0)


@functools.cache
def penalised():
    return started(game(penalties=tuple(FORMS)))


@pytest.mark.parametrize("name", FORMS)
def test_a_penalty_adds_its_gradient_times_the_weight_in_the_state(name):
    state, step = penalised()
    assert {key: penalty.weight for key, penalty in state.penalties.items()} == {k: WEIGHTS[k] for k in FORMS}
    w = np.asarray(state.discriminator.params["w"])
    assert np.linalg.norm(w) > 1.2
    _, slope = FORMS[name](w)
    for weight in (0.7, 3.0):
        after, metrics = step(weighted(state, **{name: weight}), {"image": reals()}, KEY)
        close(gradient(after.discriminator)["w"], by_loss(state, reals()) + weight * slope)
        close(gradient(after.generator)["picture"], -w)  # the generator pays nothing
        for other, form in FORMS.items():
            close(metrics[f"penalty_{other}"], form(w)[0])  # whatever the weight
        close(metrics["discriminator_loss"], metrics["fake_logit"] - metrics["real_logit"], 1e-4)


def test_a_penalty_without_weight_changes_nothing():
    (state, step), (_, plain_step) = penalised(), plain()
    after, _ = step(weighted(state), {"image": reals()}, KEY)
    expected, _ = plain_step(state.replace(penalties={}), {"image": reals()}, KEY)
    close(after.replace(penalties={}), expected, 1e-6)


def test_lazy_penalties_come_when_due_and_count_as_often_as_they_are_left_out():
    gan, traces = game(penalties=("r1:0.5:3", "gradient_penalty:2:2")), []

    @jax.jit
    def step(state, batch, key):
        traces.append(1)
        return gan.step(state, batch, key)

    state, (_, plain_step) = gan.init(KEY), plain()
    for number in range(7):
        w = np.asarray(state.discriminator.params["w"])
        expected, batch = by_loss(state, reals(seed=number)), {"image": reals(seed=number)}
        if number % 3 == 0:
            value, slope = flat(w)
            r1, expected = value, expected + 3 * 0.5 * slope
        if number % 2 == 0:
            value, slope = unit_slope(w)
            gradient_penalty, expected = value, expected + 2 * 2 * slope
        before, (state, metrics) = state, step(state, batch, KEY)
        close(gradient(state.discriminator)["w"], expected)
        close((metrics["penalty_r1"], metrics["penalty_gradient_penalty"]), (r1, gradient_penalty))
        if number in (1, 5):
            alone, _ = plain_step(before.replace(penalties={}), batch, KEY)
            same(state.replace(penalties={}), alone)
            same(state.penalties, before.penalties)
    assert len(traces) == 1


def test_lecam_draws_logits_to_anchors_that_follow_them_while_they_are_finite():
    state, step = started(game(penalties=("lecam:0.3:2",)))
    anchors = Anchors(jnp.float32(1.0), jnp.float32(-0.5))
    state = state.replace(penalties={"lecam": state.penalties["lecam"]._replace(anchors=anchors)})
    for number in range(2):
        images, w = np.asarray(reals(seed=number)), np.asarray(state.discriminator.params["w"])
        picture, anchors = np.asarray(state.generator.params["picture"]), state.penalties["lecam"].anchors
        real, fake = (images * w).sum((1, 2, 3)), (picture * w).sum()
        by_real = 2 * ((real - anchors.fake).reshape(-1, 1, 1, 1) * images).mean(0)
        by_fake = 2 * (fake - anchors.real) * picture
        expected = by_loss(state, images) + (2 * 0.3 if number == 0 else 0) * (by_real + by_fake)
        state, metrics = step(state, {"image": jnp.asarray(images)}, KEY)
        close(gradient(state.discriminator)["w"], expected)
        close(gradient(state.generator)["picture"], -w)
        value = np.square(real - anchors.fake).mean() + np.square(fake - anchors.real)
        close(metrics["penalty_lecam"], value)
        moved = Anchors(0.99 * anchors.real + 0.01 * real.mean(), 0.99 * anchors.fake + 0.01 * fake)
        close(state.penalties["lecam"].anchors, moved)
    for broken in (jnp.nan, jnp.inf):
        after, _ = step(state, {"image": broken * reals()}, KEY)
        kept, before = after.penalties["lecam"].anchors, state.penalties["lecam"].anchors
        assert kept.real == before.real
        assert np.isfinite(kept.fake)
        assert kept.fake != before.fake


def test_consistency_is_asked_for_on_real_images_and_balanced_on_both():
    """Of a linear critic it is quadratic in w, so that its derivative along w is twice its value."""
    state, step = started(game(penalties=("consistency", "balanced_consistency:1:2")))
    w = state.discriminator.params["w"]
    for name, times in (("consistency", 1), ("balanced_consistency", 2)):
        after, metrics = step(weighted(state, **{name: 0.3}), {"image": reals()}, KEY)
        added = gradient(after.discriminator)["w"] - by_loss(state, reals())
        assert metrics[f"penalty_{name}"] > 0.05
        close((added * w).sum(), times * 0.3 * 2 * metrics[f"penalty_{name}"], 1e-4)
    _, metrics = step(state, {"image": 0 * reals()}, KEY)  # an empty image cannot be shifted
    assert metrics["penalty_consistency"] == 0
    assert metrics["penalty_balanced_consistency"] > 0.05


@pytest.mark.parametrize("updates", ["simultaneous", "alternating"])
def test_every_update_of_the_discriminator_is_penalised(updates):
    """Of two on images of their own, the second is made from the weights that the first one left."""
    gan = game(penalties=("r1:0.5:2",), updates=updates, discriminator_steps=2)
    state, step = started(gan)
    w, picture = state.discriminator.params["w"], state.generator.params["picture"]
    images = reals()
    first = picture - images[::2].mean(0) + 2 * 0.5 * w
    w_between = w - PLAIN.learning_rate * jnp.sign(first)
    second = picture - images[1::2].mean(0) + 2 * 0.5 * w_between
    after, metrics = step(state, {"image": images}, KEY)
    close(gradient(after.discriminator)["w"], second)
    close(metrics["penalty_r1"], np.square(w_between).sum() / 2)
    close(metrics["discriminator_gradient_norm"], np.linalg.norm(second))
    seen = w_between if updates == "simultaneous" else after.discriminator.params["w"]
    close(gradient(after.generator)["picture"], -seen)
    close(metrics["generator_gradient_norm"], np.linalg.norm(seen))


@pytest.mark.parametrize("name", ["r1", "gradient_penalty", "r2_forward", "dragan"])
def test_penalties_on_slopes_want_a_discriminator_that_judges_each_image_by_itself(name):
    with pytest.raises(InputError, match=f"penalty is '{name}'; it must be a penalty on logits, as this"):
        game(critic=Critic(), per_image=False, penalties=("consistency", name))
    game(critic=Critic(), per_image=False, penalties=("consistency", "balanced_consistency", "lecam"))
