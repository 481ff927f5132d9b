"""Thin Flax Linen layers over `jaxgan.ops`: they own the parameters, the functions own the maths."""

from jaxgan.nn.attention import SelfAttention
from jaxgan.nn.channel_attention import CBAM, SqueezeExcite
from jaxgan.nn.conditioning import ConditionalBatchNorm, Projection, concatenate_labels, judge, normalize
from jaxgan.nn.imagenet import standardize
from jaxgan.nn.layers import BatchNorm, Conv2D, ConvTranspose2D, Dense, Dropout, Identity
from jaxgan.nn.pyramid import Normalized, Pyramid, spread
from jaxgan.nn.residual import ResidualBlock, double, halve
from jaxgan.nn.spectral import spectral

__all__ = [
    "CBAM",
    "BatchNorm",
    "ConditionalBatchNorm",
    "Conv2D",
    "ConvTranspose2D",
    "Dense",
    "Dropout",
    "Identity",
    "Normalized",
    "Projection",
    "Pyramid",
    "ResidualBlock",
    "SelfAttention",
    "SqueezeExcite",
    "concatenate_labels",
    "double",
    "halve",
    "judge",
    "normalize",
    "spectral",
    "spread",
    "standardize",
]
