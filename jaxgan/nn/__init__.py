"""Thin Flax Linen layers over `jaxgan.ops`: they own the parameters, the functions own the maths."""

from jaxgan.nn.attention import SelfAttention
from jaxgan.nn.channel_attention import CBAM, SqueezeExcite
from jaxgan.nn.conditioning import ConditionalBatchNorm, Projection, concatenate_labels, judge, normalize
from jaxgan.nn.imagenet import standardize
from jaxgan.nn.layers import BatchNorm, Conv2D, ConvTranspose2D, Dense, Dropout, Identity, InstanceNorm
from jaxgan.nn.patches import PatchDiscriminator, patch_side, require_patches, require_sides
from jaxgan.nn.pyramid import Normalized, Pyramid, spread
from jaxgan.nn.residual import ResidualBlock, double, halve
from jaxgan.nn.resnet_translator import ResNetTranslator
from jaxgan.nn.spectral import spectral
from jaxgan.nn.unet import UNet

__all__ = [
    "CBAM",
    "BatchNorm",
    "ConditionalBatchNorm",
    "Conv2D",
    "ConvTranspose2D",
    "Dense",
    "Dropout",
    "Identity",
    "InstanceNorm",
    "Normalized",
    "PatchDiscriminator",
    "Projection",
    "Pyramid",
    "ResNetTranslator",
    "ResidualBlock",
    "SelfAttention",
    "SqueezeExcite",
    "UNet",
    "concatenate_labels",
    "double",
    "halve",
    "judge",
    "normalize",
    "patch_side",
    "require_patches",
    "require_sides",
    "spectral",
    "spread",
    "standardize",
]
