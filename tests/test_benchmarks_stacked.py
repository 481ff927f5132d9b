"""``benchmarks stacked``: how many steps it takes, and what it reports."""

import pytest

from benchmarks import commands, machine, process, records, stacked, trained
from benchmarks.records import Row


@pytest.fixture
def asked(monkeypatch, tmp_path, host):
    """Gives rows without training: a step takes 0.5 s when it is timed, and more in a training."""
    asked = []

    def do(task, *_, **__):
        asked.append(task)
        timed = stacked.TIMING in task.case.options
        scores = {} if timed else {"modes_stacked_digits_cnn": 950.0, "kl_stacked_digits_cnn": 0.25}
        return Row(
            case=task.case, samples=[[90.0]], figures={"step_seconds": 0.5 if timed else 0.75, **scores}
        )

    monkeypatch.setattr(trained, "do", do)
    monkeypatch.setattr(machine, "describe", lambda **_: host)
    (tmp_path / "table.toml").write_text(
        '[base]\ndcgan = "--model.channels 3"\n'
        '[variants]\nfirst = "dcgan"\nsecond = "dcgan --batch-size 64"\n'
    )
    return asked


def count(tmp_path, *arguments):
    out = tmp_path / "stacked.json"
    status = commands.main(
        ["stacked", "--table", str(tmp_path / "table.toml"), "--out", str(out), *arguments]
    )
    return status, records.read(out).rows


def test_steps_are_as_many_as_fit_into_the_minutes(asked, tmp_path, capsys):
    status, rows = count(tmp_path, "--minutes", "2")
    assert status == 0
    assert [row.case.options["steps"] for row in rows] == [60, 60, 240, 240]
    assert [row.case.batch_size for row in rows] == [16, 64, 16, 64]
    assert rows[2].case.options["step_seconds"] == 0.5
    assert "--data stacked:digits --steps 240 --seed 0" in asked[2].options["arguments"]
    line = next(line for line in capsys.readouterr().out.splitlines() if "│ second" in line)
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        "second", "0", "950", "0.250", "240", "64", "500", "750", "1.50",
    ]  # fmt: skip


def test_what_the_report_has_is_neither_timed_nor_trained_again(asked, tmp_path):
    count(tmp_path, "--minutes", "2", "--models", "first")
    asked.clear()
    count(tmp_path, "--minutes", "2", "--resume")
    assert [(task.case.options["variant"], task.case.options["steps"]) for task in asked] == [
        ("second", 60),
        ("second", 240),
    ]


def test_a_known_time_of_a_step_is_taken(asked, tmp_path):
    count(tmp_path, "--minutes", "1", "--models", "first", "--step-seconds", "first=0.1", "--seeds", "0,1")
    assert [task.case.options["steps"] for task in asked] == [600, 600]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "dcgam"], "variant is 'dcgam'; it must be one of dcgan, wgan_gp, sngan, r3gan"),
        (["--models", "dcgan", "--minutes", "0"], "minutes is 0.0; it must be > 0"),
        (["--models", "dcgan", "--data", "digits"], "data is 'digits'; it must be stacked:SPEC"),
        (["--models", "dcgan", "--step-seconds", "sngan=1"], "NAME=SECONDS with one of dcgan"),
        (["--models", "dcgan", "--step-seconds", "dcgan=x"], "NAME=SECONDS with one of dcgan"),
        (["--models", "dcgan", "--timed-steps", "3"], "timed_steps is 3; it must be >= 20"),
        (["--models", "dcgan", "--samples", "1"], "samples is 1"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(process, "run", None)
    assert commands.main(["stacked", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
