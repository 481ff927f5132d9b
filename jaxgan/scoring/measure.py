"""Measuring a generator: images are drawn, quantised and seen on the device, and counted on the host."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import data, parallel
from jaxgan.extractors import Extractor
from jaxgan.metrics import FewSamplesWarning
from jaxgan.scoring.plan import Scoring
from jaxgan.scoring.reference import batch_size, read_real
from jaxgan.scoring.table import METRICS, PIXELS, Batch, Origin, Real, Scores, Sizes, Source, View, named
from jaxgan.typing import Array, PyTree, Watch
from jaxgan.validation import InputError

QUANTISATION = "uint8: floor(255 (x - low) / (high - low) + 1/2), clipped"
Drawn = tuple[np.ndarray, Mapping[str, Any]]
"""The places of a batch, and what the device computes of it."""


class Scorer(NamedTuple):
    """A generator and its judges, put together by `make_scorer`: device, way home, host.

    Attributes:
        draw: ``state -> batches``; each is given to the device when it is asked for.
        fetch: ``(batches, watch) -> batches``; waits for each and brings it to the host.
        score: ``batches -> scores``, adds them up.
    """

    draw: Callable[[PyTree], Iterator[Drawn]]
    fetch: Callable[[Iterable[Drawn], Watch], Iterator[Batch]]
    score: Callable[[Iterable[Batch]], Scores]


def make_scorer(
    source: Source, extractor: Extractor, real: Real, plan: Scoring, *, layout: parallel.Layout | None = None
) -> Scorer:
    """Puts together all that scores a generator.

    Image i is drawn with the key ``fold_in(key(seed), i)``, so it does not depend on batches or devices.

    Args:
        source: the generator.
        extractor: what sees its images.
        real: what is known of the real images, from `read_real` with the same extractor and plan.
        plan: the settings.
        layout: the devices; all of them by default.

    Raises:
        InputError: a metric asks for more than the generator has.
    """
    _check(plan, extractor)
    if "ppl" in plan.names and source.decode is None:
        raise InputError("ppl needs a generator of latents alone, without labels; this one is none")
    layout = (layout or parallel.layout())._replace(mode="jit")
    look = layout.compile_gathered(_look_at_drawn(source, extractor, plan))
    variables, key = layout.put_state((extractor.variables, jax.random.key(plan.seed)))

    def draw(state: PyTree) -> Iterator[Drawn]:
        for places in _batches(plan.samples, layout):
            yield places, look(state, variables, key, layout.put_whole({"place": places.astype(np.uint32)}))

    def fetch(batches: Iterable[Drawn], watch: Watch) -> Iterator[Batch]:
        for drawn in batches:
            batch = _to_host(drawn, plan.samples)
            yield batch
            watch("generated images", int(batch.places[-1]) + 1, plan.samples)

    return Scorer(draw, fetch, lambda batches: _count(batches, extractor, real, plan))


def score_images(
    images: np.ndarray,
    real_images: data.Dataset,
    extractor: Extractor,
    plan: Scoring,
    *,
    layout: parallel.Layout | None = None,
) -> Scores:
    """Scores images that are there already, wherever they come from, against real ones.

    Args:
        images: uint8[N, H, W, C], N = ``plan.samples``.
        real_images: the real ones, of the same size and channels.
        extractor: what sees both.
        plan: the settings; of its metrics all but ppl.
        layout: the devices; all of them by default.

    Warns:
        FewSamplesWarning: an FID of no more images than features.

    Raises:
        InputError: images of another shape, type or number than the real ones and the plan ask for.

    >>> from jaxgan import data, extractors
    >>> digits = data.load("digits", image_size=(8, 8), channels=1)
    >>> mean = extractors.of_function(lambda pixels: pixels.mean((1, 2)), name="mean", digest="1")
    >>> images, plan = digits.read(np.arange(100))["image"], Scoring(metrics="pr", samples=100)
    >>> sorted(score_images(images, digits, mean, plan))
    ['coverage_mean', 'density_mean', 'precision_mean', 'recall_mean']
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != real_images.image_shape:
        raise InputError(
            f"the images are {images.dtype}{list(images.shape)}; those of {real_images.spec} are "
            f"uint8[N, {str(real_images.image_shape)[1:-1]}], and both must be alike"
        )
    if len(images) != plan.samples or "ppl" in plan.names:
        raise InputError(
            f"there are {len(images)} images for {plan.metrics}; there must be {plan.samples}, as the plan "
            "says, and ppl needs a generator"
        )
    layout = (layout or parallel.layout())._replace(mode="jit")
    _check(plan, extractor)
    real = read_real(real_images, extractor, plan)
    look = layout.compile_gathered(_look(extractor, plan))
    variables = layout.put_state(extractor.variables)
    batches = (
        (places, look(variables, layout.put_whole({"image": images[places % len(images)]})))
        for places in _batches(plan.samples, layout)
    )
    scores = _count((_to_host(drawn, plan.samples) for drawn in batches), extractor, real, plan)
    if note := few_samples(plan, real):
        warnings.warn(note, FewSamplesWarning, stacklevel=2)
    return scores


def _check(plan: Scoring, extractor: Extractor) -> None:
    if "modes" in plan.names and not extractor.of_the_data:
        raise InputError("modes are counted by a classifier of the data; choose the cnn extractor")


def _batches(samples: int, layout: parallel.Layout) -> Iterator[np.ndarray]:
    size = batch_size(layout)
    for start in range(0, samples, size):
        yield np.arange(start, start + size)


def _look(extractor: Extractor, plan: Scoring) -> Callable:
    """Makes the function of the device, ``(variables, batch) -> arrays``, for images that are there."""
    probes = {name: METRICS[name].probe for name in plan.names}

    def look(variables: PyTree, batch: Mapping[str, Array], origin: Origin | None = None) -> dict[str, Any]:
        pixels = batch["image"].astype(jnp.float32)
        seen = extractor.extract(variables, pixels)
        view = View(extractor, variables, pixels, origin)
        values = {name: probe(view) for name, probe in probes.items() if probe is not None}
        return {"features": seen.features, "logits": seen.logits, "probes": values}

    return look


def _look_at_drawn(source: Source, extractor: Extractor, plan: Scoring) -> Callable:
    """Makes the function of the device for images that a generator draws."""
    look = _look(extractor, plan)

    def look_at_drawn(state: PyTree, variables: PyTree, key: Array, batch: Mapping[str, Array]) -> Any:
        keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, batch["place"])
        pixels = quantise(source.generate(state, keys), source.value_range)
        return look(variables, {"image": pixels}, Origin(source, state, keys))

    return look_at_drawn


def quantise(images: Array, value_range: tuple[float, float]) -> Array:
    """Rounds images to the whole numbers of 0 to 255, as a file would; they stay floats.

    >>> quantise(jnp.array([-1.0, 0.0, 1.0, 9.0]), (-1.0, 1.0)).tolist()
    [0.0, 128.0, 255.0, 255.0]
    """
    low, high = value_range
    return jnp.clip(jnp.floor((images.astype(jnp.float32) - low) * (255 / (high - low)) + 0.5), *PIXELS)


def _to_host(drawn: Drawn, samples: int) -> Batch:
    """Waits for a batch; the images that only filled the last one are left out."""
    places, found = drawn[0], parallel.to_host(drawn[1])
    count = min(len(places), samples - int(places[0]))
    probes = {name: values[: count * len(values) // len(places)] for name, values in found["probes"].items()}
    return Batch(places[:count], found["features"][:count], found["logits"][:count], probes)


def _count(batches: Iterable[Batch], extractor: Extractor, real: Real, plan: Scoring) -> Scores:
    states: dict[str, Any] = {}
    for batch in batches:
        sizes = Sizes(plan.samples, batch.features.shape[1], batch.logits.shape[1])
        for name in plan.names:
            state = states[name] if name in states else METRICS[name].init(sizes)
            states[name] = METRICS[name].update(state, batch)
    scores: Scores = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewSamplesWarning)  # `few_samples` says it, once
        for name, state in states.items():
            scores.update(named(name, METRICS[name].compute(real, state), extractor))
    return scores


def few_samples(plan: Scoring, real: Real) -> str:
    """Says why an FID of few samples is to be taken with care, or nothing."""
    least = min(plan.samples, real.images)
    if real.moments is None or least > len(real.moments.mean):
        return ""
    size = len(real.moments.mean)
    return (
        f"fid: {least} images for {size} features: the covariance is singular and the distance too large; "
        f"compare it only with one of as many images"
    )
