"""Human judging, from the plan to the pages, without a browser and without a model."""

import asyncio
import base64
import dataclasses
import errno
import io
import json
import re
import socket
import statistics
from collections import Counter

import httpx
import numpy as np
import pytest
from PIL import Image

from jaxgan.app import guard, images, judging, pages, server, votes
from jaxgan.validation import InputError

HOME = "http://127.0.0.1:8000"


def protocol(question=judging.ONE, exposure=None, judge="anna"):
    runs = [{"run": name, "model": "dcgan", "step": 3} for name in ("first", "second")]
    return {"question": question, "exposure": exposure, "judge": judge, "data": "digits", "runs": runs}


def session(count=6, **options):
    one = options.get("question", judging.ONE) == judging.ONE
    trials = judging.one_by_one(count, held=9, seed=3) if one else judging.side_by_side(count, seed=3)
    return judging.make_session(protocol(**options), trials)


@pytest.fixture
def desk(tmp_path):
    return make_desk(tmp_path, session())


def make_desk(folder, judged, **options):
    random = np.random.default_rng(0)
    found = images.fetch(
        judged.trials,
        dict.fromkeys(["data", "a", "b"], lambda n: random.integers(0, 256, (len(n), 8, 8, 1), np.uint8)),
    )
    return pages.Desk(
        session=judged,
        pictures=lambda number: images.shown([found[p] for p in judged.trials[number - 1].pictures]),
        votes=folder / "votes.jsonl",
        **options,
    )


def ask(desk, method, path, *, host="127.0.0.1", headers=None, **options):
    async def send():
        transport = httpx.ASGITransport(app=pages.make_app(desk, host))
        async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
            return await client.request(method, path, headers=headers, **options)

    return asyncio.run(send())


def vote(desk, number, answer, headers=None, session=None):
    form = {"session": session or desk.session.id, "answer": answer}
    return ask(desk, "POST", f"/trial/{number}", data=form, headers=headers)


def lines(desk):
    return [json.loads(line) for line in desk.votes.read_text().splitlines()] if desk.votes.exists() else []


@pytest.mark.parametrize("count", [2, 7, 40])
def test_half_of_the_images_are_real_and_none_is_shown_twice(count):
    trials = judging.one_by_one(count, held=40, seed=5)
    truths = Counter(trial.truth for trial in trials)
    assert truths == {"real": count // 2, "fake": count - count // 2}
    shown = [picture for trial in trials for picture in trial.pictures]
    assert len(set(shown)) == count
    assert all((trial.truth == "real") == (trial.pictures[0].source == "data") for trial in trials)
    assert all(0 <= picture.number < (40 if picture.source == "data" else 2**32) for picture in shown)


def test_a_seed_decides_the_images_and_another_one_decides_otherwise():
    first, again, other = (judging.one_by_one(30, held=100, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert [trial.truth for trial in first] != [trial.truth for trial in other]
    assert {trial.pictures for trial in first}.isdisjoint(
        trial.pictures for trial in other if trial.truth == "fake"
    )


def test_the_order_of_real_and_generated_images_is_random():
    """In each place a real image stands about as often as a generated one."""
    real = np.mean(
        [[t.truth == "real" for t in judging.one_by_one(10, held=10, seed=seed)] for seed in range(400)],
        axis=0,
    )
    assert np.all(np.abs(real - 0.5) < 5 * 0.5 / 400**0.5)


def test_the_first_run_is_on_either_side_by_chance():
    trials = judging.side_by_side(1000, seed=0)
    left = sum(trial.truth == "left" for trial in trials)
    assert abs(left - 500) < 5 * 0.5 * 1000**0.5
    for trial in trials:
        assert trial.pictures[("left", "right").index(trial.truth)].source == "a"
        assert sorted(picture.source for picture in trial.pictures) == ["a", "b"]
    assert len({picture for trial in trials for picture in trial.pictures}) == 2000


@pytest.mark.parametrize(("count", "held"), [(1, 9), (20, 9), (10_001, 10**6)])
def test_too_few_or_too_many_images_are_refused(count, held):
    with pytest.raises(InputError, match=f"images is {count}; it must be in"):
        judging.one_by_one(count, held=held, seed=0)


def test_everything_that_decides_a_session_gives_it_another_name():
    base = session()
    same = session()
    others = [session(judge="ben"), session(exposure=0.5), session(count=8), session(question=judging.TWO)]
    assert base.id == same.id
    assert len({base.id, *(other.id for other in others)}) == 5


@pytest.mark.parametrize(("hits", "total"), [(0, 1), (1, 1), (0, 20), (20, 20), (13, 40), (500, 1000)])
def test_the_interval_ends_where_the_share_lies_at_the_limit_of_what_is_likely(hits, total):
    """Wilson's definition: at either end p, |share - p| = z sqrt(p (1 - p) / n); here as a polynomial."""
    z2 = statistics.NormalDist().inv_cdf(0.975) ** 2
    share = hits / total
    ends = np.sort(np.roots([1 + z2 / total, -2 * share - z2 / total, share**2]).real)
    found = judging.rate(hits, total)
    np.testing.assert_allclose([found.low, found.high], ends, atol=1e-7)
    assert 0 <= found.low <= found.share <= found.high <= 1


def test_errors_are_counted_for_real_and_for_generated_images_apart():
    judged = session(count=8)
    answers = dict.fromkeys(range(1, 9), "real")
    found = judging.results(judged, answers)
    assert {name: (r.hits, r.total) for name, r in found.items()} == {
        "error_rate": (4, 8),
        "error_rate_real": (0, 4),
        "error_rate_fake": (4, 4),
    }
    assert judging.results(judged, {}) == {}


def test_a_run_wins_where_its_side_is_chosen():
    judged = session(count=50, question=judging.TWO)
    sides = [trial.truth for trial in judged.trials]
    answers = dict.fromkeys(range(1, 51), "left")
    assert judging.results(judged, answers)["win_rate"].hits == sides.count("left")


def test_only_the_first_vote_of_a_trial_counts_and_only_those_of_the_session(tmp_path):
    judged, path = session(), tmp_path / "votes.jsonl"
    for trial, answer, name in [
        (1, "real", judged.id),
        (1, "fake", judged.id),
        (2, "fake", "another"),
        (7, "real", judged.id),
        (0, "real", judged.id),
        (3, "left", judged.id),
        (4, "fake", judged.id),
    ]:
        votes.append(path, session=name, trial=trial, answer=answer)
    assert judging.counted(judged, votes.read(path)) == {1: "real", 4: "fake"}
    assert judging.next_trial(judged, judging.counted(judged, votes.read(path))) == 2


def test_a_vote_cut_short_anywhere_is_left_out_and_spoils_no_other(tmp_path):
    path = tmp_path / "votes.jsonl"
    votes.append(path, session="s", trial=1, answer="real", truth="fake")
    whole = path.read_bytes()
    for length in range(len(whole) - 1):
        path.write_bytes(whole + whole[:length])
        assert [line["trial"] for line in votes.read(path)] == [1]
        votes.append(path, session="s", trial=2, answer="real")
        assert [line["trial"] for line in votes.read(path)] == [1, 2]


@pytest.mark.parametrize("content", [b'{"step": 1}\n', b"PNG\r\n\x1a\n", b"[1, 2]\n", b'{"session": 1}\n'])
def test_another_file_is_no_file_of_votes(tmp_path, content):
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(InputError, match="is no file of votes: its line 1 is"):
        votes.read(tmp_path / "other")


def test_a_person_is_led_through_all_trials_to_the_result(desk):
    ended = []
    desk = dataclasses.replace(desk, finished=lambda: ended.append(len(lines(desk))))
    assert "Start" in ask(desk, "GET", "/").text
    assert ask(desk, "GET", "/result").headers["location"] == "/"
    for number in range(1, 7):
        assert f"Image {number} of 6" in ask(desk, "GET", f"/trial/{number}").text
        answer = vote(desk, number, "real")
        assert answer.status_code == 303
        assert answer.headers["location"] == (f"/trial/{number + 1}" if number < 6 else "/result")
        assert len(lines(desk)) == number
    assert ended == [6]
    page = ask(desk, "GET", "/result").text
    assert "Error rate: 50.0%" in page
    assert re.search(r"18\.8% to\s+81\.2%", page)
    assert ask(desk, "GET", "/").headers["location"] == "/result"
    assert ask(desk, "GET", "/trial/6").headers["location"] == "/result"
    for number, line in enumerate(lines(desk), start=1):
        assert (line["session"], line["trial"], line["answer"]) == (desk.session.id, number, "real")
        assert line["truth"] == desk.session.trials[number - 1].truth
        assert line["judge"] == "anna"
        assert line["taken"] >= 0


def test_two_runs_are_compared_in_pairs(tmp_path):
    desk = make_desk(tmp_path, session(count=4, question=judging.TWO))
    page = ask(desk, "GET", "/trial/1").text
    assert page.count("<img") == 2
    for number, trial in enumerate(desk.session.trials, start=1):
        vote(desk, number, trial.truth)
    assert "Win rate of first: 100.0%" in ask(desk, "GET", "/result").text


def test_the_same_vote_twice_counts_once_and_cannot_be_changed(desk):
    first = vote(desk, 1, "real")
    for answer in ("real", "fake"):
        again = vote(desk, 1, answer)
        assert (again.status_code, again.headers["location"]) == (303, first.headers["location"])
    assert [line["answer"] for line in lines(desk)] == ["real"]


@pytest.mark.parametrize(
    ("number", "answer", "status"),
    [
        (2, "real", 409),
        (6, "fake", 409),
        (7, "real", 404),
        (0, "real", 404),
        ("01", "real", 404),
        ("x", "real", 404),
        ("9" * 5000, "real", 404),
        (1, "left", 400),
        (1, "", 400),
    ],
)
def test_a_vote_on_what_was_not_asked_is_refused(desk, number, answer, status):
    found = vote(desk, number, answer)
    assert found.status_code == status
    assert "That was not possible" in found.text
    assert lines(desk) == []


def test_a_page_of_another_session_cannot_vote(desk):
    assert vote(desk, 1, "real", session=session(judge="ben").id).status_code == 409
    assert ask(desk, "POST", "/trial/1").status_code == 409
    assert lines(desk) == []


def test_only_the_trial_that_is_next_is_shown(desk):
    vote(desk, 1, "real")
    for number in (1, 3, 6):
        found = ask(desk, "GET", f"/trial/{number}")
        assert (found.status_code, found.headers["location"]) == (303, "/trial/2")
    assert ask(desk, "GET", "/trial/7").status_code == 404
    assert ask(desk, "PUT", "/trial/2").status_code == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Origin": HOME, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_another_site_cannot_vote(desk, headers):
    assert vote(desk, 1, "real", headers).status_code == 403
    assert lines(desk) == []


@pytest.mark.parametrize(
    "headers", [{"Origin": HOME}, {"Sec-Fetch-Site": "same-origin", "Origin": "null"}], ids=str
)
def test_the_page_itself_can_vote(desk, headers):
    assert vote(desk, 1, "real", headers).status_code == 303
    assert len(lines(desk)) == 1


@pytest.mark.parametrize(
    ("name", "host", "status"),
    [
        ("127.0.0.1:8000", "127.0.0.1", 200),
        ("localhost", "127.0.0.1", 200),
        ("192.168.0.7:8000", "192.168.0.7", 200),
        ("192.168.0.7:8000", "127.0.0.1", 400),
        ("elsewhere.example", "127.0.0.1", 400),
        ("127.0.0.1.elsewhere.example", "127.0.0.1", 400),
        ("", "127.0.0.1", 400),
    ],
)
def test_the_pages_answer_only_to_their_own_name(desk, name, host, status):
    assert ask(desk, "GET", "/", host=host, headers={"Host": name}).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "host"),
    [
        ("GET", "/", None),
        ("GET", "/trial/1", None),
        ("GET", "/none", None),
        ("GET", "/style.css", None),
        ("POST", "/trial/9", None),
        ("GET", "/", "elsewhere.example"),
    ],
)
def test_no_page_runs_scripts_or_stands_in_a_frame_or_is_kept(desk, method, path, host):
    found = ask(desk, method, path, headers={"Host": host} if host else None)
    policy = dict(part.strip().split(" ", 1) for part in found.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert not any(name.startswith("script") for name in policy)
    assert "unsafe" not in found.headers["content-security-policy"]
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert "<script" not in found.text


@pytest.mark.parametrize("question", [judging.ONE, judging.TWO])
def test_nothing_but_the_pixels_tells_the_truth(tmp_path, question):
    """The pages of all trials are one text once their numbers and pixels are cut out, and equally long."""
    desk = make_desk(tmp_path, session(count=8, question=question))
    texts, sizes, truths = set(), set(), set()
    for number, trial in enumerate(desk.session.trials, start=1):
        found = ask(desk, "GET", f"/trial/{number}")
        pixels = re.findall(r"data:image/png;base64,([^\"]*)", found.text)
        for data in pixels:
            with Image.open(io.BytesIO(base64.b64decode(data))) as image:
                sizes.add((len(data), image.mode, image.size, str(image.info)))
        text = re.sub(r"data:image[^\"]*|nonce-\S+", "", found.text)
        texts.add(
            text.replace(f"/trial/{number}", "").replace(f" {number} of", "").replace(f'"{number - 1}"', "")
        )
        truths.add(trial.truth)
        vote(desk, number, desk.session.answers[0])
    assert len(truths) == 2
    assert len(texts) == len(sizes) == 1


def test_the_picture_is_what_the_person_sees():
    for shape in [(8, 8, 1), (5, 7, 3)]:
        pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
        data = base64.b64decode(images.data_url(pixels).partition(",")[2])
        with Image.open(io.BytesIO(data)) as image:
            np.testing.assert_array_equal(np.asarray(image).reshape(shape), pixels)


def test_a_reload_gives_no_second_look(tmp_path):
    now = [100.0]
    desk = make_desk(tmp_path, session(exposure=0.5), clock=lambda: now[0])

    def look(number):
        text = ask(desk, "GET", f"/trial/{number}").text
        rest = re.search(r"animation: look 0\.5s linear (-?[\d.]+)s", text)
        return "data:image" in text, float(rest[1])

    assert look(1) == (True, pages.LEAD)
    assert look(1) == (True, pages.LEAD)  # a browser that fetches twice
    now[0] += pages.LEAD + 0.4
    assert look(1) == (True, pytest.approx(-0.4))  # what is left of the time
    now[0] += 0.11
    assert not look(1)[0]
    assert not look(1)[0]
    vote(desk, 1, "real")
    assert look(2) == (True, pages.LEAD)
    assert lines(desk)[0]["taken"] == pytest.approx(pages.LEAD + 0.51, abs=1e-3)
    assert lines(desk)[0]["exposure"] == 0.5


def test_a_vote_that_cannot_be_written_is_not_taken_for_one(desk):
    desk.votes.mkdir()
    found = vote(desk, 1, "real")
    assert found.status_code == 500
    assert "it must be a file" in found.text


def test_a_full_disk_is_said(desk, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(votes, "append", fail)
    found = vote(desk, 1, "real")
    assert found.status_code == 500
    assert "does not count: No space left on device" in found.text


def test_names_on_the_pages_are_text(tmp_path):
    text = ask(make_desk(tmp_path, session(judge="<script>alert(1)</script>")), "GET", "/").text
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_a_port_that_is_taken_is_refused_and_zero_finds_a_free_one():
    with server.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert server.url("127.0.0.1", taken) == f"http://127.0.0.1:{port}/"
        with pytest.raises(InputError, match=f"--port {port} of 127.0.0.1 is in use"):
            server.listen("127.0.0.1", port)
    server.listen("127.0.0.1", port).close()


def test_a_server_can_follow_one_that_was_killed_with_open_connections():
    with server.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        taken.accept()[0].close()
    server.listen("127.0.0.1", port).close()
    client.close()


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.0.2.1", "no.such.host.invalid", "a" * 70 + ".example"]
)
def test_a_host_that_is_none_of_this_machine_is_refused(host):
    with pytest.raises(InputError, match="--host"):
        server.listen(host, 0)


def test_the_allowed_hosts_are_written_as_browsers_write_them():
    assert guard.hosts("::1") == ["[::1]", "localhost", "127.0.0.1"]
    assert "box.example" in guard.hosts("Box.example")
