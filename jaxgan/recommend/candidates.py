"""The recipes of the zoo, fitted to data: their options, and what a step costs, from shapes alone."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax

from jaxgan import cost, zoo
from jaxgan.recommend.rules import Candidate, Data, is_starved
from jaxgan.steps.state import NetState, parameter_count
from jaxgan.typing import Array, Batch, PyTree
from jaxgan.validation import InputError

FOLDERS = {"classify": "classifiers", "generate": "gans", "translate": "gans"}
"""The folder of the zoo that a task's models stand in."""
MOST_HALVINGS = 3
"""How often images are halved, at most, to find a size that a device can do in time."""
_FEW = {"augment": "ada", "penalties": ("r1:10:16",)}
"""What helps a discriminator that has few images."""


class Fitted(NamedTuple):
    """A recipe with the settings that suit the data.

    Attributes:
        model: the model.
        preset: the recipe's name.
        config: the model's settings.
        candidate: the numbers to rank it by; those of memory are still without activations.
    """

    model: zoo.Model
    preset: str
    config: Any
    candidate: Candidate


def recipes(task: str, data: Data) -> list[tuple[zoo.Model, str]]:
    """Lists the models and presets for a task, each recipe once.

    Where there are pairs, only models that learn from pairs are of use.
    """
    found: list[tuple[zoo.Model, str]] = []
    for name in zoo.trainable():
        model = zoo.get(name)
        domains = zoo.domains(model.config())
        wanted = data.domains if task == "translate" else None
        if model.folder != FOLDERS[task] or domains != wanted:
            continue
        seen: list[Any] = []
        for preset, recipe in reversed(model.recipes.items()):  # a name says more than "default"
            if recipe not in seen:
                seen.append(recipe)
                found.append((model, preset))
    return found


def fit(model: zoo.Model, preset: str, data: Data, *, halvings: int = 0) -> Fitted:
    """Fits a recipe to data.

    Images smaller than the recipe's are enlarged to those, larger ones than the model was made for are
    shrunk; images that are not square are cut to squares. Where there are few images for a GAN's
    discriminator, it gets ADA and, where nothing else holds its slope, R1; a classifier gets shifted images.

    Args:
        model: the model.
        preset: the recipe's name.
        data: what there is to learn from.
        halvings: how often the side is halved beyond that.

    Raises:
        InputError: the model does not take such images.
    """
    recipe = model.recipe(preset)
    changes: dict[str, Any] = {"channels": data.channels}
    if model.folder == "classifiers":
        changes["num_classes"] = data.num_classes
    config = _resized(recipe.config, changes, _side(model, recipe.config, data, halvings))
    options = [*_options(config, recipe.config)]
    if data.image_size[0] != data.image_size[1]:
        options.append("--crop")
    if is_starved(_count(_state(model, config), judging=True), data.images):
        if hasattr(config, "game"):
            helped = _helped(config)
            options += _options(helped, config)
            config = helped
        elif model.folder == "classifiers":
            options += ["--augment.shift", "0.1"]
    state = _state(model, config)
    candidate = Candidate(
        model=model.name,
        preset=preset,
        options=tuple(options),
        image_size=config.image_size,
        channels=config.channels,
        batch_size=recipe.batch_size,
        recipe_steps=recipe.steps,
        recipe_images=recipe.images,
        recipe_size=max(recipe.config.image_size),
        score=recipe.score,
        parameters=_count(state, judging=False),
        judging=_count(state, judging=True),
        updates=_updates(config) + hasattr(config, "game"),
        step_flops=_step_flops(model, config, state, recipe.batch_size),
        memory=_bytes(state) + 4 * _count(state, judging=False),
    )
    return Fitted(model, preset, config, candidate)


def with_activations(fitted: Fitted) -> Candidate:
    """Adds what the networks keep for the backward pass to a candidate's memory.

    A discriminator sees real images and drawn ones; what a penalty on slopes keeps beside that does not
    count.
    """
    costs = fitted.model.network_costs(fitted.config)
    images = fitted.candidate.batch_size // _updates(fitted.config)
    each = sum(
        found.activation_bytes * (2 if "discriminator" in name else 1) for name, found in costs.items()
    )
    return fitted.candidate._replace(memory=fitted.candidate.memory + images * each)


def schedule_options(config: Any, steps: int) -> list[str]:
    """Writes options by which learning rates that fall do so over so many steps, after as large a share."""
    options, leaves = [], dict(_leaves(config))
    for name, value in leaves.items():
        if name.endswith(".schedule_steps") and value not in (None, steps):
            hold = name.removesuffix("schedule_steps") + "hold"
            options += [_flag(name), str(steps), _flag(hold), str(leaves[hold] * steps // value)]
    return options


def _side(model: zoo.Model, config: Any, data: Data, halvings: int) -> int:
    smallest = max(config.image_size)
    side = min(data.image_size)
    if model.largest_side is not None:
        side = min(side, model.largest_side)
    return max(smallest, side // 2**halvings)


def _resized(config: Any, changes: dict[str, Any], side: int) -> Any:
    """Sets the size, or the nearest one that the model takes."""
    if side == max(config.image_size) == min(config.image_size):
        return dataclasses.replace(config, **changes)
    least = 2 ** max(2, math.floor(math.log2(side / 7)))
    reason: InputError | None = None
    for multiple in (least, 2 * least, 4 * least, 8 * least):
        size = max(1, round(side / multiple)) * multiple
        try:
            return dataclasses.replace(config, image_size=(size, size), **changes)
        except InputError as error:
            reason = reason or error
    assert reason is not None
    raise reason


def _helped(config: Any) -> Any:
    game, changes = config.game, {}
    if getattr(game, "augment", None) == "none":
        changes["augment"] = _FEW["augment"]
    if getattr(game, "penalties", None) == () and getattr(config, "spectral_norm", "none") == "none":
        changes["penalties"] = _FEW["penalties"]
    return dataclasses.replace(config, game=dataclasses.replace(game, **changes))


def _options(config: Any, usual: Any) -> Iterator[str]:
    """Writes settings that differ from the usual ones as options of the command line."""
    before = dict(_leaves(usual))
    for name, value in _leaves(config):
        if value != before[name]:
            yield _flag(name)
            yield from map(str, value if isinstance(value, tuple) else (value,))


def _leaves(config: Any, prefix: str = "model") -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(config):
        name, value = f"{prefix}.{field.name}", getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _leaves(value, name)
        else:
            yield name, value


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def count_step(model: zoo.Model, preset: str) -> tuple[int, int]:
    """Counts the parameters that a recipe trains, and the operations of its step."""
    recipe = model.recipe(preset)
    state = _state(model, recipe.config)
    return _count(state, judging=False), _step_flops(model, recipe.config, state, recipe.batch_size)


def _state(model: zoo.Model, config: Any) -> PyTree:
    return jax.eval_shape(model.build(config).init, jax.eval_shape(lambda: jax.random.key(0)))


def _count(state: PyTree, *, judging: bool) -> int:
    """Counts the parameters of all networks, or of those that judge: all but generators."""
    found = jax.tree.leaves_with_path(state, is_leaf=lambda leaf: isinstance(leaf, NetState))
    return sum(
        parameter_count(leaf.params)
        for path, leaf in found
        if isinstance(leaf, NetState) and not (judging and "generator" in jax.tree_util.keystr(path))
    )


def _bytes(state: PyTree) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))


def _step_flops(model: zoo.Model, config: Any, state: PyTree, batch_size: int) -> int:
    step = model.build(config).step

    def once(state: PyTree, batch: Batch, key: Array) -> PyTree:
        return step(state, batch, key)

    key = jax.eval_shape(lambda: jax.random.key(0))
    return cost.forward_flops(once, state, zoo.abstract_batch(config, batch_size), key)


def _updates(config: Any) -> int:
    return getattr(getattr(config, "game", None), "discriminator_steps", 1)
