"""Comparisons and pages of benchmark reports: what they conclude, show and refuse."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import benchmarks
from benchmarks import change, commands, compare, grouping, peers, records, report
from benchmarks.plots import style
from benchmarks.records import Case, Machine, Memory, Phases, Report, Roof, Row

HERE = Machine(
    platform="cpu",
    device_kind="cpu",
    device_count=1,
    process_count=1,
    processor="A Processor",
    cores=2,
    memory=2**34,
    system="Linux",
    python="3.12.3",
    versions={"jax": "0.12.0", "flax": "0.12.1"},
    flags="--xla_a=true --xla_b=",
    commit="0123456789abcdef+",
    roof=Roof(flops_per_second=2e11, flops_source="measured", bytes_per_second=1e10, bytes_source="measured"),
)


def samples(seconds, *, spread=0.01, processes=3, count=20, seed=0):
    noise = np.random.default_rng(seed).normal(0, spread, (processes, count))
    return (seconds * np.exp(noise)).tolist()


def row(seconds=0.2, *, suite="step", contender="jaxgan", work="dcgan", batch_size=128, **fields):
    names = {field.name for field in dataclasses.fields(Case)} & set(fields)
    case = Case(
        suite=suite,
        contender=contender,
        work=work,
        batch_size=batch_size,
        **{name: fields.pop(name) for name in names},
    )
    if seconds is not None:
        fields.setdefault("samples", samples(seconds))
    return Row(case=case, **fields)


def write(path, *rows, machine=HERE):
    made = Report(
        command=["step", "dcgan"], created="2026-01-02T03:04:05+00:00", machine=machine, rows=list(rows)
    )
    records.write(made, path)
    return str(path)


# -- compare --


@pytest.fixture
def pair(tmp_path):
    def make(before, after, **machine):
        first = write(tmp_path / "A.json", *before)
        return first, write(tmp_path / "B.json", *after, machine=dataclasses.replace(HERE, **machine))

    return make


@pytest.mark.parametrize(
    ("text", "share"), [("5%", 0.05), ("0.05", 0.05), ("0", 0), ("12.5 %", 0.125), ("300%", 3)]
)
def test_a_threshold_is_a_percentage_or_a_share(text, share):
    assert compare.parse_threshold(text) == pytest.approx(share)


@pytest.mark.parametrize(
    "text", ["", "%", "five", "-1%", "-0.1", "5", "1", "nan", "inf%", "0.05%%", "5% "[:-1] + "x"]
)
def test_other_thresholds_are_refused(pair, capsys, text):
    assert commands.main(["compare", *pair([row()], [row()]), f"--threshold={text}"]) == 2
    error = capsys.readouterr().err
    assert "threshold is" in error
    assert "a percentage, such as 5%" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("factor", "threshold", "verdict", "status"),
    [
        (1.0, "5%", "no difference", 0),
        (1.03, "5%", "slower", 0),
        (1.03, "0.01", "slower past 1 %", 1),
        (2.0, "5%", "slower past 5 %", 1),
        (2.0, "150%", "slower", 0),
        (0.5, "5%", "faster", 0),
    ],
)
def test_the_verdict_and_the_status(pair, capsys, factor, threshold, verdict, status):
    reports = pair([row(0.2)], [row(samples=samples(0.2 * factor, seed=1))])
    assert commands.main(["compare", *reports, "--threshold", threshold]) == status
    output = " ".join(re.sub("[^\x00-\x7f]", " ", capsys.readouterr().out).split())
    assert verdict in output
    assert f"{int(status)} slower by more than" in output


def test_a_slower_median_within_a_wide_interval_does_not_fail(pair):
    reports = pair([row(samples=samples(0.2, spread=0.5))], [row(samples=samples(0.22, spread=0.5, seed=3))])
    before, after = (records.read(Path(path)) for path in reports)
    [found] = compare.compare(before, after, reports).changes
    assert found.low < 1.05 < found.high
    assert commands.main(["compare", *reports]) == 0


def test_the_interval_grows_with_the_differences_between_processes():
    apart = [[0.1 * factor * step for step in samples(1)[0]] for factor in (1, 1.2, 1.4)]
    mixed = np.random.default_rng(0).permutation(np.ravel(apart)).reshape(3, -1).tolist()
    wide, narrow = (change.measure_change(row(samples=one), row(samples=one)) for one in (apart, mixed))
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    assert wide.low < wide.ratio == 1 < wide.high


def test_one_process_gives_the_interval_of_scipy():
    from scipy.stats import bootstrap

    values = samples(0.2, spread=0.2, processes=1, count=41)
    found = np.quantile(change.bootstrap_medians(values, np.random.default_rng(0)), [0.025, 0.975])
    reference = bootstrap((values[0],), np.median, method="percentile", rng=np.random.default_rng(1))
    np.testing.assert_allclose(found, reference.confidence_interval, rtol=0.01)


@pytest.mark.parametrize("chunk", [1, 100, 10**6])
def test_the_interval_scales_and_is_the_same_every_time(monkeypatch, chunk):
    monkeypatch.setattr(change, "CHUNK", chunk)
    before, after = samples(0.2), [*samples(0.2, seed=1)[:2], [0.3]]  # a process that was cut short
    first, again, thrice = (
        change.measure_change(row(samples=before), row(samples=[[k * s for s in one] for one in after]))
        for k in (1, 1, 3)
    )
    assert (first.low, first.ratio, first.high) == (again.low, again.ratio, again.high)
    np.testing.assert_allclose(
        [thrice.low, thrice.ratio, thrice.high], 3 * np.array([first.low, first.ratio, first.high])
    )


def test_what_cannot_be_compared_is_listed(pair, capsys):
    failed = row(None, work="cnn", status="error", message="it\n[bold]broke")
    reports = pair(
        [row(), row(work="cnn"), row(batch_size=8), row(work="few", samples=[[0.1] * 4])],
        [row(), failed, row(contender="flax"), row(work="few")],
    )
    assert commands.main(["compare", *reports]) == 0
    output = capsys.readouterr().out
    assert "cnn batch 128 float32 jit x1 jaxgan: error in B: it [bold]broke" in output
    assert "few batch 128 float32 jit x1 jaxgan: 4 samples in A and 60 in B; each needs 5" in output
    assert f"only in A, {reports[0]}:\n  dcgan batch 8 float32" in output
    assert f"only in B, {reports[1]}:\n  dcgan batch 128 float32 jit x1 flax" in output
    assert "cases compared: 1, " in output


def test_nothing_to_compare_is_an_error(pair, capsys):
    assert commands.main(["compare", *pair([row()], [row(work="cnn")])]) == 2
    assert "have no case in common that can be compared" in capsys.readouterr().err


def test_a_case_that_is_there_twice_is_refused(pair, capsys):
    assert commands.main(["compare", *pair([row()], [row(), row(0.3)])]) == 2
    assert "B.json holds the case 'dcgan batch 128 float32 jit x1 jaxgan' twice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"), [("platform", "gpu"), ("device_kind", "H100"), ("device_count", 8), ("cores", 64)]
)
def test_other_devices_are_refused_unless_asked_for(pair, capsys, name, value):
    reports = pair([row()], [row()], **{name: value})
    assert commands.main(["compare", *reports]) == 2
    error = capsys.readouterr().err
    assert f"{name} ({value!r}, not {getattr(HERE, name)!r})" in error
    assert "--across-devices" in error
    assert commands.main(["compare", *reports, "--across-devices"]) == 0


def test_other_versions_are_compared_and_told(pair, capsys):
    assert commands.main(["compare", *pair([row()], [row()], versions={"jax": "9"}, commit="b")]) == 0
    assert "versions.jax ('9', not '0.12.0')" in capsys.readouterr().out


# -- report --


def trained_as(variant, seed):
    return {"variant": variant, "seed": seed, "data": "digits"}


def suites():
    start = {"phases": Phases(load=1.5, compile=3.0, first=0.2), "memory": Memory(temporaries=3 * 10**8)}
    peers = {"flax": 0.74, "jaxgan": 0.2, "torch": 0.38}
    scaling = [
        row(
            0.02,
            suite="scaling",
            parallel="shard_map",
            devices=count,
            batch_size=64 * count,
            options={"scaling": kind},
            figures={"efficiency": 1 / count},
        )
        for kind in ("weak", "strong")
        for count in (1, 2, 4)
    ]
    fids = {("baseline", 0): 40.0, ("baseline", 1): 50.0, ("ema", 0): 20.0, ("ema", 1): 24.0}
    figures = {"flops_per_chip": 34.4e9, "argument_bytes": 26e6, "seconds": 8.4e-4, "collectives": 14.0}
    return {
        "step": [row(flops=3.8e10, images=128, **start)],
        "peers": [row(s, suite="peers", contender=c, versions={c: "1.2"}) for c, s in peers.items()]
        + [
            row(None, suite="peers", contender="keras_jax", status="skipped", message="no keras"),
            row(None, suite="peers", contender="torch_compile", status="error", message="a | <b>\n" * 99),
        ],
        "ops": [
            row(s, suite="ops", contender=c, work="conv 7x7: image", flops=1e9, figures={"bytes": 1e8})
            for c, s in {"lax": 0.03, "sub-pixel": 0.01}.items()
        ],
        "quality": [
            row(suite="quality", options=trained_as(*name), figures={"fid_digits_cnn": fid})
            for name, fid in fids.items()
        ],
        "scaling": scaling,
        "estimate": [row(None, suite="estimate", options={"topology": "v5e:2x4"}, figures=figures)],
    }


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "in"
    for name, rows in suites().items():
        write(place / f"{name}.json", *rows)
    return place


def lines_of(page, heading):
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")]


def test_a_page_with_its_plots(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert commands.main(["report", str(folder), "--out", str(out)]) == 0
    names = {path.name for path in out.iterdir()}
    bars = {f"{suite}-bars.png" for suite in ("step", "peers", "ops")}
    plots = bars | {"ops-roofline.png", "scaling-scaling.png", "quality-scores.png"}
    assert names == plots | {"report.md"}
    page = (out / "report.md").read_text()
    for name in plots:
        assert f"]({name})" in page
        with Image.open(out / name) as picture:
            assert min(picture.size) > 200
            assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 50
    for words in ("A Processor, 2 cores", "flax 0.12.1, jax 0.12.0", "--xla_a=true", "0123456789+"):
        assert words in page
    assert "200 GFLOP/s (measured)" in page
    assert f"{out / 'report.md'}" in capsys.readouterr().out.replace("\n", "")


def test_the_tables_hold_every_row_fastest_first(folder, tmp_path):
    report.write_page(report.read_folder(folder), tmp_path)
    page = (tmp_path / "report.md").read_text()
    peers = lines_of(page, "Peers")
    assert [line.split(" | ")[1] for line in peers[2:]] == ["**jaxgan**", "torch", "flax"]
    ratios = [float(line.rstrip(" |").rsplit(" | ", 1)[1]) for line in peers[2:]]
    assert ratios == pytest.approx([1.0, 0.38 / 0.2, 0.74 / 0.2], rel=0.02)
    assert "keras_jax: skipped: no keras" in page
    assert "torch_compile: error: a \\| &lt;b> a" in page
    assert lines_of(page, "Ops")[3].split(" | ")[1] == "lax"
    assert "| 26.0 MB | 840 µs | 14 |" in lines_of(page, "Estimates by the compiler")[2]
    assert [line.rsplit(" | ", 1)[1] for line in lines_of(page, "Scaling")[2:]] == [
        "100.0 % |", "50.0 % |", "25.0 % |"
    ] * 2  # fmt: skip
    step = lines_of(page, "Core steps")
    assert re.search(r"\| 200 \| 19\d-20\d \| 6\d\d \| 19\d \| 9\d\.\d % \|", step[2])
    assert "1.50" in step[-1]
    assert "300 MB" in step[-1]


def test_each_table_is_whole_whatever_the_words(tmp_path):
    nasty = ["a|b", "$x_1$ and $", "<script>", "line\nbreak", "[red]", "x" * 300, "ünï ✓", "../../up"]
    rows = [row(0.1 + k, suite="a/../b", contender=c, work=w) for w in nasty for k, c in enumerate(nasty)]
    out = tmp_path / "out"
    made = Report(command=["x|y"], created="now", machine=HERE, rows=rows)
    assert {path.parent for path in report.write_page({"a b.json": made}, out)} == {out}
    page = (out / "report.md").read_text()
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(counts) == 1
    assert "<script>" not in page
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_same_files_give_the_same_page_byte_for_byte(folder, tmp_path):
    for name in ("first", "second"):
        report.write_page(report.read_folder(folder), tmp_path / name)
    contents = [
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("first", "second")
    ]
    assert contents[0] == contents[1]


def test_the_page_stands_beside_the_files_by_default(folder):
    assert commands.main(["report", str(folder)]) == 0
    first = (folder / "report.md").read_bytes()
    assert commands.main(["report", str(folder)]) == 0  # its own plots and page are no reports
    assert (folder / "report.md").read_bytes() == first


def test_two_reports_of_a_suite_and_two_machines_stay_apart(tmp_path):
    other = dataclasses.replace(HERE, python="3.11.9")
    reports = {
        "new.json": Report(command=["step"], created="now", machine=HERE, rows=[row(0.2)]),
        "old.json": Report(command=["step"], created="then", machine=other, rows=[row(0.3)]),
    }
    written = report.write_page(reports, tmp_path)
    assert {path.name for path in written} == {"report.md", "step-bars-new.png", "step-bars-old.png"}
    page = written[0].read_text()
    assert page.count("### A Processor, 2 cores") == 2
    assert [line.split(" | ")[1] for line in lines_of(page, "Core steps")[2:]] == ["new.json", "old.json"]


def test_scores_are_drawn_with_the_best_first(monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(style, "save", lambda made, _: drawn.append(made))
    rows = [
        row(suite="stacked", options=trained_as(name, seed), figures={"modes_digits_cnn": modes})
        for name, seed, modes in (("few", 0, 100), ("few", 1, 200), ("many", 0, 900), ("many", 1, 940))
    ]
    failed = row(None, suite="stacked", options=trained_as("none", 0), status="error", message="it broke")
    found = Report(command=[], created="now", machine=HERE, rows=[*rows, failed])
    report.write_page({"a.json": found}, tmp_path)
    (axes,) = drawn[0].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["many", "few"]
    assert [bar.get_width() for bar in axes.patches] == [920, 150]
    assert [list(line.get_xdata()) for line in axes.lines] == [[900, 940], [100, 200]]
    assert [text.get_text() for text in axes.texts] == ["920", "150"]


def test_a_plot_needs_something_to_draw(tmp_path):
    bare = dataclasses.replace(HERE, roof=Roof())
    rows = {
        "ops": [row(suite="ops", flops=1e9, figures={"bytes": 1e8})],  # without roofs
        "scaling": [row(suite="scaling", figures={"efficiency": 1.0})],  # on one device
        "step": [row(None, status="out_of_memory", message="too large")],
        "quality": [row(suite="quality", options=trained_as("ema", 0))],  # not judged
    }
    reports = {
        f"{name}.json": Report(command=[name], created="now", machine=bare, rows=found)
        for name, found in rows.items()
    }
    assert {path.name for path in report.write_page(reports, tmp_path)} == {"report.md", "ops-bars.png"}
    assert "out of memory: too large" in (tmp_path / "report.md").read_text()


def test_rows_are_compared_only_within_their_report():
    entries = [
        grouping.Entry(source=source, machine=HERE, row=row(contender=contender))
        for source in ("a.json", "b.json")
        for contender in ("jaxgan", "flax")
    ]
    assert [len(group) for group in grouping.by_case(entries)] == [2, 2]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.write_text("{"), "is not JSON"),
        (lambda path: path.write_text('{"schema": "other/9"}'), "has schema 'other/9'"),
        (lambda path: path.write_text(path.read_text().replace('"ok"', '"fine"')), "status is 'fine'"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
    ],
)
@pytest.mark.parametrize("name", ["compare", "report"])
def test_a_file_that_is_no_report_is_named_in_one_error(folder, capsys, name, damage, words):
    damage(folder / "ops.json")
    places = [str(folder)] if name == "report" else [str(folder / "peers.json"), str(folder / "ops.json")]
    assert commands.main([name, *places]) == 2
    error = capsys.readouterr().err
    assert str(folder / "ops.json") in error
    assert words in error
    assert error.count("\n") == 1
    assert not list(folder.glob("*.png"))


def test_a_folder_without_reports_is_refused(tmp_path, capsys):
    for place, words in ((tmp_path, "holds no JSON files"), (tmp_path / "none", "is not a folder")):
        assert commands.main(["report", str(place)]) == 2
        assert words in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_refused(folder, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert commands.main(["report", str(folder), "--out", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_report_is_read_back_as_it_was_written(folder):
    found = records.read(folder / "peers.json")
    assert found.rows == suites()["peers"]
    assert json.loads((folder / "peers.json").read_text())["rows"][0]["summary"]["median"] > 0


def cells(path):
    """The rows of the tables of a page, each as its cells."""
    lines = path.read_text("utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_the_figures_of_the_readme_are_those_of_the_report():
    root = Path(benchmarks.__file__).parents[1]
    shown = [row for row in cells(root / "README.md") if row[0] in peers.WORKS]
    assert {row[0] for row in shown} == set(peers.WORKS)
    measured = [row for row in cells(root / "benchmarks" / "results" / "report.md") if row[0] in peers.WORKS]
    for row in shown:
        assert any(set(row) <= set(found) for found in measured), row
    assert len(shown) == sum(len(work.peers) + 1 for work in peers.WORKS.values())
