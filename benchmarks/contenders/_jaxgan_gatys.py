"""Style transfer in jaxgan: what the contender ``jaxgan`` does in the work ``gatys``."""

import functools
import time
from collections.abc import Mapping
from typing import Any

from . import _work as work


def prepare(case: Mapping[str, Any], phases: dict[str, float]) -> dict[str, Any]:
    """Compiles a step of Adam on the picture and takes the first one; see `benchmarks.worker`."""
    began = time.perf_counter()
    import jax

    from jaxgan import parallel
    from jaxgan.style import encoders, gatys

    config = encoders.random_config(depth=work.VGG_DEPTH, features=work.features(case))
    draw = parallel.compile_once(functools.partial(encoders.random, config=config))
    encoder = encoders.Encoder("random", config, draw(jax.random.key(0)))
    settings = gatys.Config(
        content_layers=work.CONTENT_LAYERS,
        style_layers=work.STYLE_LAYERS,
        content_weight=work.CONTENT_WEIGHT,
        style_weight=work.STYLE_WEIGHT,
        variation_weight=work.VARIATION_WEIGHT,
        optimizer="adam",
        learning_rate=work.GATYS_ADAM["learning_rate"],
    )
    stylizer = gatys.build(encoder, settings)
    content, style = map(jax.numpy.asarray, work.pictures())
    wanted = parallel.compile_once(stylizer.want)(content, [style], [jax.numpy.float32(1)], [None])
    state = stylizer.init(content)
    phases["load"] += time.perf_counter() - began
    began = time.perf_counter()
    jitted: Any = parallel.compile_function(stylizer.step)
    compiled = jitted.lower(state, wanted).compile()
    phases["compile"] = time.perf_counter() - began

    def step() -> None:
        nonlocal state
        state, metrics = compiled(state, wanted)
        jax.block_until_ready((state, metrics))

    began = time.perf_counter()
    step()
    phases["first"] = time.perf_counter() - began
    return {"step": step, "images": 1, "phases": phases, "compiler_flops": None}
