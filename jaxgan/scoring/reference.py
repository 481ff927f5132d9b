"""The real images of a score, seen by the extractor; what was gathered is kept under its hash."""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxgan import data, parallel, xla
from jaxgan.extractors import Extractor
from jaxgan.files import whole
from jaxgan.metrics import features, moments
from jaxgan.scoring.plan import Scoring
from jaxgan.scoring.table import METRICS, Real
from jaxgan.typing import Watch, unwatched

VERSION = 1
BATCH_SIZE = 256
Gathered = tuple[moments.Moments | None, features.Features | None]


def read_real(
    images: data.Dataset,
    extractor: Extractor,
    plan: Scoring,
    *,
    layout: parallel.Layout | None = None,
    folder: Path | None = None,
    watch: Watch = unwatched,
) -> Real:
    """Gathers what the metrics must know of the real images, or finds it in the cache.

    Args:
        images: the images.
        extractor: what sees them.
        plan: the settings.
        layout: the devices; all of them by default.
        folder: where it is kept; the user's cache by default.
        watch: told how many images have been seen.

    Raises:
        InputError: there are too few of them.
    """
    count = plan.check_real(images)
    digest = data.digest(images)
    wanted = {str(METRICS[name].real) for name in plan.names} - {"nothing"}
    if not wanted:
        return Real(count, digest, None, None)
    kept = min(plan.samples, count) if "features" in wanted else 0
    order = np.random.default_rng(plan.seed).permutation(len(images))
    order = order[:count] if "moments" in wanted else order[:kept]
    key = {
        "data": digest,
        "extractor": dict(extractor.protocol),
        "order": hashlib.sha256(order.tobytes()).hexdigest(),
        "wanted": sorted(wanted),
        "kept": kept,
        "version": VERSION,
    }
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    path = (folder or xla.cache_folder() / "real") / f"{name}.npz"
    found = _read(path)
    if found is None:
        found = _gather(images, extractor, order, wanted, kept, layout or parallel.layout(), watch)
        _write(path, *found)
    return Real(count, digest, *found)


def _gather(
    images: data.Dataset,
    extractor: Extractor,
    order: np.ndarray,
    wanted: set[str],
    kept: int,
    layout: parallel.Layout,
    watch: Watch,
) -> Gathered:
    total, rows, done = None, None, 0
    for values in see(images, extractor, order, layout):
        if "moments" in wanted:
            total = moments.update(total or moments.init(values.shape[1]), values)
        if done < kept:
            part = values[: kept - done]
            rows = features.update(
                rows or features.init(values.shape[1]), part, np.arange(done, done + len(part))
            )
        done += len(values)
        watch("real images", done, len(order))
    return total, rows


def see(
    images: data.Dataset, extractor: Extractor, order: np.ndarray, layout: parallel.Layout
) -> Iterator[np.ndarray]:
    """Gives the features of images, a batch at a time: f32[n, D]."""
    size = batch_size(layout)
    layout = layout._replace(mode="jit")
    look = layout.compile_gathered(
        lambda variables, batch: extractor.extract(variables, batch["image"]).features
    )
    variables = layout.put_state(extractor.variables)
    for arrays in data.in_chunks(images, order, chunk_size=size):
        pixels = arrays["image"]
        full = np.resize(pixels, (size, *pixels.shape[1:]))  # one program for all batches
        values = look(variables, layout.put_batch({"image": full}))
        yield parallel.to_host(values)[: len(pixels)]


def batch_size(layout: parallel.Layout) -> int:
    """Chooses a batch that the devices can share, in pairs."""
    return -(-BATCH_SIZE // (2 * layout.device_count)) * 2 * layout.device_count


def _read(path: Path) -> Gathered | None:
    try:
        with path.open("rb") as file:
            arrays = dict(np.load(file, allow_pickle=False))
    except (OSError, ValueError, zipfile.BadZipFile, EOFError):  # not there, or cut short
        return None
    total = moments.Moments(*(arrays[name] for name in moments.Moments._fields)) if "mean" in arrays else None
    rows = None
    if "values" in arrays:
        values = arrays["values"]
        rows = features.update(features.init(values.shape[1]), values, np.arange(len(values)))
    return total, rows


def _write(path: Path, total: moments.Moments | None, rows: features.Features | None) -> None:
    arrays = total._asdict() if total is not None else {}
    if rows is not None:
        arrays["values"] = features.ordered(rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)
    except OSError:
        pass  # gathered again at the next start
