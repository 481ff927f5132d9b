"""Style transfer: which network to see by and which size, in the time there is, and what draws in one pass.

The rules, the gravest first: the time (and the memory, as in `jaxgan.recommend.rules`); no larger than the
picture; weights trained on ImageNet before random ones, if they are there, since these know no objects; the
larger.
"""

import functools
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan import weights, zoo
from jaxgan.cost import activation_bytes, forward_flops
from jaxgan.data import images, photographs
from jaxgan.recommend import candidates, devices, rules, timing
from jaxgan.recommend.rules import Device, format_hours, format_memory
from jaxgan.style import encoders, gatys
from jaxgan.style.encoders import RANDOM, Encoder
from jaxgan.stylizing import Settings
from jaxgan.typing import Array, PyTree
from jaxgan.validation import InputError, require

DEMO = "demo"
FOLDER = "style"
"""That of the zoo whose models draw in one pass."""
SIZES = (128, 256, 384, 512, 768, 1024)
"""The longer sides to choose from."""
SEERS = (RANDOM, "vgg19")
"""What may see the pictures."""
GRADIENTS = 2
"""Those of a step of L-BFGS: its own, and one try of its line search."""
RULES = (
    "time and memory: within the hours, at most 80 % of the device's memory",
    "size: no larger than the picture, and as large as that allows",
    "weights: trained on ImageNet where `jaxgan weights` has got them, since random ones know no objects",
)


class StyleChoice(NamedTuple):
    """A way to make a picture.

    Attributes:
        weights: what sees the pictures: ``"random"`` or ``"vgg19"``.
        size: the longer side of the result.
        shape: its height and width.
        parameters: of the network, as far as it is used.
        step_flops: the operations of a step at the last size.
        memory: the bytes that it needs, about.
        steps: over all sizes.
        hours: what they take.
        complaints: what speaks against it.
    """

    weights: str
    size: int
    shape: tuple[int, int]
    parameters: int
    step_flops: int
    memory: int
    steps: int
    hours: float
    complaints: dict[str, str]


class StylistChoice(NamedTuple):
    """A model that is trained once, and then draws a picture in one pass.

    Attributes:
        name: the model, and its preset if it is not the default.
        image_size: the sides of the pictures that it is trained on.
        parameters: those that are trained.
        step_flops: the operations of a step.
        batch_size: the pairs of a step.
        steps: those of its training.
        hours: what they take.
        complaints: what speaks against it.
        command: what trains it.
    """

    name: str
    image_size: tuple[int, int]
    parameters: int
    step_flops: int
    batch_size: int
    steps: int
    hours: float
    complaints: dict[str, str]
    command: str


class StyleAdvice(NamedTuple):
    """What was found: the shape of the picture, the device, the time, the choices and the command.

    ``stylists`` are the models that draw any picture in one pass, once they are trained.
    """

    picture: tuple[int, int]
    device: Device
    hours: float
    choices: list[StyleChoice]
    command: str
    stylists: list[StylistChoice]


def recommend(picture: str, *, device: str = devices.HERE, hours: float = 1.0) -> StyleAdvice:
    """Ranks the ways to make a picture.

    Args:
        picture: the file of the content, or ``"demo"`` for the one of ``jaxgan stylize --demo``.
        device: one of `devices.NAMES`.
        hours: the time there is, > 0.

    Raises:
        InputError: a picture that cannot be read or is too small, an unknown device, hours that are not
            above 0.

    >>> advice = recommend("demo", device="h100", hours=1)  # doctest: +SKIP
    >>> advice.picture, advice.choices[0].size  # doctest: +SKIP
    ((427, 640), 512)
    """
    require(device in devices.NAMES, "device", device, "one of " + ", ".join(devices.NAMES))
    require(0 < hours < float("inf"), "hours", hours, "> 0 and finite")
    shape = _shape(picture)
    least = Settings().least_side
    allowed = f"at least {least} pixels on each side at a size of {SIZES[-1]} or less"
    sizes = [size for size in SIZES if min(images.proportional(shape, size)) >= least]
    require(bool(sizes) and max(shape) >= sizes[0], "the size of the picture", shape, allowed)
    place = timing.here() if device == devices.HERE else devices.known(device)
    choices = [
        _choice(name, size, shape, place, hours) for name in SEERS for size in sizes if size <= max(shape)
    ]
    order = ("memory", "time", "weights")
    ranked = sorted(
        choices,
        key=lambda each: (*(name in each.complaints for name in order), each.weights == RANDOM, -each.size),
    )
    return StyleAdvice(shape, place, hours, ranked, _command(picture, ranked[0]), stylists(place, hours))


def stylists(device: Device, hours: float) -> list[StylistChoice]:
    """Lists the models that draw in one pass, first those that nothing speaks against, the larger first."""
    models = [zoo.get(name) for name in zoo.trainable() if zoo.folders()[name] == FOLDER]
    found = [_stylist(model, preset, device, hours) for model in models for preset in model.recipes]
    return sorted(found, key=lambda each: (len(each.complaints), -each.parameters))


def _stylist(model: zoo.Model, preset: str, device: Device, hours: float) -> StylistChoice:
    recipe = model.recipe(preset)
    parameters, flops = candidates.count_step(model, preset)
    needed = recipe.steps * max(device.least_seconds, flops / device.flops_per_second) / 3600
    complaints = {}
    if needed > hours:
        complaints["time"] = f"{format_hours(needed)} of {format_hours(hours)}"
    seer = recipe.config.weights
    if seer != RANDOM and not weights.path(seer).exists():
        complaints["weights"] = f"first: jaxgan weights {seer} --download"
    named = [] if preset == zoo.DEFAULT else ["--preset", preset]
    return StylistChoice(
        name=" ".join([model.name, *named[1:]]),
        image_size=recipe.config.image_size,
        parameters=parameters,
        step_flops=flops,
        batch_size=recipe.batch_size,
        steps=recipe.steps,
        hours=needed,
        complaints=complaints,
        command=shlex.join(["jaxgan", "train", model.name, *named]),
    )


def _shape(picture: str) -> tuple[int, int]:
    if picture == DEMO:
        height, width, _ = photographs.load(photographs.NAMES[0], longest=640).shape
        return height, width
    if not Path(picture).is_file():
        raise InputError(f"data is {picture!r}; for task stylize it must be the file of a picture, or {DEMO}")
    return images.picture_shape(Path(picture))[:2]


def _choice(name: str, size: int, shape: tuple[int, int], device: Device, hours: float) -> StyleChoice:
    settings = Settings(weights=name)
    own = images.proportional(shape, size)
    works = [
        _step(settings, (-(-own[0] // 2**n), -(-own[1] // 2**n))) for n in reversed(range(settings.sizes))
    ]
    seconds = sum(
        settings.steps * max(device.least_seconds, work.flops / device.flops_per_second) for work in works
    )
    found = {}
    if device.memory is not None and works[-1].memory > rules.MEMORY_SHARE * device.memory:
        found["memory"] = f"needs {format_memory(works[-1].memory)} of {format_memory(device.memory)}"
    if seconds / 3600 > hours:
        found["time"] = f"{format_hours(seconds / 3600)} of {format_hours(hours)}"
    if name != RANDOM and not weights.path(name).exists():
        found["weights"] = f"first: jaxgan weights {name} --download"
    return StyleChoice(
        weights=name,
        size=size,
        shape=own,
        parameters=works[-1].parameters,
        step_flops=works[-1].flops,
        memory=works[-1].memory,
        steps=settings.steps * settings.sizes,
        hours=seconds / 3600,
        complaints=found,
    )


class _Work(NamedTuple):
    parameters: int
    flops: int
    memory: int


@functools.cache
def _step(settings: Settings, size: tuple[int, int]) -> _Work:
    """Counts a step at one size: so many gradients, each from the pixels to the last map and back."""
    config = settings.vgg
    key = jax.eval_shape(lambda: jax.random.key(0))
    variables = jax.eval_shape(lambda key: encoders.random(key, config), key)
    picture = jax.ShapeDtypeStruct((1, *size, 3), jnp.float32)
    layers = (*settings.content_layers, *settings.style_layers)

    def gradient(variables: PyTree, picture: Array) -> Any:
        stylizer = gatys.build(Encoder(settings.weights, config, variables), settings)
        wanted = stylizer.want(picture, [picture], [jnp.float32(1)], [None])
        wanted = jax.tree.map(jnp.zeros_like, wanted)  # known from the beginning, so no work of a step
        return jax.grad(lambda images: stylizer.measure(images, wanted)["loss"])(picture)

    def see(variables: PyTree, picture: Array) -> Any:
        return Encoder(settings.weights, config, variables).see(picture, layers)

    parameters = sum(leaf.size for leaf in jax.tree.leaves(variables))
    return _Work(
        parameters=parameters,
        flops=GRADIENTS * forward_flops(gradient, variables, picture),
        memory=activation_bytes(see, variables, picture) + 4 * parameters,
    )


def _command(picture: str, best: StyleChoice) -> str:
    parts = ["jaxgan", "stylize", *(["--demo"] if picture == DEMO else [picture, "STYLE.jpg"])]
    if best.weights != RANDOM:
        parts += ["--weights", best.weights]
    return shlex.join([*parts, "--size", str(best.size)])
