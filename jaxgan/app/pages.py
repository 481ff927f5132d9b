"""The pages on which a person judges.

All that is known of the votes is in their file: it is read for every page, so a server that was killed has
nothing to remember. Only when a picture was first shown is kept in memory.
"""

import dataclasses
import functools
import secrets
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from jaxgan.app import guard, judging, votes
from jaxgan.app.images import Shown
from jaxgan.validation import InputError

LEAD = 0.6
"""Seconds between a page and a picture that is shown only briefly, so that nobody misses it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Desk:
    """One session, laid out for a person; the methods answer requests.

    Attributes:
        session: what is shown.
        pictures: the pictures of a trial, ready for its page, by the number of the trial.
        votes: the file of votes.
        finished: called when the last vote is in.
        clock: seconds from any beginning.
        shown: when the page of a trial was first given out, by the number of the trial.
    """

    session: judging.Session
    pictures: Callable[[int], list[Shown]]
    votes: Path
    finished: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    shown: dict[int, float] = dataclasses.field(default_factory=dict)

    def answers(self) -> dict[int, str]:
        """Reads the votes that count."""
        try:
            return judging.counted(self.session, votes.read(self.votes))
        except InputError as error:
            raise HTTPException(500, str(error)) from None

    async def start(self, _: Request) -> Response:
        """Says what is to be done."""
        done = len(self.answers())
        return _see("/result") if done == len(self.session.trials) else self._page("start.html", done=done)

    async def onward(self, _: Request) -> Response:
        """Leads to the trial that is next."""
        return _see_trial(judging.next_trial(self.session, self.answers()))

    async def trial(self, request: Request) -> Response:
        """Shows the trial that is next; for any other number, leads there."""
        number = self._number(request)
        following = judging.next_trial(self.session, self.answers())
        if number != following:
            return _see_trial(following)
        elapsed = self.clock() - self.shown.setdefault(number, self.clock())
        exposure = self.session.protocol["exposure"]
        over = exposure is not None and elapsed >= LEAD + exposure
        pictures = self.pictures(number)
        return self._page(
            "trial.html", number=number, pictures=pictures, over=over, delay=f"{LEAD - elapsed:.3f}"
        )

    async def vote(self, request: Request) -> Response:
        """Takes the vote on the trial that is next; a vote on an earlier one was taken already."""
        number = self._number(request)
        async with request.form(max_files=0, max_fields=10) as form:
            given, answer = form.get("session"), str(form.get("answer"))
        if given != self.session.id:
            raise HTTPException(409, "That page belongs to another session; the vote was not counted.")
        if answer not in self.session.answers:
            raise HTTPException(400, f"An answer must be one of {', '.join(self.session.answers)}.")
        answers = self.answers()
        following = judging.next_trial(self.session, answers)
        if number not in answers:
            if number != following:
                raise HTTPException(409, f"Image {number} was not shown yet; the vote was not counted.")
            self._append(number, answer)
            following = judging.next_trial(self.session, self.answers())
            if following is None:
                self.finished()
        return _see_trial(following)

    def _append(self, number: int, answer: str) -> None:
        taken = round(self.clock() - self.shown[number], 3) if number in self.shown else None
        protocol = self.session.protocol
        try:
            votes.append(
                self.votes,
                session=self.session.id,
                trial=number,
                answer=answer,
                truth=self.session.trials[number - 1].truth,
                taken=taken,
                exposure=protocol["exposure"],
                judge=protocol["judge"],
                time=round(time.time(), 3),
            )
        except OSError as error:
            detail = f"The vote could not be written, so it does not count: {error.strerror}."
            raise HTTPException(500, detail) from None

    async def result(self, _: Request) -> Response:
        """Says how it came out, when all votes are in."""
        answers = self.answers()
        if judging.next_trial(self.session, answers):
            return _see("/")
        return self._page("result.html", rates=judging.results(self.session, answers), votes=self.votes)

    async def problem(self, _: Request, error: Exception) -> Response:
        """Says what went wrong."""
        assert isinstance(error, HTTPException)
        page = self._page("problem.html", detail=error.detail)
        page.status_code = error.status_code
        page.headers.update(error.headers or {})
        return page

    def _number(self, request: Request) -> int:
        text = request.path_params["number"]
        numbers = {str(number): number for number in range(1, len(self.session.trials) + 1)}
        if text not in numbers:
            raise HTTPException(404, f"There is no image {text[:20]}.")
        return numbers[text]

    def _page(self, template: str, **values: Any) -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        policy = guard.POLICY.replace("style-src", f"style-src 'nonce-{nonce}'")
        text = (
            _templates()
            .get_template(template)
            .render(
                values,
                nonce=nonce,
                session=self.session,
                protocol=self.session.protocol,
                count=len(self.session.trials),
            )
        )
        return HTMLResponse(text, headers={"Content-Security-Policy": policy})


@functools.cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("jaxgan.app"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = "{:.1%}".format
    return environment


def _see(place: str) -> Response:
    return RedirectResponse(place, 303)


def _see_trial(number: int | None) -> Response:
    return _see(f"/trial/{number}" if number else "/result")


async def _style(_: Request) -> Response:
    text = resources.files("jaxgan.app").joinpath("templates", "style.css").read_text("utf-8")
    return Response(text, media_type="text/css")


def make_app(desk: Desk, host: str) -> Starlette:
    """Puts the pages of a session together.

    Args:
        desk: the session.
        host: the host that the server listens at.
    """
    routes = [
        Route("/", desk.start),
        Route("/trial", desk.onward),
        Route("/trial/{number}", desk.trial),
        Route("/trial/{number}", desk.vote, methods=["POST"]),
        Route("/result", desk.result),
        Route("/style.css", _style),
    ]
    middleware = [
        Middleware(guard.guarded),
        Middleware(TrustedHostMiddleware, allowed_hosts=guard.hosts(host), www_redirect=False),
    ]
    return Starlette(routes=routes, middleware=middleware, exception_handlers={HTTPException: desk.problem})
