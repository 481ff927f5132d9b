"""The server of this machine that gives the pages out."""

import errno
import os
import socket

import uvicorn
from starlette.applications import Starlette

from jaxgan.app import guard
from jaxgan.validation import InputError, require


def listen(host: str, port: int) -> socket.socket:
    """Takes a port of this machine.

    Args:
        host: an address or a name of this machine.
        port: the port; 0 for any free one.

    Returns:
        The socket, listening: who asks now is answered when the server runs.

    Raises:
        InputError: the host is none of this machine, or the port cannot be had.
    """
    require(0 <= port < 2**16, "--port", port, "in [0, 65536)")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise InputError(f"--host is {host!r}; it must be an address or a name of this machine") from None
    wanted = "one address or name of this machine: the pages answer to it alone"
    require(address[0] not in ("0.0.0.0", "::"), "--host", host, wanted)
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # where it lets a server follow one that was killed, and nothing else
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen()
    except OSError as error:
        taken.close()
        raise InputError(_why_not(error, host, port)) from None
    return taken


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"--port {port} of {host} is in use; give another one, or 0 for any that is free"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host is {host!r}; it must be an address or a name of this machine"
    return f"--port {port} of {host} cannot be used: {error.strerror}"


def url(host: str, taken: socket.socket) -> str:
    """Says where the pages are."""
    return f"http://{guard.written(host)}:{taken.getsockname()[1]}/"


def serve(app: Starlette, taken: socket.socket) -> None:
    """Gives the pages out until Ctrl-C, silently.

    Raises:
        KeyboardInterrupt: after Ctrl-C.
    """
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[taken])
