"""Two runs measured alike, and how sure their difference is."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxgan import config, run_scores, runs, scoring
from jaxgan.evaluation import predictions
from jaxgan.metrics import classification
from jaxgan.scoring import Difference, Scoring
from jaxgan.settings import read_data
from jaxgan.steps import Classifier
from jaxgan.typing import Watch, unwatched
from jaxgan.validation import InputError, require

Lines = tuple[dict[str, Any], dict[str, Any]]


class Comparison(NamedTuple):
    """Two runs compared.

    Attributes:
        lines: the line of each, as it was added to its ``scores.jsonl``.
        differences: for each score the first run's less the second's, with a 95 % interval.
        note: what a reader must know, or nothing.
    """

    lines: Lines
    differences: dict[str, Difference]
    note: str


def compare(
    pair: Sequence[runs.Run],
    plan: Scoring | None = None,
    *,
    resamples: int = scoring.RESAMPLES,
    say: Callable[[str], None],
    watch: Watch = unwatched,
) -> Comparison:
    """Measures the newest states of two runs by one protocol.

    Args:
        pair: two runs of GANs, or of classifiers.
        plan: how GANs are scored, by FID if nothing is said; classifiers are measured on the test images of
            their data, and take none.
        resamples: how often the images are resampled for the intervals, >= 20.
        say: gets a sentence for each checkpoint that cannot be read.
        watch: told how the work goes on.

    Raises:
        InputError: the runs cannot be compared, because they are of different kinds or their protocols
            differ, or one of them cannot be measured.
    """
    require(resamples >= 20, "resamples", resamples, ">= 20")
    kinds = [isinstance(run.model.build(run.settings.model), Classifier) for run in pair]
    if kinds[0] != kinds[1]:
        models = " and ".join(run.model.name for run in pair)
        raise InputError(f"a run of a classifier cannot be compared with one of a GAN: these are {models}")
    for run in pair:
        run.folder.check_scores()
    if not kinds[0]:
        return _compare_gans(pair, plan or Scoring(metrics="fid"), resamples, say, watch)
    if plan is not None:
        raise InputError(
            f"{pair[0].model.name} draws no images; {plan.metrics} are scores of generated images"
        )
    return _compare_classifiers(pair, resamples, say)


def _check(pair: Sequence[runs.Run], protocols: Sequence[dict[str, Any]]) -> None:
    """Refuses protocols that differ; the same images may have two names."""
    first, second = ({name: value for name, value in found.items() if name != "data"} for found in protocols)
    if differing := config.differences(first, second):
        one, other = (run.folder.path for run in pair)
        raise InputError(
            f"{one} and {other} cannot be compared: their protocols differ in {', '.join(differing)}"
        )


def _compare_gans(
    pair: Sequence[runs.Run], plan: Scoring, resamples: int, say: Callable[[str], None], watch: Watch
) -> Comparison:
    images = [read_data(run.settings, plan.split) for run in pair]
    _check(
        pair, [run_scores.images_protocol(run.settings, one) for run, one in zip(pair, images, strict=True)]
    )
    states = [runs.restore(run, say) for run in pair]
    evaluators = [run_scores.prepare(run.model, run.settings, plan, watch=watch) for run in pair]
    _check(pair, [evaluator.protocol for evaluator in evaluators])
    real, extractor, note = evaluators[0].real, evaluators[0].extractor, evaluators[0].note
    lines, judged = [], []
    for (step, state), evaluator in zip(states, evaluators, strict=True):
        started = time.perf_counter()
        scorer = evaluator.scorer
        batches = list(scorer.fetch(scorer.draw(state), watch))
        lines.append(run_scores.line(step, scorer.score(batches), evaluator.protocol, started))
        judged.append(scoring.Judged(lines[-1]["scores"], scoring.join(batches)))
    found = scoring.compare(judged[0], judged[1], real, extractor, plan, resamples=resamples, watch=watch)
    return _finish(pair, lines, found, note)


def _compare_classifiers(pair: Sequence[runs.Run], resamples: int, say: Callable[[str], None]) -> Comparison:
    images = [read_data(run.settings, "test") for run in pair]
    protocols = [
        run_scores.held_out_protocol(run.settings, held, len(held))
        for run, held in zip(pair, images, strict=True)
    ]
    _check(pair, protocols)
    lines, tables = [], []
    for run, held, protocol in zip(pair, images, protocols, strict=True):
        started = time.perf_counter()
        step, state = runs.restore(run, say)
        labels = predictions(run.model.build(run.settings.model), state, held, run.settings)
        tables.append(np.stack(labels))
        scores = _class_scores(tables[-1], held.classes or ())
        lines.append(run_scores.line(step, scores, protocol, started))
    classes = images[0].classes or ()
    random = np.random.default_rng(0)

    def again(_number: int) -> dict[str, float]:
        chosen = random.integers(tables[0].shape[1], size=tables[0].shape[1])  # the same images for both
        one, other = (_class_scores(table[:, chosen], classes) for table in tables)
        return {name: value - other[name] for name, value in one.items()}

    found = [again(number) for number in range(resamples)]
    differences = {
        name: scoring.interval(value - lines[1]["scores"][name], np.array([values[name] for values in found]))
        for name, value in lines[0]["scores"].items()
    }
    return _finish(pair, lines, differences, "")


def _class_scores(labels: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    matrix = classification.update(classification.init(len(classes)), labels[0], labels[1])
    return {
        name: value
        for name, value in classification.compute(matrix, classes).items()
        if isinstance(value, float)
    }


def _finish(
    pair: Sequence[runs.Run],
    lines: list[dict[str, Any]],
    differences: dict[str, Difference],
    note: str,
) -> Comparison:
    for run, line in zip(pair, lines, strict=True):
        run.folder.append_scores(line)
    return Comparison((lines[0], lines[1]), differences, note)
