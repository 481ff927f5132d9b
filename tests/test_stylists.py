"""AdaIN by the command line: trained, resumed, measured, and what is refused."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan import parallel, runs, stylists, weights, zoo
from jaxgan.classifiers import vgg
from jaxgan.cli import main
from jaxgan.style import adain, colors, encoders

TINY = ["--model.image-size", "32", "32", "--model.features", "2", "--model.stacks", "2", "--batch-size", "4"]
OFTEN = ["--cadence.log-every", "2", "--cadence.sample-every", "4", "--cadence.checkpoint-every", "2"]
LOSSES = ("loss", "content_loss", "style_loss", "variation")


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def logged(path):
    found = lines(path / "metrics.jsonl")
    return [{k: v for k, v in line.items() if k not in ("time", "images_per_second")} for line in found]


def state_of(path):
    return jax.device_get(runs.restore(runs.open_run(path), pytest.fail)[1])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run"
    options = [*OFTEN, "--steps", "4", "--evaluate-every", "4"]
    assert main(["train", "adain", *TINY, *options, "--out", str(path)]) == 0
    return path


def test_a_run_shows_and_measures_its_pictures(run, capsys):
    """Two groups of content, style and result, seven rows, each picture enlarged by 2."""
    with Image.open(run / "samples" / "step-0000004.png") as grid:
        assert grid.size == (2 * (6 * 33 + 1), 2 * (7 * 33 + 1))
    (line,) = lines(run / "scores.jsonl")
    assert line["protocol"]["real"] == 200
    assert set(line["scores"]) == {
        name + end for name in LOSSES for end in ("", "_unchanged", "_recolored", "_copied")
    }
    assert set(logged(run)[-1]) == {"step", *LOSSES}
    capsys.readouterr()
    assert main(["evaluate", str(run)]) == 0
    assert "adain after 4 steps, on 200 test images of photographs:" in capsys.readouterr().out
    assert lines(run / "scores.jsonl")[-1]["scores"] == line["scores"]


def test_the_scores_are_the_losses_of_the_pictures_that_they_name(run):
    opened = runs.open_run(run)
    stylist, state = opened.model.build(opened.settings.model), state_of(run)
    measure = stylists.prepare(stylist, opened.settings)
    arrays = measure.sources["stylize"].read(np.arange(stylists.BATCH))
    arrays = {name: jnp.asarray(pixels / 255, jnp.float32) for name, pixels in arrays.items()}
    found = measure.score(state, "stylize", arrays)

    def of(images):
        return parallel.compile_function(stylist.measure)(state, images, arrays)

    recolored = colors.match(arrays["image"], arrays["target"])
    for end, images in (("_unchanged", arrays["image"]), ("_recolored", recolored)):
        for name, losses in of(images).items():
            np.testing.assert_allclose(found[name + end], losses, rtol=1e-4)
    config = opened.settings.model
    total = found["content_loss"] + config.style_weight * found["style_loss"]
    total = total + config.variation_weight * found["variation"]
    np.testing.assert_allclose(found["loss"], total, rtol=1e-5)
    assert float(of(arrays["target"])["style_loss"].max()) < 1e-6


def test_a_resumed_run_is_as_if_it_had_not_stopped(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    common = ["train", "adain", *TINY, *OFTEN]
    assert main([*common, "--steps", "2", "--out", "parts"]) == 0
    assert main([*common, "--steps", "4", "--out", "parts", "--resume"]) == 0
    assert logged(run) == logged(tmp_path / "parts")
    jax.tree.map(np.testing.assert_array_equal, state_of(run), state_of(tmp_path / "parts"))


def test_weights_of_others_see_and_stay_in_the_run(tmp_path, monkeypatch):
    """They are read when a training begins, and never again: its checkpoints hold what is used of them."""
    given = encoders.random(
        jax.random.key(7), encoders.configure("vgg11", depth=16, features=1, pooling="max")
    )
    monkeypatch.setattr(weights, "load", lambda _: (given, "digest"))
    out = tmp_path / "run"
    options = [*TINY, "--model.weights", "vgg11", *OFTEN, "--out", str(out)]
    assert main(["train", "adain", *options, "--steps", "2"]) == 0
    monkeypatch.setattr(weights, "load", pytest.fail)
    assert main(["train", "adain", *options, "--steps", "4", "--resume"]) == 0
    found = state_of(out).encoder["params"]
    assert set(found) == {"conv1_1", "conv2_1"}
    for name, layer in found.items():
        jax.tree.map(np.testing.assert_array_equal, layer, given["params"][name])


def test_other_models_keep_their_init():
    model = zoo.get("cnn")
    built = model.build(model.config())
    assert stylists.with_weights(built, model.config()) is built


def test_the_papers_networks_are_those_of_vgg19():
    config = zoo.get("adain").recipe("paper").config
    assert config.vgg.depth == 19
    assert config.layers == ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
    shapes = {name: shape for name, (_, shape) in adain.networks(config).items()}
    assert shapes == {"encoder": (256, 256, 3), "decoder": (32, 32, 512)}
    costs = zoo.get("adain").network_costs(config)
    convolutions = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), *[(256, 256)] * 3, (256, 512)]
    wanted = sum(9 * a * b + b for a, b in convolutions)
    assert costs["encoder"].parameters == wanted
    assert costs["decoder"].parameters == sum(9 * a * b + a for a, b in convolutions)
    assert vgg.STACKS[19][:3] == (2, 2, 4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data", "digits"], "digits has images of one domain; this model learns from two"),
        (["--model.weights", "vgg19"], "to get them: jaxgan weights vgg19 --download"),
    ],
)
def test_trainings_that_make_no_sense_are_refused(tmp_path, monkeypatch, capsys, options, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "nothing"))
    assert main(["train", "adain", *TINY, *options]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["sample", "RUN"], "is a run of adain, which draws no images of its own"),
        (["evaluate", "RUN", "--metrics", "fid"], "adain draws no images of its own"),
        (["explain", "RUN"], "is a run of adain, which draws in the style of others; jaxgan explain looks"),
        (["translate", "RUN", "a.png", "--out", "out"], "is a run of adain, which does not translate images"),
    ],
)
def test_what_other_models_do_is_refused(run, capsys, command, words):
    assert main([str(run) if part == "RUN" else part for part in command]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.slow
def test_a_sweep_varies_the_weight_of_the_style(tmp_path):
    out = tmp_path / "sweep"
    sweep = ["sweep", "adain", *TINY, "--style-weight", "0,2", "--steps", "2", "--out", str(out)]
    assert main(sweep) == 0
    found = json.loads((out / "sweep.json").read_text())
    assert [row["values"] for row in found["members"]] == [{"style-weight": 0}, {"style-weight": 2}]
    assert all("loss_unchanged" in row["scores"] for row in found["members"])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for name, size in {"a": (33, 47), "b": (40, 36), "c": (48, 32)}.items():
        Image.fromarray(random.integers(0, 256, (*size, 3)).astype(np.uint8)).save(folder / f"{name}.png")
    return folder


def draw(run, files, out, names="ab", *options):
    pictures = [str(files / f"{name}.png") for name in names]
    assert main(["stylize", *pictures, "--run", str(run), "--size", "47", "--out", str(out), *options]) == 0
    with Image.open(out) as made:
        return np.asarray(made).astype(int)


def test_a_run_draws_pictures_of_any_size_in_one_pass(run, files, tmp_path, capsys):
    out = tmp_path / "made.png"
    plain = draw(run, files, out)
    assert plain.shape == (33, 47, 3)
    assert "33 x 47 pixels by step 4 of adain" in capsys.readouterr().out
    opened = runs.open_run(run)
    stylist = opened.model.build(opened.settings.model)
    content = np.asarray(Image.open(files / "a.png")) / np.float32(255)
    style = Image.open(files / "b.png").resize((42, 47), Image.Resampling.BICUBIC)
    styles = [jnp.asarray(style, jnp.float32)[None] / 255]
    stylize = parallel.compile_function(stylist.stylize)
    wanted = stylize(state_of(run), jnp.asarray(content)[None], styles)
    assert np.abs(plain - 255 * np.asarray(wanted[0])).max() < 1
    none, other = (draw(run, files, out, names, "--strength", "0") for names in ("ab", "ac"))
    assert np.abs(none - other).max() <= 1
    assert np.abs(none - plain).max() > 1


def test_shares_and_colours_count_in_one_pass(run, files, tmp_path):
    out = tmp_path / "made.png"
    plain, other = (draw(run, files, out, names) for names in ("ab", "ac"))
    assert np.abs(draw(run, files, out, "abc", "--shares", "1,0") - plain).max() <= 1
    mixed = draw(run, files, out, "abc", "--shares", "1,1")
    assert min(np.abs(mixed - plain).max(), np.abs(mixed - other).max()) > 1
    np.testing.assert_array_equal(draw(run, files, out, "ab", "--colors", "free"), plain)
    for whose in ("content", "style"):
        assert np.abs(draw(run, files, out, "ab", "--colors", whose) - plain).max() > 1


def test_the_demo_is_drawn_in_one_pass(run, tmp_path):
    out = tmp_path / "demo.png"
    assert main(["stylize", "--demo", "--run", str(run), "--size", "64", "--out", str(out)]) == 0
    with Image.open(out) as made:
        assert made.size == (64, 43)


@pytest.fixture(scope="module")
def gan(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "gan"
    tiny = ["--model.features", "2", "--model.image-size", "8", "8", "--model.latent-size", "4"]
    assert main(["train", "dcgan", *tiny, "--batch-size", "4", "--steps", "1", "--out", str(path)]) == 0
    return path


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--run", "RUN", "--steps", "80"], "--steps: not with --run, which draws in one pass"),
        (["--run", "RUN", "--sizes=2", "--style_weight", "2"], "--sizes, --style-weight: not with --run"),
        (["--run", "RUN", "--masks", "a.png"], "--masks: not with --run"),
        (["--run", "RUN", "--snapshots", "3"], "--snapshots: not with --run"),
        (["--run", "RUN", "--weights", "vgg19"], "--weights: not with --run"),
        (["--run", "RUN", "--strength", "2"], "--strength is 2.0; it must be in [0, 1]"),
        (["--run", "RUN", "--size", "4"], "the size of a picture is (3, 4); it must be at least 4"),
        (["--run", "RUN", "--shares", "1,2"], "--shares is '1,2'; it must be as many numbers as styles (1)"),
        (["--run", "GAN"], "is a run of dcgan, which draws in no style of others"),
        (["--run", "none"], "none does not exist"),
        (["--strength", "0.5"], "--strength: only with --run"),
    ],
)
def test_what_cannot_be_drawn_in_one_pass_is_refused(run, gan, files, monkeypatch, capsys, options, words):
    monkeypatch.chdir(files)
    folders = {"RUN": str(run), "GAN": str(gan)}
    try:
        status = main(["stylize", "a.png", "b.png", *(folders.get(part, part) for part in options)])
    except SystemExit as exit:
        status = exit.code
    assert status == 2
    assert words in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert not (files / "stylized.png").exists()
