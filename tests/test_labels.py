"""GANs with classes: the contract for each way of conditioning, and labels as users give them."""

import functools
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan import extractors, parallel, pictures, run_scores, runs, scoring, zoo
from jaxgan.cli import main
from jaxgan.gans import dcgan
from jaxgan.steps import game
from jaxgan.steps.draws import draw, draw_labels
from jaxgan.validation import InputError

KEY = jax.random.key(0)
WAYS = get_args(dcgan.Conditioning)
CLASSES = 3
EXTRACTOR = extractors.of_function(lambda pixels: pixels.mean((1, 2)), name="means", digest="1")
TINY = ["--model.features", "2", "--model.image-size", "8", "8", "--model.latent-size", "4"]
TINY += ["--batch-size", "8"]


@functools.cache
def built(way):
    config = dcgan.Config(
        image_size=(8, 8), features=2, latent_size=4, num_classes=CLASSES, conditioning=way, dropout=0.0
    )
    return config, dcgan.build(config)


def batch(labels=(2, 0, 1, 2)):
    images = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 1)).astype(np.float32)
    return {"image": images, "label": np.array(labels, np.int32)}


@functools.cache
def initial(way):
    return jax.device_get(parallel.compile_function(built(way)[1].init)(KEY))


@functools.cache
def stepped(way):
    """The states after one step and after two, the metrics of the first, and the number of traces."""
    traces = []

    def step(*arguments):
        traces.append(1)
        return built(way)[1].step(*arguments)

    layout = parallel.layout()
    state, key = layout.put_state(initial(way)), layout.put_state(KEY)
    compiled = layout.compile(step)
    first, metrics = jax.device_get(compiled(state, layout.put_batch(batch()), key))
    second, _ = jax.device_get(compiled(layout.put_state(first), layout.put_batch(batch()), key))
    return first, second, metrics, len(traces)


@functools.cache
def sampler(way):
    return parallel.compile_function(built(way)[1].sample, static_argnums=(2,))


@pytest.mark.parametrize("way", WAYS)
def test_a_step_is_traced_once_and_keeps_the_structure(way):
    _, state, metrics, traces = stepped(way)
    assert traces == 1
    described = [jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree) for tree in (initial(way), state)]
    assert described[0] == described[1]
    assert int(state.step) == 2
    assert all(np.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize("way", WAYS)
def test_an_image_is_drawn_by_its_own_label(way):
    state = stepped(way)[1]
    mixed = sampler(way)(state, KEY, 3, jnp.array([0, 1, 2]))
    for label in range(CLASSES):
        alike = sampler(way)(state, KEY, 3, jnp.full(3, label))
        for place in range(3):
            same = np.allclose(alike[place], mixed[place], atol=1e-6)
            assert same == (place == label)


@pytest.mark.parametrize("way", WAYS)
def test_labels_that_are_not_given_are_drawn(way):
    state = stepped(way)[1]
    labels = draw_labels(jax.random.fold_in(KEY, 1), 3, CLASSES)
    np.testing.assert_array_equal(sampler(way)(state, KEY, 3), sampler(way)(state, KEY, 3, labels))


def test_a_projection_judges_each_image_by_itself(monkeypatch):
    """So that one backward pass serves both players."""
    monkeypatch.setattr(game, "pull_once", game.pull_twice)
    arguments = jax.tree.map(jnp.asarray, (initial("projection"), batch()))
    twice, _ = parallel.compile_function(built("projection")[1].step)(*arguments, KEY)
    monkeypatch.undo()
    once = stepped("projection")[0]
    for a, b in zip(jax.tree.leaves(once), jax.tree.leaves(twice), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_an_auxiliary_classifier_adds_how_wrong_it_is_of_the_labels():
    config, _ = built("auxiliary")
    images, labels = (jnp.asarray(batch()[name]) for name in ("image", "label"))

    @parallel.compile_function
    def losses(generator, discriminator):
        def play(module, network, x):
            variables = {"params": network.params, **network.model_state}
            return module.apply(variables, x, labels, train=True, mutable=["batch_stats"])[0]

        key = jax.random.fold_in(jax.random.fold_in(KEY, 0), 0)  # of the first update of the first step
        fakes = play(dcgan.Generator(config), generator, draw(key, images, (labels,), 4).latents)
        real, real_classes = play(dcgan.Discriminator(config), discriminator, images)
        fake, fake_classes = play(dcgan.Discriminator(config), discriminator, fakes)
        places = jnp.arange(len(labels))
        real_wrong, fake_wrong = (
            -jax.nn.log_softmax(logits)[places, labels] for logits in (real_classes, fake_classes)
        )
        told = jax.nn.softplus(-real) + jax.nn.softplus(fake) + real_wrong + fake_wrong
        return told.mean(), (jax.nn.softplus(-fake) + fake_wrong).mean()

    state, metrics = initial("auxiliary"), stepped("auxiliary")[2]
    found = metrics["discriminator_loss"], metrics["generator_loss"]
    np.testing.assert_allclose(found, losses(state.generator, state.discriminator), rtol=1e-5)


def test_conditioning_costs_what_it_adds():
    plain = zoo.get("dcgan").network_costs(dcgan.MNIST)
    rows, planes, features = 10 * 7 * 7 * 256, 10 * 4 * 4 * 64, 10 * 7 * 7 * 128
    added = {
        "concatenation": (rows, planes),
        "projection": (9 * 2 * (7 * 7 * 256 + 128 + 64), features),  # ten scales and biases for one
        "auxiliary": (rows, features + 10),
    }
    for way in WAYS:
        costs = zoo.get("dcgan").network_costs(dcgan.Config(num_classes=10, conditioning=way))
        for player, count in zip(("generator", "discriminator"), added[way], strict=True):
            assert costs[player].parameters - plain[player].parameters == count
    concatenated = zoo.get("dcgan").network_costs(dcgan.Config(num_classes=10))
    assert concatenated["generator"].flops - plain["generator"].flops == 2 * rows
    assert concatenated["discriminator"].flops - plain["discriminator"].flops == 2 * 14 * 14 * planes


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "gan"
    labelled = ["--model.num-classes", "10", "--model.conditioning", "projection", "--steps", "6"]
    assert main(["train", "dcgan", *TINY, *labelled, "--out", str(path)]) == 0
    return path


def drawn(run, out, *arguments):
    assert main(["sample", str(run), *arguments, "--out", str(out)]) == 0
    return np.load(out)


def test_a_grid_of_samples_has_a_row_for_each_class(run, tmp_path):
    with Image.open(run / "samples" / "step-0000006.png") as picture:
        pixels = np.asarray(picture)
    factor = pixels.shape[0] // 91
    rows = pixels[::factor, ::factor]
    assert rows.shape == (1 + 10 * 9, 1 + 6 * 9)
    for label in (0, 9):
        seeds = f"{6 * label}-{6 * label + 5}"
        images = drawn(run, tmp_path / "row.npy", "--label", str(label), "--seeds", seeds)
        row = pictures.grid(pictures.to_uint8(images, (-1, 1)), columns=6)[:, :, 0]
        np.testing.assert_array_equal(rows[9 * label : 9 * label + 10], row)


def test_every_seed_is_drawn_of_every_label(run, tmp_path):
    asked = ["--labels", "3,0-1", "--seeds", "5-6"]
    images = drawn(run, tmp_path / "a.npy", *asked)
    assert len(images) == 6
    assert len(np.unique(images, axis=0)) == 6
    of_one = drawn(run, tmp_path / "b.npy", "--labels", "3", "--seeds", "5-6")
    np.testing.assert_allclose(images[:2], of_one, atol=1e-7)
    assert main(["sample", str(run), *asked]) == 0
    with Image.open(run / "labels-3,0-1-seeds-5-6.png") as picture:
        width, height = picture.size
    assert width / height == (1 + 2 * 9) / (1 + 3 * 9)


def refused(capsys, arguments, words):
    capsys.readouterr()
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


@pytest.mark.parametrize("labels", ["10", "3-1", "two", "0-10"])
def test_labels_of_no_class_are_refused(run, capsys, labels):
    words = f"--labels is {labels!r}; it must be numbers below 10 and ranges of them, such as 0 or 0-9"
    refused(capsys, ["sample", str(run), "--label", labels], words)


def test_too_many_images_are_refused(run, capsys):
    words = "--seeds times --labels is 2000000; it must be at most 1,000,000 images"
    refused(capsys, ["sample", str(run), "--labels", "0-1", "--seeds", "0-999999"], words)


@pytest.mark.parametrize("command", [["train", "dcgan"], ["sweep", "dcgan", "--seed", "0-1"]], ids=" ".join)
def test_data_without_these_labels_are_refused(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    np.savez("bare.npz", images=np.zeros((50, 8, 8), np.uint8))
    bare = ["--data", "npz:bare.npz", "--model.num-classes", "10"]
    words = "bare.npz has no labels; a model with classes needs images with labels"
    refused(capsys, [*command, *TINY, *bare], words)
    words = "digits has 10 classes and the model 7; give --model.num-classes 10"
    refused(capsys, [*command, *TINY, "--model.num-classes", "7"], words)
    assert [path.name for path in tmp_path.iterdir()] == ["bare.npz"]


def test_a_run_with_labels_is_evaluated(run, capsys):
    assert main(["evaluate", str(run)]) == 0
    assert "discriminator loss" in capsys.readouterr().out


def test_no_path_is_measured_between_latents_that_labels_go_with(run, monkeypatch):
    """What scores a run draws its labels, and knows no function of latents alone."""
    monkeypatch.setattr(scoring, "choose_extractor", lambda *_, **__: EXTRACTOR)
    monkeypatch.setattr(scoring, "read_real", lambda *_, **__: None)
    opened = runs.open_run(run)
    plan = scoring.Scoring(metrics="ppl", samples=8)
    with pytest.raises(InputError, match="ppl needs a generator of latents alone, without labels"):
        run_scores.prepare(opened.model, opened.settings, plan)
