"""Reading the files of PyTorch without PyTorch, and without running what is in them.

A ``.pth`` file is a pickle, a program for a small machine that may call any function it names. Here it may
name only the few that describe tensors, and what it gets for these are our own. Both formats are read: the
ZIP archive of PyTorch 1.6 and later, and the stream of pickles and raw numbers before it.
"""

import io
import math
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn

import numpy as np

from jaxgan.validation import InputError

_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


class _Storage(NamedTuple):
    """The numbers of one or more tensors, which come after their description."""

    key: str
    dtype: str
    length: int

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.length * np.dtype(self.dtype).itemsize


class _Tensor(NamedTuple):
    """A view of a storage: where it begins, its shape, and the steps along its axes, all in numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Allowed(NamedTuple):
    """A function for the unpickler that, unlike a plain one, has no attributes that a file could set."""

    call: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        return self.call(*arguments)


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Reads a dictionary of tensors.

    Args:
        path: what ``torch.save`` made of a dictionary of tensors, such as a ``state_dict``.

    Returns:
        An array for each name. What it holds beside tensors is left out.

    Raises:
        InputError: the file cannot be read, is something else, is cut short, or names a function that is not
            needed to describe tensors.
    """
    try:
        with path.open("rb") as file:
            is_zip = file.read(4) == b"PK\x03\x04"
            file.seek(0)
            found = _read_zip(file) if is_zip else _read_stream(file, path.stat().st_size)
    except _RefusedError as error:
        raise InputError(f"{path} {error}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # a file that is something else can go wrong in every way
        raise InputError(f"{path} is not a whole file of PyTorch: {error}") from error
    return found


class _RefusedError(Exception):
    """What is wrong with a file, without its name."""


def _refuse(reason: str) -> NoReturn:
    raise _RefusedError(reason)


def _read_zip(file: BinaryIO) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        items = {item.filename: item for item in archive.infolist()}
        if any(item.compress_type != zipfile.ZIP_STORED for item in items.values()):
            _refuse("is compressed, as no file of PyTorch is")
        (description,) = (name for name in items if name.rpartition("/")[2] == "data.pkl")
        folder = description.removesuffix("data.pkl")
        if f"{folder}byteorder" in items and archive.read(f"{folder}byteorder") != b"little":
            _refuse("is of a big-endian machine; only those of little-endian ones are read")
        unpickler = _Unpickler(io.BytesIO(archive.read(description)))
        tensors = unpickler.tensors()
        names = {key: f"{folder}data/{key}" for key in unpickler.storages}
        data = {key: archive.read(name) if name in items else b"" for key, name in names.items()}
    return _views(tensors, data)


def _read_stream(file: BinaryIO, size: int) -> dict[str, np.ndarray]:
    magic, protocol, machine = (_Unpickler(file).load() for _ in range(3))
    if (magic, protocol) != (_MAGIC, _PROTOCOL) or machine.get("little_endian") is not True:
        _refuse("is not a file of PyTorch from a little-endian machine")
    unpickler = _Unpickler(file)
    tensors, data = unpickler.tensors(), {}
    for key in _Unpickler(file).load():
        storage = unpickler.storages[key]
        file.seek(8, io.SEEK_CUR)  # its length once more
        data[key] = file.read(min(storage.size, size))
    return _views(tensors, data)


class _Unpickler(pickle.Unpickler):
    """Unpickles what describes tensors, and refuses all else.

    What it makes of a function's name is a record, and of a type's name a text, so that a file cannot even
    change their attributes.
    """

    def __init__(self, file: BinaryIO):
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

    def tensors(self) -> dict[str, _Tensor]:
        """Reads a dictionary and gives its tensors."""
        found = self.load()
        if not isinstance(found, dict):
            _refuse(f"holds a {type(found).__name__.strip('_').lower()}; it must be a dictionary of tensors")
        return {str(name): value for name, value in found.items() if isinstance(value, _Tensor)}

    def find_class(self, module: str, name: str) -> Any:
        """Looks up a name that the file has."""
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if (module, name) not in _FUNCTIONS:
            _refuse(f"names {module}.{name}, which no tensor needs: it may hold code, and is not read")
        return _FUNCTIONS[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        """Notes a storage that the description refers to."""
        kind, dtype, key, _location, count, *view = pid
        if kind != "storage" or dtype not in _DTYPES.values() or any(part is not None for part in view):
            _refuse(f"refers to a {kind!r} of a kind that is not read")
        return self.storages.setdefault(str(key), _Storage(str(key), dtype, int(count)))


def _tensor(storage: _Storage, offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


class _Names(dict):
    """A dictionary that may have attributes, as the one of a ``state_dict`` has."""


_FUNCTIONS = {
    ("collections", "OrderedDict"): _Allowed(_Names),
    ("torch._utils", "_rebuild_tensor"): _Allowed(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): _Allowed(_tensor),
    ("torch._utils", "_rebuild_parameter"): _Allowed(lambda tensor, *_: tensor),
}


def _views(tensors: dict[str, _Tensor], data: dict[str, bytes]) -> dict[str, np.ndarray]:
    return {name: _view(name, tensor, data[tensor.storage.key]) for name, tensor in tensors.items()}


def _view(name: str, tensor: _Tensor, data: bytes) -> np.ndarray:
    """Copies a tensor out of its storage."""
    storage, offset, shape, strides = tensor
    if len(data) < storage.size:
        _refuse(f"is cut short: {name} wants {storage.size} bytes, and {len(data)} are there")
    fits = len(shape) == len(strides) and min((offset, storage.length, *shape, *strides)) >= 0
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=False))
    if not fits or math.prod(shape) > storage.length or (0 not in shape and last >= storage.length):
        _refuse(f"has {name} of shape {shape} and strides {strides} in {storage.length} numbers")
    numbers = np.frombuffer(data, storage.dtype, count=storage.length)[offset:]
    if 0 in shape:
        return np.zeros(shape, numbers.dtype)
    steps = tuple(stride * numbers.itemsize for stride in strides)
    return np.lib.stride_tricks.as_strided(numbers, shape, steps, writeable=False).copy()
