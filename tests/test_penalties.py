"""The penalties against closed forms, differences in double precision, and what they promise of examples."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import batch_axis, parallel, penalties
from jaxgan.validation import InputError

KEY = jax.random.key(0)
RANDOM = np.random.default_rng(0)
SHAPE = (2, 3, 1)
REAL, FAKE = (RANDOM.normal(size=(4, *SHAPE)) for _ in range(2))
W = RANDOM.normal(size=6)
A = 0.3 * RANDOM.normal(size=(6, 6))


def flat(images):
    return images.reshape(len(images), -1)


def linear(w):
    return lambda images: flat(images) @ w


def quadratic(a):
    return lambda images: ((flat(images) @ a) * flat(images)).sum(1)


def network(params):
    return lambda images: jnp.tanh(flat(images) @ params["first"]) @ params["last"]


PARAMS = {"first": RANDOM.normal(size=(6, 5)), "last": RANDOM.normal(size=5)}


def brighten(key, images):
    keys = batch_axis.example_keys(key, len(images))
    return images * jax.vmap(lambda key: jax.random.uniform(key, (1, 1, 1), images.dtype, 0.5, 2))(keys)


def evaluate(name, discriminate, real=REAL, fake=FAKE, key=KEY, augment=brighten):
    real, fake = jnp.asarray(real), jnp.asarray(fake)
    anchors = penalties.Anchors(jnp.array(0.5), jnp.array(-0.2))
    logits = discriminate(real), discriminate(fake)
    inputs = penalties.Inputs(real, fake, *logits, key, anchors, augment)
    return penalties.get(name)(discriminate, inputs)


def closed_forms(norms, by_norms):
    """Values and derivatives of the penalties, from those of the slopes by the params."""
    half, two_sided = norms**2 / 2, (norms - 1) ** 2
    steep = norms > 1
    return {
        "r1": (half, norms * by_norms),
        "r2": (half, norms * by_norms),
        "gradient_penalty": (two_sided, 2 * (norms - 1) * by_norms),
        "gradient_penalty_one_sided": (steep * two_sided, steep * 2 * (norms - 1) * by_norms),
        "dragan": (two_sided, 2 * (norms - 1) * by_norms),
    }


def computed(name, critic, real=REAL, fake=FAKE):
    """Compiles a penalty's values, and the derivative of their mean, as functions of the critic's params."""

    def mean(params):
        values = evaluate(name, critic(params), real, fake)
        return values.mean(), values

    differentiate = jax.value_and_grad(mean, has_aux=True)

    def compute(params):
        (_, values), derivative = differentiate(params)
        return values, derivative

    return jax.jit(compute)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ["r1", "r2", "gradient_penalty", "gradient_penalty_one_sided", "dragan"])
def test_penalties_of_a_linear_critic_are_those_of_its_weights(name):
    compute, direction = computed(name, linear), W / np.linalg.norm(W)
    for norm in (2.0, 0.1):
        value, expected = closed_forms(norm, direction)[name]
        values, derivative = compute(norm * direction)
        np.testing.assert_allclose(values, np.full(4, value), rtol=1e-12)
        np.testing.assert_allclose(derivative, expected, rtol=1e-12, atol=1e-15)


def quadratic_forms(name, images):
    """With B = A + A', the slope is |Bx|, and its derivative by A is (Bx x' + x (Bx)') / |Bx|."""
    values, derivatives = [], []
    for x in flat(images):
        slope = (A + A.T) @ x
        norm = np.linalg.norm(slope)
        value, derivative = closed_forms(norm, (np.outer(slope, x) + np.outer(x, slope)) / norm)[name]
        values.append(value)
        derivatives.append(derivative)
    return np.array(values), np.mean(derivatives, 0)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ["r1", "r2", "gradient_penalty", "gradient_penalty_one_sided"])
def test_penalties_of_a_quadratic_critic_are_those_of_its_matrix(name):
    """Between equal images lie the images themselves."""
    images = FAKE if name == "r2" else REAL
    expected_values, expected = quadratic_forms(name, images)
    values, derivative = computed(name, quadratic, images, images)(A)
    np.testing.assert_allclose(values, expected_values, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(derivative, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.usefixtures("x64")
def test_dragan_looks_around_real_images():
    """The slope of |x|^2 / 2 is |x|: over many draws of the noise, E |x + d|^2 = |x|^2 + 6 std^2."""
    images = jnp.asarray(np.broadcast_to(REAL[:1], (4000, *SHAPE)))

    def squares_around(images):
        return penalties.dragan(quadratic(np.eye(6) / 2), images, KEY, std=0.3, target=0.0)

    squares = np.asarray(jax.jit(squares_around)(images))
    error = squares.std() / np.sqrt(len(squares))
    assert abs(squares.mean() - np.square(REAL[0]).sum() - 6 * 0.3**2) < 5 * error


@pytest.mark.usefixtures("x64")
def test_interpolates_lie_between_each_pair_evenly():
    """Between x and 0 the slope of |x|^2 / 2 is the share of x times |x|: one share for all pixels."""
    real = jnp.asarray(np.broadcast_to(REAL[:1], (1000, *SHAPE)))
    critic = quadratic(np.eye(6) / 2)
    between = jax.jit(lambda real: penalties.gradient_penalty(critic, real, 0 * real, KEY, target=0.0))
    squares = between(real)
    shares = np.sqrt(squares) / np.linalg.norm(REAL[0])
    assert len(np.unique(shares)) == 1000
    assert 0 <= shares.min() < 0.01
    assert 0.99 < shares.max() < 1
    assert abs(shares.mean() - 0.5) < 5 * np.sqrt(1 / 12 / 1000)


@pytest.mark.parametrize("name", ["gradient_penalty", "gradient_penalty_one_sided", "dragan"])
def test_a_critic_without_slope_has_a_finite_penalty(name):
    values, derivative = computed(name, linear, np.float32(REAL), np.float32(FAKE))(jnp.zeros(6))
    np.testing.assert_array_equal(values, np.full(4, 0 if name.endswith("one_sided") else 1))
    np.testing.assert_array_equal(derivative, np.zeros(6))


DISTINCT = sorted(set(penalties.PENALTIES) - {"consistency", "gradient_penalty_one_sided", "r2_forward"})
"""Each way of looking at images once."""


def every(params, real=REAL, fake=FAKE, names=DISTINCT):
    return {name: evaluate(name, network(params), real, fake) for name in names}


@pytest.mark.usefixtures("x64")
def test_derivatives_by_the_params_are_those_of_differences():
    def means(params):
        return jnp.stack([values.mean() for values in every(params, names=penalties.PENALTIES).values()])

    compute = jax.jit(lambda params: (means(params), jax.jacobian(means)(params)))
    direction = {leaf: RANDOM.normal(size=values.shape) for leaf, values in PARAMS.items()}
    (ahead, _), (behind, _) = (
        compute({leaf: values + way * direction[leaf] for leaf, values in PARAMS.items()})
        for way in (1e-5, -1e-5)
    )
    _, derivatives = compute(PARAMS)
    found = sum(
        np.asarray(derivatives[leaf] * d[None]).reshape(10, -1).sum(1) for leaf, d in direction.items()
    )
    assert np.abs(found).min() > 1e-3
    np.testing.assert_allclose(found, (ahead - behind) / 2e-5, rtol=1e-6)


@pytest.mark.usefixtures("x64")
def test_a_penalty_depends_on_its_own_example_alone():
    found = jax.jit(jax.jacobian(every, argnums=(1, 2)))(PARAMS, REAL, FAKE)
    for name, jacobians in found.items():
        influence = sum(np.abs(jacobian).reshape(4, 4, -1).sum(2) for jacobian in jacobians)
        np.testing.assert_array_equal(influence, np.diag(np.diag(influence)), name)
        assert np.diag(influence).max() > 0, name


@pytest.mark.usefixtures("x64")
def test_a_divided_batch_has_the_penalties_of_the_whole():
    parts = [images.reshape(2, 2, *SHAPE) for images in (REAL, FAKE)]
    mapped = jax.vmap(every, in_axes=(None, 0, 0), axis_name=batch_axis.NAME)
    divided, whole = jax.jit(lambda: (mapped(PARAMS, *parts), every(PARAMS)))()
    for name, values in whole.items():
        np.testing.assert_allclose(divided[name].reshape(-1), values, rtol=1e-10, err_msg=name)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("probe", "probes"), [("rademacher", 1), ("rademacher", 3), ("gaussian", 2)])
def test_estimated_slopes_have_the_mean_and_the_variance_that_they_promise(probe, probes):
    count = 20_000
    images = jnp.zeros((count, 6))
    estimate = functools.partial(penalties.estimated_squared_slopes, linear(W), probes=probes, probe=probe)
    estimates = np.asarray(jax.jit(estimate)(images, KEY))
    square = np.square(W).sum()
    spare = (W**4).sum() if probe == "rademacher" else 0
    variance = 2 / probes * (square**2 - spare)
    assert abs(estimates.mean() - square) < 5 * np.sqrt(variance / count)
    np.testing.assert_allclose(estimates.var(), variance, rtol=0.15)


@pytest.mark.usefixtures("x64")
def test_the_derivative_of_an_estimate_has_the_mean_of_the_exact_one():
    def derivative(penalty):
        return jax.grad(lambda a: penalty(a).mean())(jnp.asarray(A))

    exact = derivative(lambda a: evaluate("r1", quadratic(a)))
    draws = jax.jit(
        jax.vmap(lambda key: derivative(lambda a: evaluate("r1_forward", quadratic(a), key=key)))
    )(jax.random.split(KEY, 1000))
    errors = np.std(draws, axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(0) - exact) < 5 * errors).all()


def test_lecam_compares_with_what_was_seen_of_the_other_kind():
    real, fake = np.array([1.0, 2.0]), np.array([-3.0, 0.5])
    anchors = penalties.Anchors(jnp.array(0.7), jnp.array(-0.4))
    found = penalties.lecam(jnp.array(real), jnp.array(fake), anchors)
    np.testing.assert_allclose(found, (real + 0.4) ** 2 + (fake - 0.7) ** 2, rtol=1e-6)


def test_anchors_follow_the_whole_batch_and_carry_no_gradient():
    logits = jnp.array([[1.0, 2.0], [4.0, 5.0]])
    start = penalties.Anchors(jnp.array(1.0), jnp.array(2.0))
    moved = jax.vmap(
        lambda logits: penalties.update_anchors(start, logits, -logits, decay=0.9), axis_name=batch_axis.NAME
    )(logits)
    np.testing.assert_allclose(moved.real, [0.9 * 1 + 0.1 * 3] * 2, rtol=1e-6)
    np.testing.assert_allclose(moved.fake, [0.9 * 2 - 0.1 * 3] * 2, rtol=1e-6)
    slopes = jax.grad(lambda logits: sum(penalties.update_anchors(start, logits, logits)))(logits[0])
    np.testing.assert_array_equal(slopes, [0, 0])


def test_consistency_is_the_squared_change_under_augmentation():
    a, b, c, d = (jnp.array([value, 1.0]) for value in (2.0, -1.0, 0.5, 4.0))
    np.testing.assert_allclose(penalties.consistency(a, b), [9, 0])
    np.testing.assert_allclose(penalties.balanced_consistency(a, b, c, d), [9 + 12.25, 0])
    w = jnp.ones(6)
    seen = evaluate("balanced_consistency", linear(w), augment=lambda key, images: 2 * images)  # noqa: ARG005
    expected = flat(REAL).sum(1) ** 2 + flat(FAKE).sum(1) ** 2
    np.testing.assert_allclose(seen, expected, rtol=1e-5)


def test_a_lazy_penalty_costs_one_program_and_comes_every_kth_step():
    images, traces = jnp.asarray(REAL, jnp.float32), []

    def penalty(w):
        return penalties.r1(linear(w), images).mean()

    def advance(step, _):
        traces.append(1)
        w = jnp.asarray(W, jnp.float32)
        outside = jax.value_and_grad(lambda w: penalties.lazily(step, 3, lambda: penalty(w)))(w)
        inside = penalties.lazily(step, 3, lambda: jax.value_and_grad(penalty)(w))
        return step + 1, (outside, inside)

    _, found = jax.lax.scan(advance, jnp.int32(0), length=7)
    assert len(traces) == 1
    due = np.array([3.0, 0, 0, 3, 0, 0, 3])
    for value, derivative in found:
        np.testing.assert_allclose(value, due * np.square(W).sum() / 2, rtol=1e-5)
        np.testing.assert_allclose(derivative, np.outer(due, W), rtol=1e-5)
    program = str(jax.make_jaxpr(lambda step: penalties.lazily(step, 3, lambda: penalty(W)))(jnp.int32(0)))
    assert "cond[" in program
    always = penalties.lazily(jnp.int32(5), 1, lambda: penalty(W))
    np.testing.assert_allclose(always, np.square(W).sum() / 2, rtol=1e-5)


def test_lazy_penalties_run_where_a_batch_is_divided():
    """Of the layouts shard_map is the one that asks whether both branches vary alike over the devices."""
    names = ("r1", "r1_forward")

    def step(state, batch, key):
        def mean(params):
            def penalise(name):
                found = evaluate(name, network(params), batch["image"], -batch["image"], key)
                return batch_axis.pmean(found.mean())

            lazy = [penalties.lazily(state["step"], 2, lambda name=name: penalise(name)) for name in names]
            return sum(lazy)

        value, slopes = jax.value_and_grad(mean)(state["params"])
        return {"step": state["step"] + 1, "params": batch_axis.pmean(slopes)}, {"penalty": value}

    layout = parallel.layout("shard_map", jax.local_devices()[:1])
    params = jax.tree.map(np.float32, PARAMS)
    state = layout.put_state({"step": np.int32(2), "params": params})
    batch, key = layout.put_batch({"image": np.float32(REAL)}), layout.put_state(KEY)
    compiled = layout.compile(step)
    state, due = compiled(state, batch, key)
    assert due["penalty"] > 0
    _, idle = compiled(state, batch, key)
    assert idle["penalty"] == 0


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: penalties.get("r3"), "penalty is 'r3'; it must be one of balanced_.*, r2, r2_forward$"),
        (lambda: penalties.lazily(jnp.int32(0), 0, lambda: jnp.ones(1)), "interval is 0; it must be >= 1$"),
        (
            lambda: penalties.estimated_squared_slopes(linear(W), jnp.asarray(REAL), KEY, probes=0),
            "probes is 0; it must be >= 1$",
        ),
        (
            lambda: penalties.estimated_squared_slopes(linear(W), jnp.asarray(REAL), KEY, probe="normal"),
            "probe is 'normal'; it must be one of rademacher, gaussian$",
        ),
        (lambda: evaluate("gradient_penalty", linear(W), fake=FAKE[:1]), r"fake_images is \(1, 2, 3, 1\)"),
        (
            lambda: penalties.r1(lambda images: images.sum((2, 3)), jnp.asarray(REAL)),
            r"the shape of the logits is \(4, 2\); it must be \(4,\), one logit for each image$",
        ),
        (lambda: evaluate("consistency", linear(W), augment=None), "augment is None; it must be a function"),
    ],
)
def test_what_cannot_be_is_refused(ask, words):
    with pytest.raises(InputError, match=words):
        ask()


def test_lecam_without_anchors_is_refused():
    inputs = penalties.Inputs(jnp.asarray(REAL), jnp.asarray(FAKE), jnp.zeros(4), jnp.zeros(4), KEY)
    with pytest.raises(InputError, match="anchors is None"):
        penalties.get("lecam")(linear(W), inputs)
