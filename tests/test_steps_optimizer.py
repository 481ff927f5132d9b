"""The optimiser alone: its schedules, its clipping and what it leaves out, by closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan.steps import Adam
from jaxgan.steps.optimizer import last_was_finite, skipped_updates
from jaxgan.validation import InputError


def sizes(adam, gradients):
    """How far each of some gradients f32[T] moves a param that starts at 0: f32[T]."""
    tx = adam.build()

    def update(carry, gradient):
        state, w = carry
        updates, state = tx.update({"w": gradient}, state, {"w": w})
        return (state, w + updates["w"]), updates["w"]

    @jax.jit
    def run(gradients):
        w = jnp.zeros(())
        return jax.lax.scan(update, (tx.init({"w": w}), w), gradients)[1]

    return np.asarray(run(jnp.float32(gradients)))


def share(schedule, update, warmup, hold, steps):
    if update < warmup:
        return update / warmup
    if schedule == "constant":
        return 1.0
    first = warmup + hold
    passed = np.clip((update - first) / (steps - first), 0, 1)
    return 1 - passed if schedule == "linear" else (1 + np.cos(np.pi * passed)) / 2


@pytest.mark.parametrize(
    ("schedule", "warmup", "hold", "steps"),
    [
        ("constant", 0, 0, None),
        ("constant", 4, 0, None),
        ("linear", 0, 0, 8),
        ("linear", 3, 0, 8),
        ("linear", 0, 4, 8),
        ("cosine", 0, 0, 6),
        ("cosine", 2, 0, 8),
        ("cosine", 2, 3, 8),
    ],
)
def test_a_schedule_scales_the_learning_rate(schedule, warmup, hold, steps):
    """Of a gradient that stays the same Adam makes updates of the learning rate."""
    adam = Adam(learning_rate=0.01, schedule=schedule, warmup=warmup, hold=hold, schedule_steps=steps)
    expected = [-0.01 * share(schedule, update, warmup, hold, steps) for update in range(10)]
    np.testing.assert_allclose(sizes(adam, np.ones(10)), expected, rtol=1e-4, atol=1e-8)


def test_a_schedule_counts_updates_not_steps():
    """Neither those that gather a gradient, nor those that are left out."""
    adam = Adam(learning_rate=0.01, schedule="linear", schedule_steps=2, accumulate=2, skip_non_finite=3)
    found = sizes(adam, [1, np.nan, 1, 1, np.inf, np.nan, 1, 1, 1])
    np.testing.assert_allclose(found, [0, 0, -0.01, 0, 0, 0, -0.005, 0, 0], rtol=1e-4, atol=1e-8)


def test_a_row_that_is_too_long_is_not_left_out():
    adam = Adam(skip_non_finite=2)
    assert np.isfinite(sizes(adam, [1, np.nan, np.inf, 1, np.nan, np.nan, 1])).all()
    assert np.isnan(sizes(adam, [1, np.nan, np.nan, np.nan, 1])[3:]).all()


def test_what_was_left_out_is_told_where_it_can_be():
    params = {"w": jnp.ones(2)}
    plain, careful = Adam().build(), Adam(skip_non_finite=1).build()
    assert last_was_finite(plain.init(params)) is None
    assert skipped_updates(plain.init(params)) is None
    _, state = careful.update({"w": jnp.array([jnp.nan, 1])}, careful.init(params), params)
    assert (bool(last_was_finite(state)), int(skipped_updates(state))) == (False, 1)


def test_gradients_are_clipped_by_value_or_by_their_whole_norm():
    gradients = {"a": jnp.array([3.0, -0.2]), "b": jnp.array([-4.0, 0.0])}
    norm = np.sqrt(3**2 + 0.2**2 + 4**2)

    def clipped(**options):
        tx = Adam(b1=0.0, **options).build()
        _, state = tx.update(gradients, tx.init(gradients), gradients)
        return optax.tree.get(state, "mu")

    def near(found, expected):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, expected)

    near(clipped(clip_value=0.5), {"a": [0.5, -0.2], "b": [-0.5, 0.0]})
    near(clipped(clip_norm=0.5), jax.tree.map(lambda leaf: leaf * 0.5 / norm, gradients))
    near(clipped(clip_norm=5.1), gradients)  # below it nothing is clipped
    by_norm = jax.tree.map(lambda leaf: leaf * 2 / norm, gradients)
    near(clipped(clip_norm=2.0, clip_value=1.0), jax.tree.map(lambda leaf: jnp.clip(leaf, -1, 1), by_norm))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"schedule": "linear"}, "schedule_steps is None; it must be more than warmup, 0$"),
        (
            {"schedule": "cosine", "schedule_steps": 5, "warmup": 5},
            "schedule_steps is 5; it must be more than warmup, 5$",
        ),
        ({"schedule_steps": 5}, "schedule_steps is 5; it must be None for a constant schedule$"),
        ({"schedule": "steps"}, "schedule is 'steps'; it must be one of constant, linear, cosine$"),
        (
            {"schedule": "linear", "schedule_steps": 5, "warmup": 2, "hold": 3},
            "schedule_steps is 5; it must be more than warmup and hold, 5$",
        ),
        ({"hold": 3}, "hold is 3; it must be >= 0, and 0 for a constant schedule$"),
        ({"warmup": -1}, "warmup is -1; it must be >= 0$"),
        ({"accumulate": 0}, "accumulate is 0; it must be >= 1$"),
        ({"skip_non_finite": -1}, "skip_non_finite is -1; it must be >= 0$"),
        ({"clip_norm": 0.0}, "clip_norm is 0.0; it must be > 0 and finite, or None$"),
        ({"clip_value": float("inf")}, "clip_value is inf"),
        ({"b1": 1.0}, "b1 is 1.0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_bad_settings_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        Adam(**options)


def test_weight_decay_shrinks_kernels_and_nothing_else():
    plain, decaying = Adam(learning_rate=0.1).build(), Adam(learning_rate=0.1, weight_decay=0.5).build()
    params = {"kernel": jnp.full((2, 2), 3.0), "bias": jnp.full(2, 3.0)}
    gradients = jax.tree.map(jnp.ones_like, params)
    first, second = (tx.update(gradients, tx.init(params), params)[0] for tx in (plain, decaying))
    np.testing.assert_allclose(second["kernel"], first["kernel"] - 0.1 * 0.5 * 3, rtol=1e-6)
    np.testing.assert_array_equal(second["bias"], first["bias"])
    assert decaying.init(params).hyperparams["weight_decay"] == 0.5
    with pytest.raises(InputError, match=r"weight_decay is -1; it must be >= 0 and finite, or None"):
        Adam(weight_decay=-1)
