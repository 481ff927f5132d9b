"""`jaxgan stylize`: from files to a picture."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from jaxgan import stylizing, weights
from jaxgan.classifiers import vgg
from jaxgan.cli import main
from jaxgan.data import images, photographs
from jaxgan.stylizing import Settings, Style
from jaxgan.validation import InputError

TINY = Settings(
    depth=11,
    features=2,
    content_layers=("relu2_1",),
    style_layers=("relu1_1", "relu2_1"),
    optimizer="adam",
    learning_rate=1e-3,
    steps=12,
    sizes=2,
)
SMALL = ["--depth", "11", "--features", "2", "--style-layers", "relu1_1", "--content-layers", "relu2_1"]
OPTIONS = [*SMALL, "--optimizer", "adam", "--steps", "2", "--sizes", "1", "--size", "48"]


def picture(seed, height, width):
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(size=(height // 8, width // 8, 3)).repeat(8, 0).repeat(8, 1)
    return coarse.astype(np.float32)


def save(path, seed=0, height=48, width=64):
    Image.fromarray((255 * picture(seed, height, width)).astype(np.uint8)).save(path)
    return str(path)


def run(content, styles, settings):
    return list(stylizing.stylize(content, styles, settings))


def test_a_picture_is_made_size_after_size():
    content = picture(0, 64, 72)
    made = run(content, [Style(picture(1, 64, 64))], TINY)
    assert [each.picture.shape[:2] for each in made] == [(32, 36)] * 2 + [(64, 72)] * 2
    assert [each.step for each in made] == [10, 12, 22, 24]
    assert made[-1].losses["loss"] < made[-2].losses["loss"]
    assert 0 <= made[-1].picture.min() <= made[-1].picture.max() <= 1
    again = run(content, [Style(picture(1, 64, 64))], TINY)
    np.testing.assert_array_equal(made[-1].picture, again[-1].picture)


def test_colours_are_those_that_were_asked_for():
    content, style = picture(0, 40, 40), 0.2 * picture(1, 40, 40)
    style[:, :, 0] += 0.8  # reds
    settings = dataclasses.replace(TINY, sizes=1, steps=3, learning_rate=1e-4)
    means = {
        colors: run(content, [Style(style)], dataclasses.replace(settings, colors=colors))[-1]
        for colors in ("style", "content", "free")
    }
    means = {colors: made.picture.mean((0, 1)) for colors, made in means.items()}
    np.testing.assert_allclose(means["style"], style.mean((0, 1)), atol=0.03)
    for colors in ("content", "free"):
        np.testing.assert_allclose(means[colors], content.mean((0, 1)), atol=0.01)


def test_each_style_gives_its_colours_where_its_mask_is():
    content = picture(0, 40, 48)
    left = np.zeros((40, 48), np.float32)
    left[:, :24] = 1
    red, blue = (np.zeros((40, 40, 3), np.float32) for _ in range(2))
    red[:, :, 0] = blue[:, :, 2] = 0.9
    settings = dataclasses.replace(TINY, sizes=1, steps=1, learning_rate=1e-4)
    made = run(content, [Style(red, 1.0, left), Style(blue, 1.0, 1 - left)], settings)[-1].picture
    np.testing.assert_allclose(made[:, :24].mean((0, 1)), [0.9, 0, 0], atol=0.05)
    np.testing.assert_allclose(made[:, 24:].mean((0, 1)), [0, 0, 0.9], atol=0.05)


def test_noise_to_begin_with_depends_on_the_seed():
    settings = dataclasses.replace(TINY, sizes=1, steps=1, begin="noise", colors="free")
    content, style = picture(0, 32, 32), [Style(picture(1, 32, 32))]
    first, second = (
        run(content, style, dataclasses.replace(settings, seed=seed))[-1].picture for seed in (0, 1)
    )
    assert np.abs(first - second).max() > 0.05


def test_weights_of_others_are_used_where_they_are(monkeypatch):
    config = dataclasses.replace(vgg.IMAGENET, depth=16)
    monkeypatch.setattr(weights, "load", lambda _: ({"params": {}}, "digest"))
    made = stylizing.encoder(Settings(weights="vgg16"))
    assert made.config == dataclasses.replace(config, pooling="average")
    assert made.name == "vgg16"
    assert stylizing.describe(Settings(weights="vgg16")) == "vgg16, trained on ImageNet"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"styles": []}, "the number of styles is 0; it must be at least 1"),
        ({"styles": [Style(picture(1, 64, 64), -1.0)]}, "the weight of a style is -1.0; it must be >= 0"),
        ({"styles": [Style(picture(1, 64, 64), 0.0)]}, "the sum of the weights of the styles"),
        (
            {"styles": [Style(picture(1, 64, 64), 1.0, np.ones((3, 3), np.float32))]},
            "the shape of a mask is (3, 3); it must be that of the content, (64, 72)",
        ),
        (
            {"content": picture(0, 40, 72)},
            "the size of the content is (40, 72); it must be at least 64",
        ),
        (
            {"content": picture(0, 64, 72)[:, :, 0]},
            "the shape of the content is (64, 72); it must be [H",
        ),
    ],
)
def test_bad_pictures_are_named(change, words):
    given = {"content": picture(0, 64, 72), "styles": [Style(picture(1, 64, 64))], **change}
    with pytest.raises(InputError) as raised:
        run(given["content"], given["styles"], TINY)
    assert words in str(raised.value)


def test_the_command_reads_files_and_writes_pictures(tmp_path, capsys):
    content, styles = save(tmp_path / "a.png"), [save(tmp_path / f"{seed}.jpg", seed) for seed in (1, 2)]
    mask = save(tmp_path / "mask.png", 3)
    out = tmp_path / "made.png"
    extra = ["--shares", "2,1", "--masks", f"{mask},{mask}", "--snapshots", "1", "--style-size", "44"]
    assert main(["stylize", content, *styles, "--out", str(out), *OPTIONS, *extra]) == 0
    printed = capsys.readouterr().out
    assert "seen by a VGG of 11 layers with random weights, which knows textures and colours" in printed
    assert "36 x 48 pixels after 2 steps and" in printed
    with Image.open(out) as made, Image.open(tmp_path / "made-2.png") as kept:
        assert made.size == kept.size == (48, 36)
        np.testing.assert_array_equal(made, kept)


def test_the_demo_needs_no_file(tmp_path):
    out = tmp_path / "demo.png"
    assert main(["stylize", "--demo", "--out", str(out), *OPTIONS[:-1], "64"]) == 0
    with Image.open(out) as made:
        assert made.size == (64, 43)


def test_the_photographs_keep_their_proportions():
    for name in photographs.NAMES:
        assert photographs.load(name, longest=384).shape == (256, 384, 3)


def damaged(path, kind):
    if kind == "corrupt":
        save(path)
        path.write_bytes(path.read_bytes()[:200])
    elif kind == "text":
        path.write_text("no picture")
    elif kind == "mislabelled":
        save(path.with_suffix(".jpg"))
        path.with_suffix(".jpg").rename(path)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.png"], "the number of pictures is 1; it must be at least 2"),
        ([], "give either CONTENT and STYLE files or --demo"),
        (["--demo", "a.png", "b.png"], "give either CONTENT and STYLE files or --demo"),
        (["a.png", "none.png"], "none.png cannot be read: No such file or directory"),
        (["a.png", "b.txt"], "the ending of an image file is 'b.txt'; it must be one of .png, .jpg"),
        (["a.png", "corrupt.png"], "corrupt.png is truncated or damaged"),
        (["a.png", "text.png"], "text.png is not an image"),
        (
            ["a.png", "mislabelled.png"],
            "mislabelled.png is mislabelled: its name says PNG, its content is JPEG",
        ),
        (
            ["a.png", "b.png", "--shares", "1,2"],
            "--shares is '1,2'; it must be as many numbers as styles (1)",
        ),
        (["a.png", "b.png", "--shares", "x"], "--shares is 'x'"),
        (["a.png", "b.png", "--shares", "-1"], "the weight of a style is -1.0"),
        (["a.png", "b.png", "--masks", "a.png,b.png"], "--masks is 'a.png,b.png'; it must be as many files"),
        (["a.png", "b.png", "--size", "20"], "the size of the content is (15, 20); it must be at least 64"),
        (["a.png", "b.png", "--size", "0"], "--size is 0; it must be >= 1"),
        (["a.png", "b.png", "--style-weight", "-1"], "style_weight is -1.0; it must be >= 0"),
        (
            ["a.png", "b.png", "--content-layers", "relu7_1"],
            "content_layers is 'relu7_1'; it must be one of conv1_1",
        ),
        (["a.png", "b.png", "--weights", "vgg17"], "weights is 'vgg17'; it must be one of random, vgg11"),
        (["a.png", "b.png", "--weights", "vgg19"], "to get them: jaxgan weights vgg19 --download"),
        (["a.png", "b.png", "--depth", "12"], "depth is 12; it must be one of 11, 13, 16, 19"),
        (["a.png", "b.png", "--out", "x.jpg"], "--out is 'x.jpg'; it must be a file that ends in .png"),
        (["a.png", "b.png", "--out", "none/x.png"], "the folder none does not exist"),
        (["a.png", "b.png", "--out", "taken.png"], "--out taken.png cannot be written: Is a directory"),
        (["a.png", "b.png", "--steps", "0"], "steps is 0; it must be >= 1"),
    ],
)
def test_bad_input_is_one_error(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "nothing"))
    for name in ("a.png", "b.png"):
        save(tmp_path / name)
    (tmp_path / "b.txt").write_text("words")
    (tmp_path / "taken.png").mkdir()
    for kind in ("corrupt", "text", "mislabelled"):
        damaged(tmp_path / f"{kind}.png", kind)
    try:
        status = main(["stylize", *arguments])
    except SystemExit as exit:
        status = exit.code
    assert status == 2
    error = capsys.readouterr().err
    assert words in " ".join(error.replace("│", " ").split())
    assert "Traceback" not in error
    assert not list(tmp_path.glob("stylized*"))


@pytest.mark.parametrize("mode", ["RGBA", "I;16", "CMYK", "L", "P"])
def test_any_kind_of_picture_becomes_rgb(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode in ("I;16", "CMYK") else "a.png")
    plain = Image.fromarray((255 * picture(0, 40, 32)).astype(np.uint8))
    if mode == "I;16":
        Image.fromarray(np.asarray(plain.convert("L")).astype(np.uint16) * 257).save(path)
    else:
        plain.convert(mode).save(path)
    found = images.read_picture(path, 3, longest=40)
    assert (found.shape, found.dtype) == ((40, 32, 3), np.uint8)
    wanted = np.asarray(plain.convert("L" if mode in ("L", "I;16") else "RGB").convert("RGB"))
    assert np.abs(found.astype(int) - wanted).mean() < 20
