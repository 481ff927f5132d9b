"""Numbers as tables and plots show them: three digits, a unit, and a dash for what was not measured."""

from collections.abc import Mapping

DASH = "–"

_UNITS: Mapping[str, tuple[tuple[float, str], ...]] = {
    "bytes": ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B")),
    "flops": ((1e12, "TFLOP"), (1e9, "GFLOP"), (1e6, "MFLOP"), (1, "FLOP")),
    "seconds": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")),
}


def number(value: float | None) -> str:
    """Writes a number with three digits, or all of its whole ones.

    >>> [number(value) for value in (12345.6, 99.96, 1.234, 0.5, 0.01234, 0.0, None)]
    ['12,346', '100', '1.23', '0.500', '0.0123', '0', '–']
    """
    if value is None:
        return DASH
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    if abs(value) >= 9.995:
        return f"{value:.1f}"
    if abs(value) >= 0.9995:
        return f"{value:.2f}"
    return f"{value:#.3g}" if value else "0"


def milliseconds(seconds: float | None) -> str:
    """Writes a time in milliseconds, without the unit.

    >>> milliseconds(0.2581)
    '258'
    """
    return number(None if seconds is None else seconds * 1e3)


def percent(share: float | None) -> str:
    """Writes a share in percent.

    >>> percent(0.9131), percent(0.004), percent(None)
    ('91.3 %', '0.4 %', '–')
    """
    return DASH if share is None else f"{share * 100:.1f} %"


def ratio(value: float | None) -> str:
    """Writes a ratio with two decimals, or fewer where it is large.

    >>> ratio(0.8994), ratio(1.0), ratio(25.61)
    ('0.90', '1.00', '25.6')
    """
    return f"{value:.2f}" if value is not None and value < 9.995 else number(value)


def quantity(value: float | None, unit: str) -> str:
    """Writes a number of ``"bytes"``, ``"flops"`` or ``"seconds"`` in the unit that suits its size.

    >>> quantity(26e6, "bytes"), quantity(8.4e-4, "seconds"), quantity(34.4e9, "flops")
    ('26.0 MB', '840 µs', '34.4 GFLOP')
    """
    if value is None:
        return DASH
    factor, name = next((pair for pair in _UNITS[unit] if abs(value) >= pair[0] * 0.9995), _UNITS[unit][-1])
    return f"{number(value / factor)} {name}"


def figure(name: str, value: float | None) -> str:
    """Writes a row's figure in the unit that its name tells.

    >>> figure("efficiency", 0.913), figure("flops_per_chip", 34.4e9), figure("collectives", 3.0)
    ('91.3 %', '34.4 GFLOP', '3')
    >>> figure("argument_bytes", 26e6), figure("bytes_per_second", 12e9), figure("images_per_second", 1234.5)
    ('26.0 MB', '12.0 GB/s', '1,234')
    """
    if value is None:
        return DASH
    stem = name.removesuffix("_per_second")
    words = stem.split("_")
    if words[-1] in ("efficiency", "gain", "share"):
        return percent(value)
    unit = next((unit for unit in _UNITS if unit in words), None)
    if unit is not None:
        return quantity(value, unit) + ("/s" if stem != name else "")
    return f"{value:,.0f}" if float(value).is_integer() else number(value)
