"""Weights of trained networks: where they are kept, and how they come there from the files of others.

The networks are those of `jaxgan.published`: the Inception of 2015-12-05, whose batch normalisations are
folded into its convolutions, VGG and ResNet. The result is kept as a safetensors file, which holds numbers
and nothing else.
"""

import hashlib
import http.client
import tempfile
import urllib.request
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import platformdirs
from flax.traverse_util import unflatten_dict

from jaxgan import folding, published, torch_files
from jaxgan.files import whole
from jaxgan.published import Published
from jaxgan.typing import PyTree, Watch, unwatched
from jaxgan.validation import InputError

CHUNK = 2**20
TIMEOUT = 30.0
"""Seconds without an answer after which a download is given up."""


def path(name: str, folder: Path | None = None) -> Path:
    """Says where the weights of a network are kept, or would be.

    Args:
        name: of the network, one of `jaxgan.published.NAMES`.
        folder: where to look; the user's data folder by default.

    >>> path("inception").name
    'inception-2015-12-05.safetensors'
    """
    kept = published.get(name).kept
    return (folder or platformdirs.user_data_path("jaxgan", appauthor=False)) / kept


def load(name: str, folder: Path | None = None) -> tuple[PyTree, str]:
    """Loads the weights of a network.

    Args:
        name: of the network, one of `jaxgan.published.NAMES`.
        folder: where to look; the user's data folder by default.

    Returns:
        Inception's params, or the variables of another network, and the SHA-256 of the file that they were
        converted from, which names them in scores.

    Raises:
        InputError: they are not there, which the message says how to change, or the file is not such a file.
    """
    file = path(name, folder)
    if not file.exists():
        raise InputError(f"the weights {file} are not there; to get them: jaxgan weights {name} --download")
    tensors, metadata = _read_safetensors(file)
    source = metadata.get("source_sha256")
    if source is None:
        raise InputError(f"{file} does not say what it was made from; make it anew: jaxgan weights {name}")
    folding.check(file, tensors, published.get(name).shapes())
    return unflatten_dict(
        {name: jnp.asarray(value, jnp.float32) for name, value in tensors.items()}, sep="."
    ), source


def convert(name: str, source: Path, *, folder: Path | None = None, unchecked: bool = False) -> Path:
    """Makes the weights of a network from a file that holds them.

    Args:
        name: of the network, one of `jaxgan.published.NAMES`.
        source: the published file of PyTorch, its tensors as a safetensors file, or what this made before.
        folder: where the result goes; the user's data folder by default.
        unchecked: whether the source may have another SHA-256 than the published file. What this made before
            says itself which source it had.

    Returns:
        The file, which is whole or not there.

    Raises:
        InputError: another digest, a file that cannot be read, code in it, a tensor that is missing, has
            another shape or is one too many, or a folder that cannot be written.
    """
    network, is_safe = published.get(name), _is_safetensors(source)
    tensors, metadata = _read_safetensors(source) if is_safe else ({}, {})
    digest = metadata.get("source_sha256") or _digest(source)
    expected = network.published.sha256
    if not unchecked and not digest.startswith(expected):
        raise InputError(
            f"{source} has the SHA-256 {digest}; that of the published file is {expected}"
            f"{'...' * (len(expected) < len(digest))}; --unchecked takes any"
        )
    if "source_sha256" in metadata:
        folding.check(source, tensors, network.shapes())
        made = dict(tensors)
    else:
        made = network.convert(source, tensors if is_safe else torch_files.read_tensors(source))
    target = path(name, folder)
    _write(target, made, {"source_sha256": digest})
    return target


def download(name: str, *, folder: Path | None = None, watch: Watch = unwatched) -> Path:
    """Fetches the published weights of a network and converts them.

    Args:
        name: of the network, one of `jaxgan.published.NAMES`.
        folder: where the result goes; the user's data folder by default.
        watch: told how far it is, in bytes.

    Returns:
        The file.

    Raises:
        InputError: no address gives a file of the right length and digest, or the folder cannot be written.
    """
    target, failures = path(name, folder), []
    wanted = published.get(name).published
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="download-") as temporary:
            file = Path(temporary) / "weights.pth"
            for url in wanted.urls:
                reason = _fetch(url, file, wanted, watch)
                if reason is None:
                    return convert(name, file, folder=folder)
                failures.append(f"{url}: {reason}")
    except OSError as error:
        raise InputError(f"{target.parent} cannot be written: {error.strerror or error}") from None
    tried = "; ".join(failures)
    raise InputError(f"the weights could not be fetched ({tried}); with a copy of the file: --from FILE")


def _fetch(url: str, file: Path, wanted: Published, watch: Watch) -> str | None:
    """Writes what an address gives into a file; says what is wrong with it, or None."""
    digest, done = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, file.open("wb") as out:
            size = wanted.size or int(answer.headers.get("Content-Length") or 0)
            while (done <= size or not size) and (chunk := answer.read(CHUNK)):
                out.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                watch("bytes", done, max(size, done))
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(getattr(error, "reason", "") or error or type(error).__name__)
    if size and done != size:
        return f"{'more than ' * (done > size)}{min(done, size)} bytes, not {size}"
    if not digest.hexdigest().startswith(wanted.sha256):
        return f"the SHA-256 is {digest.hexdigest()}, not {wanted.sha256}"
    return None


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _is_safetensors(file: Path) -> bool:
    """Tells by the first bytes: a length, and a brace."""
    try:
        with file.open("rb") as opened:
            return opened.read(9)[8:] == b"{"
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None


def _read_safetensors(file: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "numpy") as opened:
            names, metadata = opened.keys(), opened.metadata()
            return {name: opened.get_tensor(name) for name in names}, metadata or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file} is not a whole safetensors file: {error}") from None


def _write(file: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole(file) as partial:
            save_file(tensors, partial, metadata)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file} cannot be written: {getattr(error, 'strerror', None) or error}") from None
