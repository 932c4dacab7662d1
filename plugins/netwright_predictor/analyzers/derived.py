"""Derived analyzers: formulas of modules that nobody wrote one for, fitted to counts and checked at further sizes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod

from torch import nn

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.analyzers.derivation import Derivation
from netwright_predictor.analyzers.formula_cache import FormulaCache
from netwright_predictor.analyzers.proposal import propose
from netwright_predictor.expression import Expression
from netwright_predictor.polynomial import Polynomial, solve
from netwright_predictor.tracing.further import FurtherTraces
from netwright_predictor.tracing.likeness import attributes
from netwright_predictor.tracing.sizes import Sizes

ZERO = Polynomial()
CHECKS = 2
"""Further sizes, at least, at which a formula must hold beyond those that its coefficients need."""
LENGTHS: tuple[tuple[str, ...], ...] = (
    ("",),
    ("", "S"),
    ("", "C"),
    ("", "S", "C"),
    ("", "E"),
    ("", "S", "S*S"),
    ("", "S", "S*C"),
    ("", "S", "E", "S*E"),
    ("", "S", "C", "S*S", "S*C"),
    ("", "E", "E*E"),
    ("", "S", "C", "E", "S*E", "S*S", "S*C"),
)
"""Which products of lengths a formula is tried with, per sequence, few first."""
PIECES = ("chunk", "block", "window", "stride", "size", "length")
"""Words in the names of settings that cut a sequence into pieces."""


class DerivedAnalyzer(Analyzer):
    """A module whose FLOPs are one formula of the sizes.

    It reads what it is given and its own weights, and writes what it returns, each once.

    Args:
        formula: Forward FLOPs.
        note: How the formula was checked, and where it holds.
    """

    def __init__(self, formula: object = "", note: str = "") -> None:
        self.formula = str(formula)
        self.note = note

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("flops", "inputs", "weights", "outputs", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterable[Dimensions]:
        """Numbers in tensors; the FLOPs come from who derived them."""
        own = (each for each in site.module._parameters.values() if each is not None)
        yield {
            "inputs": _numbers(site.flow.dims.values()),
            "weights": Polynomial.constant(sum(each.numel() for each in own)),
            "outputs": _numbers(site.flow.outputs),
        }

    def compute_flops(self, **parameters: int) -> int:
        return parameters["flops"]

    def compute_memory_reads(self, **parameters: int) -> int:
        return (parameters["inputs"] + parameters["weights"]) * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return parameters["outputs"] * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """What it was given and what it returns: what is made on the way is not known."""
        return (parameters["inputs"] + parameters["outputs"]) * parameters["dtype_bytes"]

    def compute_kept_inputs(self, **parameters: int) -> int:
        return parameters["inputs"] * parameters["dtype_bytes"]


class Measured:
    """The FLOPs of a module that follows no formula: counted at the very sizes that are asked for, once each.

    Args:
        traces: The way to counts at other sizes.
        path: Of a module that was not spared.
        number: Which of its calls; None for all together.
    """

    def __init__(self, traces: FurtherTraces, path: str, number: int | None) -> None:
        self._traces = traces
        self._path = path
        self._number = number

    def __call__(self, sizes: Mapping[str, int]) -> int:
        """The count at `sizes`.

        Raises:
            NetwrightError: The model does not take them.
        """
        return self._traces.flops(Sizes.of(sizes), self._path, self._number)

    def __str__(self) -> str:
        return "counted at the sizes asked for"


class Deriver:
    """Derives formulas of single calls of modules from a model's traces.

    Args:
        traces: At the sizes that are known already, and the way to further ones.
        cache: Formulas of earlier runs.
    """

    def __init__(self, traces: FurtherTraces, cache: FormulaCache | None = None) -> None:
        self._traces = traces
        self._cache = cache or FormulaCache()

    def derive(self, site: Site, number: int | None) -> Derivation | None:
        """The formula of a call, or None where none was found.

        Args:
            number: Which of the module's calls; None for all of them together.
        """
        path = self._traces.origin(site.path)
        at = self._traces.known
        counted = [self._traces.flops(each, path, number) for each in at]
        if not any(counted):
            return Derivation(ZERO, ())
        key = self._key(site, number)
        earlier = self._cache.read(key)
        if earlier is not None and _agrees(earlier.formula, at, counted):
            return replace(earlier, found="from an earlier run")
        at = at + self._traces.further()
        counted = [self._traces.flops(each, path, number) for each in at]
        found = fit_formula(at, counted, _pieces(site)) or _proposed(site, at, counted)
        if found is not None:
            self._cache.write(key, found)
        return found

    def _key(self, site: Site, number: int | None) -> tuple[object, ...]:
        """All that the FLOPs of a call may depend on: code, settings, shapes, and which sizes vary."""
        module = site.module
        weights = {name: tuple(each.shape) for name, each in module._parameters.items() if each is not None}
        children = [(name, _class_path(child)) for name, child in module._modules.items() if child is not None]
        shapes = {name: [str(dim) for dim in dims] for name, dims in site.flow.dims.items()}
        settings = {name: value for name, value in site.config.items() if isinstance(value, int | float | str | bool)}
        facts = (repr(sorted(attributes(module).items(), key=repr)), weights, children, shapes, settings, number)
        return (type(module), *facts, sorted(self._traces.varying), self._traces.phase)


def fit_formula(sizes: Sequence[Sizes], counted: Sequence[int], pieces: Sequence[int] = ()) -> Derivation | None:
    """The simplest formula that agrees with all counts, with more of them than it has coefficients.

    Polynomials are tried first; then those with ⌈S / piece⌉ in place of S; then polynomials that hold from some length
    on, for modules that compute short sequences another way.

    Args:
        sizes: Where was counted.
        pieces: Sizes of chunks that the module may pad to.
    """
    candidates = list(_bases())
    for piece in (None, *pieces):
        for basis in candidates:
            if piece is None or any("S" in term for term in basis):
                found = _fit(sizes, counted, [_cut(term, piece) for term in basis])
                if found is not None:
                    return found
    for least in sorted({each.sequence for each in sizes})[1:]:
        within = [(each, value) for each, value in zip(sizes, counted, strict=True) if each.sequence >= least]
        for basis in candidates:
            found = _fit([each for each, _ in within], [value for _, value in within], basis)
            if found is not None:
                return replace(found, holds=f"where S >= {least}")
    return None


def _bases() -> Iterator[list[str]]:
    """Bases of formulas: work per sequence, then also work once for all sequences."""
    for lengths in LENGTHS:
        yield ["*".join(part for part in ("B", each) if part) for each in lengths]
    for lengths in LENGTHS[:6]:
        once = [each or "1" for each in lengths]
        yield once
        yield [*once, *("*".join(part for part in ("B", each) if part) for each in lengths)]


def _cut(term: str, piece: int | None) -> str:
    return term if piece is None else term.replace("S", f"ceil(S/{piece})")


def _fit(sizes: Sequence[Sizes], counted: Sequence[int], basis: Sequence[str]) -> Derivation | None:
    terms = [Expression(each) for each in basis]
    rows = [[Fraction(each(at.variables)) for each in terms] for at in sizes]
    independent = _independent(rows)
    used = len(independent)
    if not used or used != len(basis) or len(sizes) < used + CHECKS:
        return None
    coefficients = solve(counted, rows)
    if coefficients is None:
        return None
    text = " + ".join(
        f"{_number(value)}*{term}" for value, term in zip(coefficients, basis, strict=True) if value
    ).replace("+ -", "- ")
    checked = tuple(_words(each) for each in sizes[used:])
    return Derivation(_as_polynomial(Expression(text or "0"), coefficients, basis), checked)


def _independent(rows: Sequence[Sequence[Fraction]]) -> list[int]:
    """Columns that these rows tell apart from all before them, by elimination."""
    left = [list(row) for row in rows]
    found: list[int] = []
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((row for row in left[len(found) :] if row[column]), None)
        if pivot is None:
            continue
        left.remove(pivot)
        left.insert(len(found), pivot)
        for row in left[len(found) + 1 :]:
            factor = row[column] / pivot[column]
            row[:] = [a - factor * b for a, b in zip(row, pivot, strict=True)]
        found.append(column)
    return found


def _as_polynomial(
    expression: Expression, coefficients: Sequence[Fraction], basis: Sequence[str]
) -> Polynomial | Expression:
    if any("ceil" in term for term in basis):
        return expression
    total = ZERO
    for value, term in zip(coefficients, basis, strict=True):
        factors = [Polynomial.variable(name) for name in term.split("*") if name != "1"]
        total = total + prod(factors, start=Polynomial.constant(value))
    return total


def _proposed(site: Site, sizes: Sequence[Sizes], counted: Sequence[int]) -> Derivation | None:
    """The formula that the run's model proposes, if one is configured and its formula agrees with all counts."""
    proposed = propose(type(site.module), [each.variables for each in sizes], counted)
    if proposed is None or not _agrees(proposed, sizes, counted):
        return None
    return Derivation(proposed, tuple(_words(each) for each in sizes), found="proposed by a model")


def _agrees(formula: Polynomial | Expression, sizes: Sequence[Sizes], counted: Sequence[int]) -> bool:
    try:
        return all(formula(at.variables) == value for at, value in zip(sizes, counted, strict=True))
    except ArithmeticError:
        return False


def _pieces(site: Site) -> list[int]:
    """Numbers among the settings of a module and its configuration by which a sequence may be cut."""
    named: Mapping[str, object] = {**site.config, **attributes(site.module)}
    found = [value for name, value in named.items() if any(word in name for word in PIECES)]
    return sorted({value for value in found if isinstance(value, int) and not isinstance(value, bool) and value > 1})


def _numbers(tensors: Iterable[Sequence[Polynomial]]) -> Polynomial:
    return sum((prod(dims, start=Polynomial.constant(1)) for dims in tensors), ZERO)


def _words(sizes: Sizes) -> str:
    return ", ".join(f"{name}={value}" for name, value in sizes.variables.items() if value)


def _number(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"({value})"


def _class_path(module: nn.Module) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"
