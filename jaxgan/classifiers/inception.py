"""Inception: the network of 2015-12-05, whose features give the Fréchet distance of the literature.

Inception v3 (Szegedy et al., arXiv:1512.00567) as the file ``classify_image_graph_def`` has it, with which
FID (Heusel et al., arXiv:1706.08500) and the Inception Score (Salimans et al., arXiv:1606.03498) are defined.
It departs from the paper: it has 1,008 outputs, its average pools leave padding out of the mean, and the last
block takes a maximum where the paper takes a mean. Each convolution was followed by a batch normalisation; as
the network is not trained here, that stands in the kernel and the bias. Its weights come from
`jaxgan weights inception`.
"""

import dataclasses
from typing import Any, ClassVar, Literal, NamedTuple

import flax.linen as linen
import jax
import jax.numpy as jnp

from jaxgan import ops
from jaxgan.nn import inception as blocks
from jaxgan.ops.resample import resize_clean, resize_legacy
from jaxgan.typing import Array, PyTree
from jaxgan.validation import require

SIDE = 299
FEATURES = 2048
CLASSES = 1008
RECIPE = None
"""It is not trained here."""

Resize = Literal["legacy", "clean"]
_RESIZE = {"legacy": resize_legacy, "clean": resize_clean}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The network has no settings: its weights fit one size."""

    image_size: ClassVar[tuple[int, int]] = (SIDE, SIDE)
    channels: ClassVar[int] = 3
    num_classes: ClassVar[int] = CLASSES
    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)


class Outputs(NamedTuple):
    """What metrics see of images.

    Attributes:
        features: f32[N, 2048], the means over the last images inside, known as pool3.
        logits: f32[N, 1008], without the bias, as the Inception Score wants them.
    """

    features: Array
    logits: Array


class Network(linen.Module):
    """Maps images f32[N, 299, 299, 3] in [-1, 1] to the outputs of every layer; 23,833,744 parameters."""

    @linen.compact
    def __call__(self, images: Array, *, train: bool) -> dict[str, Array]:
        """Gives every output by the name of its layer or block, f32[N, H, W, C].

        Beside these stand ``pool3`` f32[N, 2048], ``logits_unbiased`` f32[N, 1008] and ``logits``, which has
        the bias. It is the same in training and out of it.
        """
        del train
        outputs: dict[str, Array] = {}
        x = images
        for layer in (*_stem(), *_blocks()):
            x = outputs[str(layer.name)] = layer(x)
        outputs["pool3"] = x.mean((1, 2))
        kernel, bias = blocks.Filters(CLASSES, (), name="fc").filters(FEATURES)
        outputs["logits_unbiased"] = ops.dense(outputs["pool3"], kernel)
        outputs["logits"] = outputs["logits_unbiased"] + bias.reshape(1, -1)
        return outputs


def _stem() -> list[linen.Module]:
    return [
        blocks.Convolution(32, (3, 3), 2, "VALID", name="Conv2d_1a_3x3"),
        blocks.Convolution(32, (3, 3), 1, "VALID", name="Conv2d_2a_3x3"),
        blocks.Convolution(64, (3, 3), name="Conv2d_2b_3x3"),
        blocks.Largest(name="MaxPool_1"),
        blocks.Convolution(80, (1, 1), name="Conv2d_3b_1x1"),
        blocks.Convolution(192, (3, 3), 1, "VALID", name="Conv2d_4a_3x3"),
        blocks.Largest(name="MaxPool_2"),
    ]


def _blocks() -> list[linen.Module]:
    return [
        *(blocks.Block35(size, name=f"Mixed_5{at}") for at, size in zip("bcd", (32, 64, 64), strict=True)),
        blocks.Halving35(name="Mixed_6a"),
        *(
            blocks.Block17(size, name=f"Mixed_6{at}")
            for at, size in zip("bcde", (128, 160, 160, 192), strict=True)
        ),
        blocks.Halving17(name="Mixed_7a"),
        blocks.Block8(last=False, name="Mixed_7b"),
        blocks.Block8(last=True, name="Mixed_7c"),
    ]


def networks(config: Config = Config()) -> dict[str, tuple[linen.Module, tuple[int, ...]]]:
    """Names the network, with the shape of one input.

    >>> networks()["network"][1]
    (299, 299, 3)
    """
    return {"network": (Network(), (*config.image_size, config.channels))}


def prepare(pixels: Array, *, resize: Resize) -> Array:
    """Brings images to the size, the channels and the range of values that the network takes.

    Args:
        pixels: u8 or f32[N, H, W, C] from 0 to 255, of any size; grey for C = 1, else C = 3.
        resize: ``"legacy"`` or ``"clean"``; see `jaxgan.ops.resample`.

    Returns:
        f32[N, 299, 299, 3], (pixel - 128) / 128.

    Raises:
        InputError: another number of channels, or another ``resize``.

    >>> prepare(jnp.full((1, 4, 4, 1), 64), resize="clean")[0, 0, 0].round(3).tolist()
    [-0.5, -0.5, -0.5]
    """
    require(resize in _RESIZE, "resize", resize, " or ".join(map(repr, _RESIZE)))
    fits = pixels.ndim == 4 and pixels.shape[3] in (1, 3)
    require(fits, "the shape of pixels", pixels.shape, "[N, H, W, 1 or 3]")
    images = (_RESIZE[resize](pixels, SIDE) - 128) / 128
    return jnp.broadcast_to(images, (*images.shape[:3], Config.channels))


def extract(params: PyTree, pixels: Array, *, resize: Resize) -> Outputs:
    """Finds what metrics see of images; in full precision on every device.

    Args:
        params: the weights, as `jaxgan.weights.load` gives them.
        pixels: as `prepare` takes them.
        resize: ``"legacy"`` or ``"clean"``.

    Returns:
        Features f32[N, 2048] and logits f32[N, 1008].

    Raises:
        InputError: what `prepare` refuses.
    """
    with jax.default_matmul_precision("highest"):
        found: Any = Network().apply({"params": params}, prepare(pixels, resize=resize), train=False)
    return Outputs(features=found["pool3"], logits=found["logits_unbiased"])
