"""What is refused before a sweep compiles: settings that are no arrays of the state, and too many members."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax

from jaxgan import parallel, stylists, zoo
from jaxgan.settings import Settings
from jaxgan.steps import GAN, Built, Classifier, Translator
from jaxgan.sweeps.options import Choice, Variant, numbers
from jaxgan.validation import InputError

SEED = "seed"
OF_THE_MODEL = "model."
GIB = 2**30


def may_vary(settings: Settings, trainable: Built) -> list[str]:
    """Lists the options that a sweep may vary: the seed, and those whose number is an array of the state.

    Args:
        settings: the settings.
        trainable: what its model builds.

    Returns:
        Their names, without their paths where several of them have one name.

    >>> from jaxgan.settings import defaults
    >>> model = zoo.get("cnn")
    >>> may_vary(defaults(model), model.build(defaults(model).model))
    ['seed', 'learning-rate', 'b1', 'b2', 'eps']
    """
    state = jax.eval_shape(trainable.init, jax.random.key(0))
    leaves = jax.tree_util.tree_leaves_with_path(state)
    arrays = {_name(entry) for path, leaf in leaves if leaf.ndim == 0 for entry in path[-2:]}
    found = [name for name in numbers(settings) if name.startswith(OF_THE_MODEL)]
    last = [name.rpartition(".")[2] for name in found]
    return [SEED, *dict.fromkeys(name for name in last if name.replace("-", "_") in arrays)]


def _name(entry: Any) -> str:
    return str(getattr(entry, "key", getattr(entry, "name", "")))


def build_members(model: zoo.Model, choices: Sequence[Choice], variants: Sequence[Variant]) -> list[Built]:
    """Builds the members, and makes sure that one program trains all of them.

    That is so if a setting changes numbers of the initial state, and nothing of the program.

    Args:
        model: the model.
        choices: the options that vary.
        variants: the members.

    Returns:
        What the model builds for each of them; for those with equal settings, the same one.

    Raises:
        InputError: an option that cannot vary.
    """
    settings = variants[0].settings
    built: dict[Any, Built] = {}
    for variant in variants:
        if variant.settings.model not in built:
            config = variant.settings.model
            built[config] = stylists.with_weights(model.build(config), config)
    first, *others = built.values()
    allowed = may_vary(settings, first)
    for choice in choices:
        fits = choice.fields == (SEED,) or all(field.startswith(OF_THE_MODEL) for field in choice.fields)
        if not fits or choice.option.rpartition(".")[2] not in allowed:
            _refuse(choice, allowed)
    programs = _programs(first, settings) if others else []
    for number, other in enumerate(others, start=1):
        if _programs(other, settings) != programs:
            changed = list(built)[number]
            variant = next(variant for variant in variants if variant.settings.model == changed)
            culprits = [c for c in choices if c.fields != (SEED,) and variant.values[c.option] != c.values[0]]
            _refuse(culprits[0], [name for name in allowed if name != culprits[0].option])
    return [built[variant.settings.model] for variant in variants]


def _refuse(choice: Choice, allowed: Sequence[str]) -> None:
    raise InputError(
        f"--{choice.option} is {','.join(choice.texts)}; it takes one value in a sweep, since it is built "
        f"into the program; what may vary is {', '.join(allowed)}"
    )


def _programs(trainable: Built, settings: Settings) -> list[str]:
    """Writes down the programs of a member: its step, and how it draws or predicts."""
    key = jax.random.key(0)
    state = jax.eval_shape(trainable.init, key)
    batch = zoo.abstract_batch(settings.model, settings.batch_size)
    step = _program(trainable.step, state, batch, key)
    if isinstance(trainable, GAN):
        return [step, _program(lambda state, key: trainable.sample(state, key, 1), state, key)]
    if isinstance(trainable, Classifier):
        return [step, _program(trainable.predict, state, batch["image"])]
    if isinstance(trainable, Translator):
        return [step, _program(trainable.translate, state, batch["image"])]
    return [step, _program(trainable.stylize, state, batch["image"], [batch["target"]])]


def _program(function: Callable, *arguments: Any) -> str:
    compiled: Any = parallel.compile_function(function)
    text: str = compiled.lower(*arguments).as_text()
    return text


def check_memory(model: zoo.Model, settings: Settings, trainable: Built, count: int, devices: int) -> None:
    """Refuses more members than the memory holds, by an estimate; nothing is compiled.

    Args:
        model: the model.
        settings: the settings of one of them.
        trainable: what its model builds.
        count: the number of members.
        devices: how many devices share them.

    Raises:
        InputError: they do not fit; it names the number that would.
    """
    available = memory()
    if available is None:
        return
    each = member_bytes(model, settings, trainable)
    fitting = available // each * (devices if jax.default_backend() != "cpu" else 1)
    if count > fitting:
        place = "this machine" if jax.default_backend() == "cpu" else "a device"
        raise InputError(
            f"the sweep has {count} members; each needs about {each / GIB:.2g} GiB of the "
            f"{available / GIB:.3g} GiB of {place}, so that at most {fitting} fit"
        )


def member_bytes(model: zoo.Model, settings: Settings, trainable: Built) -> int:
    """Estimates the memory of one member while it trains.

    That is its state, gradients and updates as large as the state once more, its batch, and what its networks
    keep of their forward passes; a discriminator sees real and generated images.
    """
    state = jax.eval_shape(trainable.init, jax.random.key(0))
    state_bytes = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    passes = 1 if isinstance(trainable, Classifier) else 2
    costs = model.network_costs(settings.model).values()
    height, width, channels = settings.model.image_shape
    per_image = passes * sum(cost.activation_bytes for cost in costs) + 4 * height * width * channels
    return int(2 * state_bytes + settings.batch_size * per_image)


def memory() -> int | None:
    """Finds the memory of one device, in bytes: that of the machine where the CPU is the device, or None.

    A limit on the memory of this process's group counts, where the system has one.
    """
    device = jax.local_devices()[0]
    if device.platform != "cpu":
        return (device.memory_stats() or {}).get("bytes_limit")
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # a system that does not say
        return None
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else ""
    return min(total, int(text)) if text.isdigit() else total
