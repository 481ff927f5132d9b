"""The metrics by name: what each gathers of the generated images, and what it makes of it."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeVar

import jax
import numpy as np

from jaxgan.extractors import Extractor
from jaxgan.metrics import (
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
from jaxgan.typing import Array, PyTree

Scores = dict[str, float]
T = TypeVar("T")
PIXELS = (0.0, 255.0)


class Source(NamedTuple):
    """A generator to be scored.

    Attributes:
        generate: ``(state, keys) -> images`` f32[n, H, W, C], one for each key, pure.
        image_shape: (H, W, C).
        value_range: (low, high), the values of black and white.
        latents: ``(key) -> latent`` f32[L], if the generator is a function of latents.
        decode: ``(state, latents) -> images``, if it is.
    """

    generate: Callable[[PyTree, Array], Array]
    image_shape: tuple[int, ...]
    value_range: tuple[float, float]
    latents: Callable[[Array], Array] | None = None
    decode: Callable[[PyTree, Array], Array] | None = None


class Origin(NamedTuple):
    """Where a batch of images was drawn.

    Attributes:
        source: the generator.
        state: its state.
        keys: keys[n], those of the images.
    """

    source: Source
    state: PyTree
    keys: Array


class View(NamedTuple):
    """What a probe may look at, on the device.

    Attributes:
        extractor: the extractor.
        variables: its arrays.
        pixels: f32[n, H, W, C], the images as whole numbers of 0 to 255.
        origin: where they were drawn, if they were.
    """

    extractor: Extractor
    variables: PyTree
    pixels: Array
    origin: Origin | None


class Batch(NamedTuple):
    """What is known of a batch of generated images, on the host.

    Attributes:
        places: int64[n], their numbers.
        features: f32[n, D].
        logits: f32[n, K].
        probes: f32[m] for each metric that has a probe.
    """

    places: np.ndarray
    features: np.ndarray
    logits: np.ndarray
    probes: Mapping[str, np.ndarray]

    def take(self, chosen: np.ndarray) -> "Batch":
        """Takes images by their places, perhaps several times; they are numbered anew, without probes."""
        return Batch(np.arange(len(chosen)), self.features[chosen], self.logits[chosen], {})


class Real(NamedTuple):
    """What is known of the real images.

    Attributes:
        images: their number.
        data_sha256: the hash of all images of their split.
        moments: of the features of all of them, if a metric asked for it.
        features: of as many as there are generated images, at most, if a metric asked for it.
    """

    images: int
    data_sha256: str
    moments: moments.Moments | None
    features: features.Features | None


class Sizes(NamedTuple):
    """The numbers that a metric begins with: of the generated images, the features and the classes."""

    samples: int
    features: int
    classes: int


class Metric(NamedTuple):
    """One metric.

    Attributes:
        init: makes its state.
        update: ``(state, batch) -> state``.
        compute: ``(real, state) -> scores``.
        real: what it must know of the real images.
        least: the generated images it needs.
        least_real: the real images it needs.
        protocol: its own settings, as they are written beside the scores.
        probe: what it computes on the device beside features and logits, one number for each image or pair.
        of_features: whether its scores bear the name of the extractor.
    """

    init: Callable[[Sizes], Any]
    update: Callable[[Any, Batch], Any]
    compute: Callable[[Real, Any], Scores]
    real: Literal["moments", "features", "nothing"] = "nothing"
    least: int = 2
    least_real: int = 2
    protocol: Mapping[str, Any] = {}
    probe: Callable[[View], Array] | None = None
    of_features: bool = True


def _path_lengths(view: View) -> Array:
    source, state, image_keys = known(view.origin)
    latents, decode = known(source.latents), known(source.decode)
    low, high = source.value_range

    def embed(images: Array) -> Array:
        return view.extractor.extract(view.variables, (images - low) * (255 / (high - low))).features

    keys = jax.vmap(lambda key: jax.random.split(jax.random.fold_in(key, 1), 3))(image_keys)
    start, end = (jax.vmap(latents)(keys[:, side]) for side in (0, 1))
    places = jax.vmap(jax.random.uniform)(keys[:, 2])
    return path_length.lengths(lambda points: decode(state, points), embed, start, end, places)


def _similarities(view: View) -> Array:
    return ms_ssim.ms_ssim(view.pixels[0::2], view.pixels[1::2], value_range=PIXELS)


METRICS: Mapping[str, Metric] = {
    "fid": Metric(
        init=lambda sizes: fid.init(sizes.features),
        update=lambda state, batch: fid.update(state, batch.features),
        compute=lambda real, state: {"fid": fid.compute(known(real.moments), state)},
        real="moments",
        protocol={"covariance": moments.COVARIANCE},
    ),
    "kid": Metric(
        init=lambda sizes: features.init(sizes.features),
        update=lambda state, batch: features.update(state, batch.features, batch.places),
        compute=lambda real, state: _spread("kid", kid.compute(known(real.features), state)),
        real="features",
        least=kid.SUBSET_SIZE,
        least_real=kid.SUBSET_SIZE,
        protocol={"subsets": kid.SUBSETS, "subset_size": kid.SUBSET_SIZE, "subset_seed": kid.SEED},
    ),
    "is": Metric(
        init=lambda sizes: inception_score.init(sizes.samples, sizes.classes),
        update=lambda state, batch: inception_score.update(state, batch.logits, batch.places),
        compute=lambda _, state: _spread("inception_score", inception_score.compute(state)),
        least=inception_score.SPLITS,
        protocol={"splits": inception_score.SPLITS, "split_seed": inception_score.SEED},
    ),
    "pr": Metric(
        init=lambda sizes: features.init(sizes.features),
        update=lambda state, batch: features.update(state, batch.features, batch.places),
        compute=lambda real, state: precision_recall.compute(known(real.features), state)._asdict(),
        real="features",
        least=precision_recall.DENSITY_NEIGHBORS + 1,
        least_real=precision_recall.DENSITY_NEIGHBORS + 1,
        protocol={
            "neighbors": precision_recall.NEIGHBORS,
            "density_neighbors": precision_recall.DENSITY_NEIGHBORS,
        },
    ),
    "modes": Metric(
        init=lambda sizes: modes.init(sizes.classes),
        update=lambda state, batch: modes.update(state, batch.logits.argmax(1)),
        compute=lambda _, state: modes.compute(state)._asdict(),
    ),
    "ppl": Metric(
        init=lambda _: path_length.init(),
        update=lambda state, batch: path_length.update(state, batch.probes["ppl"], batch.places),
        compute=lambda _, state: _spread("ppl", path_length.compute(state)),
        protocol={"epsilon": path_length.EPSILON, "space": "z", "percentiles": [1, 99]},
        probe=_path_lengths,
    ),
    "ms_ssim": Metric(
        init=lambda _: ms_ssim.init(),
        update=lambda state, batch: ms_ssim.update(state, batch.probes["ms_ssim"]),
        compute=lambda _, state: {"ms_ssim": ms_ssim.compute(state).mean},
        protocol={"pairs": "of images 2i and 2i + 1"},
        probe=_similarities,
        of_features=False,
    ),
}
"""Every metric, by the name that the command line has for it."""


def named(metric: str, found: Scores, extractor: Extractor) -> Scores:
    """Gives scores their full names, which say whose eyes they were seen through."""
    suffix = f"_{extractor.name}" if METRICS[metric].of_features and extractor.name else ""
    return {f"{name}{suffix}": value for name, value in found.items()}


def known(part: T | None) -> T:
    """Gives a part that must be there by now."""
    assert part is not None  # what a metric needs is checked, and gathered, before it is used
    return part


def _spread(name: str, found: tuple[float, ...]) -> Scores:
    """Names a mean and its standard deviation."""
    mean, std, *_ = found
    return {name: mean, f"{name}_std": std}
