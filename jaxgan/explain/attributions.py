"""Which pixels speak for a score, by several methods side by side."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import interpret, parallel
from jaxgan.explain.figures import Column, save_panels
from jaxgan.explain.scene import Scene, logit
from jaxgan.explain.subjects import Subjects
from jaxgan.typing import Array, PyTree

COUNT = 6
NOISE = 0.15
"""The deviation of SmoothGrad's noise, as a share of the range of the images."""
SAMPLES, STEPS = 50, 64
PLACES = 7
"""Grad-CAM looks at the last layer with so many places a side, as the last ones of networks for ImageNet."""

TITLES = {
    "saliency": "saliency",
    "smoothgrad": "SmoothGrad",
    "integrated": "integrated\ngradients",
    "gradcam": "Grad-CAM",
}


def draw(scene: Scene) -> list[str]:
    """Draws a row for each image and a column for each method."""
    subjects = _subjects(scene)
    methods = scene.request.methods
    layer = cam_layer(scene) if "gradcam" in methods else None
    outputs, wanted, maps = attribute(scene, subjects, layer)
    images = scene.shown(subjects.images)
    columns = [Column("image", "image", images)]
    for name in dict.fromkeys(methods):
        title = f"{TITLES[name]}\n{layer}" if name == "gradcam" else TITLES[name]
        kind = {"integrated": "signed", "gradcam": "overlay"}.get(name, "heat")
        columns.append(Column(title, kind, _scaled(maps[name]), below=images))  # type: ignore[arg-type]
    of = "the logit of real" if scene.is_gan else "the logit of a class"
    note = f"of {of}; colours by the largest value of each map"
    rows = _rows(subjects, outputs, wanted)
    save_panels(scene.out, scene.title, columns, rows=rows, note=note)
    return [row.replace("\n", ", ") for row in rows]


def cam_layer(scene: Scene) -> str:
    """Names the layer that was chosen, or the last with at least 7x7 places, or else that with the most."""
    if scene.request.layer is not None:
        return scene.request.layer
    maps = {name: shape for name, shape in scene.player.layers.items() if len(shape) == 4 and "." not in name}
    large = [name for name, shape in maps.items() if min(shape[1:3]) >= PLACES]
    most = max(maps, key=lambda name: (maps[name][1] * maps[name][2], list(maps).index(name)))
    return large[-1] if large else most


def attribute(
    scene: Scene, subjects: Subjects, layer: str | None
) -> tuple[np.ndarray, np.ndarray | None, dict[str, np.ndarray]]:
    """Works out the maps of the methods that are wanted.

    Returns:
        What the network gives, logits f32[N] or f32[N, K]; int32[N], the classes that are explained, None for
        a discriminator; and the maps f32[N, h, w], by method.
    """
    player, label = scene.player, scene.request.label

    def work(variables: PyTree, images: Array, *told: Array) -> tuple[Array, Array | None, dict[str, Array]]:
        outputs: Any = player.network.apply(variables, images, *told, train=False)
        if scene.is_gan:
            return logit(outputs), None, _maps(scene, layer, logit, variables, images, *told)
        wanted = outputs.argmax(-1) if label is None else jnp.full(len(images), label)
        select = interpret.of_class(wanted)
        return outputs, wanted, _maps(scene, layer, select, variables, images, *told)

    compiled = parallel.compile_function(work)
    found = compiled(player.variables, subjects.images, *scene.told(subjects.labels))
    outputs, wanted, maps = jax.device_get(found)
    return outputs, wanted, maps


def _maps(
    scene: Scene,
    layer: str | None,
    select: Callable[[Any], Array],
    variables: PyTree,
    images: Array,
    *told: Array,
) -> dict[str, Array]:
    network, methods, (low, high) = scene.player.network, scene.request.methods, scene.value_range
    score = interpret.score_of(network, variables, *told, select=select)
    maps = {}
    if "saliency" in methods:
        maps["saliency"] = _strength(interpret.saliency(score, images))
    if "smoothgrad" in methods:
        deviation, key = NOISE * (high - low), jax.random.key(0)
        found = interpret.smooth_grad(score, images, key, deviation=deviation, samples=SAMPLES)
        maps["smoothgrad"] = _strength(found)
    if "integrated" in methods:
        found = interpret.integrated_gradients(score, images, baseline=low, steps=STEPS)
        maps["integrated"] = found.sum(-1)
    if layer is not None:
        maps["gradcam"] = interpret.grad_cam(network, variables, images, *told, layer=layer, select=select)
    return maps


def _strength(gradients: Array) -> Array:
    return jnp.abs(gradients).max(-1)


def _subjects(scene: Scene) -> Subjects:
    request = scene.request
    found = [] if scene.files is None else [scene.files]
    if scene.is_gan and (request.seeds is not None or not found):
        found.append(scene.drawn(scene.seeds(COUNT // 2)))
    if scene.files is None:
        found.insert(0, scene.real(request.count or (COUNT // 2 if scene.is_gan else COUNT)))
    first, *others = found
    for other in others:
        first = first.joined(other)
    return first


def _rows(subjects: Subjects, outputs: np.ndarray, wanted: np.ndarray | None) -> list[str]:
    if wanted is None:
        return [
            f"{title}\nlogit {output:.2f}" for title, output in zip(subjects.titles, outputs, strict=True)
        ]
    shares = np.asarray(jax.nn.softmax(outputs))
    rows = []
    for number, title in enumerate(subjects.titles):
        label, names = subjects.labels[number], subjects.classes
        true = f", a {names[label]}" if label >= 0 else ""
        best = int(shares[number].argmax())
        words = f"{title}{true}\ntaken for {names[best]} ({shares[number, best]:.1%})"
        if wanted[number] != best:
            words += f"\nshown: {names[wanted[number]]} ({shares[number, wanted[number]]:.1%})"
        rows.append(words)
    return rows


def _scaled(maps: np.ndarray) -> np.ndarray:
    largest = np.abs(maps).max((1, 2), keepdims=True)
    return maps / np.where(largest > 0, largest, 1)
