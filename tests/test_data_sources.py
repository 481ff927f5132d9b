"""Each source: what it reads back, and how it refuses what it cannot use."""

import gzip
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgan import data
from jaxgan.data import idx, images
from jaxgan.validation import InputError

FASHION = Path("/usr/share/datasets/fashion-mnist")


def load(spec, split="train", size=(4, 6), channels=1, **options):
    return data.load(spec, split, image_size=size, channels=channels, **options)


def contents(dataset):
    return dataset.read(np.arange(len(dataset)))


def pixels(count, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


def refused(spec, words, split="train", **options):
    with pytest.raises(InputError, match=words):
        load(spec, split, **options)


# -- idx --


def write_idx(path, array, *, magic=None, sizes=None, cut=0, packed=False):
    magic = magic or {3: 2051, 1: 2049}[array.ndim]
    head = struct.pack(f">{array.ndim + 1}I", magic, *(sizes or array.shape))
    raw = (head + array.tobytes())[: -cut or None]
    path.write_bytes(gzip.compress(raw) if packed else raw)


def write_mnist(folder, *, prefix="", packed=False, labels=None, images=None):
    images = pixels(20, 4, 6) if images is None else images
    labels = np.arange(20, dtype=np.uint8) % 10 if labels is None else labels
    end = ".gz" if packed else ""
    for split in ("train", "t10k"):
        write_idx(folder / f"{prefix}{split}-images-idx3-ubyte{end}", images, packed=packed)
        write_idx(folder / f"{prefix}{split}-labels-idx1-ubyte{end}", labels, packed=packed)
    return images, labels


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("split", ["train", "test"])
def test_idx_files_are_read_back(tmp_path, packed, split):
    images, labels = write_mnist(tmp_path, packed=packed)
    found = load(f"idx:{tmp_path}", split)
    assert found.classes == tuple("0123456789")
    np.testing.assert_array_equal(contents(found)["image"][..., 0], images)
    np.testing.assert_array_equal(contents(found)["label"], labels)


def test_emnist_is_turned_upright_and_its_letters_counted_from_zero(tmp_path):
    images, labels = write_mnist(tmp_path, prefix="emnist-letters-", labels=np.arange(20, dtype=np.uint8) + 1)
    found = load(f"idx:{tmp_path}", size=(6, 4))
    np.testing.assert_array_equal(contents(found)["image"][..., 0], images.swapaxes(1, 2))
    np.testing.assert_array_equal(contents(found)["label"], labels - 1)
    assert found.num_classes == 20


def test_a_folder_of_several_idx_sets_asks_for_one(tmp_path):
    write_mnist(tmp_path, prefix="emnist-letters-")
    write_mnist(tmp_path, prefix="emnist-digits-")
    refused(f"idx:{tmp_path}", "several data sets: emnist-digits, emnist-letters; choose one")
    assert len(load(f"idx:{tmp_path}/emnist-digits", size=(6, 4))) == 20


def test_idx_images_without_labels_are_enough_for_a_gan(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", pixels(20, 4, 6))
    assert load(f"idx:{tmp_path}").classes is None


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            lambda f: write_idx(f / "train-images-idx3-ubyte", pixels(9, 4, 6), magic=2049),
            "magic number 2049.* 2051",
        ),
        (
            lambda f: write_idx(f / "train-images-idx3-ubyte", pixels(20, 4, 6), cut=5),
            "491 bytes.*20 x 4 x 6.* 496",
        ),
        (lambda f: write_idx(f / "train-images-idx3-ubyte", pixels(20, 4, 6), sizes=(19, 4, 6)), "needs 472"),
        (lambda f: (f / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08"), "has 3 bytes"),
        (
            lambda f: write_idx(f / "train-labels-idx1-ubyte", np.zeros(7, np.uint8)),
            "7 labels for the 20 images",
        ),
        (
            lambda f: (f / "train-images-idx3-ubyte").write_bytes(gzip.compress(bytes(999))[:-20]),
            "damaged gzip file",
        ),
        (lambda f: (f / "train-images-idx3-ubyte").unlink(), "has no train-images-idx3-ubyte"),
        (
            lambda f: write_idx(f / "train-images-idx3-ubyte", pixels(0, 4, 6)),
            "holds nothing: its head says 0 x 4 x 6",
        ),
    ],
)
def test_damaged_idx_files_are_named(tmp_path, damage, words):
    write_mnist(tmp_path)
    damage(tmp_path)
    refused(f"idx:{tmp_path}", words)


def test_labels_out_of_range_are_named(tmp_path):
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    write_mnist(folder, labels=np.array([3] * 19 + [12], np.uint8))
    refused(f"idx:{folder}", r"the label of image 19 is 12; labels must be in \[0, 10\)")


def test_an_idx_folder_that_is_none(tmp_path):
    refused(f"idx:{tmp_path / 'nowhere'}", "is neither a folder nor the beginning of IDX files")
    refused(f"idx:{tmp_path / 'nowhere' / 'x'}", "No such file")
    refused(f"idx:{tmp_path}", "holds no IDX files")


@pytest.mark.skipif(not FASHION.is_dir(), reason="needs the package dataset-fashion-mnist")
def test_fashion_mnist_is_read():
    train, test = (load(f"idx:{FASHION}", split, size=(28, 28)) for split in ("train", "test"))
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.classes == idx.FASHION
    np.testing.assert_array_equal(np.bincount(contents(test)["label"]), [1000] * 10)


# -- folder --


def write_images(folder, count, *, name="image-{:02}.png", seed=0, shape=(4, 6)):
    folder.mkdir(parents=True, exist_ok=True)
    arrays = pixels(count, *shape, seed=seed)
    for number, array in enumerate(arrays):
        Image.fromarray(array).save(folder / name.format(number))
    return arrays


def test_a_flat_folder_is_divided_and_has_no_labels(tmp_path):
    arrays = write_images(tmp_path, 10)
    (tmp_path / "notes.txt").write_text("not an image")
    train, test = load(f"folder:{tmp_path}"), load(f"folder:{tmp_path}", "test")
    assert train.classes is None
    np.testing.assert_array_equal(contents(test)["image"][..., 0], arrays[[4, 9]])
    np.testing.assert_array_equal(contents(train)["image"][..., 0], arrays[[0, 1, 2, 3, 5, 6, 7, 8]])


def test_class_folders_give_labels(tmp_path):
    write_images(tmp_path / "dog", 5)
    write_images(tmp_path / "cat" / "deeper", 5)
    found = load(f"folder:{tmp_path}")
    assert found.classes == ("cat", "dog")
    np.testing.assert_array_equal(contents(found)["label"], [0] * 4 + [1] * 4)


def test_split_folders_are_used_where_they_are(tmp_path):
    write_images(tmp_path / "train" / "cat", 3)
    write_images(tmp_path / "train" / "dog", 2)
    write_images(tmp_path / "val" / "dog", 4)
    assert len(load(f"folder:{tmp_path}")) == 5
    test = load(f"folder:{tmp_path}", "test")
    assert test.classes == ("cat", "dog")
    np.testing.assert_array_equal(contents(test)["label"], [1] * 4)


def test_images_are_stretched_or_cropped_and_made_grey_or_coloured(tmp_path):
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = (255, 0, 0)
    for number in range(2):
        Image.fromarray(wide).save(tmp_path / f"{number}.png")
    cropped = contents(load(f"folder:{tmp_path}", size=(10, 10), channels=3, crop=True))["image"]
    assert (cropped == (255, 0, 0)).all()
    stretched = contents(load(f"folder:{tmp_path}", size=(10, 10), channels=3))["image"]
    assert (stretched[:, :, 0] == 0).all()
    grey = contents(load(f"folder:{tmp_path}", size=(10, 10), crop=True))["image"]
    assert (grey == 76).all()  # the luma of red


@pytest.mark.parametrize("suffix", sorted(images.SUFFIXES))
def test_every_allowed_format_is_read(tmp_path, suffix):
    write_images(tmp_path, 2, name="{}" + suffix, shape=(8, 8))
    assert contents(load(f"folder:{tmp_path}", size=(8, 8)))["image"].shape == (2, 8, 8, 1)


def test_many_images_are_read_when_they_are_needed(tmp_path, monkeypatch):
    write_images(tmp_path / "a", 5)
    write_images(tmp_path / "b", 5, seed=1)
    expected = contents(load(f"folder:{tmp_path}"))
    monkeypatch.setattr("jaxgan.data.folder.MEMORY", 10)
    found = load(f"folder:{tmp_path}")
    for name, values in contents(found).items():
        np.testing.assert_array_equal(values, expected[name])


def encode(array, kind):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("memory", [0, 1 << 30])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello", "x.png is not an image"),
        (b"", "x.png is not an image"),
        (
            encode(pixels(1, 64, 64)[0], "JPEG"),
            "x.png is mislabelled: its name says PNG, its content is JPEG",
        ),
        (encode(np.zeros((8000, 8000), np.uint8), "PNG"), "x.png is gigantic: 8000 x 8000"),
        (encode(np.zeros((20_000, 20_000), np.uint8), "PNG"), "x.png is gigantic"),
    ],
    ids=["text", "empty", "mislabelled", "gigantic", "bomb"],
)
def test_a_bad_image_is_named(tmp_path, monkeypatch, content, words, memory):
    monkeypatch.setattr("jaxgan.data.folder.MEMORY", memory)
    write_images(tmp_path, 3)
    (tmp_path / "x.png").write_bytes(content)
    refused(f"folder:{tmp_path}", words)


def test_a_truncated_image_is_named(tmp_path):
    write_images(tmp_path, 3)
    (tmp_path / "x.png").write_bytes(encode(pixels(1, 64, 64)[0], "PNG")[:2000])
    refused(f"folder:{tmp_path}", "x.png is truncated or damaged")


def test_a_folder_without_images(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    refused(f"folder:{tmp_path}", r"holds no train images; it must hold files that end in .*\.png")
    refused(f"folder:{tmp_path / 'nowhere'}", "is not a folder")
    write_images(tmp_path / "train", 3)
    refused(f"folder:{tmp_path}", "holds no test images", split="test")


def test_sixteen_bits_are_scaled_and_transparency_is_white(tmp_path):
    levels = np.linspace(0, 65535, 24).reshape(4, 6).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    found = contents(load(f"folder:{tmp_path}"))["image"][0, ..., 0]
    np.testing.assert_allclose(found, levels / 257, atol=0.5)
    clear = np.zeros((4, 6, 4), np.uint8)
    clear[0] = (0, 0, 0, 255)
    Image.fromarray(clear).save(tmp_path / "deep.png")
    found = contents(load(f"folder:{tmp_path}"))["image"][0, ..., 0]
    np.testing.assert_array_equal(found[:, 0], [0, 255, 255, 255])


def test_a_picture_with_a_preview_as_cameras_write_it_is_a_jpeg(tmp_path):
    first, second = (Image.fromarray(array) for array in pixels(2, 64, 64, 3))
    first.save(tmp_path / "camera.jpg", "MPO", save_all=True, append_images=[second])
    assert len(load(f"folder:{tmp_path}", size=(8, 8), channels=3)) == 1


def test_images_beside_folders_of_images_are_refused(tmp_path):
    write_images(tmp_path / "cat", 3)
    write_images(tmp_path, 1, name="sheet.png")
    refused(f"folder:{tmp_path}", "holds both images, such as sheet.png, and folders of images, such as cat")


def test_a_class_may_be_called_train(tmp_path):
    for name in ("bus", "car", "train"):
        write_images(tmp_path / name, 2)
    assert load(f"folder:{tmp_path}").classes == ("bus", "car", "train")


# -- npz --


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
    ],
)
def test_divided_archives_are_read_back(tmp_path, names):
    arrays = pixels(6, 4, 6), np.arange(6), pixels(3, 4, 6, seed=1), np.arange(3)[:, np.newaxis]
    np.savez(tmp_path / "a.npz", **dict(zip(names, arrays, strict=True)))
    train, test = (load(f"npz:{tmp_path / 'a.npz'}", split) for split in ("train", "test"))
    np.testing.assert_array_equal(contents(train)["image"][..., 0], arrays[0])
    np.testing.assert_array_equal(contents(test)["image"][..., 0], arrays[2])
    np.testing.assert_array_equal(contents(test)["label"], [0, 1, 2])
    assert train.classes == test.classes == tuple("012345")


@pytest.mark.parametrize("low", [0, -1])
def test_floats_are_scaled(tmp_path, low):
    values = np.linspace(low, 1, 10 * 4 * 6, dtype=np.float32).reshape(10, 4, 6, 1)
    np.savez_compressed(tmp_path / "a.npz", images=values)
    found = load(f"npz:{tmp_path / 'a.npz'}")
    assert found.classes is None
    expected = np.round((values - low) / (1 - low) * 255)
    kept = np.arange(10) % 5 != 4
    np.testing.assert_allclose(contents(found)["image"], expected[kept], atol=1)


def with_nan():
    values = np.zeros((5, 4, 6), np.float32)
    values[1, 2, 3] = values[1, 0, 0] = values[4, 0, 0] = np.nan
    return values


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": with_nan()}, "holds 3 values that are NaN or infinite, in 2 of its images"),
        ({"images": np.full((5, 4, 6), 300)}, "values from 0 to 300"),
        ({"images": np.zeros((5, 4), np.uint8)}, r"has shape \(5, 4\)"),
        (
            {"images": pixels(5, 4, 6), "labels": np.arange(4)},
            r"int64\[4\]; it must be one whole number for each of 5",
        ),
        ({"images": pixels(5, 4, 6), "labels": np.array([0, 1, -1, 2, 1])}, "the label of image 2 is -1"),
        ({"pictures": pixels(5, 4, 6)}, "holds no arrays.*x_train"),
        ({"images": np.array([object()] * 5)}, "no archive of plain arrays"),
        ({"images": pixels(0, 4, 6)}, "holds no images"),
        ({"images": pixels(5, 0, 6)}, r"has shape \(5, 0, 6\)"),
        (
            {"images": pixels(5, 4, 6), "labels": np.array([0, 1, 2**40, 2, 1])},
            "the label of image 2 is 1099511627776",
        ),
    ],
)
def test_bad_archives_are_named(tmp_path, arrays, words):
    np.savez(tmp_path / "a.npz", **arrays)
    refused(f"npz:{tmp_path / 'a.npz'}", words)


def test_files_that_are_no_archives(tmp_path):
    path = tmp_path / "a.npz"
    refused(f"npz:{path}", "No such file")
    path.write_bytes(b"hello")
    refused(f"npz:{path}", "no archive of plain arrays")
    np.savez(path, images=pixels(50, 4, 6))
    path.write_bytes(path.read_bytes()[:-200])
    refused(f"npz:{path}", "no archive of plain arrays")
    np.save(tmp_path / "b.npy", pixels(5, 4, 6))
    refused(f"npz:{tmp_path / 'b.npy'}", "no archive of plain arrays")


# -- the name itself --


@pytest.mark.parametrize("spec", ["", "mnist", "digits:8", "idx:", "idx", "ftp:x", "tfds:"])
def test_an_unknown_source_lists_the_known_ones(spec):
    refused(spec, "it must be one of digits, idx:FOLDER, folder:PATH, npz:FILE, tfds:NAME")


def test_other_splits_and_channels_are_refused():
    refused("digits", "split is 'validation'", split="validation")
    refused("digits", "channels is 2", channels=2)
    refused("digits", r"image_size is \(0, 8\)", size=(0, 8))
    refused("folder:~nobody-of-that-name/x", "cannot be found")
    refused(f"folder:/{'x' * 300}", "cannot be read|is not a folder")


def test_stacks_are_three_images_with_a_joined_label(tmp_path):
    grey = pixels(30, 4, 6)
    labels = np.arange(30) % 3
    np.savez(tmp_path / "a.npz", x_train=grey, y_train=labels, x_test=grey[:9], y_test=labels[:9])
    stacks = load(f"stacked:npz:{tmp_path / 'a.npz'}", channels=3)
    assert (len(stacks), stacks.num_classes, stacks.classes[14]) == (240_000, 27, "112")
    found = stacks.read(np.arange(200))
    base = load(f"npz:{tmp_path / 'a.npz'}").read(np.arange(30))
    by_content = {image.tobytes(): label for image, label in zip(base["image"], base["label"], strict=True)}
    for image, label in zip(found["image"], found["label"], strict=True):
        digits = [by_content[np.ascontiguousarray(image[..., channel]).tobytes()] for channel in range(3)]
        assert label == 9 * digits[0] + 3 * digits[1] + digits[2]
    again = load(f"stacked:npz:{tmp_path / 'a.npz'}", channels=3).read(np.arange(200))
    np.testing.assert_array_equal(found["image"], again["image"])
    assert len(np.unique(stacks.read(np.arange(2000))["label"])) == 27
    assert len(load(f"stacked:npz:{tmp_path / 'a.npz'}", "test", channels=3)) == 40_000


def test_stacks_need_three_channels_labels_and_few_classes(tmp_path):
    refused("stacked:digits", "makes images of 3 channels, not 1; give --model.channels 3")
    np.savez(tmp_path / "bare.npz", images=pixels(30, 4, 6))
    refused(f"stacked:npz:{tmp_path / 'bare.npz'}", "needs images with labels", channels=3)
    np.savez(tmp_path / "many.npz", images=pixels(100, 4, 6), labels=np.arange(100))
    refused(f"stacked:npz:{tmp_path / 'many.npz'}", "has 100 classes; at most 40 stack", channels=3)
    refused("stacked:", "it must be one of", channels=3)
    refused("stacked:stacked:digits", "where SPEC is one of the others", channels=3)


def test_the_digest_of_a_data_set_is_that_of_its_content():
    first, again = load("digits"), load("digits")
    assert data.digest(first) == data.digest(again)
    others = [load("digits", "test"), load("digits", size=(4, 4)), load("digits", channels=3)]
    assert len({data.digest(images) for images in (first, *others)}) == 4
