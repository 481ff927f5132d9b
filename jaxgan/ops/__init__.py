"""The mathematics of the layers, as pure functions on arrays in NHWC order."""

from jaxgan.ops.activation import leaky_relu, relu, sigmoid, tanh
from jaxgan.ops.conv import conv2d, conv2d_transpose
from jaxgan.ops.dense import dense
from jaxgan.ops.dropout import dropout
from jaxgan.ops.norm import batch_moments, batch_norm, instance_norm
from jaxgan.ops.pool import adaptive_avg_pool2d, avg_pool2d, max_pool2d

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "batch_moments",
    "batch_norm",
    "conv2d",
    "conv2d_transpose",
    "dense",
    "dropout",
    "instance_norm",
    "leaky_relu",
    "max_pool2d",
    "relu",
    "sigmoid",
    "tanh",
]
