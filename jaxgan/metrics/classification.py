"""Accuracy, precision, recall and F1 of a classifier, from the counts of true and predicted classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxgan.metrics.checks import as_numbers, require_same_size, require_samples
from jaxgan.validation import require


def init(num_classes: int) -> np.ndarray:
    """Makes the counts of no samples.

    Args:
        num_classes: the classes K, >= 1.

    Returns:
        int64[K, K], rows are the true classes.

    Raises:
        InputError: there are no classes.

    >>> init(2).tolist()
    [[0, 0], [0, 0]]
    """
    require(num_classes >= 1, "num_classes", num_classes, ">= 1")
    return np.zeros((num_classes, num_classes), np.int64)


def update(state: np.ndarray, true: Any, predicted: Any) -> np.ndarray:
    """Counts samples.

    Args:
        state: int64[K, K], the counts so far.
        true: int[N], the classes.
        predicted: int[N], what was taken for them.

    Raises:
        InputError: a label is not a class, or there is not one prediction for each.

    >>> update(init(2), [0, 0, 1], [0, 1, 1]).tolist()
    [[1, 1], [0, 1]]
    """
    size = len(state)
    rows = as_numbers("true labels", true, size)
    columns = as_numbers("predicted labels", predicted, size, len(rows))
    return state + np.bincount(rows * size + columns, minlength=size * size).reshape(size, size)


def merge(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Joins the counts of two parts of the samples.

    Raises:
        InputError: the classes differ.

    >>> merge(update(init(2), [0], [0]), update(init(2), [1], [0])).tolist()
    [[1, 0], [1, 0]]
    """
    require_same_size(len(a), len(b))
    return a + b


def compute(matrix: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Works out accuracy, and precision, recall and F1 of each class, from the counts.

    Args:
        matrix: int64[K, K], rows are the true classes.
        classes: their K names.

    Returns:
        ``accuracy``; ``mean_precision``, ``mean_recall`` and ``mean_f1``, plain means over the classes; and
        ``classes``: for each name ``precision``, ``recall``, ``f1`` and ``images``. A share of nothing is 0.

    Raises:
        InputError: there are no samples, or not one name for each class.

    >>> scores = compute(np.array([[8, 2], [0, 10]]), ("cat", "dog"))
    >>> scores["accuracy"], scores["classes"]["cat"]["recall"]
    (0.9, 0.8)
    """
    from sklearn.metrics import precision_recall_fscore_support

    count = len(matrix)
    require(len(classes) == count, "the count of class names", len(classes), f"{count}, one for each class")
    require_samples("samples", int(matrix.sum()))
    true, predicted = (place.ravel() for place in np.indices(matrix.shape))
    parts = precision_recall_fscore_support(
        true, predicted, labels=np.arange(count), sample_weight=matrix.ravel(), zero_division=0.0
    )
    rows = {
        name: {"precision": float(p), "recall": float(r), "f1": float(f), "images": int(support)}
        for name, p, r, f, support in zip(classes, *parts, strict=True)
    }
    means = {
        f"mean_{key}": float(np.mean(part))
        for key, part in zip(("precision", "recall", "f1"), parts, strict=False)
    }
    return {"accuracy": float(np.trace(matrix) / matrix.sum()), **means, "classes": rows}
