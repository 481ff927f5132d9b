"""Images of two domains: pairs in folders, domains without pairs, and those that are made of others."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from jaxgan import data
from jaxgan.data import demos, photographs
from jaxgan.settings import defaults, read_data
from jaxgan.validation import InputError
from jaxgan.zoo import get


def load(spec, split="train", size=(4, 6), channels=1, **options):
    return data.load(spec, split, image_size=size, channels=channels, **options)


def contents(dataset):
    return dataset.read(np.arange(len(dataset)))


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def write(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


def refused(spec, words, **options):
    with pytest.raises(InputError, match=words):
        load(spec, **options)


def two_folders(folder, count=10, names=("a", "b"), seed=0):
    arrays = pixels(2, count, 4, 6, seed=seed)
    for name, found in zip(names, arrays, strict=True):
        for number, array in enumerate(found):
            write(folder / name / f"{number:02}.png", array)
    return arrays


# -- pairs --


@pytest.mark.parametrize("split", ["train", "test"])
def test_pairs_of_two_folders_are_read_back(tmp_path, split):
    a, b = two_folders(tmp_path)
    found = load(f"pairs:{tmp_path}", split)
    chosen = np.arange(10) % 5 == 4 if split == "test" else np.arange(10) % 5 != 4
    assert found.paired
    np.testing.assert_array_equal(contents(found)["image"][..., 0], a[chosen])
    np.testing.assert_array_equal(contents(found)["target"][..., 0], b[chosen])
    for domain, name in zip(found.domains, ("image", "target"), strict=True):
        np.testing.assert_array_equal(contents(domain)["image"], contents(found)[name])


def test_pictures_side_by_side_are_halved(tmp_path):
    arrays = pixels(3, 4, 12)
    for number, array in enumerate(arrays):
        write(tmp_path / "train" / f"{number}.png", array)
    write(tmp_path / "val" / "0.png", arrays[0])
    found = load(f"pairs:{tmp_path}")
    np.testing.assert_array_equal(contents(found)["image"][..., 0], arrays[:, :, :6])
    np.testing.assert_array_equal(contents(found)["target"][..., 0], arrays[:, :, 6:])
    assert len(load(f"pairs:{tmp_path}", "test")) == 1


def test_pairs_of_two_folders_may_be_divided_and_have_other_endings(tmp_path):
    for split in ("train", "test"):
        write(tmp_path / split / "edges" / "x.png", pixels(4, 6))
        write(tmp_path / split / "photos" / "x.bmp", pixels(4, 6, seed=1))
    found = load(f"pairs:{tmp_path}", "test")
    np.testing.assert_array_equal(contents(found)["target"][0, ..., 0], pixels(4, 6, seed=1))


def test_large_pairs_stay_in_their_files(tmp_path, monkeypatch):
    two_folders(tmp_path)
    small = contents(load(f"pairs:{tmp_path}"))
    monkeypatch.setattr("jaxgan.data.pairs.MEMORY", 10)
    large = contents(load(f"pairs:{tmp_path}"))
    for name in ("image", "target"):
        np.testing.assert_array_equal(small[name], large[name])


def test_pairs_are_cut_and_stretched_alike(tmp_path):
    array = pixels(8, 40)
    array[:, 20:] = array[:, :20]
    write(tmp_path / "train" / "x.png", array)
    for crop in (False, True):
        found = contents(load(f"pairs:{tmp_path}", crop=crop))
        np.testing.assert_array_equal(found["image"], found["target"])


def saved(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.png", saved(Image.new("RGBA", (12, 4), (0, 0, 0, 0)), format="PNG")),  # transparent: white
        ("x.png", saved(Image.fromarray(np.full((4, 12), 65535, np.uint16)), format="PNG")),
        ("x.jpg", saved(Image.new("CMYK", (12, 4), (0, 0, 0, 0)), format="JPEG", quality=95)),
    ],
    ids=["transparent", "16-bit", "CMYK"],
)
def test_pictures_of_other_kinds_are_understood(tmp_path, name, content):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / name).write_bytes(content)
    found = contents(load(f"pairs:{tmp_path}", channels=3))
    assert found["image"].min() >= 250
    assert found["target"].shape == (1, 4, 6, 3)


def damage(name, content):
    return lambda folder: (folder / "a" / name).write_bytes(content)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda f: (f / "a" / "03.png").unlink(),
            "9 images in a and 10 in b do not match: 03 is in b and not in a",
        ),
        (lambda f: (f / "b" / "03.png").rename(f / "b" / "x.png"), "03 is in a and not in b"),
        (lambda f: write(f / "b" / "00.png", pixels(5, 6)), r"a/00.png is 6 x 4 and .*b/00.png is 6 x 5"),
        (
            lambda f: write(f / "c" / "00.png", pixels(4, 6)),
            "0 images and these folders: a, b, c; it must hold",
        ),
        (lambda f: write(f / "00.png", pixels(4, 6)), "1 images and these folders: a, b; it must hold"),
        (damage("00.png", b"no image"), "a/00.png is not an image"),
        (damage("00.png", saved(Image.fromarray(pixels(40, 60)), format="PNG")[:99]), "truncated or damaged"),
    ],
)
def test_pairs_that_do_not_match_are_named(tmp_path, change, words):
    two_folders(tmp_path)
    change(tmp_path)
    refused(f"pairs:{tmp_path}", words)


def test_a_folder_without_pairs_is_refused(tmp_path):
    refused(f"pairs:{tmp_path}", "holds 0 images and these folders: none")
    refused(f"pairs:{tmp_path / 'none'}", "is not a folder")
    refused("pairs:", "data is 'pairs:'; it must be one of .*pairs:FOLDER")
    write(tmp_path / "x.png", pixels(4, 11))
    refused(f"pairs:{tmp_path}", "11 pixels wide; two pictures side by side make an even width")
    refused(f"pairs:{tmp_path}", "holds no test pairs", split="test")
    (tmp_path / "y" / "train" / "a").mkdir(parents=True)
    (tmp_path / "y" / "train" / "b").mkdir()
    refused(f"pairs:{tmp_path / 'y'}", "holds no train pairs")


# -- domains --


def test_domains_of_different_sizes_all_come_in_a_pass(tmp_path):
    a, b = two_folders(tmp_path)
    for number in range(5, 10):
        (tmp_path / "b" / f"{number:02}.png").unlink()
    found = load(f"domains:{tmp_path / 'a'},{tmp_path / 'b'}")
    assert (len(found), found.paired) == (8, False)
    read = contents(found)
    np.testing.assert_array_equal(read["image"][..., 0], a[[0, 1, 2, 3, 5, 6, 7, 8]])
    known = {image.tobytes() for image in b[:4]}
    assert {image.tobytes() for image in read["target"]} == known


def test_domains_may_be_other_sources(tmp_path):
    two_folders(tmp_path)
    found = load(f"domains:digits,folder:{tmp_path / 'a'}")
    assert [len(domain) for domain in found.domains] == [1438, 8]
    assert found.domains[0].num_classes == 10


def test_domains_that_are_none_are_refused(tmp_path):
    two_folders(tmp_path)
    refused(f"edges:pairs:{tmp_path}", "has images of two domains already")
    (tmp_path / "empty").mkdir()
    refused(f"domains:{tmp_path / 'a'},{tmp_path / 'empty'}", "empty holds no train images")
    refused(f"domains:{tmp_path / 'a'},{tmp_path / 'none'}", "none is not a folder")
    refused("domains:digits", "it must be domains:A,B with one comma")
    refused("domains:digits,", "it must be domains:A,B with one comma")
    refused("textured:edges:digits", "has images of two domains already")
    refused("swapped:digits", "has images of one domain; there is nothing to swap")
    refused("edges:nothing", "data is 'nothing'")


def test_a_swap_exchanges_the_domains():
    both, swapped = load("edges:digits"), load("swapped:edges:digits")
    assert swapped.paired
    np.testing.assert_array_equal(contents(both)["image"], contents(swapped)["target"])
    np.testing.assert_array_equal(contents(both)["target"], contents(swapped)["image"])
    assert both.sha256 != swapped.sha256


def test_a_union_tells_domains_and_classes_apart(tmp_path):
    both = load("textured:digits")
    union = data.union(both)
    read, (a, b) = contents(union), map(contents, both.domains)
    np.testing.assert_array_equal(read["label"], [*a["label"], *(b["label"] + 10)])
    np.testing.assert_array_equal(read["image"], [*a["image"], *b["image"]])
    only = data.union(load("edges:digits"))
    assert only.num_classes == 20
    two_folders(tmp_path)
    mixed = data.union(load(f"domains:digits,{tmp_path / 'a'}"))
    assert mixed.classes == ("a", "b")


# -- made of others --


def test_the_edges_of_a_square_are_its_outline():
    image = np.zeros((2, 20, 20, 1), np.uint8)
    image[0, 5:15, 5:15] = 200
    found = demos.find_edges(image)
    rows, columns, _ = np.nonzero(found[0])
    inside = np.maximum(abs(rows - 9.5), abs(columns - 9.5))
    assert ((inside >= 4) & (inside <= 6)).all()
    assert 28 <= len(rows) <= 44
    assert not found[1].any()  # a flat image has none, whatever the other one is


def test_edges_turn_with_the_image():
    image = contents(load("digits", size=(24, 24)))["image"][:8]
    turned = demos.find_edges(np.rot90(image, axes=(1, 2)))
    same = (np.rot90(demos.find_edges(image), axes=(1, 2)) == turned).mean()
    assert same > 0.97  # a ridge of two equal pixels is drawn on one of its sides


def test_textured_domains_have_no_image_in_common_and_keep_their_strokes_dark():
    both = load("textured:digits", size=(16, 16))
    digits = contents(load("digits", size=(16, 16)))
    a, b = map(contents, both.domains)
    np.testing.assert_array_equal(a["image"], digits["image"][::2])
    np.testing.assert_array_equal(b["label"], digits["label"][1::2])
    odd = digits["image"][1::2]
    assert b["image"][odd == 255].max() == 0
    np.testing.assert_array_equal(np.unique(b["image"][odd == 0]), [255 - demos.SHADE, 255])
    np.testing.assert_array_equal(contents(both.domains[1])["image"], b["image"])  # the same at every reading


# -- batches and models --


def test_a_batch_scales_and_changes_both_images_of_a_pair_alike(tmp_path):
    array = pixels(10, 8, 8)
    for number, one in enumerate(array):
        write(tmp_path / "train" / f"{number}.png", np.concatenate([one, one], axis=1))
    found = load(f"pairs:{tmp_path}", size=(8, 8))
    augment = data.Augment(rotation=30, shift=0.2, flip=True)
    stream = data.batches(found, batch_size=4, seed=0, value_range=(-1.0, 1.0), augment=augment)
    batch = next(stream)
    assert batch["target"].dtype == np.float32
    np.testing.assert_array_equal(batch["image"], batch["target"])
    assert batch["image"].min() >= -1
    (ordered,) = data.in_order(found, batch_size=10, value_range=(-1.0, 1.0))
    np.testing.assert_array_equal(ordered["image"], ordered["target"])


@pytest.mark.parametrize(
    ("model", "spec", "words"),
    [
        (
            "pix2pix",
            "digits",
            "digits has images of one domain; .* give pairs:FOLDER$",
        ),
        ("cyclegan", "digits", "give pairs:FOLDER or domains:A,B"),
        ("pix2pix", "textured:digits", "textured:digits has no pairs; .* or train cyclegan"),
        (
            "dcgan",
            "edges:digits",
            "edges:digits has images of two domains; this model",
        ),
    ],
)
def test_a_model_gets_the_domains_that_it_is_made_for(model, spec, words):
    settings = dataclasses.replace(defaults(get(model)), data=spec)
    with pytest.raises(InputError, match=words):
        read_data(settings, "train")


def test_crops_of_the_photographs_are_decided_by_their_numbers():
    crops, again = (load("photographs", size=(16, 24), channels=3) for _ in range(2))
    some = np.array([5, 0, 3])
    both = crops.read(some)
    assert both["image"].shape == both["target"].shape == (3, 16, 24, 3)
    for name, found in again.read(some[::-1]).items():
        np.testing.assert_array_equal(found[::-1], both[name])
    assert not crops.paired
    assert np.abs(both["image"].astype(int) - both["target"]).mean() > 10
    assert len({crop.tobytes() for crop in contents(load("photographs", "test", channels=3))["image"]}) == 200


def test_crops_for_tests_come_from_a_strip_that_training_does_not_see(monkeypatch):
    """Red there, green elsewhere, whatever becomes of the channels."""
    whole = np.zeros((427, 640, 3), np.uint8)
    whole[:, 200:328, 0] = 255
    whole[..., :2] += np.where(whole[..., :1] == 0, [0, 200], 0).astype(np.uint8)
    monkeypatch.setattr(photographs, "STRIPS", dict.fromkeys(photographs.NAMES, slice(200, 328)))
    monkeypatch.setattr(photographs, "_read", lambda _: whole)
    for split, level in (("train", 200), ("test", 255)):
        crops = load("photographs", split, channels=3).read(np.arange(60))
        assert all(set(np.unique(found)) == {0, level} for found in crops.values())
