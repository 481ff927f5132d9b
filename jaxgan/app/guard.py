"""What stands before the pages: nobody but the browser of the person who judges may use them."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
POLICY = (
    "default-src 'none'; img-src data:; style-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""No scripts, no frames, nothing kept by the browser."""


def hosts(given: str) -> list[str]:
    """Lists what the Host header may name: this machine, and the host that was given.

    So a page elsewhere cannot reach this one by a name of its own that leads here.

    >>> hosts("127.0.0.1")
    ['127.0.0.1', 'localhost', '[::1]']
    """
    return list({written(given).lower(): None} | dict.fromkeys(LOOPBACK))


def written(host: str) -> str:
    """Writes a host as URLs do.

    >>> written("::1"), written("localhost")
    ('[::1]', 'localhost')
    """
    return f"[{host}]" if ":" in host else host


def crosses_sites(headers: Headers) -> bool:
    """Tells whether a browser sends this for a page of another site.

    Every browser says so in ``Sec-Fetch-Site`` or in ``Origin``; what has neither is no browser.

    >>> crosses_sites(Headers({"host": "localhost:8000", "origin": "http://elsewhere.example"}))
    True
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")


def guarded(app: ASGIApp) -> ASGIApp:
    """Refuses changes that another site asks for, and gives every answer the `HEADERS` that it lacks."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        safe = scope["type"] != "http" or scope["method"] in ("GET", "HEAD")
        refused = PlainTextResponse("This page takes no votes from other sites.", 403)
        inner = app if safe or not crosses_sites(Headers(scope=scope)) else refused
        await inner(scope, receive, send_with_headers)

    return answer
