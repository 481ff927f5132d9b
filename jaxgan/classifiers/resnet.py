"""ResNet: blocks of convolutions that add to what they are given.

He et al., arXiv:1512.03385: 18, 34, 50, 101 and 152 layers for ImageNet, and the thin ones of their section
4.2 for small images, with 20, 32, 44 and 56. As those whose weights are published, the bottlenecks of 50
layers and more halve a map in their 3x3 convolution, where the paper does it in the 1x1 before. Small images
get a stem of one 3x3 convolution without a maximum.
"""

import dataclasses
from typing import ClassVar, Literal, get_args

import flax.linen as linen
import jax.numpy as jnp

from jaxgan import nn, ops
from jaxgan.steps import Adam, Classifier, Recipe, supervised
from jaxgan.steps.average import check_decay
from jaxgan.typing import Array
from jaxgan.validation import require

Stem = Literal["imagenet", "small"]
Shortcut = Literal["projection", "zeros"]

BLOCKS: dict[int, tuple[int, ...]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    **{6 * n + 2: (n, n, n) for n in (3, 5, 7, 9)},
}
"""The blocks of each group; the thin networks have three groups."""
EXPANSION = 4
"""How many times wider than inside a bottleneck is at its ends."""
KERNEL_INIT = linen.initializers.variance_scaling(2.0, "fan_out", "normal")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The network and its optimiser.

    Attributes:
        depth: the layers with weights: 18, 34, 50, 101, 152, or the thin 20, 32, 44, 56.
        stem: ``"imagenet"``, which divides the side by 4 (a 7x7 convolution, a 3x3 maximum), or ``"small"``,
            which keeps it.
        shortcut: what a block adds to where it changes the shape: ``"projection"``, a 1x1 convolution of what
            it is given, or ``"zeros"``, that itself at every second place, with channels of zeros.
        features: the channels of the first group, >= 1; each later group has twice as many.
        image_size: (height, width), each at least 8.
        channels: the channels of an image, 1 or 3.
        num_classes: the number of classes K, >= 2.
        standardize: whether images in [0, 1] are brought to the mean and deviation of those of ImageNet, as
            the weights of others want; for 3 channels.
        optimizer: the optimiser.
        label_smoothing: the share of the label that all classes have alike, in [0, 1).
        ema_decay: the decay of a moving average of the params, in [0, 1), from which predictions are made;
            None for no average.
    """

    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    depth: int = 18
    stem: Stem = "small"
    shortcut: Shortcut = "projection"
    features: int = 64
    image_size: tuple[int, int] = (32, 32)
    channels: int = 3
    num_classes: int = 10
    standardize: bool = False
    optimizer: Adam = Adam(learning_rate=1e-3)
    label_smoothing: float = 0.0
    ema_decay: float | None = None

    def __post_init__(self) -> None:
        require(self.depth in BLOCKS, "depth", self.depth, "one of " + ", ".join(map(str, sorted(BLOCKS))))
        for name, kind in (("stem", Stem), ("shortcut", Shortcut)):
            known = get_args(kind)
            require(getattr(self, name) in known, name, getattr(self, name), "one of " + ", ".join(known))
        require(self.features >= 1, "features", self.features, ">= 1")
        require(min(self.image_size) >= 8, "image_size", self.image_size, "at least 8 on each side")
        require(self.channels in (1, 3), "channels", self.channels, "1 or 3")
        require(self.num_classes >= 2, "num_classes", self.num_classes, ">= 2")
        fits = not self.standardize or self.channels == 3
        require(fits, "standardize", self.standardize, f"False for images of {self.channels} channel")
        require(0 <= self.label_smoothing < 1, "label_smoothing", self.label_smoothing, "in [0, 1)")
        check_decay(self.ema_decay)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return (*self.image_size, self.channels)

    @property
    def bottleneck(self) -> bool:
        """Whether the blocks have three convolutions, the middle one narrow."""
        return self.depth in (50, 101, 152)


IMAGENET = Config(depth=50, stem="imagenet", image_size=(224, 224), num_classes=1000, standardize=True)
"""Fifty layers; others by `dataclasses.replace(IMAGENET, depth=18)`."""


class Block(linen.Module):
    """Adds to maps f[N, H, W, C] two or three convolutions of them: f[N, H / stride, W / stride, C']."""

    features: int
    stride: int
    bottleneck: bool
    shortcut: Shortcut

    @linen.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """Maps f[N, H, W, C] to f[N, H', W', features]."""
        width = self.features // EXPANSION if self.bottleneck else self.features
        shapes = [(1, 1), (3, self.stride), (1, 1)] if self.bottleneck else [(3, self.stride), (3, 1)]
        y = x
        for number, (window, stride) in enumerate(shapes, start=1):
            last = number == len(shapes)
            y = convolve(self.features if last else width, window, stride, name=f"conv{number}")(y)
            y = normalizer(f"bn{number}")(y, train=train)
            if not last:
                y = nn.Identity(name=f"relu{number}")(ops.relu(y))
        if x.shape != y.shape:
            x = self._reshape(x, train=train)
        return nn.Identity(name=f"relu{len(shapes)}")(ops.relu(x + y))

    def _reshape(self, x: Array, *, train: bool) -> Array:
        if self.shortcut == "projection":
            x = convolve(self.features, 1, self.stride, name="downsample_conv")(x)
            return normalizer("downsample_bn")(x, train=train)
        more = self.features - x.shape[-1]
        x = x[:, :: self.stride, :: self.stride]
        return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (more // 2, more - more // 2)))


def convolve(features: int, window: int, stride: int, *, name: str) -> nn.Conv2D:
    """Makes a convolution without a bias that pads alike on all sides."""
    side = (window // 2, window // 2)
    return nn.Conv2D(
        features,
        window=window,
        stride=stride,
        padding=(side, side),
        use_bias=False,
        kernel_init=KERNEL_INIT,
        name=name,
    )


def normalizer(name: str) -> nn.BatchNorm:
    """Makes a batch normalisation with the numbers of the published networks."""
    return nn.BatchNorm(momentum=0.9, epsilon=1e-5, name=name)


class Network(linen.Module):
    """Maps images f32[N, H, W, C] in [0, 1] to logits f32[N, K].

    Its layers are called conv1, bn1, relu, maxpool (in the stem for ImageNet), layer1_0, ..., whose own are
    layer1_0.conv1 and so on, avgpool and fc. 25,557,032 parameters for `IMAGENET`; 269,722 with 20 thin
    layers, three channels and ten classes.
    """

    config: Config

    @linen.compact
    def __call__(self, images: Array, *, train: bool, until: str | None = None) -> Array:
        """Maps f32[N, H, W, C] to f32[N, K]; or to the output of the block named ``until``, for any size."""
        config = self.config
        x = nn.standardize(images) if config.standardize else images
        big = config.stem == "imagenet"
        x = convolve(config.features, 7 if big else 3, 2 if big else 1, name="conv1")(x)
        x = nn.Identity(name="relu")(ops.relu(normalizer("bn1")(x, train=train)))
        if big:
            x = ops.max_pool2d(x, window=3, stride=2, padding=((1, 1), (1, 1)))
            x = nn.Identity(name="maxpool")(x)
        for group, count in enumerate(BLOCKS[config.depth]):
            features = config.features * 2**group * (EXPANSION if config.bottleneck else 1)
            for number in range(count):
                stride = 2 if group and not number else 1
                name = f"layer{group + 1}_{number}"
                block = Block(features, stride, config.bottleneck, config.shortcut, name=name)
                x = block(x, train=train)
                if name == until:
                    return x
        if until is not None:
            raise ValueError(f"ResNet with {config.depth} layers has no block {until!r}")
        x = nn.Identity(name="avgpool")(x.mean((1, 2)))
        return nn.Dense(config.num_classes, name="fc")(x)


DIGITS = Config(image_size=(28, 28), channels=1, features=16, ema_decay=0.99)
"""A quarter as wide, for small grey images."""
ACCURACIES = {18: 0.9944, 20: 0.9805, 32: 0.9972}
"""What was measured on the 359 test images of the digits, by depth: one seed each, so 0.01 may be chance."""
RESNET18, RESNET34, RESNET50, RESNET101, RESNET152 = (
    Recipe(dataclasses.replace(DIGITS, depth=depth), batch_size=32, steps=600, score=ACCURACIES.get(depth))
    for depth in (18, 34, 50, 101, 152)
)
RESNET20, RESNET32, RESNET44, RESNET56 = (
    Recipe(
        dataclasses.replace(DIGITS, depth=depth, shortcut="zeros"),
        batch_size=32,
        steps=600,
        score=ACCURACIES.get(depth),
    )
    for depth in (20, 32, 44, 56)
)
FASHION = Recipe(
    dataclasses.replace(
        RESNET20.config,
        optimizer=Adam(
            learning_rate=4e-3, weight_decay=0.02, schedule="cosine", schedule_steps=1900, warmup=150
        ),
    ),
    batch_size=128,
    steps=1900,
    data="idx:fashion-mnist",
    images=60_000,
    score=0.9245,
)
"""The thin twenty layers on Fashion-MNIST, from the folder of its four files: four passes, 11 minutes on two
cores of an Intel Xeon."""
LARGEST_SIDE = 224
"""The images that it was made for have sides up to this, as of ImageNet in the paper."""
RECIPE = RESNET18


def build(config: Config = Config()) -> Classifier:
    """Makes the classifier.

    >>> import jax
    >>> classifier = build(Config(depth=20, features=4))
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
