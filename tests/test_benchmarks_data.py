"""The benchmark of data sources: what it makes, times and refuses."""

import itertools

import numpy as np
import pytest

from benchmarks import commands, data, records

KINDS = ["digits", "idx", "folder", "npz"]


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(data, "COUNT", 40)


def measure(sources, batch_size=4, said=None):
    said = [] if said is None else said
    return data.measure_sources(sources, batch_size=batch_size, seconds=0.01, say=said.append)


def test_the_made_sources_hold_the_same_images(tmp_path):
    made = data.make_sources(tmp_path)
    sets = [
        data.data.load(spec, image_size=(data.SIDE, data.SIDE), channels=1).read(np.arange(data.COUNT))
        for spec in made.values()
    ]
    contents = [  # sorted, as a folder has an order of its own
        sorted(zip(map(bytes, found["image"]), map(int, found["label"]), strict=True)) for found in sets
    ]
    assert contents[0] == contents[1] == contents[2]
    assert np.bincount(sets[0]["label"]).tolist() == [data.COUNT // data.CLASSES] * data.CLASSES


def test_every_source_is_measured_as_it_is_and_with_augmentation():
    said = []
    rows = measure(data.load_sources([], image_size=28, channels=1), said=said)
    assert [row.case.work for row in rows] == [kind for kind in KINDS for _ in range(2)]
    assert [bool(row.case.options.get("augment")) for row in rows] == [False, True] * len(KINDS)
    assert len(said) == len(rows)
    for row in rows:
        assert row.status == "ok"
        assert row.images == row.case.batch_size == 4
        assert len(row.samples) == 1
        assert data.FEWEST <= len(row.samples[0]) <= data.MOST
        assert row.figures["load_images_per_second"] > 0


def test_other_shapes_are_told_apart():
    rows = measure(data.load_sources([], image_size=32, channels=3)[:1])
    assert [row.case.options["image"] for row in rows] == ["32x32x3"] * 2


def test_a_batch_larger_than_a_source_is_a_row_and_the_run_goes_on():
    rows = measure(data.load_sources([], image_size=28, channels=1), batch_size=50)
    assert [row.status for row in rows] == ["ok"] * 2 + ["skipped"] * 6
    assert "at most 40, the number of images in" in rows[-1].message


def test_named_sources_are_added_once(tmp_path):
    np.savez(tmp_path / "my.npz", images=np.zeros((30, 8, 8), np.uint8))
    spec = f"npz:{tmp_path / 'my.npz'}"
    sources = data.load_sources([spec, "digits", spec], image_size=28, channels=1)
    assert [source.name for source in sources] == [*KINDS, spec]


def test_the_time_is_that_of_each_batch_after_those_read_ahead(monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(data.time, "perf_counter", lambda: float(next(clock)))
    calls = []
    samples = data.time_batches(lambda: calls.append(0), 1e9)
    assert samples == [1.0] * data.MOST
    assert len(calls) == data.MOST + data.READ_AHEAD + 1
    assert len(data.time_batches(lambda: None, 1e-9)) == data.FEWEST


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("--seconds", "0", "seconds is 0.0; it must be a finite number > 0"),
        ("--seconds", "nan", "seconds is nan"),
        ("--batch-size", "0", "batch_size is 0; it must be >= 1"),
        ("--image-size", "0", "image_size is (0, 0)"),
        ("--channels", "2", "channels is 2; it must be 1 or 3"),
        ("--data", "mnist", "data is 'mnist'; it must be one of digits"),
        ("--data", "npz:/nowhere.npz", "npz:/nowhere.npz cannot be read"),
    ],
)
def test_what_cannot_be_measured_is_refused(capsys, flag, value, words):
    assert commands.main(["data", flag, value]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_the_command_writes_a_report(tmp_path, capsys):
    out = tmp_path / "data.json"
    assert commands.main(["data", "--seconds", "0.01", "--batch-size", "4", "--out", str(out)]) == 0
    found = records.read(out)
    assert found.command[:2] == ["data", "--seconds"]
    assert len(found.rows) == 2 * len(KINDS)
    assert f"the results are in {out}" in capsys.readouterr().out
