"""What took long to work out, kept in the user's cache folder under the hash of all that decides it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from jaxgan import xla
from jaxgan.files import whole
from jaxgan.versions import versions


def path(kind: str, key: Mapping[str, Any], folder: Path | None = None) -> Path:
    """Names the file of one result, which need not exist.

    Args:
        kind: what it is; a folder of its own.
        key: all that decides it, as JSON can hold it; versions and the kind of device are added.
        folder: where it is kept; the user's cache by default.
    """
    everything = {**key, "versions": versions(), "platform": jax.default_backend()}
    name = hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()
    return (folder or xla.cache_folder()) / kind / name


def read(file: Path) -> bytes | None:
    """Reads a result; None where there is none, or where it is not what was written."""
    try:
        content = file.read_bytes()
    except OSError:
        return None
    seal, payload = content[:32], content[32:]
    return payload if hashlib.sha256(payload).digest() == seal else None


def write(file: Path, payload: bytes) -> None:
    """Keeps a result. Where that cannot be done it is worked out again at the next start.

    Of several processes the first one writes.
    """
    if jax.process_index() != 0:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole(file) as partial:
            partial.write_bytes(hashlib.sha256(payload).digest() + payload)
    except OSError:
        pass
