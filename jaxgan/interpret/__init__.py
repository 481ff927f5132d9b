"""Seeing what a network sees: pure functions of a network, its variables and its inputs."""

from jaxgan.interpret import neighbors
from jaxgan.interpret.attribution import (
    Score,
    integrated_gradients,
    of_class,
    saliency,
    score_of,
    smooth_grad,
)
from jaxgan.interpret.cam import grad_cam
from jaxgan.interpret.layers import (
    activations,
    apply_moved,
    filters,
    last_of_each_shape,
    layer_shapes,
    require_layer,
)
from jaxgan.interpret.maximization import maximize

__all__ = [
    "Score",
    "activations",
    "apply_moved",
    "filters",
    "grad_cam",
    "integrated_gradients",
    "last_of_each_shape",
    "layer_shapes",
    "maximize",
    "neighbors",
    "of_class",
    "require_layer",
    "saliency",
    "score_of",
    "smooth_grad",
]
