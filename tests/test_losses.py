"""The losses against the papers' equations written out in NumPy, in double precision."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import batch_axis, losses
from jaxgan.steps import Adversarial
from jaxgan.validation import InputError

REAL = np.array([0.9, 0.3, 0.2, 0.7])
FAKE = np.array([0.1, 0.8, 0.4, 0.6])
PLAYERS = ("generator", "discriminator")


def sigma(x):
    return 1 / (1 + np.exp(-x))


BY_HAND = {
    "minimax": (
        lambda r, f: np.log(sigma(r)) + np.log(1 - sigma(f)),
        lambda r, f: -np.log(sigma(r)) - np.log(1 - sigma(f)),
    ),
    "non_saturating": (
        lambda _, f: -np.log(sigma(f)),
        lambda r, f: -np.log(sigma(r)) - np.log(1 - sigma(f)),
    ),
    "least_squares": (lambda _, f: (f - 1) ** 2 / 2, lambda r, f: (r - 1) ** 2 / 2 + (f - 0) ** 2 / 2),
    "wasserstein": (lambda _, f: -f, lambda r, f: f - r),
    "hinge": (lambda _, f: -f, lambda r, f: -np.minimum(0, -1 + r) - np.minimum(0, -1 - f)),
    "relativistic": (lambda r, f: -np.log(sigma(f - r)), lambda r, f: -np.log(sigma(r - f))),
    "relativistic_average": (
        lambda r, f: -np.log(sigma(f - r.mean())) - np.log(1 - sigma(r - f.mean())),
        lambda r, f: -np.log(sigma(r - f.mean())) - np.log(1 - sigma(f - r.mean())),
    ),
}


def differentiated(loss):
    return jax.grad(lambda real, fake: batch_axis.pmean(loss(real, fake).mean()), argnums=(0, 1))


def differences(function, real, fake, size=1e-6):
    """The derivatives of a mean by the logits of both kinds, from differences."""
    point = np.concatenate([real, fake])
    steps = size * np.eye(len(point))
    ahead, behind = ([function(*np.split(point + way * step, 2)).mean() for step in steps] for way in (1, -1))
    return np.split(np.subtract(ahead, behind) / (2 * size), 2)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", losses.LOSSES)
def test_losses_and_their_derivatives_are_those_of_the_papers(name):
    for player, expected in zip(PLAYERS, BY_HAND[name], strict=True):
        loss = getattr(losses.get(name), player)
        compute = jax.jit(lambda *logits, loss=loss: (loss(*logits), differentiated(loss)(*logits)))
        for scale in (1.0, -3.0):  # hinges on both sides
            logits = scale * REAL, scale * FAKE
            values, slopes = compute(*logits)
            np.testing.assert_allclose(values, expected(*logits), rtol=1e-12)
            np.testing.assert_allclose(slopes, differences(expected, *logits), atol=1e-9)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_the_players_pull_the_logits_apart_and_together(name):
    compute = jax.jit(lambda *logits: [differentiated(loss)(*logits) for loss in losses.get(name)[:2]])
    (_, of_generator), (by_real, by_fake) = compute(REAL, FAKE)
    assert (by_real < 0).all()
    assert (by_fake > 0).all()
    assert (of_generator < 0).all()


def test_at_the_boundary_equal_logits_leave_the_discriminator_undecided():
    def slopes(loss):
        slope = jax.grad(lambda logit: loss.discriminator(logit[None], logit[None])[0])
        places = [-2.0, 0.0, 2.0] if loss.boundary is None else [loss.boundary]
        return jnp.stack([slope(jnp.array(place)) for place in places])

    found = jax.jit(lambda: {name: slopes(loss) for name, loss in losses.LOSSES.items()})()
    for name, values in found.items():
        np.testing.assert_allclose(values, 0, atol=1e-6, err_msg=name)


def test_a_value_depends_on_its_own_pair_alone():
    chosen = {name: loss for name, loss in losses.LOSSES.items() if name != "relativistic_average"}

    def values(real, fake):
        return {name: [player(real, fake) for player in loss[:2]] for name, loss in chosen.items()}

    found = jax.jit(jax.jacobian(values, argnums=(0, 1)))(REAL, FAKE)
    assert set(found) == set(chosen)
    for jacobian in jax.tree.leaves(found):
        np.testing.assert_array_equal(jacobian, np.diag(np.diag(jacobian)))


@pytest.mark.parametrize("player", PLAYERS)
def test_the_relativistic_average_is_that_of_the_whole_batch(player):
    """The batch is divided in two, as over two devices; each part's derivative is twice its share."""
    loss = getattr(losses.get("relativistic_average"), player)
    whole = jnp.array(REAL), jnp.array(FAKE)
    parts = [logits.reshape(2, 2) for logits in whole]

    def compute(*logits):
        return loss(*logits), *differentiated(loss)(*logits)

    divided = jax.jit(jax.vmap(compute, axis_name=batch_axis.NAME))(*parts)
    values, *slopes = jax.jit(compute)(*whole)
    np.testing.assert_allclose(divided[0].reshape(-1), values, rtol=1e-6)
    for found, wanted in zip(divided[1:], slopes, strict=True):
        np.testing.assert_allclose(found.reshape(-1) / 2, wanted, rtol=1e-5)


def test_a_sure_discriminator_overflows_nothing():
    def compute(*logits):
        players = [player for loss in losses.LOSSES.values() for player in loss[:2]]
        return [(player(*logits), differentiated(player)(*logits)) for player in players]

    logits = jnp.array([1e4, -1e4, 1e4, -1e4]), jnp.array([1e4, 1e4, -1e4, -1e4])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(jax.jit(compute)(*logits)))


@pytest.mark.parametrize("name", losses.LOSSES)
def test_more_generated_than_real_logits_are_refused(name):
    with pytest.raises(ValueError, match=r"real_logits have shape \(1,\), fake_logits \(4,\)"):
        losses.get(name).discriminator(jnp.zeros(1), jnp.zeros(4))


def test_an_unknown_loss_is_refused_with_the_known_ones():
    known = "hinge, least_squares, minimax, non_saturating, relativistic, relativistic_average, wasserstein"
    with pytest.raises(InputError, match=f"loss is 'hing'; it must be one of {known}$"):
        losses.get("hing")


def test_the_settings_offer_every_loss():
    assert set(typing.get_args(typing.get_type_hints(Adversarial)["loss"])) == set(losses.LOSSES)
