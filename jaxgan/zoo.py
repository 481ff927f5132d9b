"""The list of models, read from the folders of the zoo: a new file there is a new model everywhere."""

import difflib
import functools
import importlib
import pkgutil
from types import ModuleType
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.cost import NetworkCost, network_cost
from jaxgan.steps import Built, Recipe
from jaxgan.validation import InputError, require

FOLDERS = ("gans", "classifiers", "style")
"""Where models stand; a folder that holds other modules too names its models in ``MODELS``."""
DEFAULT = "default"
"""The name of the preset that is ``RECIPE``."""


class Model(NamedTuple):
    """One model of the zoo.

    Its module has ``Config``, ``networks(config)`` and ``RECIPE``. It has ``build(config)`` too, unless the
    recipe is None: such a model is not trained here. ``LARGEST_SIDE`` says up to which size of images it was
    made. Every other `jaxgan.steps.Recipe` in it is a preset, by
    its name in lower case.

    Attributes:
        name: the name of its file.
        folder: the folder it stands in, one of `FOLDERS`.
        module: the module.
        preset: the recipe by which it is trained if nothing else is said.
    """

    name: str
    folder: str
    module: ModuleType
    preset: str = DEFAULT

    @property
    def config(self) -> type:
        """The class of its settings."""
        kind: type = self.module.Config
        return kind

    @property
    def recipes(self) -> dict[str, Recipe]:
        """The ways to train it, by the names of the presets; the first is the default.

        >>> list(get("dcgan").recipes)
        ['default', 'steady']
        """
        others = {name.lower(): value for name, value in vars(self.module).items() if name != "RECIPE"}
        found = {DEFAULT: self.module.RECIPE, **others}
        return {name: value for name, value in found.items() if isinstance(value, Recipe)}

    def recipe(self, preset: str = DEFAULT) -> Recipe:
        """How it is trained by a preset.

        Raises:
            InputError: it is not trained here, or has no such preset.
        """
        self.require_trainable()
        recipes = self.recipes
        require(preset in recipes, "preset", preset, "one of " + ", ".join(recipes))
        return recipes[preset]

    @property
    def largest_side(self) -> int | None:
        """The side of the largest images that it was made for; None where the module has no ``LARGEST_SIDE``.

        >>> get("dcgan").largest_side
        64
        """
        found: int | None = getattr(self.module, "LARGEST_SIDE", None)
        return found

    @property
    def is_trainable(self) -> bool:
        """Whether it is trained here."""
        return self.module.RECIPE is not None

    def require_trainable(self) -> None:
        """Refuses a model that is not trained here.

        Raises:
            InputError: it is not.
        """
        if not self.is_trainable:
            raise InputError(
                f"{self.name} is not trained here, as its weights come from `jaxgan weights {self.name}`; "
                f"the models to train are {', '.join(trainable())}"
            )

    def build(self, config: Any) -> Built:
        """Makes its pure functions.

        Raises:
            InputError: it is not trained here.
        """
        self.require_trainable()
        built: Built = self.module.build(config)
        return built

    def networks(self, config: Any) -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
        """Names its networks, each with the shape of one input, labels aside."""
        found: dict[str, tuple[nn.Module, tuple[int, ...]]] = self.module.networks(config)
        return found

    def network_costs(self, config: Any) -> dict[str, NetworkCost]:
        """Finds the cost of each network; those of a GAN with classes see labels too."""
        labelled = self.folder == "gans" and num_classes(config) is not None
        return {
            name: network_cost(*network, labelled=labelled) for name, network in self.networks(config).items()
        }

    @property
    def summary(self) -> str:
        """The first sentence of its docstring, without the name."""
        first = (self.module.__doc__ or "").strip().partition("\n")[0]
        return first.partition(": ")[2] or first


def num_classes(config: Any) -> int | None:
    """The number of classes that a model is made for; None where it takes no labels.

    >>> num_classes(get("cnn").config()), num_classes(get("dcgan").config())
    (10, None)
    """
    found: int | None = getattr(config, "num_classes", None)
    return found


def domains(config: Any) -> str | None:
    """Which images of two domains a model learns from; see `jaxgan.data.require_domains`.

    >>> domains(get("pix2pix").config()), domains(get("dcgan").config())
    ('paired', None)
    """
    found: str | None = getattr(config, "domains", None)
    return found


def abstract_batch(config: Any, size: int) -> dict[str, jax.ShapeDtypeStruct]:
    """Describes a batch of so many examples: images, and labels or those of the other domain.

    >>> sorted(abstract_batch(get("cnn").config(), 8)), sorted(abstract_batch(get("pix2pix").config(), 8))
    (['image', 'label'], ['image', 'target'])
    """
    images = jax.ShapeDtypeStruct((size, *config.image_shape), jnp.float32)
    if domains(config) is not None:
        return {"image": images, "target": images}
    return {"image": images, "label": jax.ShapeDtypeStruct((size,), jnp.int32)}


@functools.cache
def folders() -> dict[str, str]:
    """Finds the models: name to folder. Imports none of them.

    >>> folders()["dcgan"]
    'gans'
    """
    found = {}
    for folder in FOLDERS:
        package = importlib.import_module(f"jaxgan.{folder}")
        everything = [module.name for module in pkgutil.iter_modules(package.__path__)]
        found.update(dict.fromkeys(getattr(package, "MODELS", everything), folder))
    return found


def names() -> tuple[str, ...]:
    """Names the models.

    >>> "dcgan" in names()
    True
    """
    return tuple(folders())


def trainable() -> tuple[str, ...]:
    """Names the models that are trained here. Imports every model.

    >>> {"dcgan", "inception"} & set(trainable())
    {'dcgan'}
    """
    return tuple(name for name in names() if get(name).is_trainable)


def get(name: str) -> Model:
    """Finds a model by its name, which may be that of a preset: vgg16 is vgg with the preset vgg16.

    Raises:
        InputError: there is none of that name.

    >>> get("cnn").summary
    'two convolutions and two dense layers, for small grey images.'
    >>> get("resnet50").name, get("resnet50").preset
    ('resnet', 'resnet50')
    """
    if name in names():
        return _load(name)
    family = name.rstrip("0123456789")
    if family in names() and name in _load(family).recipes:
        return _load(family)._replace(preset=name)
    close = difflib.get_close_matches(name, names(), n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise InputError(f"model is {name!r}; it must be one of {', '.join(names())}{hint}")


def _load(name: str) -> Model:
    folder = folders()[name]
    return Model(name, folder, importlib.import_module(f"jaxgan.{folder}.{name}"))
