"""The trained networks of others: where their weights are published, and how they become ours."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxgan import folding, foreign
from jaxgan.classifiers import resnet, vgg
from jaxgan.folding import Shapes, Tensors
from jaxgan.validation import require

TORCHVISION = "https://download.pytorch.org/models/"
_FILES = {
    "vgg11": "8a719046",
    "vgg13": "19584684",
    "vgg16": "397923af",
    "vgg19": "dcbb9e9d",
    "vgg11_bn": "6002323d",
    "vgg13_bn": "abd245e5",
    "vgg16_bn": "6c64b313",
    "vgg19_bn": "c79401a0",
    "resnet18": "f37072fd",
    "resnet34": "b627a593",
    "resnet50": "0676ba61",
    "resnet101": "63fe2227",
    "resnet152": "394f9c45",
}
"""The beginnings of the SHA-256 of torchvision's files, which stand in their names."""


class Published(NamedTuple):
    """A file that others publish.

    Attributes:
        urls: where it is; the later ones are tried when the first fails.
        size: its length in bytes; None if it is not known.
        sha256: its digest, in hexadecimal, or the beginning of it.
    """

    urls: tuple[str, ...]
    size: int | None
    sha256: str


class Network(NamedTuple):
    """A trained network of others.

    Attributes:
        published: its file.
        kept: the name of the file in which its weights are kept here.
        shapes: gives the shapes of its variables, by names with dots.
        convert: makes these from the tensors of a file, which it is given for messages.
    """

    published: Published
    kept: str
    shapes: Callable[[], Shapes]
    convert: Callable[[Path, Tensors], dict[str, np.ndarray]]


INCEPTION = Published(
    urls=(
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    ),
    size=95_628_359,
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
NAMES = ("inception", *_FILES)


def get(name: str) -> Network:
    """Finds a network by its name.

    Raises:
        InputError: there is none of that name.

    >>> get("vgg19").published.urls
    ('https://download.pytorch.org/models/vgg19-dcbb9e9d.pth',)
    """
    require(name in NAMES, "the name of the weights", name, "one of " + ", ".join(NAMES))
    if name == "inception":
        return Network(
            INCEPTION, "inception-2015-12-05.safetensors", lambda: folding.params_shapes(), folding.fold
        )
    config = configuration(name)
    published = Published((f"{TORCHVISION}{name}-{_FILES[name]}.pth",), None, _FILES[name])
    return Network(
        published,
        f"{name}.safetensors",
        functools.partial(foreign.shapes_of, config),
        functools.partial(foreign.convert, config),
    )


def configuration(name: str) -> vgg.Config | resnet.Config:
    """Gives the settings of a network that torchvision publishes.

    >>> configuration("vgg19_bn").depth, configuration("vgg19_bn").batch_norm
    (19, True)
    """
    depth = int("".join(filter(str.isdigit, name)))
    if name.startswith("vgg"):
        return dataclasses.replace(vgg.IMAGENET, depth=depth, batch_norm=name.endswith("_bn"))
    return dataclasses.replace(resnet.IMAGENET, depth=depth)
