"""Weights of trained networks: where they are kept, and how they come there from the files of others.

One network so far: the Inception of 2015-12-05 (see `jaxgan.classifiers.inception`), whose weights
torch-fidelity and pytorch-fid publish as a file of PyTorch. Its batch normalisations are folded
into its convolutions, and the result is kept as a safetensors file, which holds numbers and nothing else.
"""

import hashlib
import http.client
import tempfile
import urllib.request
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import platformdirs
from flax.traverse_util import unflatten_dict

from jaxgan import folding, torch_files
from jaxgan.files import whole
from jaxgan.typing import PyTree, Watch, unwatched
from jaxgan.validation import InputError, require

CHUNK = 2**20
TIMEOUT = 30.0
"""Seconds without an answer after which a download is given up."""


class Published(NamedTuple):
    """A file that others publish.

    Attributes:
        urls: where it is; the later ones are tried when the first fails.
        size: its length in bytes.
        sha256: its digest, in hexadecimal.
    """

    urls: tuple[str, ...]
    size: int
    sha256: str


INCEPTION = Published(
    urls=(
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    ),
    size=95_628_359,
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
FILES = {"inception": "inception-2015-12-05.safetensors"}


def path(name: str, folder: Path | None = None) -> Path:
    """Says where the weights of a network are kept, or would be.

    Args:
        name: of the network: ``"inception"``.
        folder: where to look; the user's data folder by default.

    >>> path("inception").name
    'inception-2015-12-05.safetensors'
    """
    require(name in FILES, "the name of the weights", name, " or ".join(map(repr, FILES)))
    return (folder or platformdirs.user_data_path("jaxgan", appauthor=False)) / FILES[name]


def load(name: str, folder: Path | None = None) -> tuple[PyTree, str]:
    """Loads the weights of a network.

    Args:
        name: of the network: ``"inception"``.
        folder: where to look; the user's data folder by default.

    Returns:
        Its params, and the SHA-256 of the file that they were converted from, which names them in scores.

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
    folding.check(file, tensors, folding.params_shapes())
    return unflatten_dict(
        {name: jnp.asarray(value, jnp.float32) for name, value in tensors.items()}, sep="."
    ), source


def convert(source: Path, *, folder: Path | None = None, expected: str | None = INCEPTION.sha256) -> Path:
    """Makes the weights of Inception from a file that holds them.

    Args:
        source: the published file of PyTorch, its tensors as a safetensors file, or what this made before.
        folder: where the result goes; the user's data folder by default.
        expected: the SHA-256 that the source must have; None for any. What this made before says itself
            which source it had.

    Returns:
        The file, which is whole or not there.

    Raises:
        InputError: another digest, a file that cannot be read, code in it, a tensor that is missing, has
            another shape or is one too many, or a folder that cannot be written.
    """
    is_safe = _is_safetensors(source)
    tensors, metadata = _read_safetensors(source) if is_safe else ({}, {})
    digest = metadata.get("source_sha256") or _digest(source)
    if expected not in (None, digest):
        raise InputError(
            f"{source} has the SHA-256 {digest}; that of the published file is {expected}; "
            "--unchecked takes any"
        )
    if "source_sha256" in metadata:
        folding.check(source, tensors, folding.params_shapes())
        folded = dict(tensors)
    else:
        folded = folding.fold(source, tensors if is_safe else torch_files.read_tensors(source))
    target = path("inception", folder)
    _write(target, folded, {"source_sha256": digest})
    return target


def download(
    *, folder: Path | None = None, published: Published = INCEPTION, watch: Watch = unwatched
) -> Path:
    """Fetches the published weights of Inception and converts them.

    Args:
        folder: where the result goes; the user's data folder by default.
        published: what to fetch.
        watch: told how far it is, in bytes.

    Returns:
        The file.

    Raises:
        InputError: no address gives a file of the right length and digest, or the folder cannot be written.
    """
    target, failures = path("inception", folder), []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="download-") as temporary:
            file = Path(temporary) / "weights.pth"
            for url in published.urls:
                reason = _fetch(url, file, published, watch)
                if reason is None:
                    return convert(file, folder=folder, expected=published.sha256)
                failures.append(f"{url}: {reason}")
    except OSError as error:
        raise InputError(f"{target.parent} cannot be written: {error.strerror or error}") from None
    tried = "; ".join(failures)
    raise InputError(f"the weights could not be fetched ({tried}); with a copy of the file: --from FILE")


def _fetch(url: str, file: Path, published: Published, watch: Watch) -> str | None:
    """Writes what an address gives into a file; says what is wrong with it, or None."""
    digest, done = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, file.open("wb") as out:
            while done <= published.size and (chunk := answer.read(CHUNK)):
                out.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                watch("bytes", done, published.size)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(getattr(error, "reason", "") or error or type(error).__name__)
    if done != published.size:
        return (
            f"{'more than ' * (done > published.size)}{min(done, published.size)} bytes, not {published.size}"
        )
    if digest.hexdigest() != published.sha256:
        return f"the SHA-256 is {digest.hexdigest()}, not {published.sha256}"
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
