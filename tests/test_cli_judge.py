"""`jaxgan judge` as its users see it: what it refuses, what it leaves, and its pages in a browser."""

import asyncio
import base64
import contextlib
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest
from PIL import Image

from jaxgan import data, pictures, runs
from jaxgan.app import pages, server
from jaxgan.cli import main

pytestmark = pytest.mark.xdist_group("judge")

TINY = [
    "--model.features",
    "2",
    "--model.image-size",
    "8",
    "8",
    "--model.latent-size",
    "4",
    "--batch-size",
    "8",
]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PAIRS = """
import sys
from pathlib import Path
import numpy as np
from jaxgan.app import images, judging, pages, server

two, exposure, folder = sys.argv[1] == "two", float(sys.argv[2]) or None, Path(sys.argv[3])
question = judging.TWO if two else judging.ONE
runs = [{"run": "a-run-with-a-rather-long-name-%d" % n, "model": "dcgan", "step": 3} for n in range(2)]
trials = judging.side_by_side(3, seed=0) if two else judging.one_by_one(3, held=9, seed=0)
protocol = {"question": question, "exposure": exposure, "judge": "anna", "data": "digits", "runs": runs}
sizes = {"data": 28, "a": 28, "b": 64}
black = {name: np.zeros((size, size, 1), "u1") for name, size in sizes.items()}
desk = pages.Desk(
    session=judging.make_session(protocol, trials),
    pictures=lambda number: images.shown([black[picture.source] for picture in trials[number - 1].pictures]),
    votes=folder / "votes.jsonl",
)
with server.listen("127.0.0.1", 0) as taken:
    print("judge at", server.url("127.0.0.1", taken), flush=True)
    server.serve(pages.make_app(desk, "127.0.0.1"), taken)
"""
"""A server of made-up images: it starts faster than one that trains and draws."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "gan"
    assert main(["train", "dcgan", *TINY, "--steps", "3", "--out", str(path)]) == 0
    return path


@pytest.fixture
def run(trained, tmp_path, monkeypatch):
    """A copy of the run, in the folder where the test is."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, tmp_path / "gan")
    return tmp_path / "gan"


def rewrite(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    for name, value in changes.items():
        (config if name == "model" else config["settings"])[name] = value
    (folder / "config.json").write_text(json.dumps(config))


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["gan", "nowhere"], "nowhere does not exist"),
        (["cnn"], "cnn is a run of cnn, which draws no images"),
        (["gan", "cnn"], "cnn is a run of cnn, which draws no images"),
        (["gan", "others"], "others is a run on npz:others.npz; it must be one on digits, as gan is"),
        (["empty"], "there is no checkpoint in empty/checkpoints"),
        (["gan", "--images", "1"], "--images is 1; it must be in [2, 10000]"),
        (["gan", "--images", "900"], "images is 900; it must be in [2, 719]"),
        (["gan", "--exposure", "0"], "--exposure is 0.0; it must be > 0 and finite"),
        (["gan", "--exposure", "nan"], "--exposure is nan; it must be > 0 and finite"),
        (["gan", "--exposure", "inf"], "--exposure is inf; it must be > 0 and finite"),
        (["gan", "--split", "validation"], "--split"),
        (["gan", "--seed", "-1"], "--seed is -1; it must be in [0, 2**32)"),
        (["gan", "--judge", " "], "--judge is ' '; it must be a name"),
        (["gan", "--port", "65536"], "--port is 65536; it must be in [0, 65536)"),
        (["gan", "--port", "-1"], "--port is -1"),
        (["gan", "--host", "0.0.0.0"], "--host is '0.0.0.0'; it must be one address or name of this machine"),
        (["gan", "--votes", "gan"], "--votes gan is a folder or a device; it must be a file"),
        (["gan", "--votes", "gan/metrics.jsonl"], "--votes gan/metrics.jsonl is no file of votes"),
        (
            ["gan", "--images", "12", "--votes", "none/votes.jsonl"],
            "--votes none/votes.jsonl cannot be written",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_error_and_nothing_is_written(run, tmp_path, capsys, arguments, words):
    for name in ("cnn", "others", "empty"):
        (tmp_path / name).mkdir()
        shutil.copy(run / "config.json", tmp_path / name)
    rewrite(tmp_path / "others", data="npz:others.npz")
    cnn = runs.config.to_dict(
        runs.settings_type(runs.zoo.get("cnn"))(batch_size=8, model=runs.zoo.get("cnn").config())
    )
    (tmp_path / "cnn" / "config.json").write_text(json.dumps({"model": "cnn", "steps": 1, "settings": cnn}))
    before = snapshot(tmp_path)
    port = [] if "--port" in arguments else ["--port", "0"]
    try:
        status = main(["judge", *arguments, *port])
    except SystemExit as stop:  # from the parser of options
        status = stop.code
    error = capsys.readouterr().err
    assert status == 2
    assert words in " ".join(error.replace("│", " ").split())
    assert "Traceback" not in error
    assert snapshot(tmp_path) == before


def test_a_port_in_use_is_named(run, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["judge", str(run), "--port", str(port)]) == 2
    assert f"--port {port} of 127.0.0.1 is in use" in capsys.readouterr().err


def judge(monkeypatch, arguments, answer, most=1000):
    """Runs the command without a browser: ``answer(number, page)`` gives each answer, ``most`` at most."""

    async def person(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", follow_redirects=True
        ) as client:
            page = await client.get("/trial/1")
            for _ in range(most):
                found = re.search(r'action="(/trial/(\d+))"', page.text)
                if found is None:
                    break
                name = re.search(r'name="session" value="(\w+)"', page.text)[1]
                form = {"session": name, "answer": answer(int(found[2]), page.text)}
                page = await client.post(found[1], data=form)
            return page.text

    seen = []
    monkeypatch.setattr(server, "serve", lambda app, _: seen.append(asyncio.run(person(app))))
    return main(["judge", *arguments, "--port", "0"]), seen[0]


def pixels(page):
    found = re.findall(r"data:image/png;base64,([^\"]*)", page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in found]


def votes_of(run):
    return [json.loads(line) for line in (run / "votes.jsonl").read_text().splitlines()]


def test_real_images_are_those_of_the_data_and_generated_ones_those_of_the_run(run, monkeypatch, capsys):
    """A person who knows all test images by heart is never wrong; the others look as the run's samples do."""
    test = data.load("digits", "test", image_size=(8, 8), channels=1)
    known = {image.tobytes() for image in test.read(np.arange(len(test)))["image"]}
    seen = []

    def answer(_, page):
        seen.append(pixels(page)[0])
        return "real" if seen[-1].tobytes() in known else "fake"

    status, page = judge(monkeypatch, [str(run), "--images", "12", "--seed", "4"], answer)
    assert status == 0
    assert "Error rate: 0.0%" in page
    assert "error rate        0.0% (95% interval 0.0% to 24.2%; 0 of 12)" in capsys.readouterr().out
    assert [vote["answer"] for vote in votes_of(run)] == [vote["truth"] for vote in votes_of(run)]
    assert main(["sample", str(run), "--seeds", "0-63", "--out", "drawn.npy"]) == 0
    drawn = pictures.to_uint8(np.load("drawn.npy"), (-1, 1))
    fakes = np.array([s for s, vote in zip(seen, votes_of(run), strict=True) if vote["truth"] == "fake"])
    assert abs(fakes.mean() - drawn.mean()) < 5 * drawn.mean((1, 2, 3)).std() / 6**0.5 + 1


def test_a_session_goes_on_where_it_stopped_and_its_result_is_kept_once(run, monkeypatch, capsys):
    arguments = [str(run), "--images", "12", "--judge", "Anna"]
    status, _ = judge(monkeypatch, arguments, lambda *_: "real", most=4)
    assert status == 130
    assert "4 of 12 votes are in" in capsys.readouterr().out
    assert not (run / "scores.jsonl").exists()
    numbers = []
    status, page = judge(monkeypatch, arguments, lambda number, _: numbers.append(number) or "real")
    assert (status, numbers) == (0, list(range(5, 13)))
    assert "Error rate: 50.0%" in page
    once = (run / "scores.jsonl").read_bytes()
    status, page = judge(monkeypatch, arguments, None)
    assert status == 0
    assert "Error rate: 50.0%" in page
    assert (run / "scores.jsonl").read_bytes() == once
    line = json.loads(once)
    assert line["step"] == 3
    assert line["scores"]["human_error_rate"] == 0.5
    assert line["scores"]["human_error_rate_real"] == 0
    assert line["scores"]["human_error_rate_low"] < 0.5 < line["scores"]["human_error_rate_high"]
    assert line["protocol"]["judge"] == "Anna"
    (run / "scores.jsonl").write_bytes(once[:40])  # killed between the last vote and the end of its line
    assert judge(monkeypatch, arguments, None)[0] == 0
    assert len(runs.open_run(run).folder.read_scores()) == 1
    assert [vote["trial"] for vote in votes_of(run)] == list(range(1, 13))


def test_several_people_judge_one_run(run, monkeypatch):
    for name, answer in (("Anna", "real"), ("Ben", "fake")):
        assert (
            judge(monkeypatch, [str(run), "--images", "12", "--judge", name], lambda *_, a=answer: a)[0] == 0
        )
    found = [(vote["judge"], vote["answer"]) for vote in votes_of(run)]
    assert found == [*[("Anna", "real")] * 12, *[("Ben", "fake")] * 12]
    assert [line["protocol"]["judge"] for line in runs.open_run(run).folder.read_scores()] == ["Anna", "Ben"]


def test_two_runs_are_compared(run, tmp_path, monkeypatch, capsys):
    """A person who prefers brightness finds the run that draws the brighter images, wherever they stand."""
    shutil.copytree(run, tmp_path / "other")
    rewrite(tmp_path / "other", seed=1)
    bright = lambda _, page: ("left", "right")[int(np.argmax([image.sum() for image in pixels(page)]))]  # noqa: E731
    status, page = judge(monkeypatch, [str(run), str(tmp_path / "other"), "--images", "6"], bright)
    assert status == 0
    wins = sum(vote["answer"] == vote["truth"] for vote in votes_of(run))
    assert f"Win rate of gan: {wins / 6:.1%}" in page
    assert f"{wins} of 6" in capsys.readouterr().out
    (line,) = runs.open_run(run).folder.read_scores()
    assert line["scores"]["human_win_rate"] == wins / 6
    assert [found["run"] for found in line["protocol"]["runs"]] == ["gan", "other"]
    assert {vote["truth"] for vote in votes_of(run)} == {"left", "right"}


@contextlib.contextmanager
def started(*command):
    """Starts a server; gives the process and its address when it listens."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
    try:
        line = next((line for line in process.stdout if line.startswith("judge at")), None)
        assert line is not None, "the program ended"
        yield process, line.split()[2]
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if BROWSER is None:
        pytest.skip("there is no Chromium or Chrome")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser):
    with contextlib.closing(browser.new_context(viewport={"width": 1000, "height": 800})) as context:
        yield context.new_page()


def choice(number):
    """What the scripted person answers: nothing that a lost or doubled vote would leave as it is."""
    return "real" if number % 3 else "fake"


def press(page, number):
    """Answers with the keyboard alone: Tab to the answer, then Enter or the space bar."""
    page.wait_for_url(f"**/trial/{number}")
    for _ in range(("real", "fake").index(choice(number)) + 1):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter" if number % 2 else "Space")


def begin(page, home):
    page.goto(home)
    page.locator("button:focus").wait_for()  # the one to start, or to go on
    page.keyboard.press("Enter")


def test_forty_images_are_judged_by_keyboard_and_a_killed_server_loses_no_vote(run, page):
    votes = run / "votes.jsonl"
    count = lambda: votes.read_bytes().count(b"\n") if votes.exists() else 0  # noqa: E731
    command = ["-m", "jaxgan.cli", "judge", str(run), "--port"]
    with started(*command, "0") as (process, home):
        port = home.rstrip("/").rpartition(":")[2]
        begin(page, home)
        for number in range(1, 16):
            press(page, number)
        page.wait_for_url("**/trial/16")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert count() == 15
    with started(*command, port) as (process, home):
        press(page, 16)  # on the page that the killed server gave out
        page.wait_for_url("**/trial/17")
        form = {"session": page.locator("[name=session]").input_value(), "answer": choice(16)}
        for _ in range(2):  # the vote is sent once more, and once more
            assert page.request.post(f"{home}trial/16", form=form).ok
        assert count() == 16
        for number in range(17, 25):
            press(page, number)
        page.wait_for_url("**/trial/25")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        while count() < 25:  # killed as soon as the vote is on the disk, before its answer is seen
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with started(*command, port) as (process, home):
        begin(page, home)
        page.wait_for_url("**/trial/26")
        assert page.request.post(f"{home}trial/25", form=form | {"answer": "fake"}).ok
        for number in range(26, 41):
            press(page, number)
        page.wait_for_url("**/result")
        assert "of 40 answers were wrong" in page.inner_text("main")
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "40 of 40 votes are in" in printed
    lines = votes_of(run)
    assert [line["trial"] for line in lines] == list(range(1, 41))
    assert [line["answer"] for line in lines] == [choice(n) for n in range(1, 41)]
    (scores,) = runs.open_run(run).folder.read_scores()
    wrong = sum(line["answer"] != line["truth"] for line in lines)
    assert scores["scores"]["human_error_rate"] == wrong / 40


def fits(page):
    """The page is no wider than its screen, and each button is large enough for a finger."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    boxes = [button.bounding_box() for button in page.get_by_role("button").all()]
    return wide == 0 and all(box["height"] >= 44 and box["width"] >= 44 for box in boxes)


@pytest.mark.parametrize("kind", ["one", "two"])
def test_everything_fits_on_a_phone(browser, tmp_path, kind):
    with (
        started("-c", PAIRS, kind, "0", str(tmp_path)) as (_, home),
        contextlib.closing(
            browser.new_context(viewport={"width": 375, "height": 667}, is_mobile=True, has_touch=True)
        ) as context,
    ):
        page = context.new_page()
        page.goto(home)
        assert fits(page)
        page.get_by_role("button", name="Start").tap()
        for number in range(1, 4):
            page.wait_for_url(f"**/trial/{number}")
            assert fits(page)
            boxes = [image.bounding_box() for image in page.locator("img").all()]
            assert len(boxes) == (2 if kind == "two" else 1)
            assert len({round(box["height"]) for box in boxes}) == 1
            assert all(box["width"] >= 160 and box["x"] + box["width"] <= 375 for box in boxes)
            buttons = page.get_by_role("button")
            assert buttons.last.bounding_box()["y"] + buttons.last.bounding_box()["height"] <= 667
            buttons.last.tap()
        page.wait_for_url("**/result")
        assert fits(page)
        assert page.locator("h1").inner_text()
        assert len((tmp_path / "votes.jsonl").read_text().splitlines()) == 3


def test_an_image_is_seen_for_its_time_and_never_again(page, tmp_path):
    """Sampled at every frame, from the first to long after."""
    with started("-c", PAIRS, "one", "0.3", str(tmp_path)) as (_, home):
        page.add_init_script(
            "window.seen = []; const look = now => { const image = document.querySelector('img');"
            "if (image) seen.push([now, getComputedStyle(image).visibility]);"
            "requestAnimationFrame(look) }; requestAnimationFrame(look)"
        )
        begin(page, home)
        page.wait_for_url("**/trial/1")
        page.wait_for_timeout(1000 * (pages.LEAD + 0.3) + 600)
        seen = page.evaluate("seen")
        times = [time for time, state in seen if state == "visible"]
        assert 100 <= times[-1] - times[0] <= 320
        assert (seen[0][1], seen[-1][1]) == ("hidden", "hidden")
        page.reload()
        assert page.locator("img").count() == 0
        assert "The time to look is over" in page.inner_text("main")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/trial/2")
        assert page.locator("img").count() == 1
