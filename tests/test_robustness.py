"""Robustness: what each change does to an image, and what a trained classifier makes of it."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from jaxgan import config, evaluation, parallel, robustness, run_folder, runs, zoo
from jaxgan.classifiers import cnn
from jaxgan.cli import main
from jaxgan.settings import defaults, read_data
from jaxgan.validation import InputError

SMALL = ["--model.image-size", "10", "10", "--model.features", "8", "--model.hidden", "32"]
QUICK = ["--model.attention", "cbam", "--model.ema-decay", "None", "--model.optimizer.learning-rate", "0.01"]
FEW = {
    "rotation": robustness.Change("degrees", (30, 90)),
    "noise": robustness.Change("deviation", (0.05, 0.5)),
}

_compiled = parallel.compile_function(
    lambda images, numbers, strength, change: robustness.perturb(
        images, numbers, strength, change=change, value_range=(0.0, 1.0)
    ),
    static_argnums=(3,),
)


def perturb(images, change, strength, first=0):
    numbers = first + np.arange(len(images))
    return np.asarray(_compiled(images, numbers, np.float32(strength), change))


def blobs(count=64, shape=(41, 35)):
    """Copies of one image with a blob about its centre, longer one way than the other."""
    rows, columns = (np.arange(side) - (side - 1) / 2 for side in shape)
    image = np.exp(-(rows[:, None] ** 2) / 18 - columns[None] ** 2 / 12).astype(np.float32)
    return np.broadcast_to(image[None, :, :, None], (count, *shape, 1))


def moments(images):
    """The centre of each image's light, as (row, column) from the middle, and its mean square width."""
    light = images[..., 0].astype(float)
    height, width = light.shape[1:]
    places = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1)
    places = places - (np.array([height, width]) - 1) / 2
    share = light / light.sum((1, 2), keepdims=True)
    centres = np.einsum("nhw,hwd->nd", share, places)
    away = places[None] - centres[:, None, None]
    return centres, np.einsum("nhw,nhwd->nd", share, away**2)


@pytest.mark.parametrize("change", robustness.CHANGES)
def test_without_strength_every_image_stays_as_it_is_to_the_last_bit(change):
    images = np.random.default_rng(0).uniform(size=(8, 9, 12, 3)).astype(np.float32)
    np.testing.assert_array_equal(perturb(images, change, 0), images)


@pytest.mark.parametrize("change", robustness.CHANGES)
def test_an_image_is_changed_by_its_number_alone(change):
    images = np.random.default_rng(0).uniform(size=(12, 9, 12, 3)).astype(np.float32)
    changed = perturb(images, change, 0.3)
    np.testing.assert_array_equal(perturb(images[8:], change, 0.3, first=8), changed[8:])
    assert (changed != images).any((1, 2, 3)).all()
    same = perturb(np.repeat(images[:1], 12, 0), change, 0.3)
    assert len(np.unique(same.reshape(12, -1), axis=0)) >= 2


def test_a_rotation_turns_by_the_angle_one_way_or_the_other():
    image = np.random.default_rng(0).uniform(size=(9, 9, 2)).astype(np.float32)
    changed = perturb(np.broadcast_to(image, (64, *image.shape)), "rotation", 90)
    ways = np.stack([np.abs(changed - np.rot90(image, turns)).max((1, 2, 3)) < 1e-5 for turns in (1, 3)])
    assert (ways.sum(0) == 1).all()
    assert 16 < ways[0].sum() < 48


def test_a_shift_moves_by_a_share_of_the_side_in_every_direction():
    centres, widths = moments(perturb(blobs(), "shift", 0.15))
    share = centres / np.array([41, 35])
    np.testing.assert_allclose(np.hypot(*share.T), 0.15, atol=2e-3)
    assert {(x > 0, y > 0) for x, y in share} == {(a, b) for a in (True, False) for b in (True, False)}
    np.testing.assert_allclose(widths, np.broadcast_to(moments(blobs())[1][:1], widths.shape), atol=0.3)
    white = perturb(np.ones((64, 41, 35, 1), np.float32), "shift", 0.15)
    assert white.min() == 0  # black comes in from beyond the borders
    assert (white[:, 8:-8, 8:-8] == 1).all()


def test_a_change_of_scale_grows_or_shrinks_about_the_centre():
    centres, widths = moments(perturb(blobs(), "scale", 0.3))
    np.testing.assert_allclose(centres, np.zeros_like(centres), atol=1e-3)
    factors = np.sqrt(widths[:, 0] / moments(blobs())[1][:, 0])
    grown = factors > 1
    np.testing.assert_allclose(factors[grown], 1.3, atol=0.02)
    np.testing.assert_allclose(factors[~grown], 0.7, atol=0.02)
    assert 16 < grown.sum() < 48


def test_noise_is_normal_of_that_deviation_and_cut_to_the_range():
    noise = perturb(np.full((50, 12, 12, 1), 0.5, np.float32), "noise", 0.1) - 0.5
    assert abs(noise.std() - 0.1) < 3e-3
    assert abs(noise.mean()) < 4e-3
    assert abs((np.abs(noise) < 0.1).mean() - 0.683) < 0.02
    flat = noise.reshape(50, -1)
    assert np.abs(np.corrcoef(flat) - np.eye(50)).max() < 0.4  # every image has its own
    strong = perturb(np.ones((4, 12, 12, 1), np.float32), "noise", 2.0)
    assert (strong.min(), strong.max()) == (0, 1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs")
    often = ["--steps", "240", "--cadence.checkpoint-every", "80"]
    assert main(["train", "cnn", *SMALL, *QUICK, *often, "--out", str(path / "plain")]) == 0
    shutil.copytree(path / "plain", path / "worse")
    for step in (160, 240):
        shutil.rmtree(path / "worse" / "checkpoints" / str(step))
    return path


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(robustness, "CHANGES", FEW)
    monkeypatch.setattr(robustness, "BATCH", 359)  # one shape to compile


def begun(path, name, **options):
    """The folder of a run that never made a step."""
    model = zoo.get(name)
    settings = dataclasses.replace(defaults(model), **options)
    run_folder.create(path, {"model": name, "steps": 1, "settings": config.to_dict(settings)})
    return path


@pytest.mark.usefixtures("few")
def test_a_table_has_a_column_for_each_run_and_the_same_again(folders, capsys):
    paths = [folders / "plain", folders / "worse"]
    command = ["evaluate", *map(str, paths), "--robustness"]
    texts = []
    for _ in range(2):
        assert main(command) == 0
        texts.append([(path / "robustness.json").read_bytes() for path in paths])
    assert texts[0] == texts[1]
    found = [json.loads(text) for text in texts[0]]
    lines = capsys.readouterr().out.splitlines()
    for words, shares in {
        ("clean",): [one["clean"] for one in found],
        ("90",): [one["changes"]["rotation"]["accuracy"][1] for one in found],
        ("mean", "of", "the", "changes"): [one["mean"] for one in found],
    }.items():
        expected = [*words, *(format(share, ".4f") for share in shares)]
        assert expected in [line.split() for line in lines]
    for path, one in zip(paths, found, strict=True):
        assert one["step"] == {"plain": 240, "worse": 80}[path.name]
        assert one["protocol"]["images"] == 359
        assert one["mean"] == pytest.approx(
            np.mean([np.mean(c["accuracy"]) for c in one["changes"].values()])
        )
        with Image.open(path / "robustness.png") as picture:
            assert picture.size[0] > 500


@pytest.mark.usefixtures("few")
def test_accuracy_falls_with_the_strength_from_what_evaluate_finds(folders):
    run = runs.open_run(folders / "plain")
    (found,) = robustness.measure_runs([run], say=pytest.fail)
    assert found.clean == evaluation.evaluate(run, pytest.fail)[1]["accuracy"]
    assert found.clean > 0.85
    mild, strong = found.changed["rotation"]
    assert found.clean - 0.02 > mild > strong + 0.2
    mild, strong = found.changed["noise"]
    assert found.clean - 0.05 < mild <= found.clean + 0.02
    assert strong < mild - 0.2


@pytest.mark.usefixtures("few")
def test_changes_without_strength_give_the_clean_accuracy(folders, monkeypatch):
    nothing = {name: kind._replace(strengths=(0.0,)) for name, kind in robustness.CHANGES.items()}
    monkeypatch.setattr(robustness, "CHANGES", nothing)
    run = runs.open_run(folders / "plain")
    state, images = runs.restore(run, pytest.fail)[1], read_data(run.settings, "test")
    clean, changed = robustness.measure(run, state, images)
    assert changed == dict.fromkeys(nothing, (clean,))


def refused(capsys, arguments, words):
    try:
        status = main(["evaluate", *map(str, arguments)])
    except SystemExit as stop:  # from the parser of options
        status = stop.code
    error = capsys.readouterr().err
    assert status == 2, error
    assert words in " ".join(error.split())
    assert "Traceback" not in error


def test_what_is_no_classifier_or_has_no_or_other_test_images_is_refused(folders, tmp_path, capsys):
    plain, data = folders / "plain", tmp_path / "d.npz"
    pixels, labels = np.zeros((100, 10, 10), np.uint8), np.arange(100) % 10
    np.savez(data, images=pixels, labels=labels)
    gan = begun(tmp_path / "gan", "dcgan")
    small = cnn.Config(image_size=(10, 10))
    other = begun(tmp_path / "other", "cnn", data=f"npz:{data}", model=small)
    empty = begun(tmp_path / "empty", "cnn", model=small)
    before = {path: path.stat().st_mtime_ns for path in plain.iterdir()}
    refused(capsys, [gan, "--robustness"], "is a run of dcgan; only a classifier's robustness is measured")
    refused(capsys, [plain, gan, "--robustness"], "is a run of dcgan")
    refused(capsys, [plain, other, "--robustness"], "have different test images: data_sha256")
    refused(capsys, [empty, plain, "--robustness"], "there is no checkpoint in")
    np.savez(data, images=pixels)
    refused(capsys, [other, "--robustness"], "has no labels; a model with classes needs images with labels")
    assert {path: path.stat().st_mtime_ns for path in plain.iterdir()} == before
    assert not [*other.glob("robustness.*"), *empty.glob("robustness.*")]


def test_settings_that_do_not_go_together_are_refused(folders, capsys):
    plain, worse = folders / "plain", folders / "worse"
    refused(capsys, [plain, "--robustness", "--metrics", "fid"], "--robustness: not together with --metrics")
    refused(capsys, [plain, worse, "--robustness", "--resamples", "50"], "--robustness: not together with")
    refused(capsys, [plain, "--robustness", "--samples", "50"], "--samples: only for scores of images")
    refused(capsys, [plain, worse, plain], "the number of runs is 3; it must be at most 2 without")
    refused(capsys, [plain] * 27 + ["--robustness"], "the number of runs is 27; it must be at most 26")
    with pytest.raises(InputError, match="change is 'blur'; it must be one of rotation, shift, scale, noise"):
        perturb(np.zeros((1, 4, 4, 1), np.float32), "blur", 0.1)
