"""Numbers as people read them: few digits, metric prefixes, and errors with no more digits than they deserve."""

import math

DIGITS = 4
PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def format_number(value: float) -> str:
    """`value` with four significant digits, counts below 100,000 in full: 0.9560, 12, 48,213, 1.814M."""
    if not math.isfinite(value):
        return str(value)
    divisor, prefix = _prefix(value)
    scaled = value / divisor
    if not prefix and (scaled == int(scaled) or abs(round(scaled)) >= 10**DIGITS):
        return f"{scaled:,.0f}"
    return f"{scaled:#,.{DIGITS}g}".rstrip(".") + prefix


def format_spread(mean: float, error: float | None) -> str:
    """A mean with at most four significant digits and its standard error with two: 0.9561 ± 0.0032, 1.814M ± 0.012M."""
    if error is None or not (math.isfinite(mean) and math.isfinite(error)):
        return format_number(mean)
    if error == 0:
        return f"{format_number(mean)} ± 0"
    divisor, prefix = _prefix(mean)
    mean, error = mean / divisor, error / divisor
    decimals = min(max(0, 1 - _magnitude(error)), max(0, DIGITS - 1 - _magnitude(mean or error)))
    spread = f"{error:.{decimals}f}" if round(error, decimals) else f"{error:.1g}"
    return f"{mean:,.{decimals}f}{prefix} ± {spread}{prefix}"


def format_duration(seconds: float) -> str:
    """A duration in the units that suit it: 0.4 s, 12 s, 3 min 12 s, 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def format_bytes(count: float) -> str:
    """A size in binary units: 512 B, 23.5 GiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def _prefix(value: float) -> tuple[float, str]:
    if abs(value) < 1e5:
        return 1.0, ""
    return next((divisor, prefix) for divisor, prefix in PREFIXES if abs(value) >= divisor)


def _magnitude(value: float) -> int:
    return math.floor(math.log10(abs(value)))
