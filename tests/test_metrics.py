"""The numbers of the metrics: against other people's code and against closed forms."""

import functools
import importlib.util
import json
import tracemalloc
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits

from jaxgan import metrics
from jaxgan.metrics import fid, inception_score, kid, modes, moments, ms_ssim, path_length, precision_recall

FOLDER = Path(__file__).parent / "references"
SPEC = importlib.util.spec_from_file_location("reference_metrics", FOLDER / "metrics.py")
REFERENCE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(REFERENCE)
EXPECTED = json.loads((FOLDER / "metrics.json").read_text("utf-8"))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small matrices wait for one another's threads far longer than they compute."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module", params=REFERENCE.CASES)
def case(request):
    name = request.param
    return REFERENCE.CASES[name], *REFERENCE.features(name), EXPECTED["features"][name]


def correlated(count, size, seed=0, mean=1.0):
    draw = np.random.default_rng(seed)
    return draw.standard_normal((count, size)) @ draw.standard_normal((size, size)) + mean


@pytest.mark.filterwarnings("ignore::jaxgan.metrics.FewSamplesWarning")
def test_fid_is_that_of_torch_fidelity(case):
    _, real, fake, expected = case
    assert fid.from_features(real, fake) == pytest.approx(expected["frechet_inception_distance"], rel=1e-5)


def test_kid_is_that_of_torch_fidelity_with_the_same_subsets(case):
    sizes, real, fake, expected = case
    found = kid.from_features(real, fake, subset_size=sizes.subset_size)
    assert found.mean == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-6)
    spread = 1e-9 * abs(found.mean)  # with one subset of all samples there is only rounding
    assert found.std == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-6, abs=spread)


def test_precision_and_recall_are_those_of_torch_fidelity(case):
    _, real, fake, expected = case
    found = precision_recall.from_features(real, fake)
    assert found.precision == pytest.approx(expected["precision"], rel=1e-6)
    assert found.recall == pytest.approx(expected["recall"], rel=1e-6)


def test_density_and_coverage_are_those_of_prdc(case):
    _, real, fake, expected = case
    found = precision_recall.from_features(real, fake)
    assert found.density == pytest.approx(expected["density"], rel=1e-9)
    assert found.coverage == pytest.approx(expected["coverage"], rel=1e-9)


@pytest.mark.parametrize("splits", REFERENCE.SPLITS)
def test_inception_score_is_that_of_torch_fidelity(splits):
    found = inception_score.from_logits(REFERENCE.logits(), splits=splits)
    expected = EXPECTED["logits"][str(splits)]
    assert found.mean == pytest.approx(expected["inception_score_mean"], rel=1e-6)
    assert found.std == pytest.approx(expected["inception_score_std"], rel=1e-6)


@pytest.mark.parametrize("scales", REFERENCE.SCALES)
def test_similarity_is_that_of_pytorch_msssim(scales):
    compare = jax.jit(ms_ssim.ms_ssim, static_argnames=("value_range", "scales"))
    found = compare(*REFERENCE.pictures(), value_range=(-1.0, 1.0), scales=scales)
    np.testing.assert_allclose(found, EXPECTED["pictures"][str(scales)], rtol=1e-4)


@pytest.mark.filterwarnings("ignore::jaxgan.metrics.FewSamplesWarning")
@pytest.mark.parametrize("count", [200, 13, 7])
def test_fid_of_a_set_and_its_optimal_transport_has_a_closed_form(count):
    real = correlated(count, 12)
    half = np.random.default_rng(1).standard_normal((12, 12))
    transport = half @ half.T / 12 + 0.1 * np.eye(
        12
    )  # symmetric and positive: the optimal map, and no power of S
    fake = real @ transport + 0.5
    change = transport - np.eye(12)
    expected = np.sum((real.mean(0) @ change + 0.5) ** 2) + np.trace(
        change @ np.cov(real, rowvar=False) @ change
    )
    assert fid.from_features(real, fake) == pytest.approx(expected, rel=1e-7)
    assert fid.from_features(fake, real) == pytest.approx(expected, rel=1e-7)


def test_fid_against_a_prepared_set_is_the_same():
    real, fake = (moments.update(moments.init(6), correlated(count, 6, count)) for count in (90, 50))
    assert fid.compute(fid.prepare(real), fake) == pytest.approx(fid.compute(real, fake), rel=1e-10)


@pytest.mark.parametrize(("count", "rank"), [(100, 12), (100, 5), (8, 12)])
@pytest.mark.filterwarnings("ignore::jaxgan.metrics.FewSamplesWarning")
def test_equal_sets_have_no_distance_whatever_their_rank(count, rank):
    rows = correlated(count, rank) @ np.random.default_rng(3).standard_normal((rank, 12))
    trace = np.trace(np.cov(rows, rowvar=False))
    assert 0 <= fid.from_features(rows, rows) <= 1e-6 * trace
    assert 0 <= fid.from_features(rows, rows[::-1]) <= 1e-6 * trace


def test_fid_warns_of_few_samples_and_names_their_count_and_the_dimension():
    with pytest.warns(metrics.FewSamplesWarning, match=r"^9 fake samples for 12 dimensions"):
        found = fid.from_features(correlated(50, 12), correlated(9, 12, 1))
    assert isinstance(found, float)
    assert np.isfinite(found)
    with pytest.warns(metrics.FewSamplesWarning, match=r"^12 real samples for 12 dimensions"):
        fid.from_features(correlated(12, 12), correlated(13, 12, 1))


def test_features_with_a_mean_a_million_times_their_spread_lose_nothing():
    draw = np.random.default_rng(4)
    rows = (1e4 + 1e-2 * draw.standard_normal((500, 5))).astype(np.float32)
    exact = rows.astype(np.longdouble)
    exact -= exact.mean(axis=0)
    expected = (exact.T @ exact / 499).astype(np.float64)
    state = moments.init(5)
    for part in np.array_split(rows, 7):
        state = moments.update(state, part)
    scale = np.abs(expected).max()
    assert np.abs(moments.covariance(state) - expected).max() < 1e-11 * scale
    wide = rows.astype(np.float64)
    naive = (wide.T @ wide - 500 * np.outer(wide.mean(0), wide.mean(0))) / 499
    assert np.abs(naive - expected).max() > 1e-6 * scale


def brute_force(real, fake, near, dense):
    real_radii = np.sort(cdist(real, real), axis=1)
    fake_radii = np.sort(cdist(fake, fake), axis=1)
    across = cdist(real, fake)
    inside = across <= real_radii[:, dense, np.newaxis]
    return (
        (across <= real_radii[:, near, np.newaxis]).any(axis=0),
        (across <= fake_radii[:, near]).any(axis=1),
        inside.sum(axis=0) / dense,
        inside.any(axis=1),
    )


@pytest.mark.parametrize("block", [3, 16, 1000])
def test_memberships_are_those_of_a_full_table_of_distances(monkeypatch, block):
    monkeypatch.setattr(precision_recall, "BLOCK", block)
    real, fake = correlated(60, 4, mean=1e4), correlated(47, 4, mean=1e4) * 0.9999 + 1
    found = precision_recall.memberships(real, fake, neighbors=2, density_neighbors=4)
    for ours, theirs in zip(found, brute_force(real, fake, 2, 4), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert 0 < found.precision.mean() < 1
    means = precision_recall.from_features(real, fake, neighbors=2, density_neighbors=4)
    assert means == tuple(part.mean() for part in found)


def test_equal_sets_are_covered_and_sets_far_apart_are_not():
    rows = correlated(40, 6)
    near = precision_recall.from_features(rows, rows)
    assert (near.precision, near.recall, near.coverage) == (1, 1, 1)
    assert precision_recall.from_features(rows, rows + 1e3) == (0, 0, 0, 0)
    collapsed = precision_recall.from_features(rows, rows[0] + 1e-3 * correlated(40, 6, 1))
    assert collapsed.precision == 1
    assert collapsed.recall < 0.1


def test_a_ball_holds_the_samples_on_its_surface():
    real, fake = np.array([[0.0], [2.0], [4.0]]), np.array([[-2.0], [6.0]])
    found = precision_recall.from_features(real, fake, neighbors=1, density_neighbors=1)
    assert found == (1, 1, 1, 2 / 3)


def test_the_memory_of_memberships_does_not_hold_all_distances(monkeypatch):
    monkeypatch.setattr(precision_recall, "BLOCK", 128)
    rows = correlated(1500, 2).astype(np.float32)
    tracemalloc.start()
    precision_recall.memberships(rows, rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1500 * 1500 * 8 / 8


def test_inception_score_is_one_for_no_answer_and_the_classes_for_sure_and_even_ones():
    assert inception_score.from_logits(np.full((50, 7), 3.0)).mean == pytest.approx(1, abs=1e-12)
    sure = 1e3 * np.eye(7)[np.arange(70) % 7]
    found = inception_score.from_logits(sure, splits=1)
    assert found.mean == pytest.approx(7, rel=1e-9)
    assert found.std == 0
    assert inception_score.from_logits(sure[sure.argmax(1) < 3], splits=1).mean == pytest.approx(3, rel=1e-9)


def test_modes_are_counted_and_their_divergence_is_in_nats():
    assert modes.from_labels(np.arange(40) % 4, 4) == (4, 0)
    half = modes.from_labels([3, 1, 3, 1], 4)
    assert half.modes == 2
    assert half.kl == pytest.approx(np.log(2), rel=1e-12)
    assert modes.from_labels([2], 1000).kl == pytest.approx(np.log(1000), rel=1e-12)


@pytest.mark.usefixtures("x64")
def test_path_lengths_of_a_linear_generator_have_a_closed_form():
    draw = np.random.default_rng(5)
    start, end, weights = (jnp.asarray(draw.standard_normal(shape)) for shape in [(9, 3), (9, 3), (3, 8)])
    t = jnp.asarray(draw.uniform(size=9))
    measure = functools.partial(
        path_length.lengths, lambda w: (w @ weights).reshape(-1, 2, 2, 2), lambda x: x
    )
    found = jax.jit(functools.partial(measure, space="w"))(start, end, t)
    np.testing.assert_allclose(found, np.sum(((end - start) @ weights) ** 2, axis=1), rtol=1e-6)


@pytest.mark.usefixtures("x64")
def test_path_lengths_in_z_follow_the_arc():
    angles = np.array([0.3, 1.5, 3.0, 0.0])
    start = jnp.tile(jnp.asarray([[2.0, 0.0]]), (4, 1))
    end = jnp.asarray(2 * np.stack([np.cos(angles), np.sin(angles)], axis=1))
    measure = functools.partial(path_length.lengths, lambda z: z, lambda x: x)
    found = jax.jit(measure)(start, end, jnp.full(4, 0.7))
    np.testing.assert_allclose(found, (2 * angles) ** 2, rtol=1e-6, atol=1e-12)


def test_path_length_drops_what_lies_beyond_the_percentiles():
    values = np.arange(150.0)
    values[149] = 1e9
    state = path_length.update(path_length.init(), values, np.arange(150))
    assert path_length.compute(state).mean == np.arange(1, 149).mean()  # between two lengths: the outer one
    assert path_length.compute(state, low=0, high=100).mean > 1e6


def test_similarity_is_one_for_equal_pictures_symmetric_and_free_of_scale():
    draw = np.random.default_rng(6)
    first, second = (jnp.asarray(draw.uniform(-1, 1, (2, 24, 25, 3)), jnp.float32) for _ in range(2))
    second = 0.7 * first + 0.3 * second
    compare = jax.jit(ms_ssim.ms_ssim, static_argnames="value_range")
    np.testing.assert_allclose(compare(first, first, value_range=(-1, 1)), 1, rtol=1e-6)
    found = compare(first, second, value_range=(-1, 1))
    assert ((found > 0.1) & (found < 0.99)).all()
    np.testing.assert_allclose(compare(second, first, value_range=(-1, 1)), found, rtol=1e-5)
    bytes_ = compare((first + 1) * 127.5, (second + 1) * 127.5, value_range=(0, 255))
    np.testing.assert_allclose(bytes_, found, rtol=1e-4)


def test_pairs_are_of_different_samples_and_even():
    drawn = ms_ssim.pairs(5, 4000)
    assert (drawn[:, 0] != drawn[:, 1]).all()
    counts = np.bincount(drawn[:, 0] * 5 + drawn[:, 1], minlength=25).reshape(5, 5)
    assert counts[~np.eye(5, dtype=bool)].min() > 150
    assert counts.max() < 250
