"""Translators of a run at work: on held-out images, in grids and scores, and on images that are given.

What measures and shows images of two domains serves `jaxgan.stylists` too.
"""

import functools
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import data, extractors, parallel, run_scores
from jaxgan.extractors import Extractor
from jaxgan.loop import Drawing
from jaxgan.settings import Settings, read_data
from jaxgan.steps import Translator
from jaxgan.typing import Array, PyTree
from jaxgan.validation import InputError

BATCH = 100
"""Images translated together."""
SHOWN = 14
"""Examples in a grid, in two groups of columns where there is one direction."""
COLUMNS = 6


class Measure(NamedTuple):
    """What scores the images that a run makes of others.

    Attributes:
        sources: the held-out images by direction: ``image``, with ``target`` where that is the truth, and
            with ``label`` where the label should be kept.
        score: ``(state, direction, arrays) -> scores`` f32[n] by name.
        used: how many images of each direction are looked at, at most.
        value_range: (low, high), the values of black and white.
        protocol: what the scores depend on.
        batch: images looked at together.
    """

    sources: dict[str, data.Dataset]
    score: Callable[[PyTree, str, dict[str, np.ndarray]], dict[str, Array]]
    used: int
    value_range: tuple[float, float]
    protocol: dict[str, Any]
    batch: int = BATCH


def prepare(translator: Translator, settings: Settings, *, test: data.Dataset | None = None) -> Measure:
    """Puts together what scores a translator, by held-out images of its run.

    With pairs that is ``l1``, the mean absolute distance of a translation to the truth, as a share of the
    range from black to white, beside ``l1_unchanged``, that of the source. Without pairs a classifier learns
    the domains at the first call, and the classes where both domains have the same ones: ``domain_changed``
    is the share of translations that it sees in the target domain, ``label_kept`` the share whose class,
    among those of the target domain, it sees as that of the source. Where there are two directions,
    ``cycle_l1`` is how far an image is from itself there and back, and the direction ends each name.

    Args:
        translator: what the model of the run builds.
        settings: its settings; at most ``scoring.samples`` images are looked at.
        test: the held-out images, if they are read already.

    Raises:
        InputError: there are no held-out images, or they do not suit the classifier.
    """
    test = read_data(settings, "test") if test is None else test
    used = min(settings.scoring.samples, len(test))
    protocol = run_scores.held_out_protocol(settings, test, used)
    if test.paired:
        turned = {"a_to_b": test, "b_to_a": data.swap(f"swapped:{test.spec}", test)}
        extractor = None
    else:
        assert test.domains is not None
        turned = dict(zip(("a_to_b", "b_to_a"), test.domains, strict=True))
        extractor = extractors.classifier(data.union(read_data(settings, "train")), data.union(test))
        protocol |= extractor.protocol
    score = functools.partial(_score, translator, settings.model.value_range, extractor)
    return Measure(
        sources={direction: turned[direction] for direction in translator.directions},
        score=parallel.compile_function(score, static_argnums=(1,)),
        used=used,
        value_range=settings.model.value_range,
        protocol=protocol,
    )


def _score(
    translator: Translator,
    value_range: tuple[float, float],
    extractor: Extractor | None,
    state: PyTree,
    direction: str,
    arrays: dict[str, Array],
) -> dict[str, Array]:
    low, high = value_range

    def distance(first: Array, second: Array) -> Array:
        return jnp.abs(first - second).mean((1, 2, 3)) / (high - low)

    images = arrays["image"]
    made = translator.translate(state, images, direction=direction)
    found: dict[str, Array] = {}
    if extractor is None:
        truth = arrays["target"]
        found |= {"l1": distance(made, truth), "l1_unchanged": distance(images, truth)}
    else:
        found |= _seen(extractor, (made - low) * (255 / (high - low)), direction, arrays.get("label"))
    others = [other for other in translator.directions if other != direction]
    if not others:
        return found
    back = translator.translate(state, made, direction=others[0])
    found["cycle_l1"] = distance(images, back)
    return {f"{name}_{direction}": values for name, values in found.items()}


def _seen(extractor: Extractor, pixels: Array, direction: str, labels: Array | None) -> dict[str, Array]:
    logits = extractor.extract(extractor.variables, pixels).logits
    classes = logits.shape[-1] // 2
    wanted = 1 if direction == "a_to_b" else 0
    found = {"domain_changed": logits.argmax(-1) // classes == wanted}
    if labels is not None and classes > 1:
        inside = logits[:, wanted * classes : (wanted + 1) * classes]
        found["label_kept"] = inside.argmax(-1) == labels
    return {name: values.astype(jnp.float32) for name, values in found.items()}


def begin(measure: Measure, step: int, state: PyTree) -> Callable[[], dict[str, Any]]:
    """Gives all the work of scoring a state to the device, which then needs the state no more.

    Returns:
        What waits for the device and gives the line for ``scores.jsonl``.
    """
    started = time.perf_counter()
    given = [
        (count, measure.score(state, direction, arrays))
        for direction, source in measure.sources.items()
        for count, arrays in _batches(source, measure)
    ]

    def finish() -> dict[str, Any]:
        found: dict[str, list[np.ndarray]] = {}
        for count, scores in given:
            for name, values in jax.device_get(scores).items():
                found.setdefault(name, []).append(values[:count])
        means = {name: float(np.concatenate(values).mean()) for name, values in found.items()}
        if not np.isfinite(list(means.values())).all():
            raise InputError("the images are not finite")
        return run_scores.line(step, means, measure.protocol, started)

    return finish


def _batches(source: data.Dataset, measure: Measure) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Gives images from all over the data set, and how many of a batch count: the last one is filled up."""
    order = np.linspace(0, len(source) - 1, min(measure.used, len(source))).astype(int)
    for start in range(0, len(order), measure.batch):
        chosen = order[start : start + measure.batch]
        yield len(chosen), data.read_scaled(source, np.resize(chosen, measure.batch), measure.value_range)


def read_shown(settings: Settings) -> tuple[Array, Array]:
    """Reads the images that a run shows: held-out ones, or such that it learns from where there are none.

    Returns:
        So many as `SHOWN` of each domain, in the value range of the model.

    Raises:
        InputError: they cannot be read.
    """
    try:
        images = read_data(settings, "test")
    except InputError:
        images = read_data(settings, "train")
    numbers = np.linspace(0, len(images) - 1, SHOWN).astype(int)
    arrays = data.read_scaled(images, numbers, settings.model.value_range)
    return jnp.asarray(arrays["image"]), jnp.asarray(arrays["target"])


def make_drawing(translator: Translator, settings: Settings) -> Drawing:
    """Says how a run shows its translations, always of the same images.

    A row is input, output and truth (twice), or A, its translation, that back again, and the same of B.

    Raises:
        InputError: the images cannot be read.
    """
    first, second = read_shown(settings)

    def there_and_back(state: PyTree, shown: Array, there: str, back: str) -> list[Array]:
        made = translator.translate(state, shown, direction=there)
        return [shown, made, translator.translate(state, made, direction=back)]

    def draw(state: PyTree) -> Array:
        if len(translator.directions) == 1:
            columns = [first, translator.translate(state, first), second]
        else:
            half, (there, back) = SHOWN // 2, translator.directions
            columns = there_and_back(state, first[:half], there, back)
            columns += there_and_back(state, second[:half], back, there)
        return jnp.stack(columns, axis=1).reshape(-1, *first.shape[1:])

    return Drawing(parallel.compile_function(draw), settings.model.value_range, COLUMNS)


def translate(
    translator: Translator, state: PyTree, images: np.ndarray, *, direction: str = "a_to_b"
) -> np.ndarray:
    """Translates images, so many at once that the memory suffices.

    Args:
        translator: the translator.
        state: its state.
        images: f32[N, H, W, C] in its value range, N >= 1.
        direction: one of its directions.

    Returns:
        f32[N, H, W, C].

    Raises:
        InputError: a direction that it does not have.
    """
    function = parallel.compile_function(functools.partial(translator.translate, direction=direction))
    size = min(BATCH, len(images))
    made = []
    for start in range(0, len(images), size):
        chosen = images[start : start + size]
        made.append(
            jax.device_get(function(state, np.resize(chosen, (size, *chosen.shape[1:]))))[: len(chosen)]
        )
    return np.concatenate(made)
