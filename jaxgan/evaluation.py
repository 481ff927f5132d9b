"""Measuring a trained run on the held-out images."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgan import data, parallel, pictures, runs
from jaxgan.files import whole
from jaxgan.settings import Settings
from jaxgan.steps import GAN, Classifier
from jaxgan.typing import PyTree
from jaxgan.validation import InputError

BATCH = 250


def evaluate(run: runs.Run, say: Callable[[str], None]) -> tuple[int, dict[str, Any], list[Path]]:
    """Measures the newest state of a run and writes ``evaluation.json`` into its folder.

    Args:
        run: the run.
        say: gets a sentence for each checkpoint that cannot be read.

    Returns:
        The step of the state, the scores, and the files written.

    Raises:
        InputError: there is no state, the images cannot be read, or the folder cannot be written.
    """
    trainable = run.model.build(run.settings.model)
    images = runs.read_data(run.settings, "test")
    step, state = runs.restore(run, say)
    if isinstance(trainable, Classifier):
        matrix = confusion(trainable, state, images, run.settings)
        scores, plots = classification_scores(matrix, images.classes or ()), {"confusion.png": matrix}
    else:
        scores, plots = adversarial_scores(trainable, state, images, run.settings), {}
    scores = {"step": step, "data": run.settings.data, "images": len(images), **scores}
    written = [run.folder.path / name for name in ("evaluation.json", *plots)]
    try:
        with whole(written[0]) as partial:
            partial.write_text(json.dumps(scores, indent=2) + "\n", "utf-8")
        for name, matrix in plots.items():
            pictures.save_confusion(run.folder.path / name, matrix, images.classes or ())
    except OSError as error:
        raise InputError(f"{run.folder.path} cannot be written: {error.strerror}") from None
    return step, scores, written


def confusion(classifier: Classifier, state: PyTree, images: data.Dataset, settings: Settings) -> np.ndarray:
    """Counts the images by true and predicted class.

    Returns:
        int64[K, K], rows are the true classes.
    """
    from sklearn.metrics import confusion_matrix

    data.require_labels(images, settings.model.num_classes)
    predict = parallel.compile_function(classifier.predict)
    true, predicted = [], []
    for batch in data.in_order(images, batch_size=BATCH, value_range=settings.model.value_range):
        predicted.append(jax.device_get(predict(state, batch["image"])).argmax(1))
        true.append(batch["label"])
    labels = np.arange(settings.model.num_classes)
    matrix: np.ndarray = confusion_matrix(np.concatenate(true), np.concatenate(predicted), labels=labels)
    return matrix


def classification_scores(matrix: np.ndarray, classes: tuple[str, ...]) -> dict[str, Any]:
    """Works out accuracy, and precision, recall and F1 of each class, from the counts.

    >>> scores = classification_scores(np.array([[8, 2], [0, 10]]), ("cat", "dog"))
    >>> scores["accuracy"], scores["classes"]["cat"]["recall"]
    (0.9, 0.8)
    """
    from sklearn.metrics import precision_recall_fscore_support

    count = len(matrix)
    true, predicted = (place.ravel() for place in np.indices(matrix.shape))
    parts = precision_recall_fscore_support(
        true, predicted, labels=np.arange(count), sample_weight=matrix.ravel(), zero_division=0.0
    )
    rows = {
        name: {"precision": float(p), "recall": float(r), "f1": float(f), "images": int(support)}
        for name, p, r, f, support in zip(classes, *parts, strict=True)
    }
    macro = {
        f"mean_{key}": float(np.mean(part))
        for key, part in zip(("precision", "recall", "f1"), parts, strict=False)
    }
    return {"accuracy": float(np.trace(matrix) / matrix.sum()), **macro, "classes": rows}


def adversarial_scores(gan: GAN, state: PyTree, images: data.Dataset, settings: Settings) -> dict[str, Any]:
    """Averages the metrics of a step over the held-out images; the states that the steps give are dropped."""
    size = _fitting_size(gan, settings, len(images))
    step = parallel.compile_function(lambda state, batch, key: gan.step(state, batch, key)[1])
    found = []
    for number, batch in enumerate(
        data.in_order(images, batch_size=size, value_range=settings.model.value_range)
    ):
        if len(batch["image"]) == size:
            key = jax.random.fold_in(jax.random.key(settings.seed), number)
            found.append(jax.device_get(step(state, batch, key)))
    return {name: float(np.mean([metrics[name] for metrics in found])) for name in found[0]}


def _fitting_size(gan: GAN, settings: Settings, count: int) -> int:
    """Finds the largest batch that the images can fill, that divides the run's and that the step takes."""
    whole_size = settings.batch_size
    for size in range(min(whole_size, count), 0, -1):
        if whole_size % size == 0:
            with contextlib.suppress(InputError):
                runs.check_step(gan, settings, size)
                return size
    raise InputError(f"{settings.data} test has {count} images, too few for one step of this run")
