"""What the metrics ask of the arrays that they are given."""

from typing import Any

import numpy as np

from jaxgan.validation import InputError, require


def as_rows(name: str, values: Any, size: int | None = None) -> np.ndarray:
    """Checks one row of numbers for each sample, and brings the rows to the host.

    Args:
        name: what the message calls them.
        values: real[N, D], N >= 0, D >= 1; NumPy's or JAX's.
        size: the D that is wanted; any by default.

    Returns:
        f32[N, D] where they are floats of at most single precision, else f64[N, D].

    Raises:
        InputError: they are not real numbers, have another rank or dimension, or are not finite.

    >>> as_rows("features", [[1.0, 2.0]], 3)
    Traceback (most recent call last):
    ...
    jaxgan.validation.InputError: the dimension of features is 2; it must be 3, as of the others
    """
    rows = np.asarray(values)
    if rows.dtype.kind not in "fiu" and not _is_narrow_float(rows.dtype):
        raise InputError(f"{name} are of type {rows.dtype}; they must be real numbers")
    if rows.ndim != 2 or not rows.shape[1]:
        raise InputError(f"{name} have the shape {rows.shape}; it must be (samples, dimension)")
    if size is not None:
        require(rows.shape[1] == size, f"the dimension of {name}", rows.shape[1], f"{size}, as of the others")
    wide = rows.dtype.kind in "iu" or rows.dtype.itemsize > 4
    rows = rows.astype(np.float64 if wide else np.float32, copy=False)
    if not np.isfinite(rows).all():
        bad = int((~np.isfinite(rows)).any(axis=1).sum())
        raise InputError(f"{name} of {bad} samples of {len(rows)} are not finite; all must be")
    return rows


def as_numbers(name: str, values: Any, limit: int, count: int | None = None) -> np.ndarray:
    """Checks one whole number for each sample: a class or a place.

    Args:
        name: what the message calls them.
        values: int[N].
        limit: each must be below it.
        count: the N that is wanted; any by default.

    Returns:
        int64[N].

    Raises:
        InputError: they are not whole numbers, have another rank or count, or lie outside 0..limit-1.

    >>> as_numbers("labels", [0, 7], 3)
    Traceback (most recent call last):
    ...
    jaxgan.validation.InputError: labels go from 0 to 7; they must lie in 0..2
    """
    numbers = np.asarray(values)
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
        found = f"{numbers.dtype} of the shape {numbers.shape}"
        raise InputError(f"{name} are {found}; they must be whole numbers of the shape (samples,)")
    if count is not None:
        require(len(numbers) == count, f"the count of {name}", len(numbers), f"{count}, one for each sample")
    if numbers.size and (numbers.min() < 0 or numbers.max() >= limit):
        raise InputError(
            f"{name} go from {numbers.min()} to {numbers.max()}; they must lie in 0..{limit - 1}"
        )
    return numbers.astype(np.int64)


def require_samples(name: str, count: int, least: int = 1) -> None:
    """Refuses a set of too few samples.

    Raises:
        InputError: there are fewer than the least.

    >>> require_samples("fake samples", 0)
    Traceback (most recent call last):
    ...
    jaxgan.validation.InputError: the count of fake samples is 0; it must be at least 1
    """
    require(count >= least, f"the count of {name}", int(count), f"at least {least}")


def require_same_size(first: int, second: int) -> None:
    """Refuses to compare sets of features of different dimensions.

    Raises:
        InputError: the dimensions differ.

    >>> require_same_size(3, 4)
    Traceback (most recent call last):
    ...
    jaxgan.validation.InputError: the dimension of the second set is 4; it must be 3, as of the first
    """
    require(first == second, "the dimension of the second set", second, f"{first}, as of the first")


def _is_narrow_float(dtype: np.dtype) -> bool:
    """Tells bfloat16 and its kin, which NumPy does not count among its own floats."""
    return dtype.kind == "V" and dtype.names is None and dtype.name.startswith(("bfloat", "float"))
