"""``jaxgan explain``: pictures of every method for every kind of run, and one clear error for bad input."""

import contextlib
import dataclasses
import functools
import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from jaxgan import config, explain, interpret, parallel, run_folder, runs, zoo
from jaxgan.checkpoint import Checkpoints
from jaxgan.cli import main
from jaxgan.data.images import read_files
from jaxgan.explain import attributions, channels, figures, subjects
from jaxgan.settings import defaults, read_data
from jaxgan.validation import InputError

SMALL = {"image_size": (8, 8), "features": 2}
GAN = {**SMALL, "latent_size": 4}
MODELS = {
    "cnn": ("cnn", {"image_size": (10, 10), "features": 2, "hidden": 8, "attention": "cbam"}),
    "told": ("dcgan", {**GAN, "num_classes": 10, "conditioning": "auxiliary"}),
    "vgg": ("vgg11", SMALL),
    "resnet": ("resnet20", SMALL),
    "pix2pix": ("pix2pix", {"image_size": (16, 16), "depth": 2, "features": 2, "patch_features": 2}),
    "cyclegan": (
        "cyclegan",
        {"image_size": (16, 16), "features": 2, "blocks": 1, "patch_features": 2, "patch_halvings": 1},
    ),
    **{name: (name, GAN) for name in ("dcgan", "wgan_gp", "sngan", "sagan", "r3gan")},
}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Gives the folder of a run that has drawn its first state and made no step."""
    folder = tmp_path_factory.mktemp("runs")

    @functools.cache
    def begin(name):
        model, options = zoo.get(MODELS[name][0]), MODELS[name][1]
        settings = defaults(model)
        settings = dataclasses.replace(settings, model=dataclasses.replace(settings.model, **options))
        record = {"model": model.name, "steps": 1, "settings": config.to_dict(settings)}
        run = run_folder.create(folder / name, record)
        state = parallel.compile_once(model.build(settings.model).init)(jax.random.key(0))
        with contextlib.closing(Checkpoints(run.checkpoints)) as checkpoints:
            checkpoints.save(0, parallel.layout().put_state(state), {})
        return run.path

    return begin


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(channels, "STEPS", 20)
    monkeypatch.setattr(attributions, "SAMPLES", 4)


def failed(capsys, *arguments):
    """What an unsuccessful command says: one sentence."""
    capsys.readouterr()
    assert main(["explain", *map(str, arguments)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("jaxgan explain: error: ")
    assert printed.err.count("\n") == 1
    return printed.err


def size(path):
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return picture.size


def write(path, pixels, mode=None):
    Image.fromarray(pixels, mode).save(path)
    return path


METHODS = [
    ("cnn", "saliency,smoothgrad,integrated,gradcam", ["--label", "3", "--count", "2"]),
    ("cnn", "features", []),
    pytest.param("cnn", "features", ["--layer", "features"], marks=pytest.mark.slow),
    ("cnn", "filters", ["--layer", "Conv2D_1"]),
    ("cnn", "maximize", []),
    ("cnn", "neighbors", ["--count", "3", "--layer", "features"]),
    ("told", "gradcam,saliency", ["--count", "2", "--seeds", "5,6"]),
    pytest.param("told", "features", ["--layer", "Dropout_0"], marks=pytest.mark.slow),
    ("told", "filters", []),
    pytest.param("told", "maximize", ["--layer", "Dense_0"], marks=pytest.mark.slow),
    pytest.param("told", "neighbors", ["--seeds", "0-2", "--label", "4"], marks=pytest.mark.slow),
    ("told", "generator", ["--seeds", "3", "--label", "4"]),
    ("told", "filters", ["--network", "generator"]),
    ("pix2pix", "features", []),
    ("pix2pix", "features", ["--network", "discriminator"]),
    ("cyclegan", "features", ["--network", "b_to_a"]),
    pytest.param("cyclegan", "features", ["--network", "discriminator_a"], marks=pytest.mark.slow),
    ("cyclegan", "filters", ["--network", "discriminator_b"]),
]


@pytest.mark.parametrize(("name", "method", "options"), METHODS)
def test_every_method_draws_a_picture(name, method, options, begun, tmp_path, capsys):
    run, out = begun(name), tmp_path / "picture.png"
    capsys.readouterr()
    assert main(["explain", str(run), "--method", method, *options, "--out", str(out)]) == 0
    width, height = size(out)
    assert 300 < width < 2000
    assert 150 < height < 3000
    printed = capsys.readouterr().out
    assert printed.endswith(f"the picture is {out}\n")
    assert [file.name for file in tmp_path.iterdir()] == ["picture.png"]


def test_classes_of_files_have_the_names_of_the_training(begun, tmp_path):
    shutil.copytree(begun("cnn"), tmp_path / "run")
    run = runs.open_run(tmp_path / "run")
    file = write(tmp_path / "a.png", np.zeros((10, 10), "uint8"))
    request = explain.Request(methods=("saliency",), images=(file,))
    assert subjects.from_files(run, request).classes == tuple("0123456789")
    names = [f"class {number}" for number in range(10)]
    run.folder.write_config({**run.folder.read_config(), "class_names": names})
    assert subjects.from_files(run, request).classes == tuple(names)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", [",".join(explain.ATTRIBUTIONS), *(m for m in explain.METHODS if m not in explain.ATTRIBUTIONS)]
)
@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("cnn", "told")])
def test_every_model_is_explained_by_every_method(name, method, begun, tmp_path):
    run, out = begun(name), tmp_path / "picture.png"
    refused = method == "generator" and name in ("vgg", "resnet")
    assert main(["explain", str(run), "--method", method, "--out", str(out)]) == 2 * refused
    assert out.exists() is not (refused or method == "layers")


def test_without_an_out_the_picture_lies_in_the_run(begun, capsys):
    run = begun("cnn")
    assert main(["explain", str(run), "--method", "filters"]) == 0
    assert size(run / "explain-filters.png")
    assert "Conv2D_0: 2 of 2 kernels 3 x 3" in capsys.readouterr().out


def test_layers_are_listed_with_their_shapes_in_their_order(begun, capsys):
    runs_of = {name: begun(name) for name in ("cnn", "told")}
    capsys.readouterr()
    assert main(["explain", str(runs_of["cnn"]), "--method", "layers"]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert lines[:4] == [
        ["network:"],
        ["Conv2D_0", "8 x 8 x 2"],
        ["relu1", "8 x 8 x 2"],
        ["pool1", "4 x 4 x 2"],
    ]
    assert lines[-1] == ["Dense_1", "10"]
    assert main(["explain", str(runs_of["told"]), "--method", "layers"]) == 0
    printed = capsys.readouterr().out
    assert printed.index("generator:") < printed.index("ConvTranspose2D_0") < printed.index("discriminator:")


def test_a_classifier_explains_the_class_it_predicts_or_the_one_asked_for(begun, tmp_path, capsys):
    command = ["explain", str(begun("cnn")), "--method", "saliency", "--out", str(tmp_path / "a.png")]
    capsys.readouterr()
    assert main([*command, "--count", "2"]) == 0
    first, *_ = rows = [line for line in capsys.readouterr().out.splitlines() if "taken for" in line]
    assert len(rows) == 2
    assert "shown:" not in first
    taken = first.split("taken for ")[1][0]
    other = "3" if taken != "3" else "4"
    assert main([*command, "--count", "1", "--class", other]) == 0
    assert f"taken for {taken}" in (printed := capsys.readouterr().out)
    assert f"shown: {other} (" in printed


def test_a_training_image_is_its_own_nearest_neighbour_at_distance_zero(begun, tmp_path, capsys):
    run = begun("told")
    pixels = read_data(runs.open_run(run).settings, "train").read(np.array([17]))["image"][0, :, :, 0]
    copy = write(tmp_path / "copy.png", pixels)
    command = [
        "explain",
        str(run),
        str(copy),
        "--method",
        "neighbors",
        "--label",
        "4",
        "--out",
        str(tmp_path / "a.png"),
    ]
    capsys.readouterr()
    assert main(command) == 0
    assert "copy.png: nearest is train 17, at 0\n" in capsys.readouterr().out
    assert main([*command, "--layer", "Dropout_1"]) == 0  # of the same label as the image is told
    assert "copy.png: nearest is train 17, at 0\n" in capsys.readouterr().out


def test_pictures_of_any_kind_are_brought_to_what_the_model_takes(begun, tmp_path, capsys):
    run, random = begun("cnn"), np.random.default_rng(0)
    grey = random.integers(0, 256, (14, 12), np.uint8)
    color = random.integers(0, 256, (14, 12, 4), np.uint8)
    files = [
        write(tmp_path / "grey.png", grey),
        write(tmp_path / "deep.png", grey.astype(np.uint16) * 257),
        write(tmp_path / "color.png", color[:, :, :3]),
        write(tmp_path / "transparent.png", color),
    ]
    Image.fromarray(color, "CMYK").save(tmp_path / "cmyk.jpg")
    files.append(tmp_path / "cmyk.jpg")
    read = read_files(files, (10, 10), 1, crop=False)
    assert read.shape == (5, 10, 10, 1)
    np.testing.assert_array_equal(read[0], read[1])
    assert np.unique(read.reshape(5, -1), axis=0).shape[0] == 4
    out = tmp_path / "picture.png"
    assert main(["explain", str(run), *map(str, files), "--method", "gradcam", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert all(file.name in printed for file in files)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "cnn",
            ["--method", "xray"],
            "--method is 'xray'; it must be one of saliency, smoothgrad, integrated,",
        ),
        ("cnn", ["--method", "saliency,features"], "it must be one, or several of saliency, smoothgrad"),
        ("cnn", ["--method", "layers,filters"], "it must be one, or several of saliency, smoothgrad"),
        (
            "cnn",
            ["--method", "generator"],
            "a run of cnn, which has no generator; the methods for it are saliency,",
        ),
        ("cnn", ["--layer", "conv9"], "--layer is 'conv9'; it must be one of Conv2D_0, relu1, pool1, CBAM_0"),
        (
            "cnn",
            ["--method", "filters", "--layer", "relu1"],
            "it must be one of Conv2D_0, CBAM_0.places, Conv2D_1",
        ),
        (
            "cnn",
            ["--layer", "features"],
            "--layer features: Grad-CAM needs a layer with places, one of Conv2D_0",
        ),
        (
            "cnn",
            ["--method", "saliency", "--layer", "relu1"],
            "--layer: saliency of a run of cnn takes no layer; it",
        ),
        ("cnn", ["--method", "layers", "--layer", "relu1"], "--layer: layers of a run of cnn takes no layer"),
        ("cnn", ["--label", "10"], "--label is 10; it must be in 0 ... 9"),
        ("cnn", ["--label", "-1"], "--label is -1; it must be in 0 ... 9"),
        (
            "cnn",
            ["--method", "maximize", "--layer", "relu1", "--label", "1"],
            "--label and --layer are both given",
        ),
        ("cnn", ["--method", "features", "--label", "1"], "--label: features of a run of cnn takes no label"),
        (
            "cnn",
            ["--seeds", "0-3"],
            "--seeds: saliency,smoothgrad,integrated,gradcam of a run of cnn takes no seeds",
        ),
        ("cnn", ["--count", "0"], "--count is 0; it must be in 1 ... 24"),
        ("cnn", ["--count", "25"], "--count is 25; it must be in 1 ... 24"),
        (
            "cnn",
            ["--method", "features", "--count", "2"],
            "--count: features of a run of cnn takes no count; it takes images, layer",
        ),
        (
            "cnn",
            ["--method", "filters", "--count", "2"],
            "--count: filters of a run of cnn takes no count",
        ),
        (
            "dcgan",
            ["--label", "1"],
            "--label: saliency,smoothgrad,integrated,gradcam of a run of dcgan takes no label",
        ),
        (
            "dcgan",
            ["--method", "generator", "--seeds", "0-3"],
            "the number of seeds is 4; it must be 1 for generator",
        ),
        (
            "dcgan",
            ["--method", "generator", "--layer", "Dropout_1"],
            "it must be one of Dense_0, BatchNorm_0, Conv",
        ),
        ("cnn", ["--method", "filters", "image.png"], "IMAGE: filters of a run of cnn takes no images"),
        (
            "cnn",
            ["image.png", "image.png", "--method", "features"],
            "the number of images is 2; it must be 1 for features",
        ),
        ("cnn", ["image.png", "--count", "3"], "IMAGE and --count are both given"),
        ("dcgan", ["--method", "neighbors", "--count", "3"], "neighbors of a run of dcgan takes no count"),
        ("dcgan", ["--seeds", "0-99"], "the number of seeds is 100; it must be at most 24"),
        ("dcgan", ["--seeds", "many"], "--seeds is 'many'; it must be numbers"),
        (
            "told",
            ["image.png"],
            "--label is missing: a GAN with classes must be told the class of the images",
        ),
        (
            "pix2pix",
            [],
            "pix2pix, which has no classes or latents; the methods for it are features, ",
        ),
        ("cyclegan", ["--method", "generator"], "the methods for it are features, filters, layers"),
        (
            "cyclegan",
            ["--method", "filters", "--network", "a"],
            "--network is 'a'; it must be one of a_to_b, b_to_a, discriminator_b, discriminator_a",
        ),
        ("dcgan", ["--method", "features", "--network", "generator"], "--network generator: features are"),
        ("cnn", ["--method", "filters", "--network", "network"], "filters of a run of cnn takes no network"),
        ("cnn", ["none.png"], "none.png cannot be read: No such file or directory"),
        (
            "cnn",
            ["notes.txt"],
            "the ending of an image file is 'notes.txt'; it must be one of .png, .jpg",
        ),
        ("cnn", ["broken.png"], "broken.png is truncated or damaged"),
        ("cnn", ["words.png"], "words.png is not an image: its content is of no known format"),
        (
            "cnn",
            ["mislabelled.jpg"],
            "mislabelled.jpg is mislabelled: its name says JPEG, its content is PNG",
        ),
        ("cnn", ["folder.png"], "folder.png cannot be read: Is a directory"),
        ("cnn", ["--out", "a.jpg"], "--out is 'a.jpg'; it must be a file that ends in .png"),
        ("cnn", ["--out", "none/a.png"], "--out none/a.png cannot be written: No such file or directory"),
        ("cnn", ["--out", "notes.txt/a.png"], "--out notes.txt/a.png cannot be written: Not a directory"),
        ("cnn", ["--out", "folder.png"], "--out folder.png cannot be written: Is a directory"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    name, options, message, begun, tmp_path, monkeypatch, capsys
):
    run = begun(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "restore", None)  # nothing is worked out before all is checked
    write(tmp_path / "image.png", np.random.default_rng(0).integers(0, 256, (90, 90), np.uint8))
    (tmp_path / "broken.png").write_bytes((tmp_path / "image.png").read_bytes()[:600])
    (tmp_path / "words.png").write_text("no picture")
    (tmp_path / "notes.txt").write_text("no picture")
    shutil.copy(tmp_path / "image.png", tmp_path / "mislabelled.jpg")
    (tmp_path / "folder.png").mkdir()
    before = sorted(tmp_path.rglob("*")), sorted(run.rglob("*"))
    assert message in failed(capsys, run, *options)
    assert (sorted(tmp_path.rglob("*")), sorted(run.rglob("*"))) == before


def test_a_folder_that_is_no_run_or_has_no_state_is_refused(begun, tmp_path, capsys):
    assert "is no run: it has no config.json" in failed(capsys, tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(begun("cnn"), copy, ignore=shutil.ignore_patterns("checkpoints"))
    assert "there is no checkpoint in" in failed(capsys, copy)
    assert not (copy / "explain-attributions.png").exists()


def test_the_networks_of_a_run_are_those_that_it_samples_and_predicts_from(begun):
    run = runs.open_run(begun("told"))
    _, state = runs.restore(run, print)
    player = explain.open_players(run, state)["generator"]
    key, label = jax.random.key(7), np.array([4], np.int32)
    latents = channels.draw_latents(key, 1, 4)
    images = player.network.apply(player.variables, latents, label, train=False)
    drawn = runs.draw(run.model.build(run.settings.model), state, np.array([7], np.uint32), label)
    np.testing.assert_allclose(images, drawn, atol=1e-5)
    abstract = explain.open_players(run)["generator"]
    assert abstract.layers == player.layers == interpret.layer_shapes(*player[1:3], latents, label)


def test_maps_lie_where_the_title_says(tmp_path):
    maps = np.arange(24.0).reshape(6, 2, 2)
    laid = figures.mosaic(maps, 4)
    assert laid.shape == (5, 11)
    for number, values in enumerate(maps):
        row, column = divmod(number, 4)
        np.testing.assert_array_equal(laid[3 * row :, 3 * column :][:2, :2], values)
    assert np.isnan(laid).sum() == laid.size - maps.size
    figures.save_strips(tmp_path / "a.png", "$ %", [figures.Strip("_^$", maps, 4, signed=True)])
    assert size(tmp_path / "a.png")


def test_a_request_names_methods():
    with pytest.raises(InputError, match="--method is ''; it must be one of"):
        explain.Request(methods=("",))
