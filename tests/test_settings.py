"""Settings as data, the zoo, and the folder of a run."""

import json
import os
from pathlib import Path

import pytest

from jaxgan import config, run_folder, runs, zoo
from jaxgan.gans import dcgan
from jaxgan.steps import Adversarial
from jaxgan.validation import InputError

pytestmark = pytest.mark.smoke


@pytest.mark.parametrize("name", zoo.trainable())
def test_settings_survive_json(name):
    settings = zoo.get(name).config(image_size=(48, 40))
    data = json.loads(json.dumps(config.to_dict(settings)))
    assert config.from_dict(type(settings), data, "here") == settings


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": 1}, "config.json.*colour"),
        ({"channels": "many"}, "config.json.*channels"),
        ({"channels": 2}, "channels is 2"),
        ({"image_size": [28]}, "config.json"),
        ({"game": {"ema_decay": "x"}}, "config.json.*ema_decay"),
        ({"features": 8.5}, "config.json.*features"),
        ({"features": "8"}, "config.json.*features"),
        ({"features": True}, "config.json.*features"),
    ],
)
def test_settings_of_another_kind_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        config.from_dict(dcgan.Config, {**config.to_dict(dcgan.MNIST), **change}, "config.json")


def test_differences_are_named_with_both_values():
    first = dcgan.Config(features=8, game=Adversarial(loss="minimax"))
    assert config.differences(config.to_dict(first), config.to_dict(dcgan.MNIST)) == [
        "features (8, not 64)",
        "game.loss ('minimax', not 'non_saturating')",
    ]


def test_an_unknown_model_is_named_with_the_known_ones():
    with pytest.raises(InputError, match=r"model is 'dcgn'; it must be one of .*cnn.*did you mean dcgan\?"):
        zoo.get("dcgn")


def test_a_new_run_takes_the_first_free_folder(tmp_path):
    assert run_folder.next_free("dcgan", tmp_path / "runs").name == "dcgan-1"
    run_folder.create(tmp_path / "runs" / "dcgan-1", {})
    assert run_folder.next_free("dcgan", tmp_path / "runs").name == "dcgan-2"


def test_a_run_is_opened_as_it_was_made(tmp_path):
    run_folder.create(tmp_path / "deep" / "run", {"model": "dcgan"})
    folder = run_folder.open_run(tmp_path / "deep" / "run")
    assert folder.read_config() == {"model": "dcgan"}
    folder.append_metrics({"step": 1})
    folder.append_metrics({"step": 2})
    with folder.metrics_file.open("ab") as file:
        file.write(b'\0\xff garbage\n[1]\n{"step": 3}\n{"step": 4, "los')
    assert folder.read_metrics() == [{"step": 1}, {"step": 2}, {"step": 3}]
    folder.write_metrics([{"step": 2}])
    assert folder.read_metrics() == [{"step": 2}]


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path):
    run_folder.create(tmp_path / "run", {})
    with pytest.raises(InputError, match="holds another run"):
        run_folder.create(tmp_path / "run", {})
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        run_folder.create(other, {})
    with pytest.raises(InputError, match="is a file"):
        run_folder.create(other / "thesis.txt", {})
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]


def test_an_unwritable_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "locked").mkdir(mode=0o500)
    locked = Path("/proc") if os.geteuid() == 0 else tmp_path / "locked"  # root may write anywhere else
    for parent in (tmp_path / "file", locked):
        with pytest.raises(InputError, match=r"cannot be (written|used|made)"):
            run_folder.create(parent / "run", {})


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        run_folder.open_run(tmp_path / "none")
    with pytest.raises(InputError, match="is no run"):
        run_folder.open_run(tmp_path)
    for text in ("{", "[]", "3"):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(InputError, match="cannot be read as a run"):
            run_folder.open_run(tmp_path).read_config()
    for text in (
        "{}",
        '{"model": 5, "steps": 1, "settings": {}}',
        '{"model": "cnn", "steps": "six", "settings": {}}',
    ):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(InputError, match="does not name its model, settings and steps"):
            runs.open_run(tmp_path)
