"""``jaxgan recommend``: what it reads, counts and says, and that its commands can be run."""

import re
import shlex

import numpy as np
import pytest
from PIL import Image

from jaxgan import data, settings, zoo
from jaxgan.cli import main, options, train
from jaxgan.recommend import advice, candidates, recommend, rules, styles, survey, timing
from jaxgan.recommend.rules import Data, Device

DIGITS = Data("digits", 1_438, (8, 8), 1, 10)
SLOW = Device("a slow device", 1e9, 0.0, None, "measured")


@pytest.fixture
def photos(tmp_path):
    """Ten colour photographs of 40x48, of no class."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(10):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 48, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def quick(monkeypatch):
    """Takes a device for granted, and only one recipe of each task."""
    few = {"classify": "cnn", "generate": "dcgan", "translate": "pix2pix"}
    monkeypatch.setattr(timing, "here", lambda: SLOW)
    monkeypatch.setattr(candidates, "recipes", lambda task, _: [(zoo.get(few[task]), "default")])


def parsed(command):
    """The settings that a command of `jaxgan train` comes to."""
    _, _, name, *arguments = shlex.split(command)
    model = zoo.get(name)
    found = options.parse(
        train.Flags, model, arguments, settings.defaults(model), prog="jaxgan train", description=None
    )
    return model, found.settings


def test_data_are_seen_as_they_lie_in_their_source(photos, tmp_path):
    found = survey.survey(f"folder:{photos}")
    assert found == Data(f"folder:{photos}", 8, (40, 48), 3, 0)
    grey = np.zeros((5, 12, 10), np.uint8)
    np.savez(tmp_path / "grey.npz", images=grey, labels=np.arange(5) % 2)
    assert survey.survey(f"npz:{tmp_path / 'grey.npz'}")[1:] == (4, (12, 10), 1, 2, None)
    assert survey.survey("stacked:digits")[2:5] == ((8, 8), 3, 1000)
    assert survey.survey("edges:digits").domains == "paired"
    assert survey.survey("textured:digits").domains == "any"


def test_halves_of_pairs_have_half_the_width(tmp_path):
    for number in range(5):
        Image.new("L", (32, 16)).save(tmp_path / f"{number}.png")
    assert survey.own_shape(f"pairs:{tmp_path}") == (16, 16, 1)


@pytest.mark.parametrize(("task", "model"), [("classify", "cnn"), ("generate", "dcgan")])
def test_what_is_counted_is_what_the_zoo_says(task, model):
    fitted = candidates.fit(zoo.get(model), "default", DIGITS)
    costs = fitted.model.network_costs(fitted.config)
    assert fitted.candidate.parameters == sum(each.parameters for each in costs.values())
    assert fitted.config == zoo.get(model).recipe().config
    judging = costs["network" if task == "classify" else "discriminator"].parameters
    assert fitted.candidate.judging == judging
    whole = candidates.with_activations(fitted)
    kept = sum(each.activation_bytes for each in costs.values()) * fitted.candidate.batch_size
    assert kept <= whole.memory - fitted.candidate.memory <= 2 * kept


def test_a_step_costs_about_three_forward_passes():
    fitted = candidates.fit(zoo.get("cnn"), "default", DIGITS)
    forward = fitted.model.network_costs(fitted.config)["network"].flops * fitted.candidate.batch_size
    assert 2.5 * forward < fitted.candidate.step_flops <= 3 * forward


def test_pairs_are_for_models_of_pairs_and_domains_for_those_without():
    for domains, model in (("paired", "pix2pix"), ("any", "cyclegan")):
        found = candidates.recipes("translate", DIGITS._replace(domains=domains))
        assert {each.name for each, _ in found} == {model}
    generating = {model.name for model, _ in candidates.recipes("generate", DIGITS)}
    assert "dcgan" in generating
    assert not {"pix2pix", "cyclegan", "cnn"} & generating


@pytest.mark.parametrize("side", [8, 30, 43, 64, 200, 1000])
@pytest.mark.parametrize("model", ["dcgan", "wgan_gp", "pix2pix", "cyclegan", "cnn"])
def test_every_size_finds_one_that_the_model_takes(model, side):
    found = zoo.get(model)
    chosen = DIGITS._replace(image_size=(side, side), channels=3)
    wanted = candidates._side(found, found.recipe().config, chosen, 0)
    config = candidates._resized(found.recipe().config, {"channels": 3}, wanted)
    assert max(config.image_size) <= max(found.largest_side, max(found.recipe().config.image_size))
    assert abs(config.image_size[0] - wanted) <= max(4, wanted / 7)


@pytest.mark.usefixtures("quick")
def test_few_images_get_a_gan_that_is_augmented_and_held(photos):
    given = recommend("generate", f"folder:{photos}", device="t4", hours=10)
    assert "few images" in given.choices[0].complaints
    model, found = parsed(given.command)
    assert (model.name, found.crop, found.model.channels) == ("dcgan", True, 3)
    assert (found.model.game.augment, found.model.game.penalties) == ("ada", ("r1:10:16",))
    images = data.load(found.data, image_size=found.model.image_size, channels=3, crop=found.crop)
    assert images.image_shape == (40, 40, 3)


@pytest.mark.usefixtures("quick")
def test_a_command_says_what_differs_from_the_recipe_and_nothing_else():
    given = recommend("classify", "digits", device="cpu")
    assert given.command == "jaxgan train cnn --data digits --steps 900"


@pytest.mark.usefixtures("quick")
def test_learning_rates_fall_over_the_steps_that_there_is_time_for():
    given = recommend("translate", "edges:digits", hours=0.01)
    model, found = parsed(given.command)
    steps = given.choices[0].affordable_steps(0.01)
    assert steps < model.recipe().steps
    assert settings.count_steps(found, 1_438, steps) == steps
    assert found.model.game.generator.schedule_steps == steps
    assert found.model.game.generator.hold == steps // 2


def test_without_time_for_large_images_they_are_shrunk():
    large, model = DIGITS._replace(image_size=(48, 48)), zoo.get("sngan")
    whole = advice.fit_in_time(model, "default", large, SLOW, 1e9)
    hours = 0.9 * rules.judge(whole.candidate, large, SLOW, 1e9).hours
    cut = advice.fit_in_time(model, "default", large, SLOW, hours)
    assert (whole.candidate.image_size, cut.candidate.image_size) == ((48, 48), (28, 28))
    assert "time" not in rules.judge(cut.candidate, large, SLOW, hours).complaints


def test_this_device_is_measured_in_what_it_does():
    found = timing.here()
    assert 1e8 < found.flops_per_second < 1e16
    assert "measured" in found.source


@pytest.mark.slow
def test_what_the_docstrings_say_of_an_h100():
    given = recommend("generate", "digits", device="h100")
    assert (given.choices[0].complaints, given.command.split()[:3]) == ({}, ["jaxgan", "train", "wgan_gp"])
    drawn = styles.recommend(styles.DEMO, device="h100")
    assert (drawn.picture, drawn.choices[0].size) == ((427, 640), 512)


@pytest.mark.slow
def test_a_step_can_be_measured():
    choices = recommend("classify", "digits", measured=1).choices
    assert any(choice.is_measured for choice in choices)


@pytest.mark.usefixtures("quick")
def test_the_command_prints_a_table_with_its_rules_and_a_command(capsys):
    assert main(["recommend", "--task", "generate", "--hours", "0.5"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"dcgan +28x28x1 +2,074,817 +4\.4 +16 +~[\d,]+ +3,600", out)
    assert all(words in out for words in ("a slow device", "measured", *(rule[:20] for rule in rules.RULES)))
    assert "nothing fits" in out
    assert re.search(r"^jaxgan train dcgan --data digits --steps \d+$", out, re.MULTILINE)


def test_styles_are_as_large_as_the_time_allows(monkeypatch, capsys):
    monkeypatch.setattr(styles, "SIZES", (128, 256))
    monkeypatch.setattr(styles, "SEERS", ("random",))
    best = styles.recommend(styles.DEMO, device="h100").choices[0]
    assert (best.weights, best.size, best.complaints) == ("random", 256, {})
    seconds = best.step_flops / 1e9
    monkeypatch.setattr(timing, "here", lambda: SLOW)
    cut = styles.recommend(styles.DEMO, hours=best.steps / 2 * seconds / 3600)
    assert (cut.choices[0].size, "time" in cut.choices[0].complaints) == (128, False)
    assert main(["recommend", "--task", "stylize", "--device", "h100"]) == 0
    out = capsys.readouterr().out
    assert "jaxgan stylize --demo --size 256" in out
    assert re.search(r"^jaxgan train adain$", out, re.MULTILINE)


def test_what_draws_in_one_pass_is_ranked_by_what_speaks_against_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    slow = rules.Device("slow", 1e10, 0.0, None, "")
    first, last = styles.stylists(slow, 10.0)
    assert (first.name, first.complaints, first.command) == ("adain", {}, "jaxgan train adain")
    assert (last.name, set(last.complaints)) == ("adain paper", {"time", "weights"})
    assert last.command == "jaxgan train adain --preset paper"
    assert last.hours == pytest.approx(last.steps * last.step_flops / 1e10 / 3600)


REFUSED = {
    "task is 'paint'; it must be one of classify, generate, translate, stylize": ["--task", "paint"],
    "device is 'abacus'; it must be one of here": ["--task", "generate", "--device", "abacus"],
    "hours is 0.0; it must be > 0": ["--task", "generate", "--hours", "0"],
    "hours is -1.0; it must be > 0": ["--task", "stylize", "--hours", "-1"],
    "count is 0; it must be >= 1": ["--task", "generate", "--count", "0"],
    "data is 'nothing'; it must be one of digits": ["--task", "generate", "--data", "nothing"],
    "idx:nowhere cannot be read|idx:nowhere": ["--task", "generate", "--data", "idx:nowhere"],
    "folder:nowhere is not a folder": ["--task", "classify", "--data", "folder:nowhere"],
    "digits has images of one domain; task translate": ["--task", "translate"],
    "two domains; task generate": ["--task", "generate", "--data", "edges:digits"],
    "it must be the file of a picture, or demo": ["--task", "stylize", "--data", "digits"],
    "steps are measured on this device only": ["--task", "generate", "--device", "t4", "--measure"],
    "measure is for tasks that train": ["--task", "stylize", "--measure"],
}


@pytest.mark.parametrize("message", REFUSED)
def test_bad_input_is_refused_in_one_sentence(message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["recommend", *REFUSED[message]]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert re.search(message, err)


def test_images_without_labels_cannot_be_classified(photos, capsys):
    assert main(["recommend", "--task", "classify", "--data", f"folder:{photos}"]) == 2
    assert "has no labels; task classify needs images of at least 2 classes" in capsys.readouterr().err


def test_a_damaged_picture_is_named(photos, capsys):
    (photos / "0.png").write_bytes(b"nothing")
    assert main(["recommend", "--task", "generate", "--data", f"folder:{photos}"]) == 2
    assert "0.png is not an image" in capsys.readouterr().err
