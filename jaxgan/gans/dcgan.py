"""DCGAN: a generator of transposed convolutions against a discriminator of strided ones.

Radford, Metz and Chintala, arXiv:1511.06434, in the form of the Keras and TensorFlow tutorials for MNIST.
Departures: the tutorials differ on the generator's last activation, and one source of these two networks
leaves it out; here it is tanh, as in the paper, so that images stay in [-1, 1]. Larger images get more
stages: each halves the side until it is at most 8, and doubles the channels, up to a limit.

With ``num_classes`` the game is conditioned on labels, in one of three ways: ``concatenation`` gives both
players the label beside their input (Mirza and Osindero, arXiv:1411.1784); ``projection`` scales and shifts
the generator's features by class, and the discriminator adds to its logit how well its features go with one
(Miyato and Koyama, arXiv:1802.05637); ``auxiliary`` gives the label to the generator, and the discriminator
has to tell it (Odena et al., arXiv:1610.09585).
"""

import dataclasses
import functools
import math
from typing import ClassVar, Literal, get_args

import flax.linen as linen

from jaxgan import nn, ops
from jaxgan.steps import GAN, Adam, Adversarial, Recipe, adversarial_of
from jaxgan.typing import Array
from jaxgan.validation import require

Conditioning = Literal["concatenation", "projection", "auxiliary"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(nn.Pyramid):
    """The two networks and their game.

    Attributes:
        conditioning: how labels come in, where there are classes.
        output: the generator's last activation: ``"tanh"``, or ``"linear"`` for none.
        slope: the leaky rectifier's slope on the negative side, >= 0.
        dropout: the rate of dropout in the discriminator, in [0, 1).
        kernel_init: ``"glorot"`` (Keras), or ``"normal"`` for N(0, 0.02) (the paper).
        bn_momentum: the decay of the running averages, in [0, 1).
        bn_epsilon: what batch normalisation adds to the variance, > 0.
        game: the losses, updates and optimisers.
    """

    smallest_side: ClassVar[int] = 8

    conditioning: Conditioning = "concatenation"
    latent_size: int = 100
    output: Literal["tanh", "linear"] = "tanh"
    slope: float = 0.3
    dropout: float = 0.3
    kernel_init: Literal["glorot", "normal"] = "glorot"
    bn_momentum: float = 0.99
    bn_epsilon: float = 1e-3
    game: Adversarial = Adversarial()

    def __post_init__(self) -> None:
        super().__post_init__()
        known = get_args(Conditioning)
        require(self.conditioning in known, "conditioning", self.conditioning, "one of " + ", ".join(known))
        require(self.output in ("tanh", "linear"), "output", self.output, "'tanh' or 'linear'")
        require(self.slope >= 0, "slope", self.slope, ">= 0")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "in [0, 1)")
        require(
            self.kernel_init in ("glorot", "normal"), "kernel_init", self.kernel_init, "'glorot' or 'normal'"
        )
        require(0 <= self.bn_momentum < 1, "bn_momentum", self.bn_momentum, "in [0, 1)")
        require(self.bn_epsilon > 0, "bn_epsilon", self.bn_epsilon, "> 0")

    def classes_by(self, *ways: Conditioning) -> int | None:
        """The number of classes, if there are any and labels come in by one of these ways.

        >>> Config(num_classes=10).classes_by("concatenation"), Config().classes_by("concatenation")
        (10, None)
        """
        return self.num_classes if self.conditioning in ways else None

    @property
    def initializer(self) -> linen.initializers.Initializer:
        """The initialiser of every kernel."""
        if self.kernel_init == "normal":
            return linen.initializers.normal(0.02)
        return linen.initializers.glorot_uniform()


MNIST = Config()
DIGITS = Config(kernel_init="normal", slope=0.2, game=Adversarial(ema_decay=0.995))
"""For small sets and few minutes: the paper's initialisation and slope, samples from averaged weights."""
LARGEST_SIDE = 64
"""The images that it was made for have sides up to this, as in the paper."""
RECIPE = Recipe(DIGITS, batch_size=16, steps=3600, score=23.5)
"""6 minutes on one core of an Intel Xeon; then FID 23.5 by the CNN trained on digits (10,000 samples)."""

_FAST = Adam(learning_rate=5e-4, b1=0.5)
STEADY = Recipe(
    Config(
        dropout=0.0,
        game=Adversarial(
            updates="alternating", ema_decay=0.98, penalties=("r1:1:4",), generator=_FAST, discriminator=_FAST
        ),
    ),
    batch_size=128,
    steps=1500,
    images=60_000,
    score=6.0,
)
"""For sets of the size of MNIST, chosen by `benchmarks/ablation.toml`: R1 at every fourth step, no dropout,
alternating updates, a higher learning rate, an average. On Fashion-MNIST 7 minutes on two cores of an Intel
Xeon; then FID 6.0 by the CNN trained on it (10,000 samples), where the tutorials' network in Keras has 41."""


class Generator(linen.Module):
    """Maps latents f32[N, L], and labels int32[N] if there are classes, to images f32[N, H, W, C].

    1,936,256 parameters for MNIST; with 10 classes 2,165,504 by projection, 2,061,696 otherwise.
    """

    config: Config

    @linen.compact
    def __call__(self, latents: Array, *labels: Array, train: bool) -> Array:
        """Maps f32[N, L] to f32[N, H, W, C], in [-1, 1] with the tanh."""
        config = self.config
        stages, init = config.stages, config.initializer
        spectral = functools.partial(nn.spectral, train=train, when=config.normalizes("generator"))

        def activate(x: Array) -> Array:
            x = nn.normalize(
                x,
                *labels,
                num_classes=config.classes_by("projection"),
                train=train,
                momentum=config.bn_momentum,
                epsilon=config.bn_epsilon,
            )
            return ops.leaky_relu(x, slope=config.slope)

        def enlarge(x: Array, features: int, stride: int) -> Array:
            layer = nn.ConvTranspose2D(features, window=4, stride=stride, use_bias=False, kernel_init=init)
            return spectral(layer)(x)

        x = latents
        if classes := config.classes_by("concatenation", "auxiliary"):
            x = nn.concatenate_labels(x, *labels, num_classes=classes)
        features = math.prod(config.smallest_size) * config.width(stages)
        x = spectral(nn.Dense(features, use_bias=False, kernel_init=init))(x)
        x = nn.spread(activate(x), config.smallest_size)
        x = activate(enlarge(x, config.width(stages - 1), stride=1))
        for stage in reversed(range(stages - 1)):
            x = activate(enlarge(x, config.width(stage), stride=2))
        x = enlarge(x, config.channels, stride=2)
        return ops.tanh(x) if config.output == "tanh" else x


class Discriminator(linen.Module):
    """Maps images f32[N, H, W, C], and labels int32[N] if there are classes, to logits f32[N].

    As an auxiliary classifier it gives class logits f32[N, K] too. 138,561 parameters for MNIST; with 10
    classes 148,801 by concatenation, 201,281 by projection, 201,291 with an auxiliary classifier.
    """

    config: Config

    @linen.compact
    def __call__(self, images: Array, *labels: Array, train: bool) -> Array | tuple[Array, Array]:
        """Maps f32[N, H, W, C] to f32[N]; a positive logit means real."""
        config, init = self.config, self.config.initializer
        spectral = functools.partial(nn.spectral, train=train, when=config.normalizes("discriminator"))
        x = images
        if classes := config.classes_by("concatenation"):
            x = nn.concatenate_labels(x, *labels, num_classes=classes)
        for stage in range(config.stages):
            x = spectral(nn.Conv2D(config.width(stage), window=4, stride=2, kernel_init=init))(x)
            x = ops.leaky_relu(x, slope=config.slope)
            x = nn.Dropout(config.dropout)(x, train=train)
        x = x.reshape(x.shape[0], -1)
        logits = spectral(nn.Dense(1, kernel_init=init))(x)[:, 0]
        if classes := config.classes_by("projection"):
            logits = logits + spectral(nn.Projection(classes, init))(x, *labels)
        if classes := config.classes_by("auxiliary"):
            return logits, spectral(nn.Dense(classes, kernel_init=init))(x)
        return logits


def build(config: Config = MNIST) -> GAN:
    """Makes the GAN.

    >>> import jax
    >>> gan = build(Config(features=4))
    >>> state = gan.init(jax.random.key(0))
    >>> gan.sample(state, jax.random.key(1), 2).shape
    (2, 28, 28, 1)
    """
    return adversarial_of(networks(config), config.game, num_classes=config.num_classes)


def networks(config: Config = MNIST) -> dict[str, tuple[linen.Module, tuple[int, ...]]]:
    """Names the networks, each with the shape of one input, labels aside.

    >>> [shape for _, shape in networks().values()]
    [(100,), (28, 28, 1)]
    """
    return config.players(Generator(config), Discriminator(config))
