"""The real images of a score, seen by the extractor; what was gathered is kept under its hash."""

import hashlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxgan import cache, data, parallel
from jaxgan.extractors import Extractor
from jaxgan.metrics import features, moments
from jaxgan.scoring.plan import Scoring
from jaxgan.scoring.table import METRICS, Real
from jaxgan.typing import Watch, unwatched

BATCH_SIZE = 256


def read_real(
    images: data.Dataset,
    extractor: Extractor,
    plan: Scoring,
    *,
    folder: Path | None = None,
    watch: Watch = unwatched,
) -> Real:
    """Gathers what the metrics must know of the real images, or finds it in the cache.

    Args:
        images: the images.
        extractor: what sees them.
        plan: the settings.
        folder: where it is kept; the user's cache by default.
        watch: told how many images have been seen.

    Raises:
        InputError: there are too few of them.
    """
    count = plan.check_real(images)
    digest = images.sha256
    wanted = {METRICS[name].real for name in plan.names}
    order = np.random.default_rng(plan.seed).permutation(len(images))[:count]
    gathering = _Gathering(images, extractor, digest, folder, watch)
    total = gathering.moments(np.sort(order)) if "moments" in wanted else None
    rows = gathering.features(order[: plan.samples]) if "features" in wanted else None
    return Real(count, digest, total, rows)


class _Gathering(NamedTuple):
    """What it takes to see real images: each process does so by itself, on its own devices."""

    images: data.Dataset
    extractor: Extractor
    digest: str
    folder: Path | None
    watch: Watch

    def moments(self, order: np.ndarray) -> moments.Moments:
        path = self._path("moments", order)
        found = cache.read(path)
        if found is not None:
            arrays = np.load(io.BytesIO(found), allow_pickle=False)
            return moments.Moments(*(arrays[name] for name in moments.Moments._fields))
        total = None
        for values in self._see(order):
            total = moments.update(total or moments.init(values.shape[1]), values)
        assert total is not None  # `check_real` wants two images at least
        cache.write(path, _pack(total._asdict()))
        return total

    def features(self, order: np.ndarray) -> features.Features:
        path = self._path("features", order)
        found = cache.read(path)
        if found is not None:
            values = np.load(io.BytesIO(found), allow_pickle=False)["values"]
        else:
            values = np.concatenate(list(self._see(order)))
            cache.write(path, _pack({"values": values}))
        return features.update(features.init(values.shape[1]), values, np.arange(len(values)))

    def _path(self, kind: str, order: np.ndarray) -> Path:
        key = {
            "data": self.digest,
            "extractor": dict(self.extractor.protocol),
            "order": hashlib.sha256(order.tobytes()).hexdigest(),
        }
        return cache.path(f"real-{kind}", key, self.folder)

    def _see(self, order: np.ndarray) -> Iterator[np.ndarray]:
        """Gives the features of images, a batch at a time: f32[n, D]."""
        layout = parallel.layout(devices=jax.local_devices())
        size = batch_size(layout)
        extract = self.extractor.extract
        look = layout.compile_gathered(lambda variables, batch: extract(variables, batch["image"]).features)
        variables, done = layout.put_state(self.extractor.variables), 0
        for arrays in data.in_chunks(self.images, order, chunk_size=size):
            pixels = arrays["image"]
            full = np.resize(pixels, (size, *pixels.shape[1:]))  # one program for all batches
            yield parallel.to_host(look(variables, layout.put_batch({"image": full})))[: len(pixels)]
            done += len(pixels)
            self.watch("real images", done, len(order))


def batch_size(layout: parallel.Layout) -> int:
    """Chooses a batch that the devices can share, in pairs."""
    return -(-BATCH_SIZE // (2 * layout.device_count)) * 2 * layout.device_count


def _pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()
