"""What can be asked of a run, and whether it makes sense there."""

import dataclasses
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from jaxgan import interpret, runs, zoo
from jaxgan.explain.players import Player
from jaxgan.validation import InputError, require

Kind = Literal["classifier", "gan", "translator"]
MOST = 24
"""The most images in a picture."""


class Method(NamedTuple):
    """One way to look at a run.

    Attributes:
        shows: what it shows.
        uses: what may be chosen: images, count, seeds, layer, label, network.
        player: whom it looks at where that is not the classifier or the discriminator.
        translators: whether it can look at networks that translate images, and at their judges.
    """

    shows: str
    uses: frozenset[str]
    player: str | None = None
    translators: bool = False


_SEEN = frozenset({"images", "count", "seeds", "label"})
METHODS = {
    "saliency": Method("pixels by the slope of the score", _SEEN),
    "smoothgrad": Method("the same, averaged over images with noise", _SEEN),
    "integrated": Method("integrated gradients: what each pixel adds to the score", _SEEN),
    "gradcam": Method("Grad-CAM: where a layer finds what speaks for the score", _SEEN | {"layer"}),
    "features": Method(
        "feature maps of one image", frozenset({"images", "layer", "label", "network"}), translators=True
    ),
    "filters": Method("the kernels of a convolution", frozenset({"layer", "network"}), translators=True),
    "maximize": Method(
        "images that raise a class, or the channels of a layer", frozenset({"layer", "label"})
    ),
    "neighbors": Method("the nearest training images", _SEEN | {"layer"}),
    "generator": Method(
        "what each layer of a generator draws", frozenset({"seeds", "layer", "label"}), "generator"
    ),
    "layers": Method("the names of the layers, with shapes, as text", frozenset(), translators=True),
}
ATTRIBUTIONS = ("saliency", "smoothgrad", "integrated", "gradcam")
"""The methods that stand side by side in one picture."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What is wanted.

    Attributes:
        methods: one of `METHODS`, or several of `ATTRIBUTIONS`.
        images: files to look at; some of the run's test images without any.
        count: how many test images, 1 to 24; a number that suits the method by default.
        seeds: uint32[n], of the images that a GAN draws; those that suit the method by default.
        layer: its name; one that suits the method by default.
        label: the class whose score is explained (the predicted one by default), or that a GAN draws.
        network: which network is looked at, where that may be chosen.
    """

    methods: tuple[str, ...]
    images: tuple[Path, ...] = ()
    count: int | None = None
    seeds: np.ndarray | None = None
    layer: str | None = None
    label: int | None = None
    network: str | None = None

    def __post_init__(self) -> None:
        for method in self.methods:
            require(method in METHODS, "--method", method, "one of " + ", ".join(METHODS))
        alone = len(set(self.methods)) == 1 or set(self.methods) <= set(ATTRIBUTIONS)
        allowed = "one, or several of " + ", ".join(ATTRIBUTIONS)
        require(bool(self.methods) and alone, "--method", ",".join(self.methods), allowed)
        require(self.count is None or 1 <= self.count <= MOST, "--count", self.count, f"in 1 ... {MOST}")
        require(len(self.images) <= MOST, "the number of images", len(self.images), f"at most {MOST}")
        seeds = 0 if self.seeds is None else len(self.seeds)
        require(seeds <= MOST, "the number of seeds", seeds, f"at most {MOST}")

    @property
    def chosen(self) -> tuple[str, ...]:
        """What was chosen of images, count, seeds, layer, label and network."""
        given = {
            "images": bool(self.images),
            "count": self.count is not None,
            "seeds": self.seeds is not None,
            "layer": self.layer is not None,
            "label": self.label is not None,
            "network": self.network is not None,
        }
        return tuple(name for name, is_given in given.items() if is_given)


def kind_of(run: runs.Run) -> Kind:
    """Says what a run trains."""
    if zoo.domains(run.settings.model) is not None:
        return "translator"
    return "classifier" if run.model.folder == "classifiers" else "gan"


def check(request: Request, run: runs.Run, players: dict[str, Player]) -> str:
    """Refuses what does not suit a run, before anything is worked out.

    Args:
        request: what is wanted.
        run: the run.
        players: its networks.

    Returns:
        The name of the network that is looked at.

    Raises:
        InputError: a method, layer, label or other choice that does not suit.
    """
    kind = kind_of(run)
    fitting = [
        name
        for name, method in METHODS.items()
        if (method.translators if kind == "translator" else method.player in (None, *players))
    ]
    for name in request.methods:
        if name not in fitting:
            lacks = "classes or latents" if kind == "translator" else METHODS[name].player
            raise InputError(
                f"--method {name}: {run.folder.path} is a run of {run.model.name}, which has no "
                f"{lacks}; the methods for it are {', '.join(fitting)}"
            )
    _check_choices(request, run)
    usual = next(iter(players)) if kind == "translator" else next(reversed(players))
    name = request.network or METHODS[request.methods[0]].player or usual
    require(name in players, "--network", name, "one of " + ", ".join(players))
    if "features" in request.methods and kind == "gan" and name == "generator":
        raise InputError("--network generator: features are those of an image; see --method generator")
    if request.layer is not None:
        _check_layer(request.methods, request.layer, players[name])
    return name


def _check_layer(methods: tuple[str, ...], layer: str, player: Player) -> None:
    known = player.filters if "filters" in methods else player.layers
    interpret.require_layer(layer, known, "--layer")
    maps = [name for name, shape in player.layers.items() if len(shape) == 4]
    if "gradcam" in methods and layer not in maps:
        raise InputError(f"--layer {layer}: Grad-CAM needs a layer with places, one of {', '.join(maps)}")


def _check_choices(request: Request, run: runs.Run) -> None:
    is_gan, classes = kind_of(run) == "gan", zoo.num_classes(run.settings.model)
    uses = _uses(request.methods, run)
    words = ",".join(request.methods)
    for name in request.chosen:
        if name not in uses:
            option = "IMAGE" if name == "images" else f"--{name}"
            rest = f"it takes {', '.join(sorted(uses)) or 'nothing'}"
            raise InputError(f"{option}: {words} of a run of {run.model.name} takes no {name}; {rest}")
    if request.label is not None and classes is not None:
        require(0 <= request.label < classes, "--label", request.label, f"in 0 ... {classes - 1}")
        if not is_gan and request.layer is not None and "maximize" in request.methods:
            raise InputError("--label and --layer are both given; maximize raises one or the other")
    if request.images and request.count is not None:
        raise InputError("IMAGE and --count are both given; --count is for test images")
    if is_gan and classes is not None and request.images and request.label is None:
        raise InputError("--label is missing: a GAN with classes must be told the class of the images")
    for method, name, given in (
        ("features", "images", len(request.images)),
        ("generator", "seeds", 0 if request.seeds is None else len(request.seeds)),
    ):
        require(
            method not in request.methods or given <= 1, f"the number of {name}", given, f"1 for {method}"
        )


def _uses(methods: tuple[str, ...], run: runs.Run) -> frozenset[str]:
    """What may be chosen of images, count, seeds, layer, label and network."""
    kind, uses = kind_of(run), frozenset().union(*(METHODS[name].uses for name in methods))
    if kind == "translator":
        return uses - {"seeds", "label"}
    if kind == "classifier":  # whose classes are explained or raised
        scored = set(methods) <= {*ATTRIBUTIONS, "maximize"}
        return uses - ({"seeds", "network"} if scored else {"seeds", "network", "label"})
    if "neighbors" in methods:
        uses -= {"count"}
    return uses if zoo.num_classes(run.settings.model) is not None else uses - {"label"}
