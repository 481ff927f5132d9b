"""Thin Flax Linen layers over `jaxgan.ops`: they own the parameters, the functions own the maths."""

from jaxgan.nn.layers import BatchNorm, Conv2D, ConvTranspose2D, Dense, Dropout

__all__ = ["BatchNorm", "Conv2D", "ConvTranspose2D", "Dense", "Dropout"]
