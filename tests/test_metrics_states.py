"""The states of the metrics: parts that are merged in any order, arrays that are refused."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgan.metrics import (
    classification,
    features,
    fid,
    inception_score,
    kid,
    modes,
    moments,
    ms_ssim,
    path_length,
    precision_recall,
)
from jaxgan.validation import InputError

COUNT = 24
DRAW = np.random.default_rng(0)
REAL = DRAW.standard_normal((COUNT, 3)).astype(np.float32)
ROWS = (DRAW.standard_normal((COUNT, 3)) + 50).astype(np.float32)
LOGITS = DRAW.standard_normal((COUNT, 4)).astype(np.float32)
LABELS, GUESSES = DRAW.integers(4, size=(2, COUNT))
NAMES = ("a", "b", "c", "d")


class Metric(NamedTuple):
    """How one metric starts, takes the samples of some places, joins and answers."""

    empty: Callable[[], Any]
    add: Callable[[Any, np.ndarray], Any]
    merge: Callable[[Any, Any], Any]
    numbers: Callable[[Any], Any]


def gathered(rows):
    return features.update(features.init(3), rows, np.arange(COUNT))


def keep(state, places):
    return features.update(state, ROWS[places], places)


METRICS = {
    "fid": Metric(
        lambda: fid.init(3),
        lambda state, places: fid.update(state, ROWS[places]),
        fid.merge,
        lambda state: (*state, fid.compute(fid.update(fid.init(3), REAL), state)),
    ),
    "kid": Metric(
        lambda: kid.init(3),
        keep,
        kid.merge,
        lambda state: kid.compute(gathered(REAL), state, subsets=3, subset_size=8),
    ),
    "precision and recall": Metric(
        lambda: precision_recall.init(3),
        keep,
        precision_recall.merge,
        lambda state: precision_recall.compute(gathered(REAL + 50), state),
    ),
    "inception score": Metric(
        lambda: inception_score.init(COUNT, 4, splits=5),
        lambda state, places: inception_score.update(state, LOGITS[places], places),
        inception_score.merge,
        inception_score.compute,
    ),
    "modes": Metric(
        lambda: modes.init(4),
        lambda state, places: modes.update(state, LABELS[places]),
        modes.merge,
        modes.compute,
    ),
    "path length": Metric(
        path_length.init,
        lambda state, places: path_length.update(state, ROWS[places, 0], places),
        path_length.merge,
        path_length.compute,
    ),
    "diversity": Metric(
        ms_ssim.init,
        lambda state, places: ms_ssim.update(state, ROWS[places, 0]),
        ms_ssim.merge,
        ms_ssim.compute,
    ),
    "classification": Metric(
        lambda: classification.init(4),
        lambda state, places: classification.update(state, LABELS[places], GUESSES[places]),
        classification.merge,
        lambda state: classification.compute(state, NAMES),
    ),
}


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=6, deadline=None)
@given(
    owners=st.lists(st.integers(0, 3), min_size=COUNT, max_size=COUNT),
    places=st.permutations(range(COUNT)),
    order=st.permutations(range(4)),
)
def test_parts_in_any_order_are_worth_one_pass(name, owners, places, order):
    metric = METRICS[name]
    whole = metric.add(metric.empty(), np.arange(COUNT))
    parts = [metric.empty() for _ in range(4)]
    for number in range(4):
        own = np.array([place for place in places if owners[place] == number], int)
        for batch in np.array_split(own, 2):  # some of them empty
            parts[number] = metric.add(parts[number], batch)
    left = metric.merge(parts[order[0]], parts[order[1]])
    right = metric.merge(parts[order[2]], parts[order[3]])
    merged = metric.merge(left, right)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12),
        metric.numbers(merged),
        metric.numbers(whole),
    )


@pytest.mark.parametrize("name", METRICS)
def test_states_are_trees_of_arrays_that_an_update_leaves_alone(name):
    metric = METRICS[name]
    first = metric.add(metric.empty(), np.arange(4))
    leaves, structure = jax.tree.flatten(first)
    assert all(isinstance(leaf, np.ndarray) for leaf in leaves)
    before = [leaf.copy() for leaf in leaves]
    metric.merge(metric.add(first, np.arange(4, 9)), metric.add(metric.empty(), np.arange(9, COUNT)))
    assert all(np.array_equal(*both) for both in zip(before, leaves, strict=True))
    again = jax.tree.unflatten(structure, before)
    rest = np.arange(4, COUNT)
    assert metric.numbers(metric.add(again, rest))
    assert type(again) is type(first)


def test_arrays_of_jax_and_of_half_precision_are_taken():
    rows = jnp.asarray(ROWS[:, :2], jnp.bfloat16)
    state = moments.update(moments.init(2), rows)
    np.testing.assert_array_equal(state.mean, np.asarray(rows, np.float64).mean(0))
    assert features.ordered(features.update(features.init(2), rows, jnp.arange(COUNT))).dtype == np.float32


def test_classification_scores_from_counts_are_those_from_the_labels():
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    guesses = np.where(GUESSES == 3, LABELS, GUESSES) % 3  # the last class is never guessed
    found = classification.compute(classification.update(classification.init(4), LABELS, guesses), NAMES)
    parts = precision_recall_fscore_support(LABELS, guesses, labels=range(4), zero_division=0)
    assert found.pop("accuracy") == pytest.approx(accuracy_score(LABELS, guesses))
    for row, *expected in zip(found.pop("classes").values(), *parts, strict=True):
        assert list(row) == ["precision", "recall", "f1", "images"]
        assert list(row.values()) == pytest.approx(expected)
    assert found["mean_recall"] == pytest.approx(parts[1].mean())
    assert list(found) == ["mean_precision", "mean_recall", "mean_f1"]


TWO_SETS = {
    "fid": fid.from_features,
    "kid": lambda real, fake: kid.from_features(real, fake, subset_size=8),
    "precision and recall": precision_recall.from_features,
}
BAD = np.where(np.arange(COUNT * 3).reshape(COUNT, 3) == 7, np.nan, ROWS)


@pytest.mark.parametrize("name", TWO_SETS)
@pytest.mark.parametrize(
    ("fake", "message"),
    [
        (BAD, r"fake features of 1 samples of 24 are not finite; all must be"),
        (ROWS[0], r"fake features have the shape \(3,\); it must be \(samples, dimension\)"),
        (ROWS[:, :2], r"the dimension of the second set is 2; it must be 3, as of the first"),
        (ROWS[:0], r"the count of fake samples is 0; it must be at least \d"),
        (ROWS.astype(complex), r"fake features are of type complex128; they must be real numbers"),
    ],
    ids=["not finite", "rank", "dimension", "empty", "complex"],
)
def test_sets_that_cannot_be_compared_are_refused(name, fake, message):
    with pytest.raises(InputError, match=message):
        TWO_SETS[name](REAL, fake)
    with pytest.raises(InputError, match=r"real|first"):
        TWO_SETS[name](fake, REAL)


SEEN = inception_score.update(inception_score.init(3, 4, splits=1), LOGITS[:2], [0, 1])
REFUSED = {
    "one sample has no covariance": (
        lambda: fid.compute(fid.update(fid.init(3), REAL), fid.update(fid.init(3), REAL[:1])),
        "the count of fake samples is 1; it must be at least 2",
    ),
    "a subset larger than the set": (
        lambda: kid.from_features(REAL, ROWS),
        "the count of real samples is 24; it must be at least 1000, the size of a subset",
    ),
    "no subsets": (lambda: kid.from_features(REAL, ROWS, subsets=0, subset_size=8), "subsets is 0"),
    "no more samples than neighbours": (
        lambda: precision_recall.from_features(REAL[:5], ROWS),
        "the count of real samples is 5; it must be at least 6",
    ),
    "two samples at one place": (
        lambda: features.ordered(features.update(features.init(3), REAL[:3], [4, 2, 4])),
        "place 4 holds 2 samples; each place may hold one",
    ),
    "a place for each": (lambda: features.update(features.init(3), REAL, [0]), "the count of places is 1"),
    "fewer samples than splits": (
        lambda: inception_score.from_logits(LOGITS[:9]),
        "the count of samples is 9; it must be at least 10, the number of splits",
    ),
    "logits that are not finite": (lambda: inception_score.from_logits(BAD), "logits of 1 samples"),
    "samples that have not come": (
        lambda: inception_score.compute(SEEN),
        "the count of samples that have come is 2; it must be at least 3",
    ),
    "a sample that comes twice": (
        lambda: inception_score.update(SEEN, LOGITS[:1], [1]),
        "the count of samples that come twice is 1",
    ),
    "a sample that comes twice in a batch": (
        lambda: inception_score.update(SEEN, LOGITS[:2], [2, 2]),
        "places name 1 samples twice",
    ),
    "other splits": (
        lambda: inception_score.merge(SEEN, inception_score.init(4, 4, splits=1)),
        "divided differently",
    ),
    "a label that is no class": (lambda: modes.from_labels([0, 4], 4), r"labels go from 0 to 4; .* 0\.\.3"),
    "labels that are not whole": (lambda: modes.from_labels([0.5], 4), "they must be whole numbers"),
    "no labels": (lambda: modes.from_labels([], 4), "the count of samples is 0"),
    "no lengths": (lambda: path_length.compute(path_length.init()), "the count of lengths is 0"),
    "percentiles in disorder": (
        lambda: path_length.compute(path_length.init(), low=60, high=40),
        r"the percentiles is \(60, 40\)",
    ),
    "latents that do not fit": (
        lambda: path_length.lengths(lambda z: z, lambda x: x, REAL, REAL[:2], REAL[:, 0]),
        r"start, end and t have the shapes \(24, 3\), \(2, 3\) and \(24,\)",
    ),
    "another space": (
        lambda: path_length.lengths(lambda z: z, lambda x: x, REAL, REAL, REAL[:, 0], space="x"),
        "space is 'x'; it must be 'z' or 'w'",
    ),
    "pictures smaller than the window": (
        lambda: ms_ssim.ms_ssim(jnp.zeros((1, 10, 32, 1)), jnp.zeros((1, 10, 32, 1)), value_range=(0.0, 1.0)),
        "the smaller side of the images is 10; it must be at least 11",
    ),
    "more scales than fit": (
        lambda: ms_ssim.ms_ssim(
            jnp.zeros((1, 28, 28, 1)), jnp.zeros((1, 28, 28, 1)), value_range=(0.0, 1.0), scales=3
        ),
        r"scales is 3; it must be in 1\.\.2 for \(28, 28\) pixels",
    ),
    "no pairs": (lambda: ms_ssim.compute(ms_ssim.init()), "the count of pairs is 0"),
    "a name for each class": (
        lambda: classification.compute(np.eye(3, dtype=int), ("a",)),
        "the count of class names is 1",
    ),
    "no answers": (
        lambda: classification.compute(classification.init(4), NAMES),
        "the count of samples is 0",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_measured_is_refused(name):
    call, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        call()
