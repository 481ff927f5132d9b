"""The settings of a run: everything that decides what it learns, and how often it writes."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from jaxgan import zoo
from jaxgan.data import Augment, Dataset, load, require_domains, require_labels
from jaxgan.health import Health, parse_kinds
from jaxgan.loop import Cadence
from jaxgan.parallel import Mode
from jaxgan.scoring import Scoring
from jaxgan.steps import Adam
from jaxgan.validation import InputError, require

C = TypeVar("C")

FREE_ON_RESUME = (
    "steps",
    "epochs",
    "cadence",
    "evaluate_every",
    "scoring",
    "parallel",
    "data_dir",
    "stop_on",
    "health",
)
"""The settings that a resumed run may change: none of them changes what is learnt at a step."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(Generic[C]):
    """Everything that decides a run.

    Attributes:
        preset: where all comes from that is not chosen: default, or a preset of the model, such as dcgan's
            steady.
        data: digits, idx:FOLDER, folder:PATH, npz:FILE, tfds:NAME[:CONFIG] or stacked:SPEC; for a translator
            pairs:FOLDER, edges:SPEC, domains:A,B, textured:SPEC or swapped:SPEC; for adain domains:A,B or
            photographs.
        data_dir: where the prepared data sets of tfds lie; tfds's own place by default.
        crop: cut images to the model's shape instead of stretching them.
        augment: random changes of the training images.
        batch_size: the images of one step, over all devices.
        steps: the number of steps; by default those of the preset, or as before when resumed.
        epochs: the number of passes over the data, instead of steps.
        seed: the seed of everything random.
        parallel: how devices share a step.
        cadence: how often to write.
        evaluate_every: steps between evaluations of the samples; none by default.
        scoring: what they are scored by.
        stop_on: save and stop, with status 1, on any of saturation, collapse, drift, exploding, vanishing,
            oscillation and nan, with commas between them. nan is for updates that the optimiser leaves out;
            numbers that are not finite in what is learnt always end a run.
        health: where each of these begins.
        model: the model.
    """

    preset: str = zoo.DEFAULT
    data: str = "digits"
    data_dir: Path | None = None
    crop: bool = False
    augment: Augment = Augment()
    batch_size: int
    steps: int | None = None
    epochs: int | None = None
    seed: int = 0
    parallel: Mode = "jit"
    cadence: Cadence = Cadence()
    evaluate_every: int | None = None
    scoring: Scoring = Scoring(samples=2_000)
    stop_on: str = ""
    health: Health = Health()
    model: C

    def __post_init__(self) -> None:
        require(self.batch_size >= 1, "batch_size", self.batch_size, ">= 1")
        for name in ("steps", "epochs", "evaluate_every"):
            value = getattr(self, name)
            require(value is None or value >= 1, name, value, ">= 1")
        if self.steps is not None and self.epochs is not None:
            raise InputError("steps and epochs are both given; give one of them")
        parse_kinds(self.stop_on)
        require(0 <= self.seed < 2**32, "seed", self.seed, "in [0, 2**32)")


def settings_type(model: zoo.Model) -> Any:
    """The class of a model's settings."""
    return Settings[model.config]  # type: ignore[name-defined]


def defaults(model: zoo.Model, preset: str | None = None) -> Settings:
    """The settings of a preset of a model; of that by which it was named, if nothing else is said.

    Raises:
        InputError: it has no such preset.

    >>> defaults(zoo.get("cnn")).batch_size
    32
    """
    chosen = preset or model.preset
    recipe = model.recipe(chosen)
    return Settings(preset=chosen, data=recipe.data, batch_size=recipe.batch_size, model=recipe.config)


def count_steps(settings: Settings, images: int, otherwise: int) -> int:
    """Works out the number of steps from steps or epochs.

    Raises:
        InputError: a learning rate has fallen to 0 before so many steps.

    >>> settings = dataclasses.replace(defaults(zoo.get("cnn")), epochs=5, batch_size=32)
    >>> count_steps(settings, 60_000, 900)
    9375
    """
    count = settings.steps or otherwise
    if settings.epochs is not None:
        count = max(1, settings.epochs * images // settings.batch_size)
    for name, adam in _optimizers(settings.model, "--model"):
        end = (adam.schedule_steps or count) * adam.accumulate
        if count > end:
            raise InputError(
                f"steps is {count}; the learning rate is 0 from step {end} on: give {name}.schedule-steps too"
            )
    return count


def _optimizers(config: Any, path: str) -> Iterator[tuple[str, Adam]]:
    """Finds the optimisers among the settings of a model, with the options that stand for them."""
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{path}.{field.name.replace('_', '-')}"
        if isinstance(value, Adam):
            yield name, value
        elif dataclasses.is_dataclass(value):
            yield from _optimizers(value, name)


def read_data(settings: Settings, split: str) -> Dataset:
    """Loads the images of a run in the shape that its model takes.

    Raises:
        InputError: they cannot be loaded, or do not have the classes or the domains that the model was made
            for.
    """
    images = load(
        settings.data,
        split,
        image_size=settings.model.image_size,
        channels=settings.model.channels,
        crop=settings.crop,
        data_dir=settings.data_dir,
    )
    require_labels(images, zoo.num_classes(settings.model))
    require_domains(images, zoo.domains(settings.model))
    return images
