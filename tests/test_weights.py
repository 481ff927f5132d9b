"""Weights from foreign files: what is read, what is refused, and what is left behind."""

import functools
import hashlib
import http.server
import os
import pickle
import re
import socket
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from safetensors.numpy import load_file, save_file

from jaxgan import folding, published, weights
from jaxgan.cli import main
from jaxgan.torch_files import read_tensors
from jaxgan.validation import InputError

FILES = Path(__file__).parent / "references"
MAGIC = 0x1950A86A20F9469CFC6C
SHAPES = {"stem.kernel": (1, 3, 2, 4), "stem.bias": (4,), "fc.kernel": (4, 5), "fc.bias": (5,)}


def tensors_of_two_layers(**changes):
    """The tensors of a network of two layers, as PyTorch has them."""
    generator = np.random.default_rng(0)
    tensors = {
        "stem.conv.weight": generator.normal(size=(4, 2, 1, 3)),
        "stem.bn.weight": generator.uniform(0.5, 2, 4),
        "stem.bn.bias": generator.normal(size=4),
        "stem.bn.running_mean": generator.normal(size=4),
        "stem.bn.running_var": generator.uniform(0.5, 2, 4),
        "fc.weight": generator.normal(size=(5, 4)),
        "fc.bias": generator.normal(size=5),
    }
    tensors = {name: value.astype(np.float32) for name, value in tensors.items()}
    tensors["stem.bn.num_batches_tracked"] = np.array(7)
    return {name: value for name, value in (tensors | changes).items() if value is not None}


@pytest.fixture
def small(monkeypatch):
    """Lets the network have two layers."""
    monkeypatch.setattr(folding, "params_shapes", lambda: SHAPES)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "published.safetensors"
    save_file(tensors_of_two_layers(), path)
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names_in(folder):
    return sorted(path.name for path in folder.rglob("*"))


# The files of PyTorch


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth"])
def test_every_kind_of_tensor_is_read_from_either_format(name):
    """Views of one storage, transposed and with gaps, parameters, halves, whole numbers, and an empty one."""
    found = read_tensors(FILES / name)
    with np.load(FILES / "inception.npz") as expected:
        assert set(found) == {name[7:] for name in expected if name.startswith("tensor ")}
        for name, values in found.items():
            assert values.dtype == expected[f"tensor {name}"].dtype
            np.testing.assert_array_equal(values, expected[f"tensor {name}"])


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth"])
def test_a_file_that_is_cut_short_anywhere_is_refused(name, tmp_path):
    whole, cut = (FILES / name).read_bytes(), tmp_path / "cut.pth"
    for length in range(0, len(whole), 7):
        cut.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"cut\.pth (is|has|holds|refers|names) "):
            read_tensors(cut)


def stream(description, keys=(), data=b""):
    """A file in the older format."""
    head = [pickle.dumps(part, 2) for part in (MAGIC, 1001, {"little_endian": True})]
    return b"".join([*head, description, pickle.dumps(list(keys), 2), data])


def archive(path, description):
    """A file in the newer format."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", description)


class Evil:
    """Unpickled by anything that allows it, it makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("form", ["zip", "stream"])
def test_code_in_a_file_is_named_and_does_not_run(form, tmp_path):
    path, folder = tmp_path / "evil.pth", tmp_path / "made"
    description = pickle.dumps({"weight": Evil(folder)}, 2)
    if form == "zip":
        archive(path, description)
    else:
        path.write_bytes(stream(description))
    pickle.loads(description)
    assert folder.exists()  # so it would have run
    folder.rmdir()
    with pytest.raises(InputError, match=rf"names {os.mkdir.__module__}\.mkdir, .* may hold code"):
        read_tensors(path)
    assert not folder.exists()


def test_what_a_file_may_name_cannot_be_changed_by_it(tmp_path):
    """The instruction BUILD sets attributes; here, of what stands for PyTorch's function."""
    path = tmp_path / "build.pth"
    path.write_bytes(stream(b"ctorch._utils\n_rebuild_tensor_v2\n(dVcall\nVgone\nsb."))
    with pytest.raises(InputError, match="not a whole file of PyTorch"):
        read_tensors(path)
    assert read_tensors(FILES / "legacy.pth")["whole"].shape == (4, 6)


def tensor_file(offset, shape, strides, length=6):
    """A file with one tensor of the numbers 0 to 5."""
    shape, strides = (
        "(" + "".join(f"I{number}\n" for number in numbers) + "t" for numbers in (shape, strides)
    )
    text = (
        "(dVx\nctorch._utils\n_rebuild_tensor_v2\n("
        f"(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI{length}\ntQI{offset}\n{shape}{strides}I00\nNtRs."
    )
    return stream(
        text.encode(), ["0"], length.to_bytes(8, "little", signed=True) + np.arange(6, dtype="<f4").tobytes()
    )


def test_a_tensor_is_a_view_of_its_storage(tmp_path):
    path = tmp_path / "tensor.pth"
    path.write_bytes(tensor_file(1, (2, 2), (1, 3)))
    assert read_tensors(path)["x"].tolist() == [[1, 4], [2, 5]]


@pytest.mark.parametrize(
    ("offset", "shape", "strides", "length"),
    [
        (2, (2, 2), (1, 3), 6),  # ends one number too late
        (-1, (2,), (1,), 6),
        (5, (2,), (-1,), 6),
        (0, (1000000, 1000000), (0, 0), 6),
        (0, (2,), (1, 1), 6),
        (0, (2,), (1,), -6),
        (0, (7,), (1,), 7),
        (0, (2,), (1,), 10**15),
    ],
)
def test_a_tensor_beyond_its_storage_is_refused(offset, shape, strides, length, tmp_path):
    path = tmp_path / "tensor.pth"
    path.write_bytes(tensor_file(offset, shape, strides, length))
    with pytest.raises(InputError, match=r"tensor\.pth"):
        read_tensors(path)


@pytest.mark.parametrize(
    "content", [b"", b"not a pickle", pickle.dumps([1, 2]), stream(pickle.dumps([1], 2))]
)
def test_something_else_is_refused(content, tmp_path):
    path = tmp_path / "else.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"else\.pth"):
        read_tensors(path)


# Conversion


@pytest.mark.usefixtures("small")
def test_what_is_converted_is_loaded_with_the_digest_of_its_source(source, tmp_path, monkeypatch):
    monkeypatch.setattr(published, "INCEPTION", offered(source))
    made = weights.convert("inception", source, folder=tmp_path / "new" / "data")
    params, found = weights.load("inception", made.parent)
    assert found == digest(source)
    assert {name: leaf.shape for name, leaf in flatten_dict(params, sep=".").items()} == SHAPES
    again = weights.convert("inception", made, folder=tmp_path / "again")
    assert again.read_bytes() == made.read_bytes()


@pytest.mark.usefixtures("small")
def test_the_normalisation_is_folded_into_the_convolution():
    tensors = {name: value.astype(np.float64) for name, value in tensors_of_two_layers().items()}
    window = np.random.default_rng(1).normal(size=(2, 1, 3))  # under the whole kernel, so there is one output
    plain = np.einsum("cpq,ocpq->o", window, tensors["stem.conv.weight"])
    mean, variance = tensors["stem.bn.running_mean"], tensors["stem.bn.running_var"]
    expected = (plain - mean) / np.sqrt(variance + 1e-3) * tensors["stem.bn.weight"] + tensors["stem.bn.bias"]
    folded = folding.fold(Path("here"), tensors_of_two_layers())
    found = np.einsum("cpq,pqco->o", window, folded["stem.kernel"]) + folded["stem.bias"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stem.bn.bias": None}, "has no stem.bn.bias"),
        ({"stem.bn.extra": np.zeros(4, np.float32)}, "has stem.bn.extra, which"),
        ({"fc.weight": np.zeros((4, 5), np.float32)}, r"float32 of shape \[4, 5\]; .*\[5, 4\]"),
        ({"fc.bias": np.zeros(5, np.int32)}, "fc.bias .* int32"),
        ({"stem.bn.running_var": np.full(4, -1, np.float32)}, "stem.kernel that are not finite"),
        ({"fc.bias": np.full(5, np.nan, np.float32)}, "fc.bias that are not finite"),
    ],
)
@pytest.mark.usefixtures("small")
def test_tensors_that_do_not_fit_are_named_and_nothing_is_left(changes, words, tmp_path):
    path = tmp_path / "published.safetensors"
    save_file(tensors_of_two_layers(**changes), path)
    with pytest.raises(InputError, match=words):
        weights.convert("inception", path, folder=tmp_path / "data", unchecked=True)
    assert names_in(tmp_path) == ["published.safetensors"]


@pytest.mark.usefixtures("small")
def test_another_digest_is_refused_and_both_are_named(source, tmp_path):
    with pytest.raises(InputError, match=rf"{digest(source)}.* {published.INCEPTION.sha256}"):
        weights.convert("inception", source, folder=tmp_path / "data")
    assert names_in(tmp_path) == ["published.safetensors"]


@pytest.mark.usefixtures("small")
def test_weights_that_are_not_there_or_not_whole_are_refused(source, tmp_path):
    with pytest.raises(InputError, match="are not there; to get them: jaxgan weights inception --download"):
        weights.load("inception", tmp_path)
    made = weights.convert("inception", source, folder=tmp_path, unchecked=True)
    content = made.read_bytes()
    for length in (0, 8, 40, len(content) - 1):
        made.write_bytes(content[:length])
        with pytest.raises(InputError, match="not a whole safetensors file"):
            weights.load("inception", tmp_path)
    save_file(load_file(source), made)
    with pytest.raises(InputError, match="does not say what it was made from"):
        weights.load("inception", tmp_path)


# Downloads


@pytest.fixture
def server(source):
    """Serves the folder of the source on this machine."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=source.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def offered(source, *urls, **changes):
    right = published.Published(urls, source.stat().st_size, digest(source))
    return right._replace(**changes)


@pytest.mark.usefixtures("small")
def test_a_download_is_converted_after_another_address_has_failed(source, server, tmp_path, monkeypatch):
    urls = f"{server}/nowhere", f"{server}/{source.name}"
    monkeypatch.setattr(published, "INCEPTION", offered(source, *urls))
    seen = []
    found = weights.download(
        "inception",
        folder=tmp_path / "data",
        watch=lambda what, done, total: seen.append((what, done, total)),
    )
    assert weights.load("inception", tmp_path / "data")[1] == digest(source)
    assert names_in(tmp_path / "data") == [found.name]
    assert seen[-1] == ("bytes", source.stat().st_size, source.stat().st_size)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sha256": "0" * 64}, f"SHA-256 is [0-9a-f]{{64}}, not {'0' * 64}"),
        ({"size": 10}, "more than 10 bytes"),
        ({"size": 10**6}, r": \d+ bytes, not 1000000"),
        ({"urls": ("http://127.0.0.1:9/none",)}, "127.0.0.1:9/none: .*refused"),
        ({"urls": ("nonsense",)}, "nonsense: "),
    ],
)
@pytest.mark.usefixtures("small")
def test_a_download_that_is_not_the_published_file_leaves_nothing(
    changes, words, source, server, tmp_path, monkeypatch
):
    wanted = offered(source, f"{server}/{source.name}", **changes)
    monkeypatch.setattr(published, "INCEPTION", wanted)
    with pytest.raises(InputError, match=words):
        weights.download("inception", folder=tmp_path / "data")
    assert names_in(tmp_path / "data") == []


# The command


@pytest.mark.usefixtures("small")
def test_the_command_keeps_weights_in_the_data_folder_of_the_user(source, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    assert main(["weights", "inception", "--from", str(source), "--unchecked"]) == 0
    assert str(weights.path("inception")) in capsys.readouterr().out
    assert weights.path("inception").is_relative_to(tmp_path)
    assert weights.load("inception")[1] == digest(source)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give either --download or --from FILE"),
        (["--download", "--from", "x"], "give either --download or --from FILE"),
        (["--download", "--unchecked"], "--unchecked is for --from"),
        (["--from", "absent.pth"], "absent.pth cannot be read: No such file"),
        (["--from", "."], ". cannot be read: Is a directory"),
        (["--from", __file__], f"SHA-256.*{published.INCEPTION.sha256}"),
        (["--from", __file__, "--unchecked"], "not a whole file of PyTorch"),
        (["--from", str(FILES / "zip.pth"), "--unchecked"], "has no Conv2d_1a_3x3.conv.weight"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_sentence(arguments, words, tmp_path, capsys):
    assert main(["weights", "inception", "--out", str(tmp_path), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(words, line)
    assert names_in(tmp_path) == []


def test_the_command_without_a_network_ends_in_one_sentence(tmp_path, monkeypatch, capsys):
    def unknown(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert main(["weights", "inception", "--out", str(tmp_path), "--download"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.count("Name or service not known") == len(published.INCEPTION.urls)
    assert "--from FILE" in line
    assert names_in(tmp_path) == []
