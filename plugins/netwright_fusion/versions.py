"""The versions of a case's graph that a portfolio holds: rewritten, with rules that are measured, and with kernels."""

from collections.abc import Collection
from dataclasses import dataclass, field

from netwright.files import slug
from netwright_fusion.engineer import Engineer, Rewritten
from netwright_fusion.metrics import VariantKind
from netwright_fusion.plan import PlanStep
from netwright_fusion.rules.apply import Applied


@dataclass(frozen=True)
class Version:
    """One graph of the portfolio."""

    prefix: str
    """What its labels begin with."""
    kind: VariantKind
    rewritten: Rewritten
    rules: frozenset[str] = frozenset()
    """The measured rules that it has beyond the plain version."""


@dataclass
class Versions:
    """Makes versions by the steps of a plan, and remembers what was applied in any of them.

    Attributes:
        skip: Steps and rules to leave out.
        dropped: Steps that turned out wrong meanwhile, with what was wrong.
        applied: What was applied in any version, by key.
    """

    engineer: Engineer
    steps: list[PlanStep]
    skip: Collection[str]
    dropped: dict[str, str] = field(default_factory=dict)
    applied: dict[str, Applied] = field(default_factory=dict)
    fused: Rewritten | None = None
    _plain: Rewritten | None = None

    def make(self) -> list[Version]:
        """The plain version first; then with all measured rules, with each alone if there are several, with kernels."""
        plain = self._plain = self._rewrite(frozenset())
        made = [Version("rewritten" if plain.applied else "captured", "rewritten", plain)]
        made += [version for version in [self.with_rules(self.measured, "tuned")] if version is not None]
        if len(self.measured) > 1:
            for name in sorted(self.measured):
                probe = self.with_rules(frozenset({name}), f"with_{slug(name).replace('-', '_')}")
                made += [probe] if probe is not None else []
        if any(step.kind == "kernel" for step in self.steps):
            self.fused = self.engineer.with_kernels(plain, {*self.skip, *self.dropped})
            if self.fused.kernels:
                made.append(Version("rewritten_triton", "triton", self.fused))
        return made

    @property
    def optional(self) -> frozenset[str]:
        """The plan's rules that are kept only where measured faster."""
        return frozenset(step.spec for step in self.steps if step.kind == "rule" and step.measured)

    @property
    def measured(self) -> frozenset[str]:
        """Those of them that pay or do not without a compiler, too, so that this can be seen at once."""
        return self.optional - {step.spec for step in self.steps if step.compiled}

    @property
    def compiled(self) -> frozenset[str]:
        """Those that only a compiler makes pay."""
        return self.optional - self.measured

    def with_rules(self, names: frozenset[str], prefix: str) -> Version | None:
        """The version with some of the measured rules; None where they change nothing."""
        if not names or self._plain is None:
            return None
        rewritten = self._rewrite(names)
        if {each.key for each in rewritten.applied} == {each.key for each in self._plain.applied}:
            return None
        return Version(prefix, "rewritten", rewritten, names)

    def _rewrite(self, measured: frozenset[str]) -> Rewritten:
        left_out = {*self.skip, *self.dropped, *(self.optional - measured)}
        rewritten = self.engineer.rewrite(self.steps, left_out, measured=bool(measured))
        self.dropped |= rewritten.dropped
        for each in rewritten.applied:
            self.applied.setdefault(each.key, each)
        return rewritten
