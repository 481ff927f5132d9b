"""The scores of a generator: of a run of jaxgan, or of images that another library has drawn.

Both are counted by the same function, against the same real images and through the same classifier. Options
of a case: ``data``, the specification of the real images; ``metrics``, as `jaxgan evaluate` names them; and
``run``, the folder of a run, or ``images``, an archive of f32[N, H, W, C] in [-1, 1] under that name. The
batch size is the number of generated images.
"""

import time
from pathlib import Path
from typing import Any

from ._ours import start_jax, versions

PACKAGES = ("jaxgan",)
WORKS = None
RESAMPLES = 200
DRAWN = (-1.0, 1.0)
"""The values of black and white in images of others."""
AT_ONCE = 250


def prepare(case: dict[str, Any]) -> dict[str, Any]:
    """Gets the real images and what sees them; the one step is the scoring."""
    began = time.perf_counter()
    start_jax(case)
    evaluator, look = _evaluator(case)
    phases = {"load": time.perf_counter() - began}
    found: dict[str, float] = {}

    def score() -> None:
        batch = look()
        found.update(evaluator.scorer.score([batch]))
        found.update(class_shares(batch.logits))
        if "fid" in evaluator.plan.names:
            found.update(fid_interval(evaluator, batch))

    return {
        "step": score,
        "after": lambda: found,
        "images": case["batch_size"],
        "phases": phases,
        "versions": {**versions(), "extractor": evaluator.protocol["extractor_sha256"][:12]},
    }


def _evaluator(case: dict[str, Any]) -> tuple[Any, Any]:
    """Makes the evaluator, and what gives a batch of all generated images, seen."""
    import dataclasses

    from jaxgan import run_scores, runs, scoring, settings, zoo
    from jaxgan.typing import unwatched

    options = case["options"]
    plan = scoring.Scoring(samples=case["batch_size"], metrics=options["metrics"])
    if "run" in options:
        opened = runs.open_run(Path(options["run"]))
        evaluator = run_scores.prepare(opened.model, opened.settings, plan)

        def look() -> Any:
            _, state = runs.restore(opened, lambda _: None)
            return scoring.join(list(evaluator.scorer.fetch(evaluator.scorer.draw(state), unwatched)))

        return evaluator, look
    model = zoo.get(case["work"])
    chosen = dataclasses.replace(settings.defaults(model), data=options["data"])
    evaluator = run_scores.prepare(model, chosen, plan)
    return evaluator, lambda: see(evaluator.extractor, read_images(options["images"], case["batch_size"]))


def read_images(path: str, count: int) -> Any:
    """Reads images, rounded to whole numbers of 0 to 255 as those of jaxgan are: f32[N, H, W, C].

    Raises:
        ValueError: there are not so many, or they are not f32[N, H, W, C].
    """
    import numpy as np

    from jaxgan.scoring.measure import quantise

    with np.load(path, allow_pickle=False) as archive:
        images = archive["images"]
    if images.dtype != np.float32 or images.ndim != 4 or len(images) != count:
        raise ValueError(
            f"{path} holds {images.dtype}{list(images.shape)}; it must hold float32[{count}, H, W, C]"
        )
    return np.asarray(quantise(images, DRAWN))


def see(extractor: Any, pixels: Any) -> Any:
    """Sees images that are there already: a `jaxgan.scoring.Batch` of all of them."""
    import jax
    import numpy as np

    from jaxgan import parallel, scoring

    look = parallel.compile_function(extractor.extract)
    seen = []
    for start in range(0, len(pixels), AT_ONCE):
        part = pixels[start : start + AT_ONCE]
        found = jax.device_get(look(extractor.variables, np.resize(part, (AT_ONCE, *part.shape[1:]))))
        seen.append([each[: len(part)] for each in (found.features, found.logits)])
    features, logits = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    return scoring.Batch(np.arange(len(pixels)), features, logits, {})


def class_shares(logits: Any) -> dict[str, float]:
    """Finds the smallest and the largest share that a class has in the images: of f32[N, K].

    >>> import numpy as np
    >>> class_shares(np.eye(2)[[0, 0, 0, 1]])
    {'least_class_share': 0.25, 'largest_class_share': 0.75}
    """
    import numpy as np

    shares = np.bincount(logits.argmax(1), minlength=logits.shape[1]) / len(logits)
    return {"least_class_share": float(shares.min()), "largest_class_share": float(shares.max())}


def fid_interval(evaluator: Any, batch: Any) -> dict[str, float]:
    """Bounds the FID by resampling the generated images: a 95 % interval; the real images stay."""
    import numpy as np

    from jaxgan import scoring
    from jaxgan.metrics import fid
    from jaxgan.scoring.table import named

    real, random = fid.prepare(evaluator.real.moments), np.random.default_rng(evaluator.plan.seed)
    empty, count = fid.init(batch.features.shape[1]), len(batch.features)

    def of(chosen: Any) -> float:
        return fid.compute(real, fid.update(empty, batch.features[chosen]))

    again = np.array([of(random.integers(count, size=count)) for _ in range(RESAMPLES)])
    bounds = scoring.interval(of(np.arange(count)), again)
    (name,) = named("fid", {"fid": 0.0}, evaluator.extractor)
    return {f"{name}_low": bounds.low, f"{name}_high": bounds.high}
