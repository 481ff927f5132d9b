"""Batches: decided by the seed, complete, divisible, and taken up where they were left."""

import subprocess
import sys

import numpy as np
import pytest

from jaxgan import data
from jaxgan.data import dataset as datasets
from jaxgan.validation import InputError

pytestmark = pytest.mark.smoke

TURNED = data.Augment(rotation=20, shift=0.1, flip=True)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", image_size=(8, 8), channels=1)


def numbered(count):
    """Images whose only pixel is their number."""
    pixels = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    shape = datasets.Shape(image_size=(1, 1), channels=1)
    return datasets.in_memory(
        "numbers", "train", shape, pixels, np.arange(count), [str(k) for k in range(count)]
    )


def take(stream, count):
    return [next(stream) for _ in range(count)]


def assert_same(first, second):
    for a, b in zip(first, second, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


@pytest.mark.parametrize("augment", [data.Augment(), TURNED], ids=["plain", "augmented"])
def test_the_seed_alone_decides(digits, augment):
    def stream(seed):
        return data.batches(digits, batch_size=16, seed=seed, value_range=(-1, 1), augment=augment)

    first = take(stream(3), 5)
    assert_same(first, take(stream(3), 5))
    assert not np.array_equal(first[0]["label"], take(stream(4), 1)[0]["label"])


def test_every_pass_holds_every_image_once_in_an_order_of_its_own():
    stream = data.batches(numbered(10), batch_size=4, seed=0, value_range=(0, 255))
    numbers = np.concatenate([batch["label"] for batch in take(stream, 10)])
    passes = numbers.reshape(4, 10)
    for one in passes:
        assert sorted(one) == list(range(10))
    assert len({tuple(one) for one in passes}) == 4


def test_images_stay_with_their_labels_and_are_scaled():
    batch = next(data.batches(numbered(200), batch_size=50, seed=1, value_range=(0, 255)))
    np.testing.assert_allclose(batch["image"].ravel(), batch["label"], rtol=1e-6)
    batch = next(data.batches(numbered(200), batch_size=50, seed=1, value_range=(-1, 1)))
    assert batch["image"].dtype == np.float32
    np.testing.assert_allclose((batch["image"].ravel() + 1) * 127.5, batch["label"], atol=1e-4)


@pytest.mark.parametrize("augment", [data.Augment(), TURNED], ids=["plain", "augmented"])
@pytest.mark.parametrize("before", [0, 1, 7, 200])
def test_a_restored_stream_goes_on_exactly(digits, augment, before):
    def stream():
        return data.batches(digits, batch_size=16, seed=0, value_range=(0, 1), augment=augment)

    original = stream()
    take(original, before)
    state = original.state()
    expected = take(original, 3)
    restored = stream()
    restored.restore(state)
    assert_same(take(restored, 3), expected)


@pytest.mark.parametrize("augment", [data.Augment(), TURNED], ids=["plain", "augmented"])
def test_the_parts_of_the_processes_make_the_whole_batch(digits, augment):
    def stream(**process):
        return data.batches(digits, batch_size=12, seed=0, value_range=(0, 1), augment=augment, **process)

    parts = [take(stream(process_index=index, process_count=3), 3) for index in range(3)]
    for whole, *own in zip(take(stream(), 3), *parts, strict=True):
        for name, values in whole.items():
            np.testing.assert_array_equal(np.concatenate([part[name] for part in own]), values)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size is 0; it must be >= 1"),
        (
            {"batch_size": 5000},
            "batch_size is 5000; it must be at most 1438, the number of images in digits train",
        ),
        ({"batch_size": 10, "process_count": 3}, "a multiple of 3, the number of processes"),
    ],
)
def test_an_impossible_batch_is_refused(digits, options, words):
    with pytest.raises(InputError, match=words):
        data.batches(digits, seed=0, value_range=(0, 1), **options)


def test_in_order_gives_every_image_once(digits):
    found = list(data.in_order(digits, batch_size=100, value_range=(0, 1)))
    assert [len(batch["image"]) for batch in found] == [100] * 14 + [38]
    everything = digits.read(np.arange(len(digits)))
    np.testing.assert_array_equal(np.concatenate([batch["label"] for batch in found]), everything["label"])
    images = np.concatenate([batch["image"] for batch in found])
    np.testing.assert_allclose(images * 255, everything["image"], atol=1e-4)


def test_digits_are_divided_once_and_for_all(digits):
    test = data.load("digits", "test", image_size=(8, 8), channels=1)
    assert (len(digits), len(test)) == (1438, 359)
    train_images = {image.tobytes() for image in digits.read(np.arange(1438))["image"]}
    test_images = {image.tobytes() for image in test.read(np.arange(359))["image"]}
    assert not train_images & test_images
    assert set(test.read(np.arange(359))["label"]) == set(range(10))
    colour = data.load("digits", image_size=(28, 20), channels=3)
    images = colour.read(np.arange(3))["image"]
    assert images.shape == (3, 28, 20, 3)
    np.testing.assert_array_equal(images[..., 0], images[..., 2])


def test_labels_are_required_where_they_are_needed(digits):
    data.require_labels(digits, 10)
    with pytest.raises(InputError, match=r"10 classes and the model 4; give --model\.num-classes 10"):
        data.require_labels(digits, 4)
    shape = datasets.Shape(image_size=(1, 1), channels=1)
    bare = datasets.in_memory("bare", "train", shape, np.zeros((2, 1, 1), np.uint8), None, None)
    with pytest.raises(InputError, match="bare has no labels"):
        data.require_labels(bare, 10)


def test_importing_it_loads_no_heavy_package():
    heavy = ["grain", "sklearn", "scipy", "PIL", "tensorflow_datasets", "tensorflow", "matplotlib", "jax"]
    program = f"import sys, jaxgan.data; assert not [name for name in {heavy!r} if name in sys.modules]"
    subprocess.run([sys.executable, "-c", program], check=True)
