"""Feature extractors: what a score sees of an image, each a pure function of pixels with a name and a hash.

Three kinds: the Inception network whose features give the FID of the literature, a small classifier trained
on the data at hand, which needs no download, and any function of images.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import flax
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import cache, data, interpret, parallel
from jaxgan.classifiers import cnn
from jaxgan.steps import Classifier
from jaxgan.typing import Array, PyTree, Watch, unwatched
from jaxgan.validation import InputError, require

Resize = Literal["legacy", "clean"]
RESIZES: tuple[Resize, ...] = ("legacy", "clean")
STEPS, BATCH_SIZE = 1500, 64
"""How the classifier is trained: seconds for small images on two cores."""


class Seen(NamedTuple):
    """What an extractor sees of a batch of images.

    Attributes:
        features: f32[N, D], what distances between sets of images are measured in.
        logits: f32[N, K], for scores that speak of classes.
    """

    features: Array
    logits: Array


class Extractor(NamedTuple):
    """A function of images, with what must be known to repeat its results.

    Attributes:
        name: what stands in the name of a score, such as ``"digits_cnn"``; ``""`` for what the literature
            means when it says nothing.
        protocol: what is written beside a score: what it is, its hash, how images are resized.
        variables: its arrays.
        extract: ``(variables, pixels) -> Seen``, pure; ``pixels`` are u8 or f32[N, H, W, C] of 0 to 255.
        of_the_data: whether the logits are of the classes of the data, so that modes can be counted.
    """

    name: str
    protocol: Mapping[str, Any]
    variables: PyTree
    extract: Callable[[PyTree, Array], Seen]
    of_the_data: bool


def inception_2015(resize: Resize = "legacy") -> Extractor:
    """Gives the Inception network of 2015-12-05, whose 2,048 features make the FID of the literature.

    Args:
        resize: how images come to 299x299: ``"legacy"``, as TensorFlow 1 did, which the literature has, or
            ``"clean"``, as Pillow does (Parmar et al., arXiv:2104.11222).

    Raises:
        InputError: its weights are not there; the message says how to get them.
    """
    from jaxgan import weights
    from jaxgan.classifiers import inception

    require(resize in RESIZES, "resize", resize, " or ".join(map(repr, RESIZES)))
    params, digest = weights.load("inception")

    def extract(variables: PyTree, pixels: Array) -> Seen:
        return Seen(*inception.extract(variables, pixels, resize=resize))

    protocol = {"extractor": "inception-2015-12-05", "extractor_sha256": digest, "resize": resize}
    return Extractor("" if resize == "legacy" else resize, protocol, params, extract, of_the_data=False)


def of_function(function: Callable[[Array], Array], *, name: str, digest: str) -> Extractor:
    """Makes an extractor of any function of images.

    Args:
        function: pure, pixels f32[N, H, W, C] of 0 to 255 to features f32[N, D].
        name: what stands in the names of its scores.
        digest: what names this version of it in the protocol; two versions must not share one.

    >>> mean = of_function(lambda pixels: pixels.mean((1, 2)), name="mean_color", digest="1")
    >>> mean.extract((), np.zeros((2, 4, 4, 3))).features.shape
    (2, 3)
    """

    def extract(_variables: PyTree, pixels: Array) -> Seen:
        features = function(jnp.asarray(pixels, jnp.float32))
        return Seen(features, features)

    protocol = {"extractor": name, "extractor_sha256": digest, "resize": None}
    return Extractor(name, protocol, (), extract, of_the_data=False)


def classifier(
    train: data.Dataset,
    test: data.Dataset | None = None,
    *,
    folder: Path | None = None,
    watch: Watch = unwatched,
) -> Extractor:
    """Gives the project's own CNN, trained on the data at hand at the first call and then kept in the cache.

    Its features are the inputs of its last layer. Stacks are seen channel by channel: by a classifier of grey
    images, whose features stand side by side and whose classes are joined.

    Args:
        train: labelled images, or stacks of them.
        test: images on which its accuracy is measured, of the same kind.
        folder: where trained classifiers are kept; the user's cache by default.
        watch: told how the training goes on.

    Raises:
        InputError: no labels, or images too small for it.
    """
    images, held_out = train.base or train, test and (test.base or test)
    config = _config(images)
    digest = images.sha256
    recipe = {"data": digest, "config": repr(config), "steps": STEPS, "batch_size": BATCH_SIZE}
    path = cache.path("classifiers", recipe, folder)
    found = cache.read(path)
    params = _train(images, config, watch) if found is None else _unpack(found)
    if found is None:
        cache.write(path, _pack(params))
    params = parallel.from_first_process(params)
    extract = _extractor(config)
    protocol = {
        "extractor": "cnn trained on the data",
        "extractor_sha256": _digest(params),
        "extractor_accuracy": held_out and _accuracy(params, extract, held_out),
        "resize": None,
    }
    if train.base is not None:
        extract = _by_channel(extract)
    return Extractor(f"{short_name(train.spec)}_cnn", protocol, params, extract, of_the_data=True)


def short_name(spec: str) -> str:
    """Names a data set in one word.

    >>> short_name("idx:/data/fashion-mnist"), short_name("stacked:digits"), short_name("npz:faces.npz")
    ('fashion_mnist', 'stacked_digits', 'faces')
    """
    kind, _, place = spec.partition(":")
    if kind == "stacked":
        return f"stacked_{short_name(place)}"
    name = Path(place.replace(":", "_") or kind).stem
    return "".join(letter if letter.isalnum() else "_" for letter in name.lower()).strip("_") or kind


def _config(images: data.Dataset) -> cnn.Config:
    if images.classes is None:
        raise InputError(
            f"{images.spec} has no labels; the cnn extractor learns from images with labels: "
            "choose the inception extractor"
        )
    size, channels = images.image_shape[:2], images.image_shape[2]
    try:
        return cnn.Config(image_size=size, channels=channels, num_classes=images.num_classes, ema_decay=0.999)
    except InputError as error:
        raise InputError(f"the cnn extractor cannot see these images: {error}") from None


def _train(images: data.Dataset, config: cnn.Config, watch: Watch) -> PyTree:
    built: Classifier = cnn.build(config)
    layout, key = parallel.layout(devices=jax.local_devices()[:1]), jax.random.key(0)
    stream = data.batches(
        images, batch_size=min(BATCH_SIZE, len(images)), seed=0, value_range=config.value_range
    )
    state = layout.put_state(parallel.compile_once(built.init)(key))
    step, key = layout.compile(built.step), layout.put_state(key)
    for number in range(STEPS):
        state, _ = step(state, layout.put_batch(next(stream)), key)
        watch("steps of the classifier that will see the images", number + 1, STEPS)
    return jax.device_get(state.ema_params)


def _extractor(config: cnn.Config) -> Callable[[PyTree, Array], Seen]:
    network = cnn.Network(config)
    low, high = config.value_range

    def extract(variables: PyTree, pixels: Array) -> Seen:
        images = low + (high - low) / 255 * jnp.asarray(pixels, jnp.float32)
        found = interpret.activations(network, {"params": variables}, images)
        return Seen(found[cnn.FEATURES], found[cnn.LOGITS])

    return extract


def _by_channel(extract: Callable[[PyTree, Array], Seen]) -> Callable[[PyTree, Array], Seen]:
    """Sees each channel by itself; the logit of a stack is the sum of its channels' log-probabilities."""

    def extract_stack(variables: PyTree, pixels: Array) -> Seen:
        count, height, width, channels = pixels.shape
        grey = jnp.moveaxis(pixels, -1, 1).reshape(count * channels, height, width, 1)
        seen = extract(variables, grey)
        a, b, c = jnp.moveaxis(jax.nn.log_softmax(seen.logits).reshape(count, channels, -1), 1, 0)
        joined = a[:, :, None, None] + b[:, None, :, None] + c[:, None, None, :]
        return Seen(seen.features.reshape(count, -1), joined.reshape(count, -1))

    return extract_stack


def _accuracy(params: PyTree, extract: Callable[[PyTree, Array], Seen], held_out: data.Dataset) -> float:
    predict = parallel.compile_function(lambda variables, pixels: extract(variables, pixels).logits.argmax(1))
    right = sum(
        int((jax.device_get(predict(params, arrays["image"])) == arrays["label"]).sum())
        for arrays in data.in_chunks(held_out)
    )
    return right / len(held_out)


def _flat(params: PyTree) -> dict[str, np.ndarray]:
    return {
        "/".join(path): np.asarray(leaf) for path, leaf in flax.traverse_util.flatten_dict(params).items()
    }


def _digest(params: PyTree) -> str:
    found = hashlib.sha256()
    for name, leaf in sorted(_flat(params).items()):
        found.update(f"{name} {leaf.dtype} {leaf.shape}".encode())
        found.update(np.ascontiguousarray(leaf).data)
    return found.hexdigest()


def _pack(params: PyTree) -> bytes:
    from safetensors.numpy import save

    return save(_flat(params))


def _unpack(content: bytes) -> PyTree:
    from safetensors.numpy import load

    flat = {tuple(name.split("/")): leaf for name, leaf in load(content).items()}
    return flax.traverse_util.unflatten_dict(flat)
