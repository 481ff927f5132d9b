"""Thin Flax Linen layers over `jaxgan.ops`: they own the parameters, the functions own the maths."""

from jaxgan.nn.channel_attention import CBAM, SqueezeExcite
from jaxgan.nn.layers import BatchNorm, Conv2D, ConvTranspose2D, Dense, Dropout

__all__ = ["CBAM", "BatchNorm", "Conv2D", "ConvTranspose2D", "Dense", "Dropout", "SqueezeExcite"]
