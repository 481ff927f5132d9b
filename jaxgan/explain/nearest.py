"""The nearest training images: whether a generator has learnt them by heart."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import data, interpret, parallel
from jaxgan.explain.figures import Column, save_panels
from jaxgan.explain.scene import Scene
from jaxgan.explain.subjects import Subjects
from jaxgan.interpret import neighbors
from jaxgan.settings import read_data
from jaxgan.typing import Array, PyTree

COUNT = 6
BESIDE = 5
"""The neighbours of each image."""
YARDSTICK = 100
"""The drawn images and the test images whose distances are compared."""
CHUNK = 256


def draw(scene: Scene) -> list[str]:
    """Draws each image with its nearest training images, and compares with the distances of test images."""
    subjects, groups = _subjects(scene)
    train = read_data(scene.run.settings, "train")
    places, distances = _search(scene, subjects, train)
    shown = len(subjects.images) - sum(len(group) for group in groups.values())
    images = scene.shown(subjects.images[:shown])
    columns = [Column(_first(scene), "image", images, captions=subjects.titles[:shown])]
    for number in range(min(BESIDE, len(train))):
        near = places[:shown, number]
        captions = [
            f"train {place}: {far:.3g}" for place, far in zip(near, distances[:, number], strict=False)
        ]
        columns.append(
            Column(f"nearest {number + 1}", "image", train.read(near)["image"] / 255, captions=captions)
        )
    medians = {name: float(np.median(distances[group, 0])) for name, group in groups.items()}
    lines = [f"{name}: {value:.3g}" for name, value in medians.items()]
    layer = scene.request.layer
    measure = f"distance in {layer}" if layer else "root mean square difference, black to white being 1"
    note = f"{measure}\nto the nearest training image, median of {'; of '.join(lines)}"
    save_panels(scene.out, scene.title, columns, note=note)
    first = zip(subjects.titles, places[:shown, 0], distances[:, 0], strict=False)
    nearest = [f"{title}: nearest is train {place}, at {far:.3g}" for title, place, far in first]
    return [*nearest, *note.splitlines()]


def _first(scene: Scene) -> str:
    if scene.files is not None:
        return "image"
    return "drawn" if scene.is_gan else "test image"


def _subjects(scene: Scene) -> tuple[Subjects, dict[str, range]]:
    """The images to be shown, and behind them those whose distances are compared, with their places."""
    if scene.files is not None:
        subjects = scene.files
    elif scene.is_gan:
        subjects = scene.drawn(scene.seeds(COUNT))
    else:
        subjects = scene.real(scene.request.count or COUNT)
    groups, test = {}, scene.real(YARDSTICK)
    if scene.is_gan:
        begun = len(subjects.images)
        subjects = subjects.joined(scene.drawn(np.arange(YARDSTICK, dtype=np.uint32)))
        groups[f"{YARDSTICK} drawn images"] = range(begun, len(subjects.images))
    begun = len(subjects.images)
    subjects = subjects.joined(test)
    groups[f"{len(test.images)} test images"] = range(begun, len(subjects.images))
    return subjects, groups


def _search(scene: Scene, subjects: Subjects, train: data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Finds the nearest training images by pixels, or by what a layer gives: int[N, k], and f32[N, k]."""
    player, layer, value_range = scene.player, scene.request.layer, scene.value_range
    size = np.prod(subjects.images.shape[1:])

    def see(variables: PyTree, images: Array, *told: Array) -> Array:
        if layer is None:
            return images / ((value_range[1] - value_range[0]) * jnp.sqrt(size))
        return interpret.activations(player.network, variables, images, *told)[layer]

    def look(
        state: neighbors.Neighbors, variables: PyTree, rows: Array, first: Array, images: Array, *told: Array
    ) -> neighbors.Neighbors:
        return neighbors.update(state, rows, see(variables, images, *told), first)

    rows = parallel.compile_function(see)(player.variables, subjects.images, *scene.told(subjects.labels))
    update = parallel.compile_function(look)
    state, first = neighbors.init(len(subjects.images), BESIDE), 0
    for batch in data.in_order(train, batch_size=CHUNK, value_range=value_range):
        told = scene.told(batch.get("label", np.zeros(0, np.int32)))
        state = update(state, player.variables, rows, np.int32(first), batch["image"], *told)
        first += len(batch["image"])
    found: neighbors.Neighbors = jax.device_get(state)
    return np.asarray(found.places), np.asarray(found.distances)
