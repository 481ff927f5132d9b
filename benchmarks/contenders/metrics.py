"""jaxgan's metrics: FID of features, the features of Inception, and the scores of a generator.

Options of a case: ``features``, the dimension of the features whose FID is worked out; ``metrics``, what
images are scored by. The batch size is the number of samples in each set (``fid``), of images at once
(``inception``), or of generated images (``score``).
"""

import time
from typing import Any

from . import _metrics as given
from ._ours import peak, start_jax, versions

PACKAGES = ("jaxgan",)
WORKS = ("fid", "inception", "score")
MODEL = "dcgan"
"""Whose images are scored: as it begins, since that takes as long as when it has learnt."""


def prepare(case: dict[str, Any]) -> dict[str, Any]:
    """Gets the work of a case ready and does it once; see `benchmarks.worker` for what it returns."""
    began = time.perf_counter()
    start_jax(case)
    found = {"fid": _fid, "inception": _inception, "score": _score}[case["work"]](case, began)
    return {**found, "memory": {"peak": peak()}, "versions": versions()}


def _fid(case: dict[str, Any], began: float) -> dict[str, Any]:
    from jaxgan.metrics import fid

    real, fake = given.features(case["batch_size"], case["options"]["features"])
    phases = {"load": time.perf_counter() - began}

    def step() -> float:
        return fid.from_features(real, fake)

    began = time.perf_counter()
    value = step()
    phases["first"] = time.perf_counter() - began
    return {"step": step, "phases": phases, "figures": {"fid": value}}


def _inception(case: dict[str, Any], began: float) -> dict[str, Any]:
    import jax
    import numpy as np

    from jaxgan.classifiers import inception

    params, pixels = jax.device_put(parameters()), given.pixels(case["batch_size"])
    phases = {"load": time.perf_counter() - began}
    began = time.perf_counter()
    look = jax.jit(lambda params, pixels: inception.extract(params, pixels, resize="legacy").features)
    lowered = look.lower(params, pixels)
    phases["lower"] = time.perf_counter() - began
    began = time.perf_counter()
    compiled = lowered.compile()
    phases["compile"] = time.perf_counter() - began

    def step() -> Any:
        return np.asarray(compiled(params, pixels))

    began = time.perf_counter()
    found = step()
    phases["first"] = time.perf_counter() - began
    given.check_features(found, case["batch_size"])
    return {"step": step, "images": case["batch_size"], "phases": phases}


def parameters() -> Any:
    """Draws weights for `jaxgan.classifiers.inception`; its speed does not depend on them."""
    import jax
    import numpy as np

    from jaxgan.classifiers import inception

    network, shape = inception.networks()["network"]
    images = jax.ShapeDtypeStruct((1, *shape), np.float32)
    key: Any = jax.eval_shape(lambda: jax.random.key(0))
    shapes: Any = jax.eval_shape(lambda key, x: network.init(key, x, train=False)["params"], key, images)
    generator = np.random.default_rng(0)

    def draw(leaf: Any) -> Any:
        fan_in = int(np.prod(leaf.shape[:-1])) if leaf.ndim > 1 else None
        return given.weight(generator, leaf.shape, fan_in)

    return jax.tree.map(draw, shapes)


def _score(case: dict[str, Any], began: float) -> dict[str, Any]:
    """Scores the images of a generator that has learnt nothing, against the embedded digits.

    Among the figures, ``first_pass_seconds`` is the time of the first pass with all that a run must do but
    loading Python's modules: read the real images and the extractor, compile, draw, see and count. Where the
    extractor had to be trained before, ``extractor_seconds`` is the time of that.
    """
    import jax

    from jaxgan import parallel, run_scores, zoo
    from jaxgan.scoring import Scoring
    from jaxgan.settings import defaults
    from jaxgan.typing import unwatched

    model = zoo.get(MODEL)
    settings = defaults(model)
    plan = Scoring(samples=case["batch_size"], metrics=case["options"]["metrics"])
    phases = {"load": time.perf_counter() - began}
    figures = _extractor(settings, plan)
    key = jax.random.key(0)
    state = parallel.layout().put_state(parallel.compile_once(model.build(settings.model).init)(key))
    jax.block_until_ready(state)
    began = time.perf_counter()
    scorer = run_scores.prepare(model, settings, plan).scorer

    def step() -> Any:
        return scorer.score(scorer.fetch(scorer.draw(state), unwatched))

    step()
    phases["first"] = figures["first_pass_seconds"] = time.perf_counter() - began
    return {"step": step, "images": case["batch_size"], "phases": phases, "figures": figures}


def _extractor(settings: Any, plan: Any) -> dict[str, float]:
    """Sees to it that the extractor is in the user's cache; gives the seconds of its training, if any."""
    from jaxgan.scoring import choose_extractor
    from jaxgan.settings import read_data

    trained = []
    images = [read_data(settings, split) for split in ("train", "test")]
    began = time.perf_counter()
    choose_extractor(plan, *images, watch=lambda *_: trained.append(True))
    return {"extractor_seconds": time.perf_counter() - began} if trained else {}
