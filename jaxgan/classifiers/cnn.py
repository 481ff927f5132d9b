"""CNN: two convolutions and two dense layers, for small grey images.

The network of the Keras examples for MNIST: 3x3 convolutions with 32 and 64 channels, each with a
rectifier and a 2x2 maximum, then a dense layer of 128. It ends in logits; the softmax is applied when
predicting. Expected after 5 epochs at batch 32: 0.99 test accuracy on MNIST, 0.90 on Fashion-MNIST, or 0.91
with the averaged weights of the recipe. Attention, which the examples do not have, may follow each maximum.
"""

import dataclasses
from typing import ClassVar, Literal, get_args

import flax.linen as linen

from jaxgan import nn, ops
from jaxgan.steps import Adam, Classifier, Recipe, supervised
from jaxgan.steps.average import check_decay
from jaxgan.typing import Array
from jaxgan.validation import require

Attention = Literal["none", "se", "cbam"]
REDUCTION = 8
"""By how much attention reduces the channels in between: the papers' 16 would leave two of 32."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The network and its optimiser.

    Attributes:
        image_size: (height, width), each at least 10.
        channels: the channels of an image, 1 or 3.
        num_classes: the number of classes K, >= 2.
        features: the channels of the first convolution, >= 1; the second has twice as many.
        hidden: the size of the dense layer, >= 1.
        attention: what weighs the features after each maximum: nothing, as in the source; se (squeeze and
            excitation: channels, 1,280 more parameters for MNIST) or cbam (channels, then places; 1,476).
        optimizer: the optimiser.
        ema_decay: the decay of a moving average of the params, in [0, 1), from which predictions are made;
            None for no average, as in the source.
    """

    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    image_size: tuple[int, int] = (28, 28)
    channels: int = 1
    num_classes: int = 10
    features: int = 32
    hidden: int = 128
    attention: Attention = "none"
    optimizer: Adam = Adam(learning_rate=1e-3)
    ema_decay: float | None = None

    def __post_init__(self) -> None:
        require(min(self.image_size) >= 10, "image_size", self.image_size, "at least 10 on each side")
        require(self.channels in (1, 3), "channels", self.channels, "1 or 3")
        require(self.num_classes >= 2, "num_classes", self.num_classes, ">= 2")
        require(self.features >= 1, "features", self.features, ">= 1")
        require(self.hidden >= 1, "hidden", self.hidden, ">= 1")
        known = get_args(Attention)
        require(self.attention in known, "attention", self.attention, "one of " + ", ".join(known))
        check_decay(self.ema_decay)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return (*self.image_size, self.channels)


MNIST = Config()
AVERAGED = Config(ema_decay=0.999)
"""Predicts from averaged weights: at a constant learning rate single steps jitter, their average does not."""
FEATURES = "features"
LOGITS = "Dense_1"
"""The names under which the network shows what its last layer sees, f32[N, hidden], and gives."""
LARGEST_SIDE = 32
"""The images that it was made for have sides up to this: two maxima leave 5x5 places of 28x28."""
RECIPE = Recipe(AVERAGED, batch_size=32, steps=900, score=0.9916)
"""The score is the accuracy on the 359 test images of the digits."""


class Network(linen.Module):
    """Maps images f32[N, H, W, C] in [0, 1] to logits f32[N, K].

    For MNIST it has 225,034 parameters, with squeeze and excitation 226,314, with CBAM 226,510.
    """

    config: Config

    @linen.compact
    def __call__(self, images: Array, *, train: bool) -> Array:
        """Maps f32[N, H, W, C] to f32[N, K]; the same in training and out of it."""
        del train
        x = images
        for number, features in enumerate((self.config.features, 2 * self.config.features), start=1):
            x = ops.relu(nn.Conv2D(features, window=3, padding="VALID")(x))
            x = ops.max_pool2d(nn.Identity(name=f"relu{number}")(x), window=2)
            x = self._attend(nn.Identity(name=f"pool{number}")(x))
        x = x.reshape(x.shape[0], -1)
        x = nn.Identity(name=FEATURES)(ops.relu(nn.Dense(self.config.hidden)(x)))
        return nn.Dense(self.config.num_classes)(x)

    def _attend(self, x: Array) -> Array:
        """After the maximum, where a quarter of the places is left to weigh."""
        match self.config.attention:
            case "se":
                return nn.SqueezeExcite(REDUCTION)(x)
            case "cbam":
                return nn.CBAM(REDUCTION)(x)
        return x


def build(config: Config = MNIST) -> Classifier:
    """Makes the classifier.

    >>> import jax, jax.numpy as jnp
    >>> classifier = build()
    >>> state = classifier.init(jax.random.key(0))
    >>> classifier.predict(state, jnp.zeros((2, 28, 28, 1))).shape
    (2, 10)
    """
    return supervised(
        Network(config),
        image_shape=config.image_shape,
        optimizer=config.optimizer,
        ema_decay=config.ema_decay,
    )


def networks(config: Config = MNIST) -> dict[str, tuple[linen.Module, tuple[int, ...]]]:
    """Names the network, with the shape of one input.

    >>> networks()["network"][1]
    (28, 28, 1)
    """
    return {"network": (Network(config), config.image_shape)}
