"""jaxgan: the public step of any model of the zoo, compiled through the public layouts.

Options of a case, each of which may be left out:

* ``features``, ``image_size`` (of square images), ``channels``: settings of the model, where it has them;
* ``penalties``: those of the game of a GAN, with commas between them, in place of its own; "" for none;
* ``steps_in_scan``: so many steps inside one `jax.lax.scan`, on a batch each, are one sample;
* ``members``: so many GANs in one program, the step under `jax.vmap` over their states, on one batch;
* ``data``: a source of `jaxgan.data.load`; a sample then also fetches its batch and puts it on the devices;
* ``flags``: ``"tuned"`` for `jaxgan.xla.configure` and ``keep_memory``, the default; with anything else
  they are not called;
* ``cache``: a folder that keeps compiled programs from one process to the next;
* ``virtual_devices``: so many devices on the CPU, which share its cores.
"""

import dataclasses
import itertools
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ._ours import peak, start_jax, versions

PACKAGES = ("jaxgan",)
WORKS: tuple[str, ...] | None = None

DTYPES = ("float32", "bfloat16", "float64")
PARALLEL = ("jit", "pmap", "shard_map", "none")
EPOCH = "-epoch"
"""What follows the name of a model where the work is a whole epoch of `jaxgan.loop.fit`."""
GATYS = "gatys"
"""The work that trains no model: a step of a style transfer."""
NAMES = {"float32": "f32", "bfloat16": "bf16", "float64": "f64"}

Arrays = dict[str, Any]


class Placement(NamedTuple):
    """How a step is compiled, and how its arguments get to the devices."""

    compile: Callable[[Callable[..., Any]], Any]
    put_state: Callable[[Any], Any]
    put_batch: Callable[[Arrays], Arrays]


def prepare(case: dict[str, Any]) -> dict[str, Any]:
    """Compiles the step of a model and takes the first one; see `benchmarks.worker` for what it returns."""
    began = time.perf_counter()
    options = case["options"]
    start_jax(case)
    import jax

    from jaxgan import parallel

    if case["work"] == GATYS:
        from . import _jaxgan_gatys

        prepared = _jaxgan_gatys.prepare(case, {"load": time.perf_counter() - began})
        return {**prepared, "memory": {"peak": peak()}, "versions": versions()}
    name, whole_epoch = case["work"].removesuffix(EPOCH), case["work"].endswith(EPOCH)
    model, config = configuration(name, options)
    if whole_epoch:
        from . import _jaxgan_epoch as epoch

        prepared = epoch.prepare(case, model, config, {"load": time.perf_counter() - began})
        return {**prepared, "memory": {"peak": peak()}, "versions": versions()}
    trainable = model.build(config)
    placement = _placement(case["parallel"], _devices(case["devices"]))
    phases = {"load": time.perf_counter() - began}

    batches = _batches(case, config, placement)
    key = jax.random.key(0)
    state = placement.put_state(parallel.compile_once(_init(trainable.init, options))(key))
    key = placement.put_state(key)
    jitted = placement.compile(whole_step(trainable.step, options))
    lowered = _lower(jitted, (state, next(batches), key), phases)
    if case["dtype"] != "float32":
        _check_arithmetic(case, lowered.as_text())
    began = time.perf_counter()
    compiled = lowered.compile()
    phases["compile"] = time.perf_counter() - began
    state_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(state))

    def step() -> None:
        nonlocal state
        state, metrics = compiled(state, next(batches), key)
        jax.block_until_ready((state, metrics))

    began = time.perf_counter()
    step()
    phases["first"] = time.perf_counter() - began
    return {
        "step": step,
        "images": case["batch_size"] * repetitions(options),
        "phases": phases,
        "compiler_flops": _compiler_flops(compiled, case),
        "memory": _memory(compiled),
        "versions": versions(),
        "figures": {"state_bytes": state_bytes},
    }


def repetitions(options: Mapping[str, Any]) -> int:
    """How many single steps one sample holds.

    >>> repetitions({"steps_in_scan": 5, "members": 4})
    20
    """
    return int(options.get("steps_in_scan", 1)) * int(options.get("members", 1))


def _devices(count: int) -> list[Any]:
    import jax

    devices = jax.devices()
    if count > len(devices):
        raise NotImplementedError(f"devices is {count}; there are {len(devices)}")
    return devices[:count]


def configuration(work: str, options: Mapping[str, Any]) -> tuple[Any, Any]:
    """Finds a model of the zoo and makes its settings.

    Returns:
        The `jaxgan.zoo.Model` and its default ``Config``, with what the options say.

    Raises:
        jaxgan.validation.InputError: an unknown model, one that is not trained here, a value that its
            settings do not allow, or penalties for a model without a game.
    """
    from jaxgan import zoo
    from jaxgan.validation import require

    model = zoo.get(work)
    model.require_trainable()
    changes: dict[str, Any] = {}
    if "features" in options and hasattr(model.config, "features"):
        changes["features"] = options["features"]
    if "image_size" in options:
        changes["image_size"] = (options["image_size"], options["image_size"])
    if "channels" in options:
        changes["channels"] = options["channels"]
    config = model.config(**changes)
    if "penalties" in options:
        fits = hasattr(getattr(config, "game", None), "penalties")
        require(fits, "model", work, "a GAN that draws images, as others have no penalties")
        penalties = tuple(filter(None, options["penalties"].split(",")))
        config = dataclasses.replace(config, game=dataclasses.replace(config.game, penalties=penalties))
    return model, config


def updates(config: Any) -> int:
    """How many updates share the images of a step: the discriminator's for one of the generator.

    >>> from jaxgan.gans import dcgan
    >>> updates(dcgan.Config(game=dcgan.Adversarial(discriminator_steps=5)))
    5
    """
    return getattr(getattr(config, "game", None), "discriminator_steps", 1)


def whole_step(step: Callable[..., Any], options: Mapping[str, Any]) -> Callable[..., Any]:
    """Makes the function that one sample runs: a step, many GANs' step, or many steps in a loop."""
    import jax

    if options.get("members", 1) > 1:
        step = jax.vmap(step, in_axes=(0, None, None))
    count = options.get("steps_in_scan", 1)
    if count == 1:
        return step

    def steps(state: Any, batch: Arrays, key: Any) -> Any:
        parts = jax.tree.map(lambda x: x.reshape(-1, count, *x.shape[1:]).swapaxes(0, 1), batch)
        return jax.lax.scan(lambda state, part: step(state, part, key), state, parts)

    return steps


def _init(init: Callable[..., Any], options: Mapping[str, Any]) -> Callable[..., Any]:
    import jax

    members = options.get("members", 1)
    return init if members == 1 else lambda key: jax.vmap(init)(jax.random.split(key, members))


def _placement(mode: str, devices: list[Any]) -> Placement:
    import jax

    from jaxgan import parallel

    if mode == "none":
        return Placement(
            compile=lambda step: jax.jit(step, donate_argnums=0),
            put_state=lambda state: state,
            put_batch=lambda batch: jax.tree.map(jax.device_put, batch),
        )
    layout: Any = parallel.layout(mode, devices)  # type: ignore[arg-type]
    return Placement(layout.compile, layout.put_state, layout.put_batch)


def _batches(case: dict[str, Any], config: Any, placement: Placement) -> Iterator[Arrays]:
    """Gives a batch on the devices for each sample: random images, always the same, or the next real ones."""
    import numpy as np

    options = case["options"]
    count = case["batch_size"] * options.get("steps_in_scan", 1)
    dtype = np.dtype(case["dtype"])  # JAX has made bfloat16 known to NumPy
    if "data" in options:
        found = _real_batches(options["data"], config, count)
        return (placement.put_batch(_cast(arrays, dtype)) for arrays in found)
    generator = np.random.default_rng(0)
    low, high = config.value_range
    images = generator.uniform(low, high, (count, *config.image_shape)).astype(dtype)
    labels = generator.integers(getattr(config, "num_classes", None) or 1, size=count).astype(np.int32)
    arrays = {"image": images, "label": labels}
    if hasattr(config, "domains"):
        arrays["target"] = images[::-1]
    return itertools.repeat(placement.put_batch(arrays))


def _cast(arrays: Arrays, dtype: Any) -> Arrays:
    return {name: found if name == "label" else found.astype(dtype) for name, found in arrays.items()}


def _real_batches(spec: str, config: Any, count: int) -> Iterator[Arrays]:
    from jaxgan import data, zoo

    images = data.load(spec, "train", image_size=config.image_size, channels=config.channels)
    data.require_labels(images, zoo.num_classes(config))
    data.require_domains(images, zoo.domains(config))
    return iter(data.batches(images, batch_size=count, seed=0, value_range=config.value_range))


def _lower(jitted: Any, arguments: tuple[Any, ...], phases: dict[str, Any]) -> Any:
    """Traces and lowers, and notes the seconds of each; `jax.pmap` traces while it lowers."""
    phases["trace"] = None
    if hasattr(jitted, "trace"):
        began = time.perf_counter()
        jitted = jitted.trace(*arguments)
        phases["trace"] = time.perf_counter() - began
        arguments = ()
    began = time.perf_counter()
    lowered = jitted.lower(*arguments)
    phases["lower"] = time.perf_counter() - began
    return lowered


def _check_arithmetic(case: dict[str, Any], program: str) -> None:
    """Refuses a step that does a part of its products in another dtype than the one it was given."""
    wanted = NAMES[case["dtype"]]
    others = product_dtypes(program) - {wanted}
    if others:
        raise NotImplementedError(
            f"{case['work']} does not compute in {case['dtype']}: given such images, "
            f"it takes a part of its products in {', '.join(sorted(others))}"
        )


def product_dtypes(program: str) -> set[str]:
    """Finds the dtypes that the convolutions and matrix products of a StableHLO program take.

    >>> sorted(product_dtypes("%2 = stablehlo.dot_general %0, %1 : (tensor<2x3xbf16>, tensor<3x4xf32>) -> "))
    ['bf16', 'f32']
    """
    found = set()
    for line in program.splitlines():
        if "stablehlo.dot_general" in line or "stablehlo.convolution" in line:
            _, _, types = line.rpartition(" : (")
            found |= {
                kind.split("x")[-1] for kind in re.findall(r"tensor<([^>]*)>", types.partition("->")[0])
            }
    return found


def _compiler_flops(compiled: Any, case: dict[str, Any]) -> float | None:
    """The compiler's count for all devices together; None where it leaves something out.

    It counts the body of a loop once, and the calls of oneDNN not at all.
    """
    found = compiled.cost_analysis()
    found = found[0] if isinstance(found, list) and found else found
    flops = found.get("flops", -1.0) if isinstance(found, dict) else -1.0
    if flops <= 0 or repetitions(case["options"]) > 1 or "__onednn" in compiled.as_text():
        return None
    return float(flops) * case["devices"]


def _memory(compiled: Any) -> dict[str, int | None]:
    plan = compiled.memory_analysis()
    kinds = {"arguments": "argument", "outputs": "output", "temporaries": "temp", "aliased": "alias"}
    planned = {name: getattr(plan, f"{kind}_size_in_bytes", None) for name, kind in kinds.items()}
    return {**planned, "peak": peak()}
