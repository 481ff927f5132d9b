"""Measuring a trained run on the held-out images."""

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgan import data, parallel, pictures, run_scores, runs, translation
from jaxgan.files import whole
from jaxgan.metrics import classification
from jaxgan.settings import Settings, read_data
from jaxgan.steps import GAN, Built, Classifier, Stylist, Translator
from jaxgan.typing import PyTree
from jaxgan.validation import InputError

BATCH = 100
"""Images looked at together: on two cores the cnn sees 11,200 images/s by 100, 7,600 by 250."""


def evaluate(run: runs.Run, say: Callable[[str], None]) -> tuple[int, dict[str, Any], list[Path]]:
    """Measures the newest state of a run and writes ``evaluation.json`` into its folder.

    A line is added to ``scores.jsonl`` too.

    Args:
        run: the run.
        say: gets a sentence for each checkpoint that cannot be read.

    Returns:
        The step of the state, the scores, and the files written.

    Raises:
        InputError: there is no state, the images cannot be read, or the folder cannot be written.
    """
    started = time.perf_counter()
    run.folder.check_scores()
    trainable = run.model.build(run.settings.model)
    images, used, measure = read_data(run.settings, "test"), 0, None
    step, state = runs.restore(run, say)
    if isinstance(trainable, Classifier):
        true, predicted = predictions(trainable, state, images, run.settings)
        count = run.settings.model.num_classes
        matrix = classification.update(classification.init(count), true, predicted)
        used = len(images)
        scores, plots = classification.compute(matrix, images.classes or ()), {"confusion.png": matrix}
    elif isinstance(trainable, Translator | Stylist):
        measure, plots = runs.prepare_measure(trainable, run.settings, test=images), {}
        scores = translation.begin(measure, step, state)()["scores"]
    else:
        (scores, used), plots = adversarial_scores(trainable, state, images, run.settings), {}
    protocol = measure.protocol if measure else run_scores.held_out_protocol(run.settings, images, used)
    line = run_scores.line(step, _numbers(scores), protocol, started)
    shown = measure.used if measure else len(images)
    scores = {"step": step, "data": run.settings.data, "images": shown, **scores}
    written = [run.folder.path / name for name in ("evaluation.json", *plots)]
    try:
        with whole(written[0]) as partial:
            partial.write_text(json.dumps(scores, indent=2) + "\n", "utf-8")
        for name, matrix in plots.items():
            pictures.save_confusion(run.folder.path / name, matrix, images.classes or ())
    except OSError as error:
        raise InputError(f"{run.folder.path} cannot be written: {error.strerror}") from None
    run.folder.append_scores(line)
    return step, scores, [*written, run.folder.scores_file]


def _numbers(scores: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in scores.items() if isinstance(value, float)}


def predictions(
    classifier: Built, state: PyTree, images: data.Dataset, settings: Settings
) -> tuple[np.ndarray, np.ndarray]:
    """Predicts the class of each image.

    Returns:
        int[N], the true classes, and int[N], the predicted ones.
    """
    assert isinstance(classifier, Classifier)
    predict = parallel.compile_function(classifier.predict)
    true, predicted = [], []
    for batch in data.in_order(images, batch_size=BATCH, value_range=settings.model.value_range):
        predicted.append(jax.device_get(predict(state, batch["image"])).argmax(1))
        true.append(batch["label"])
    return np.concatenate(true), np.concatenate(predicted)


def adversarial_scores(
    gan: GAN, state: PyTree, images: data.Dataset, settings: Settings
) -> tuple[dict[str, Any], int]:
    """Averages the metrics of a step over the held-out images; the states that the steps give are dropped.

    Returns:
        The averages, and how many images filled whole batches and were looked at.
    """
    size = _fitting_size(gan, settings, len(images))
    step = parallel.compile_function(lambda state, batch, key: gan.step(state, batch, key)[1])
    found = []
    for number, batch in enumerate(
        data.in_order(images, batch_size=size, value_range=settings.model.value_range)
    ):
        if len(batch["image"]) == size:
            key = jax.random.fold_in(jax.random.key(settings.seed), number)
            found.append(jax.device_get(step(state, batch, key)))
    scores = {name: float(np.mean([metrics[name] for metrics in found])) for name in found[0]}
    return scores, size * len(found)


def _fitting_size(gan: GAN, settings: Settings, count: int) -> int:
    """Finds the largest batch that the images can fill, that divides the run's and that the step takes."""
    whole_size = settings.batch_size
    for size in range(min(whole_size, count), 0, -1):
        if whole_size % size == 0:
            with contextlib.suppress(InputError):
                runs.check_step(gan, settings, size)
                return size
    raise InputError(f"{settings.data} test has {count} images, too few for one step of this run")
