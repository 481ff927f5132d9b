"""VGG: stacks of 3x3 convolutions, with a maximum after each stack.

Simonyan and Zisserman, arXiv:1409.1556, configurations A, B, D and E, which have 11, 13, 16 and 19 layers
with weights. Batch normalisation after each convolution, which the paper does not have, is what trains them
from nothing. Departures for small images: the dense layers are one layer over the means; a maximum that finds
a single pixel, and a bias that the normalisation takes away again, are left out.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import ClassVar, Literal, get_args

import flax.linen as linen

from jaxgan import nn, ops
from jaxgan.steps import Adam, Classifier, Recipe, supervised
from jaxgan.steps.average import check_decay
from jaxgan.typing import Array
from jaxgan.validation import require

Head = Literal["dense", "mean"]
Pooling = Literal["max", "average"]
Borders = Literal["zeros", "reflect"]

STACKS: dict[int, tuple[int, ...]] = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""The convolutions of each stack."""
GRID = (7, 7)
"""The places that the dense layers see."""
KERNEL_INIT = linen.initializers.variance_scaling(2.0, "fan_out", "normal")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The network and its optimiser.

    Attributes:
        depth: the layers with weights, where the head is dense: 11, 13, 16 or 19.
        batch_norm: whether each convolution is normalised.
        pooling: what follows a stack: ``"max"``, or ``"average"``, which draws smoother textures
            (arXiv:1508.06576).
        borders: what convolutions see beyond the borders of a map: ``"zeros"``, or it ``"reflect"``ed.
        head: ``"dense"``, the paper's three layers, or ``"mean"``, one layer over the means of the last maps.
        image_size: (height, width), each at least 8.
        channels: the channels of an image, 1 or 3.
        num_classes: the number of classes K, >= 2.
        features: the channels of the first stack, >= 1; they double up to eight times as many.
        hidden: the size of the dense layers in between, >= 1.
        dropout: the rate of dropout after these, in [0, 1).
        standardize: whether images in [0, 1] are brought to the mean and deviation of those of ImageNet, as
            the weights of others want; for 3 channels.
        optimizer: the optimiser.
        label_smoothing: the share of the label that all classes have alike, in [0, 1).
        ema_decay: the decay of a moving average of the params, in [0, 1), from which predictions are made;
            None for no average.
    """

    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    depth: int = 16
    batch_norm: bool = True
    pooling: Pooling = "max"
    borders: Borders = "zeros"
    head: Head = "mean"
    image_size: tuple[int, int] = (32, 32)
    channels: int = 3
    num_classes: int = 10
    features: int = 64
    hidden: int = 4096
    dropout: float = 0.5
    standardize: bool = False
    optimizer: Adam = Adam(learning_rate=1e-3)
    label_smoothing: float = 0.0
    ema_decay: float | None = None

    def __post_init__(self) -> None:
        require(self.depth in STACKS, "depth", self.depth, "one of " + ", ".join(map(str, STACKS)))
        for name, kind in (("pooling", Pooling), ("borders", Borders), ("head", Head)):
            known = get_args(kind)
            require(getattr(self, name) in known, name, getattr(self, name), "one of " + ", ".join(known))
        require(min(self.image_size) >= 8, "image_size", self.image_size, "at least 8 on each side")
        require(self.channels in (1, 3), "channels", self.channels, "1 or 3")
        require(self.num_classes >= 2, "num_classes", self.num_classes, ">= 2")
        for name in ("features", "hidden"):
            require(getattr(self, name) >= 1, name, getattr(self, name), ">= 1")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "in [0, 1)")
        fits = not self.standardize or self.channels == 3
        require(fits, "standardize", self.standardize, f"False for images of {self.channels} channel")
        require(0 <= self.label_smoothing < 1, "label_smoothing", self.label_smoothing, "in [0, 1)")
        check_decay(self.ema_decay)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return (*self.image_size, self.channels)

    def width(self, stack: int) -> int:
        """The channels of a stack, the first of them 1: twice those before it, up to eight times the first's.

        >>> [Config(features=64).width(stack) for stack in (1, 2, 3, 4, 5)]
        [64, 128, 256, 512, 512]
        """
        return int(self.features * min(2 ** (stack - 1), 8))


IMAGENET = Config(batch_norm=False, head="dense", image_size=(224, 224), num_classes=1000, standardize=True)
"""The paper's D; others by `dataclasses.replace(IMAGENET, depth=19)`."""


DIGITS = Config(
    image_size=(28, 28), channels=1, features=16, optimizer=Adam(learning_rate=1e-3), ema_decay=0.99
)
"""A quarter as wide, for small grey images."""
ACCURACIES = {11: 0.9889, 16: 0.9944}
"""What was measured on the 359 test images of the digits, by depth: one seed each, so 0.01 may be chance."""
VGG11, VGG13, VGG16, VGG19 = (
    Recipe(dataclasses.replace(DIGITS, depth=depth), batch_size=32, steps=600, score=ACCURACIES.get(depth))
    for depth in STACKS
)
LARGEST_SIDE = 224
"""The images that it was made for have sides up to this, as of ImageNet in the paper."""
RECIPE = VGG16

Layer = linen.Module | Callable[[Array], Array]


class Network(linen.Module):
    """Maps images f32[N, H, W, C] in [0, 1] to logits f32[N, K].

    Its layers are called conv1_1, bn1_1, relu1_1, ..., pool5, and, where the head is dense, fc6, relu6, fc7,
    relu7, fc8, else fc. 138,357,544 parameters for `IMAGENET`, 143,667,240 with 19 layers.
    """

    config: Config

    @linen.compact
    def __call__(self, images: Array, *, train: bool, until: str | None = None) -> Array:
        """Maps f32[N, H, W, C] to f32[N, K]; or to the output of the layer named ``until``, for any size."""
        x = nn.standardize(images) if self.config.standardize else images
        for name, layer in self._layers(x.shape[1:3]):
            x = layer(x, train=train) if isinstance(layer, nn.BatchNorm | nn.Dropout) else layer(x)
            if not isinstance(layer, linen.Module):
                x = nn.Identity(name=name)(x)
            if name == until:
                return x
        if until is not None:
            raise ValueError(f"VGG with {self.config.depth} layers has no layer {until!r}")
        return x

    def _layers(self, size: tuple[int, ...]) -> Iterator[tuple[str, Layer]]:
        """Makes the layers, by name, in their order."""
        config = self.config
        use_bias = not (config.batch_norm and config.head == "mean")
        padding = "SAME" if config.borders == "zeros" else "REFLECT"
        convolution = functools.partial(
            nn.Conv2D, window=3, padding=padding, use_bias=use_bias, kernel_init=KERNEL_INIT
        )
        pool = ops.max_pool2d if config.pooling == "max" else ops.avg_pool2d
        for stack, count in enumerate(STACKS[config.depth], start=1):
            features = config.width(stack)
            for at in (f"{stack}_{number}" for number in range(1, count + 1)):
                yield f"conv{at}", convolution(features, name=f"conv{at}")
                if config.batch_norm:
                    yield f"bn{at}", nn.BatchNorm(momentum=0.9, epsilon=1e-5, name=f"bn{at}")
                yield f"relu{at}", ops.relu
            if min(size) >= 2**stack:
                yield f"pool{stack}", pool
        if config.head == "mean":
            yield "mean", lambda x: x.mean((1, 2))
            yield "fc", nn.Dense(config.num_classes, name="fc")
            return
        yield "grid", lambda x: ops.adaptive_avg_pool2d(x, size=GRID).reshape(x.shape[0], -1)
        for number in (6, 7):
            yield f"fc{number}", nn.Dense(config.hidden, name=f"fc{number}")
            yield f"relu{number}", ops.relu
            yield f"drop{number}", nn.Dropout(config.dropout, name=f"drop{number}")
        yield "fc8", nn.Dense(config.num_classes, name="fc8")


def layer_names(config: Config) -> tuple[str, ...]:
    """Names the layers before the head, in their order.

    >>> layer_names(Config(depth=11, batch_norm=False))[:5]
    ('conv1_1', 'relu1_1', 'pool1', 'conv2_1', 'relu2_1')
    """
    kinds = ("conv", "bn", "relu") if config.batch_norm else ("conv", "relu")
    names: list[str] = []
    for stack, count in enumerate(STACKS[config.depth], start=1):
        names += [f"{kind}{stack}_{number}" for number in range(1, count + 1) for kind in kinds]
        names.append(f"pool{stack}")
    return tuple(names)


def build(config: Config = Config()) -> Classifier:
    """Makes the classifier.

    >>> import jax
    >>> classifier = build(Config(depth=11, features=4))
    >>> state = jax.eval_shape(classifier.init, jax.random.key(0))
    >>> images = jax.ShapeDtypeStruct((2, 32, 32, 3), "float32")
    >>> jax.eval_shape(classifier.predict, state, images).shape
    (2, 10)
    """
    return supervised(
        Network(config),
        image_shape=config.image_shape,
        optimizer=config.optimizer,
        label_smoothing=config.label_smoothing,
        ema_decay=config.ema_decay,
    )


def networks(config: Config = Config()) -> dict[str, tuple[linen.Module, tuple[int, ...]]]:
    """Names the network, with the shape of one input.

    >>> networks()["network"][1]
    (32, 32, 3)
    """
    return {"network": (Network(config), config.image_shape)}
