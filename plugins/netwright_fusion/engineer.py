"""The Triton Code Engineer: carries out a plan, finds the step at fault where a check fails, and writes the files."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from netwright.cases import Case
from netwright.context import current_run
from netwright.errors import NetwrightError
from netwright.files import slug, write_text
from netwright_fusion.bisection import first_wrong
from netwright_fusion.capture import Captured
from netwright_fusion.cost import Machine, graph_cost
from netwright_fusion.emission import EmissionError, Execution, emit, emit_baseline, kernel_names
from netwright_fusion.graph import from_parameters, operator_name
from netwright_fusion.graph_check import GraphCheck
from netwright_fusion.kernels.catalogue import TEMPLATES
from netwright_fusion.kernels.template import KernelCall, KernelSite, KernelTemplate
from netwright_fusion.metrics import VariantKind
from netwright_fusion.origin import Origin
from netwright_fusion.plan import PlanStep, risk_of
from netwright_fusion.portfolio import Candidate, Figures
from netwright_fusion.rules.apply import Applied, apply_rules
from netwright_fusion.rules.catalogue import RULES
from netwright_fusion.rules.rule import Rule

MODULE = "optimized.py"
MOST_FAULTS = 8
"""So many wrong steps in one graph mean that the graph is not understood: it is then left as it is."""


@dataclass
class Rewritten:
    """A graph and the steps that led to it.

    Attributes:
        dropped: Steps, by key, that turned out wrong and were left out, with what was wrong.
    """

    captured: Captured
    applied: list[Applied]
    kernels: list[tuple[str, KernelCall]] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)


class Engineer:
    """Rewrites the captured graph of one case and writes candidates.

    Args:
        case: Whose module it is.
        origin: Where its source stands.
        captured: Its graph; None where there is none, and then only baselines can be written.
        root: The run's folder; files lie in `artifacts/<label>/`.
    """

    def __init__(self, case: Case, origin: Origin, captured: Captured | None, root: Path, *, seed: int) -> None:
        self._origin = origin
        self._captured = captured
        self._root = root
        self._check = GraphCheck(case, seed=seed)

    def propose(self, machine: Machine, *, rules: bool, kernels: bool, skip: Collection[str]) -> list[PlanStep]:
        """Every step that could be taken, with what it should gain; nothing is written."""
        steps: list[PlanStep] = []
        if self._captured is None:
            return steps
        rewritten = self._captured.copy()
        try:
            applied = self._apply(rewritten, RULES, skip) if rules else []
        except Exception as error:  # a rule that is wrong may raise anything; carrying out the plan tells which
            current_run().log_event("rehearsal_failed", error=explain(error))
            rewritten, applied = self._captured.copy(), []
        steps += [_rule_step(number, each, machine) for number, each in enumerate(applied, start=1)]
        if kernels:
            found = self._apply_kernels(rewritten, skip)
            steps += [_kernel_step(number, *each, machine) for number, each in enumerate(found, start=1)]
        return steps

    def rewrite(self, steps: Sequence[PlanStep], skip: Collection[str], *, measured: bool) -> Rewritten:
        """The graph after the rules of a plan, each held against the module; wrong ones are found and left out.

        Args:
            skip: Keys or names of rules to leave out.
            measured: Whether to apply the rules that are kept only where measured faster.
        """
        assert self._captured is not None
        rules = [rule for rule in RULES if measured or not rule.measured]
        chosen = {step.spec for step in steps if step.kind == "rule"}
        rules = [rule for rule in rules if rule.name in chosen]
        left_out = {*skip}
        dropped: dict[str, str] = {}
        while True:
            captured = self._captured.copy()
            try:
                applied = self._apply(captured, rules, left_out)
            except Exception as error:  # a rule that is wrong may raise anything
                culprit, wrong = self._raising(rules, left_out), explain(error)
            else:
                complaint = self._check.complaint(captured) if applied else None
                if complaint is None:
                    return Rewritten(captured, applied, dropped=dropped)
                if not dropped and (unlike := self._check.complaint(self._captured)) is not None:
                    current_run().warn(f"no rewrites, for the captured graph is not what the module computes: {unlike}")
                    left_out |= {rule.name for rule in rules}
                    continue
                culprit, wrong = self._culprit(applied), complaint
            dropped[culprit] = wrong
            left_out.add(culprit)
            current_run().warn(f"left out '{culprit}': {wrong}")
            if len(dropped) >= MOST_FAULTS:
                left_out |= {rule.name for rule in rules}

    def with_kernels(self, rewritten: Rewritten, skip: Collection[str]) -> Rewritten:
        """The graph with Triton kernels in place of the nodes that templates find."""
        captured = rewritten.captured.copy()
        kernels = self._apply_kernels(captured, skip)
        return Rewritten(captured, rewritten.applied, kernels, dict(rewritten.dropped))

    def write(self, label: str, kind: VariantKind, rewritten: Rewritten, execution: str) -> Candidate:
        """Write a candidate's file.

        Raises:
            NetwrightError: The graph or the case cannot be written out so.
        """
        notes = [f"{applied.site}: {applied.rule.reason}" for applied in rewritten.applied]
        text = emit(rewritten.captured, self._origin, execution=Execution(execution), notes=notes)
        steps = [*(applied.key for applied in rewritten.applied), *(site for site, _ in rewritten.kernels)]
        claims = kernel_names(rewritten.captured.graph)
        cost = graph_cost(rewritten.captured.graph)
        figures = Figures(flops=cost.flops, bytes=cost.bytes)
        return self._write(label, kind, text, execution, steps, claims, figures)

    def write_baseline(self, label: str, execution: str) -> Candidate:
        """Write the file of a baseline: the original module, executed in that way.

        Raises:
            NetwrightError: The case cannot be written out.
        """
        way = Execution(execution)
        random = self._captured is not None and self._captured.random
        try:
            text = emit_baseline(self._origin, execution=way, random=random)
        except EmissionError:
            if self._captured is None:
                raise
            text = emit(self._captured, self._origin, execution=way)
        return self._write(label, "baseline", text, execution)

    def only(self, keys: Sequence[str]) -> Rewritten:
        """The graph after the rules' applications of these keys, and no others."""
        assert self._captured is not None
        wanted, left_out = set(keys), set[str]()
        rules = [rule for rule in RULES if any(key.startswith(f"{rule.name}: ") for key in keys)]
        while True:
            captured = self._captured.copy()
            applied = self._apply(captured, rules, left_out)
            further = {each.key for each in applied} - wanted
            if not further:
                return Rewritten(captured, applied)
            left_out |= further

    def _culprit(self, applied: Sequence[Applied]) -> str:
        """The key of the first step after which the graph is wrong, found by bisection."""
        keys = [each.key for each in applied]

        def is_wrong(length: int) -> bool:
            return self._check.complaint(self.only(keys[:length]).captured) is not None

        return keys[first_wrong(len(keys), is_wrong) - 1]

    def _raising(self, rules: Sequence[Rule], skip: Collection[str]) -> str:
        """The name of the first rule that raises when it is applied after those before it."""
        assert self._captured is not None
        for number in range(1, len(rules)):
            try:
                self._apply(self._captured.copy(), rules[:number], skip)
            except Exception:  # a rule that is wrong may raise anything
                return rules[number - 1].name
        return rules[-1].name

    def _apply(self, captured: Captured, rules: Sequence[Rule], skip: Collection[str]) -> list[Applied]:
        if captured.in_place:
            return []
        if self._origin.text is None:  # there is no original that the file could run on special values
            rules = [rule for rule in rules if not rule.spreads]
        return apply_rules(captured.graph, rules, training=captured.training, skip=frozenset(skip))

    def _apply_kernels(self, captured: Captured, skip: Collection[str]) -> list[tuple[str, KernelCall]]:
        """Apply every template wherever it applies; what it cannot write it leaves alone."""
        found: list[tuple[str, KernelCall]] = []
        refused: set[str] = {*skip}
        for template in TEMPLATES:
            if template.name in refused:
                continue
            while site := _next_site(template, captured, refused):
                try:
                    found.append((site.name, template.apply(captured.graph, site)))
                except Exception as error:  # a template may refuse, or be wrong: PyTorch's operators stay
                    current_run().log_event("kernel_not_written", site=site.name, reason=explain(error))
                refused.add(site.name)
        return found

    def _write(
        self,
        label: str,
        kind: VariantKind,
        text: str,
        execution: str,
        steps: Sequence[str] = (),
        kernels: Sequence[str] = (),
        figures: Figures | None = None,
    ) -> Candidate:
        path = self._root / "artifacts" / slug(label) / MODULE
        write_text(path, text)
        return Candidate(
            label=label,
            kind=kind,
            execution=execution,
            path=path.relative_to(self._root).as_posix(),
            steps=list(steps),
            kernels=list(kernels),
            figures=figures,
        )


def _next_site(template: KernelTemplate, captured: Captured, refused: Collection[str]) -> KernelSite | None:
    """Where a template applies next; what depends on parameters only needs no kernel, for it is computed once."""
    try:
        sites = (each for each in template.sites(captured.graph) if each.name not in refused)
        return next((each for each in sites if not from_parameters(each.core)), None)
    except Exception as error:  # a template that is wrong about a graph has no sites in it
        current_run().log_event("template_failed", template=template.name, reason=explain(error))
        return None


def explain(error: Exception) -> str:
    """An error in one line."""
    return str(error) if isinstance(error, NetwrightError) else " ".join(f"{type(error).__name__}: {error}".split())


def _rule_step(number: int, applied: Applied, machine: Machine) -> PlanStep:
    rule = applied.rule
    return PlanStep(
        id=f"r{number}",
        kind="rule",
        spec=rule.name,
        site=applied.site,
        key=applied.key,
        target_ops=_operators_of(applied.site),
        flops_removed=applied.flops_removed,
        bytes_removed=applied.bytes_removed,
        gain_ms=_gain_ms(machine, applied.flops_removed, applied.bytes_removed),
        risk=risk_of(conditions=rule.conditions, measured=rule.measured),
        reason=rule.reason,
        measured=rule.measured,
        compiled=rule.compiled,
    )


def _kernel_step(number: int, site: str, call: KernelCall, machine: Machine) -> PlanStep:
    operators = [operator_name(node) for node in call.reference.graph.nodes if node.op == "call_function"]
    return PlanStep(
        id=f"k{number}",
        kind="kernel",
        spec=call.family,
        site=site,
        key=site,
        target_ops=operators,
        flops_removed=0,
        bytes_removed=call.bytes_removed,
        gain_ms=_gain_ms(machine, 0, call.bytes_removed),
        risk="medium",
        reason=f"one kernel instead of {len(operators)} operators",
        measured=True,
    )


def _operators_of(site: str) -> list[str]:
    """The operators that a site's name begins with: "linear 'fc' -> sum over outputs (sum_1)" rewrites a linear."""
    return site.split(" -> ")[0].split(" '")[0].split(" + ")


def _gain_ms(machine: Machine, flops: int, moved: int) -> float:
    return round(1e3 * max(flops / machine.flops_per_s, moved / machine.bytes_per_s, 0.0), 6)
