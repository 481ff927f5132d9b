"""What the channels of layers show: maps of an image, drawings of a generator, kernels, best images."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import interpret, parallel
from jaxgan.explain.attributions import cam_layer
from jaxgan.explain.figures import Column, Strip, save_panels, save_strips
from jaxgan.explain.scene import Scene
from jaxgan.explain.subjects import from_data, label_of
from jaxgan.interpret import Score
from jaxgan.steps import Translator
from jaxgan.steps.draws import draw_labels, draw_latents
from jaxgan.typing import Array, PyTree

BESIDE = 10
"""The channels of each layer, where several layers are shown."""
MOST, COLUMNS = 64, 8
"""The channels of one layer, and how many stand in a row."""
PAIRS = 12
"""The inputs and outputs of a convolution whose kernels are shown."""
BEST = 15
"""The most images of `maximize`."""
STEPS = 512
LOGIT_VARIATION, CHANNEL_VARIATION = 0.2, 0.002
"""Of `maximize`: the steps, and the price of differences of neighbours, against logits and against means."""


def features(scene: Scene) -> list[str]:
    """Draws the maps that layers make of one image."""
    subjects = scene.files or scene.real(1)
    image, about = subjects.images[:1], f"what the {scene.player.name} sees in {subjects.titles[0]}"
    if scene.player.inputs[0].shape[-1] > image.shape[-1]:  # a judge that sees the source beside
        image, about = _beside(scene), f"{about}, beside its translation"
    return _layers(scene, about, (image, *scene.told(subjects.labels[:1])))


def _beside(scene: Scene) -> np.ndarray:
    """Puts an image of A and its translation into channels of their own: f32[1, H, W, 2 C]."""
    translator = scene.run.model.build(scene.run.settings.model)
    assert isinstance(translator, Translator)
    source = scene.files or from_data(scene.run, 1)
    made = parallel.compile_function(translator.translate)(scene.state, source.images[:1])
    return np.concatenate([source.images[:1], np.asarray(made)], axis=-1)


def generator(scene: Scene) -> list[str]:
    """Draws the maps by which a generator comes to an image."""
    seed = scene.seeds(1)[0]
    key = jax.random.key(seed)
    inputs = [draw_latents(key, 1, scene.player.inputs[0].shape[1])]
    if scene.is_told:
        label = scene.request.label
        drawn = draw_labels(jax.random.fold_in(key, 1), 1, scene.classes)
        inputs.append(drawn if label is None else jnp.full(1, label))
    return _layers(scene, f"how the generator draws seed {seed}", inputs)


def _layers(scene: Scene, about: str, inputs: "list[Array] | tuple[np.ndarray, ...]") -> list[str]:
    network, layer = scene.player.network, scene.request.layer

    def work(variables: PyTree, *inputs: Array) -> tuple[PyTree, dict[str, Array]]:
        outputs = network.apply(variables, *inputs, train=False)
        return outputs, interpret.activations(network, variables, *inputs)

    outputs, found = jax.device_get(parallel.compile_function(work)(scene.player.variables, *inputs))
    shapes = scene.player.layers
    names = interpret.last_of_each_shape(shapes) if layer is None else [layer]
    maps = [_strip(name, found[name][0], alone=layer is not None) for name in names]
    given = _images(scene, np.asarray(inputs[0]), "the image", "its translation")
    made = _images(scene, np.asarray(outputs), "its translation" if scene.translates else "the image")
    strips = [*given, *maps, *made]
    note = "channels by how much they vary within the image, most first"
    save_strips(scene.out, f"{scene.title}, {about}", strips, note=note)
    return [strip.title for strip in maps]


def _images(scene: Scene, array: np.ndarray, *titles: str) -> list[Strip]:
    """Makes strips of images, perhaps several in channels of their own; none of what has another shape."""
    height, width, channels = scene.run.settings.model.image_shape
    if array.shape[1:3] != (height, width) or array.ndim != 4:
        return []
    parts = np.split(scene.shown(array), array.shape[3] // channels, axis=3)
    return [Strip(title, part, 1) for title, part in zip(titles, parts, strict=False)]


def _strip(name: str, output: np.ndarray, *, alone: bool) -> Strip:
    maps = np.moveaxis(output.reshape(*(1,) * (3 - output.ndim), *output.shape), -1, 0)
    count = len(maps)
    if maps.shape[1:] == (1, 1):
        order = np.arange(min(count, 16 * MOST if alone else MOST))
        return Strip(f"{name}: {len(order)} of {count} numbers", maps[order], 16)
    order = maps.std((1, 2)).argsort(kind="stable")[::-1][: MOST if alone else BESIDE]
    size = " x ".join(map(str, maps.shape[1:]))
    columns = COLUMNS if alone else BESIDE
    if count == 1:
        return Strip(f"{name}: its one channel, {size}", maps, columns)
    return Strip(f"{name}: {len(order)} of {count} channels, {size}: {_numbers(order)}", maps[order], columns)


def _numbers(order: np.ndarray) -> str:
    return ", ".join(map(str, order[:COLUMNS])) + (", ..." if len(order) > COLUMNS else "")


def filters(scene: Scene) -> list[str]:
    """Draws kernels: those of one channel as they are, others by input and output."""
    known = scene.player.filters
    name = scene.request.layer or next(iter(known))
    kernel = np.asarray(known[name])
    height, width, inputs, outputs = kernel.shape
    if inputs == 1:
        maps, columns = np.moveaxis(kernel[:, :, 0], -1, 0)[:MOST], COLUMNS
        words = f"{len(maps)} of {outputs} kernels {height} x {width}, one for each output"
    else:
        rows, columns = min(inputs, PAIRS), min(outputs, PAIRS)
        maps = kernel[:, :, :rows, :columns].transpose(2, 3, 0, 1).reshape(-1, height, width)
        words = f"kernels {height} x {width}; down: {rows} of {inputs} inputs"
        words += f", across: {columns} of {outputs} outputs"
    save_strips(scene.out, scene.title, [Strip(f"{name}: {words}", maps, columns, signed=True)])
    return [f"{name}: {words}"]


def maximize(scene: Scene) -> list[str]:
    """Draws images that raise the logits of classes, or the channels of a layer."""
    network, layer, label = scene.player.network, scene.request.layer, scene.request.label
    if layer is None and scene.is_gan:
        layer = cam_layer(scene)
    count = scene.player.layers[layer][-1] if layer else scene.classes
    wanted = np.arange(min(count, BEST)) if label is None or layer else np.array([label])
    told = scene.told(label_of(len(wanted), max(1, scene.classes), label))
    height, width, channels = scene.run.settings.model.image_shape
    shape = (len(wanted), height, width, channels)

    def work(variables: PyTree, wanted: Array, *told: Array) -> tuple[Array, Array]:
        if layer is None:
            score: Score = interpret.score_of(network, variables, select=interpret.of_class(wanted))
        else:
            score = _channel_score(network, variables, layer, wanted, told)
        images = interpret.maximize(
            score,
            jax.random.key(0),
            shape=shape,
            value_range=scene.value_range,
            steps=STEPS,
            total_variation=LOGIT_VARIATION if layer is None else CHANNEL_VARIATION,
        )
        return images, score(images)

    compiled = parallel.compile_function(work)
    images, scores = jax.device_get(compiled(scene.player.variables, wanted, *told))
    what = "class" if layer is None else "channel"
    words = [f"{what} {number}: {score:.3g}" for number, score in zip(wanted, scores, strict=True)]
    columns = min(5, len(wanted))
    panels = [
        Column("", "image", scene.shown(images[place::columns]), captions=words[place::columns])
        for place in range(columns)
    ]
    of = "logits" if layer is None else f"channels of {layer}, their means over all places"
    save_panels(scene.out, f"{scene.title}\nimages that raise {of}", panels)
    return words


def _channel_score(
    network: object, variables: PyTree, layer: str, wanted: Array, told: tuple[Array, ...]
) -> Score:
    """The means of channels over the places of a layer, for each image that of its own channel."""

    def score(images: Array) -> Array:
        output = interpret.activations(network, variables, images, *told)[layer]  # type: ignore[arg-type]
        means = output.reshape(len(images), -1, output.shape[-1]).mean(1)
        return interpret.of_class(wanted)(means)

    return score
