"""Bringing images to one shape, and reading them from files that cannot be trusted."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from jaxgan.validation import InputError, require

if TYPE_CHECKING:
    from PIL import Image

T = TypeVar("T")
FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm"),
}
MULTI_PICTURE = "MPO"
"""What cameras write under the name of JPEG: the picture, and a preview after it."""
SUFFIXES = {suffix: name for name, suffixes in FORMATS.items() for suffix in suffixes}
MOST_PIXELS = 50_000_000


def fit_all(
    pixels: Sequence[np.ndarray] | np.ndarray, image_size: tuple[int, int], channels: int, *, crop: bool
) -> np.ndarray:
    """Brings images to one shape.

    Args:
        pixels: uint8 images, each [h, w], [h, w, 1], [h, w, 3] or [h, w, 4].
        image_size: (H, W).
        channels: C, 1 or 3.
        crop: cut to the proportions first, instead of stretching.

    Returns:
        uint8[N, H, W, C].
    """
    shape = (*image_size, channels)
    if isinstance(pixels, np.ndarray) and pixels.shape[1:] in (shape, shape[:2] if channels == 1 else shape):
        return pixels.reshape(-1, *shape)
    fitted = np.empty((len(pixels), *shape), np.uint8)
    for number, image in enumerate(pixels):
        fitted[number] = fit(to_picture(image), image_size, channels, crop=crop)
    return fitted


def to_picture(pixels: np.ndarray) -> "Image.Image":
    """Turns uint8[h, w] or uint8[h, w, c] into a Pillow image."""
    from PIL import Image

    return Image.fromarray(pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)


def fit(picture: "Image.Image", image_size: tuple[int, int], channels: int, *, crop: bool) -> np.ndarray:
    """Brings one picture to a shape: uint8[H, W, C]."""
    from PIL import Image, ImageOps

    size = image_size[::-1]
    picture = _to_bytes(picture).convert("L" if channels == 1 else "RGB")
    if crop:
        picture = ImageOps.fit(picture, size, Image.Resampling.BICUBIC)
    elif picture.size != size:
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(picture).reshape(*image_size, channels)


def _to_bytes(picture: "Image.Image") -> "Image.Image":
    """Scales 16 bits to 8, and puts what is transparent on white."""
    from PIL import Image

    if picture.mode.startswith("I"):
        levels = np.asarray(picture).astype(np.int64)
        if levels.min() < 0 or levels.max() > 65535:
            raise ValueError(f"its values run from {levels.min()} to {levels.max()}, not within 16 bits")
        return Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))
    if picture.mode == "F":
        raise ValueError("it holds floating-point numbers")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture


@contextmanager
def quiet_about_size() -> Iterator[None]:
    """Keeps Pillow from warning of large images, which are refused by their size."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def check_file(path: Path) -> None:
    """Reads the head of an image file, and nothing more.

    Raises:
        InputError: it is no image, not the format that its name says, or too large.
    """
    with _opened(path) as picture:
        width, height = picture.size
    if width * height > MOST_PIXELS:
        raise InputError(
            f"{path} is gigantic: {width} x {height}; at most {MOST_PIXELS:,} pixels are allowed"
        )


def picture_shape(path: Path) -> tuple[int, int, int]:
    """Reads the height, the width and the channels, 1 or 3, of an image file from its head.

    Raises:
        InputError: as `check_file`.
    """
    check_file(path)
    with _opened(path) as picture:
        is_grey = picture.mode in ("1", "L", "LA", "F") or picture.mode.startswith("I")
        return picture.height, picture.width, 1 if is_grey else 3


def read_file(path: Path, image_size: tuple[int, int], channels: int, *, crop: bool) -> np.ndarray:
    """Reads an image file: uint8[H, W, C], turned as its camera says.

    Raises:
        InputError: as `check_file`, or the file is damaged.
    """
    return read_with(path, lambda picture: fit(picture, image_size, channels, crop=crop))


def read_picture(path: Path, channels: int, *, longest: int) -> np.ndarray:
    """Reads an image file in its own proportions: uint8[H, W, C], turned as its camera says.

    Args:
        path: the file.
        channels: 1 for grey, 3 for RGB.
        longest: what its longer side becomes.

    Raises:
        InputError: as `check_file`, or the file is damaged.
    """
    return read_with(
        path,
        lambda picture: fit(picture, proportional(picture.size[::-1], longest), channels, crop=False),
    )


def proportional(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Scales a height and a width so that the longer one has a given length.

    >>> proportional((400, 300), 200)
    (200, 150)
    """
    height, width = (max(1, round(side * longest / max(size))) for side in size)
    return height, width


def read_with(path: Path, use: "Callable[[Image.Image], T]") -> T:
    """Reads an image file, turned as its camera says, and gives what a function makes of it.

    Raises:
        InputError: as `check_file`, or the file is damaged, or the function's own.
    """
    from PIL import ImageOps

    check_file(path)
    with _opened(path) as picture:
        try:
            picture.load()
            return use(ImageOps.exif_transpose(picture))
        except InputError:
            raise
        except Exception as error:  # each decoder breaks in its own way
            raise InputError(f"{path} is truncated or damaged, or cannot be used: {error}") from None


def read_files(
    paths: Sequence[Path], image_size: tuple[int, int], channels: int, *, crop: bool
) -> np.ndarray:
    """Reads image files: uint8[N, H, W, C]; they need not be of one size, nor of so many channels.

    Raises:
        InputError: as `read_file`.
    """
    with quiet_about_size():
        return np.stack([read_file(path, image_size, channels, crop=crop) for path in paths])


def _opened(path: Path) -> "Image.Image":
    from PIL import Image, UnidentifiedImageError

    suffix = path.suffix.lower()
    require(suffix in SUFFIXES, "the ending of an image file", path.name, "one of " + ", ".join(SUFFIXES))
    expected = SUFFIXES[suffix]
    try:
        picture = Image.open(path, formats=list(FORMATS))
    except UnidentifiedImageError:
        raise InputError(f"{path} is not an image: its content is of no known format") from None
    except Image.DecompressionBombError:
        raise InputError(f"{path} is gigantic; at most {MOST_PIXELS:,} pixels are allowed") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # a damaged head
        raise InputError(f"{path} is truncated or damaged: {error}") from None
    if picture.format != expected and (picture.format, expected) != (MULTI_PICTURE, "JPEG"):
        picture.close()
        raise InputError(f"{path} is mislabelled: its name says {expected}, its content is {picture.format}")
    return picture
