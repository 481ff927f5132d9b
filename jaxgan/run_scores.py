"""The scores of a run's generator: its settings and its data put together with what scores them."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import jax

from jaxgan import data, parallel, scoring, zoo
from jaxgan.extractors import Extractor
from jaxgan.scoring import Scoring
from jaxgan.settings import Settings, read_data
from jaxgan.steps import GAN
from jaxgan.steps.average import averaged
from jaxgan.steps.state import evaluate_network
from jaxgan.typing import Array, PyTree, Watch, unwatched
from jaxgan.validation import InputError
from jaxgan.versions import versions


class Evaluator(NamedTuple):
    """All that scores the states of a run.

    Attributes:
        scorer: draws, fetches and counts.
        extractor: what sees the images.
        real: what is known of the real images.
        plan: the settings.
        protocol: what is written beside the scores.
        note: what a reader of the scores must know, or nothing.
    """

    scorer: scoring.Scorer
    extractor: Extractor
    real: scoring.Real
    plan: Scoring
    protocol: dict[str, Any]
    note: str


def prepare(
    model: zoo.Model,
    settings: Settings,
    plan: Scoring,
    *,
    layout: parallel.Layout | None = None,
    watch: Watch = unwatched,
) -> Evaluator:
    """Reads the real images and puts together what scores a run.

    Args:
        model: the model of the run.
        settings: its settings.
        plan: what is scored, and how.
        layout: the devices; all of them by default.
        watch: told how the work goes on.

    Raises:
        InputError: it is no GAN, or the data do not suit the plan.
    """
    gan = model.build(settings.model)
    if not isinstance(gan, GAN):
        raise InputError(f"{model.name} draws no images of its own; {plan.metrics} are scores of such images")
    chosen = read_data(settings, plan.split)
    plan.check_real(chosen)
    learnt = _labelled(settings, chosen) if plan.extractor == "cnn" else (None, None)
    extractor = scoring.choose_extractor(plan, *learnt, watch=watch)
    real = scoring.read_real(chosen, extractor, plan, watch=watch)
    scorer = scoring.make_scorer(_source(model, settings, gan), extractor, real, plan, layout=layout)
    protocol = _protocol(settings, plan, chosen, extractor, real)
    return Evaluator(scorer, extractor, real, plan, protocol, scoring.few_samples(plan, real))


def begin(evaluator: Evaluator, step: int, state: PyTree) -> Callable[[], dict[str, Any]]:
    """Gives all the work of scoring a state to the device, which then needs the state no more.

    Returns:
        What waits for the device and gives the line for ``scores.jsonl``.
    """
    started = time.perf_counter()
    drawn = list(evaluator.scorer.draw(state))

    def finish() -> dict[str, Any]:
        batches = evaluator.scorer.fetch(drawn, unwatched)
        return line(step, evaluator.scorer.score(batches), evaluator.protocol, started)

    return finish


def line(step: int, scores: dict[str, float], protocol: dict[str, Any], started: float) -> dict[str, Any]:
    """Makes a line for ``scores.jsonl``.

    Args:
        step: the step of the state.
        scores: the scores by their names.
        protocol: all that decides them.
        started: when the work began, by `time.perf_counter`.
    """
    seconds = round(time.perf_counter() - started, 3)
    return {"step": step, "scores": scores, "protocol": protocol, "seconds": seconds, "time": time.time()}


def images_protocol(settings: Settings, images: data.Dataset) -> dict[str, Any]:
    """Says which images scores depend on."""
    return {
        "data": settings.data,
        "data_sha256": images.sha256,
        "split": images.split,
        "crop": settings.crop,
        "image_shape": list(images.image_shape),
    }


def held_out_protocol(settings: Settings, images: data.Dataset, used: int) -> dict[str, Any]:
    """Says what scores on the held-out images depend on.

    Args:
        settings: those of the run.
        images: the held-out images.
        used: how many of them are looked at.
    """
    return {
        **images_protocol(settings, images),
        "real": used,
        "seed": settings.seed,
        **machine_protocol(),
    }


def machine_protocol() -> dict[str, Any]:
    """Says which programs scores depend on."""
    precision = getattr(jax.config, "jax_default_matmul_precision")  # noqa: B009  # unknown to its types
    return {"platform": jax.default_backend(), "matmul_precision": precision, "versions": versions()}


def _labelled(settings: Settings, chosen: data.Dataset) -> tuple[data.Dataset, data.Dataset | None]:
    """Finds the train and the test images; those that were chosen already are not read again."""
    if chosen.split == "test":
        return read_data(settings, "train"), chosen
    test = None
    with suppress(InputError):  # not every source has test images
        test = read_data(settings, "test")
    return chosen, test


def _source(model: zoo.Model, settings: Settings, gan: GAN) -> scoring.Source:
    def generate(state: PyTree, keys: Array) -> Array:
        return jax.vmap(lambda key: gan.sample(state, key, 1)[0])(keys)

    source = scoring.Source(generate, settings.model.image_shape, settings.model.value_range)
    network, shape = model.networks(settings.model).get("generator", (None, ()))
    if network is None or len(shape) != 1 or getattr(settings.model, "num_classes", None) is not None:
        return source

    def decode(state: PyTree, latents: Array) -> Array:
        return evaluate_network(network, *averaged(state, state.generator), latents)

    return source._replace(latents=lambda key: jax.random.normal(key, shape), decode=decode)


def _protocol(
    settings: Settings, plan: Scoring, images: data.Dataset, extractor: Extractor, real: scoring.Real
) -> dict[str, Any]:
    kept = None if real.features is None else sum(map(len, real.features.places))
    return {
        **extractor.protocol,
        **images_protocol(settings, images),
        "quantisation": scoring.QUANTISATION,
        "real": real.images,
        "real_features": kept,
        "samples": plan.samples,
        "seed": plan.seed,
        "metrics": {name: dict(scoring.METRICS[name].protocol) for name in plan.names},
        **machine_protocol(),
    }
