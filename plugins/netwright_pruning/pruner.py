"""The Python API's front door: prune a model by its name, or compare methods, as the agent `pruner` does."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from netwright.collect import collect
from netwright.context import RunContext
from netwright.errors import NetwrightError, UserError
from netwright.files import cache_folder, content_key, slug, utc_now
from netwright.result import Result
from netwright.resume import resume_run
from netwright.run import JobConfig, run_job
from netwright.runfolder import RunFolder, read_json_lines, read_result
from netwright_pruning.agents.profiling import merge_limits
from netwright_pruning.assignment import Assignment, assign, dataset_section, default_experiment
from netwright_pruning.exceptions import ConfigurationError, PruningError
from netwright_pruning.experiment import CachePolicy, ExperimentConfig, PrecomputationSection, load_config
from netwright_pruning.hardware import hardware_in_force
from netwright_pruning.merging import merge
from netwright_pruning.precomputation import precomputing
from netwright_pruning.replication import over_seeds
from netwright_training.distributed import Team
from netwright_training.recomputation import asking_for_recomputation

METHOD = "multi_agent"
METHODS = ("multi_agent", "magnitude_l1", "magnitude_l2", "taylor", "isomorphic")
"""What is compared unless methods are named."""
KEY = "OPENAI_API_KEY"
SMALL_PIECES = 8
"""Samples that `memory_efficient` looks at together."""
RECOVERY = ("reconstruct", "distillation", "average_decay")
"""The fine-tuning agent's settings that the loop takes; the others make its recipe."""
MLP_LAYERS = ("*mlp*", "*ffn*", "*feed_forward*", "*intermediate*")
ATTENTION_LAYERS = ("*attn*", "*attention*")
"""What the layers of MLP blocks and of attention are called."""


class MultiAgentPruner:
    """Prunes models by name.

    Args:
        config_path: The experiment's YAML file (see `load_config`), or its content as a mapping; None takes the file
            that the variable NETWRIGHT_EXPERIMENT names, or defaults.

    Raises:
        ConfigurationError: The file cannot be read, a variable is not set, or a key is wrong.
    """

    def __init__(self, config_path: str | Path | Mapping[str, Any] | ExperimentConfig | None = None) -> None:
        if isinstance(config_path, ExperimentConfig):
            self.config = config_path
        else:
            self.config = default_experiment() if config_path is None else load_config(config_path)

    def prune_model(
        self,
        model_name: str,
        dataset: str,
        target_ratio: float,
        output_dir: str | Path | None = None,
        max_iterations: int | None = None,
        enable_caching: bool | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Remove `target_ratio` of a model's parameters, recover it, and judge it on the test split.

        Args:
            model_name: A short name ("deit_small"), a name of timm, or a case ("digits_cnn").
            dataset: A section of the experiment's datasets, or a registered dataset ("imagenet", "cifar10", "digits").
            target_ratio: The share of the parameters that goes, above 0 and below 1.
            output_dir: The run's folder: model, report.html, result.json and logs. An equal run in it that was killed
                is gone on with; any other is kept aside.
            max_iterations: At most so many rounds of the agents; None takes master_agent.max_iterations.
            enable_caching: Whether to hand back the result of an equal pruning that ended well; None takes
                precomputation.enabled.
            **kwargs: `checkpoint`, `pretrained`, `image_size`, `constants`, `train`, `fine_tune` (see `assign`),
                `seed`, `method` (another baseline than `multi_agent`), and further settings of the agent `pruner`.

        Returns:
            `final_accuracy`, `params_reduction`, `macs_reduction`, `convergence_iterations`, `total_time_minutes`, and
            besides `baseline_accuracy`, `final_params`, `final_macs`, `method`, `within_budget`, `cached`, `model_path`
            (for `load_pruned`) and `output_dir`.

        Raises:
            ConfigurationError: Dataset or weights are not there; the message names the setting.
            PruningError: The pruning failed, or what was asked for cannot be.
        """
        method = kwargs.pop("method", METHOD)
        found = self._run(
            model_name,
            dataset,
            target_ratio,
            [method],
            output_dir=output_dir,
            max_iterations=max_iterations,
            enable_caching=enable_caching,
            **kwargs,
        )
        if method not in found:
            raise PruningError(f"method '{method}' left no result")
        return found[method]

    def compare_methods(
        self,
        model_name: str,
        dataset: str,
        target_ratio: float,
        methods: Sequence[str] | None = None,
        seeds: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> dict[str, dict[str, Any]]:
        """Prune with several methods to one budget, each recovered in the same way, in one run per seed.

        Args:
            model_name: As for `prune_model`; so are the others.
            methods: Registered baselines of group "pruning"; None takes `METHODS`.
            seeds: Several make a comparison with standard errors and paired tests; None takes the experiment's alone.

        Returns:
            Per method, what `prune_model` returns. One that failed is left out, with a warning. Over seeds, the means
            of those figures and what `over_seeds` adds; the folder then holds a run per seed, and collected.html.

        Raises:
            ConfigurationError: As `prune_model`.
            PruningError: As `prune_model`, or every method failed.
        """
        names = list(dict.fromkeys(METHODS if methods is None else methods))
        if not names:
            raise PruningError.of(UserError("there are no methods to compare", remedy="name some: methods=[...]"))
        if seeds is None:
            return self._run(model_name, dataset, target_ratio, names, **kwargs)
        if not seeds:
            raise PruningError.of(UserError("there are no seeds to compare over", remedy="name some: seeds=[0, 1, 2]"))
        given = kwargs.pop("output_dir", None)
        root = Path(given).expanduser() if given else self._root() / f"{utc_now():%Y-%m-%d-%H-%M-%S}-comparison"
        found = {}
        for seed in dict.fromkeys(seeds):
            own = {**kwargs, "seed": seed, "output_dir": root / f"seed-{seed}"}
            found[seed] = self._run(model_name, dataset, target_ratio, names, **own)
        collect(root).write(root)
        return over_seeds(found)

    def _run(
        self,
        model_name: str,
        dataset: str,
        target_ratio: float,
        methods: Sequence[str],
        *,
        output_dir: str | Path | None = None,
        max_iterations: int | None = None,
        enable_caching: bool | None = None,
        **kwargs: Any,
    ) -> dict[str, dict[str, Any]]:
        started = time.perf_counter()
        try:
            _check_ratio(target_ratio)
            _check_safety(target_ratio, dataset, self.config)
            given = {key: kwargs.pop(key) for key in _ASSIGNED if key in kwargs}
            assignment = assign(model_name, dataset, self.config, **given)
            budget = {"parameters": 1 - target_ratio}
            settings = self.job(assignment, budget, methods, max_iterations=max_iterations, changes=kwargs)
            caching = self.config.precomputation.enabled if enable_caching is None else enable_caching
            folder = self._folder(settings, output_dir, caching=caching)
            result, cached = self.run(settings, folder, caching=caching)
        except ConfigurationError:
            raise
        except NetwrightError as error:
            raise PruningError.of(error) from error
        minutes = (time.perf_counter() - started) / 60
        return {
            report["label"]: _figures(report, result, folder, minutes=None if not cached else minutes, cached=cached)
            for report in result.metrics["methods"]
        }

    def job(
        self,
        assignment: Assignment,
        budget: Mapping[str, float | str],
        methods: Sequence[str],
        *,
        max_iterations: int | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """A job of the agent `pruner`, as `netwright run` composes it.

        Args:
            budget: What remains, e.g. {"macs": "4.16G"}.
            changes: Settings of the agent, and perhaps the `seed`, that count more than the experiment's.
        """
        agent: dict[str, Any] = {**assignment.settings, "budget": dict(budget), "calibration": self._calibration()}
        agent |= self._pruning()
        if limits := _limits(assignment.info["safety_limits"]):
            agent["limits"] = limits
        own = dict(changes or {})
        seed = own.pop("seed", self.config.experiment.seed)
        return {
            "agent": {"name": "pruner", **merge(merge(agent, self.config.pruner), own)},
            "case": assignment.case,
            "case_options": assignment.options.model_dump(exclude_defaults=True),
            "baseline": list(methods),
            "baseline_options": {METHOD: self._multi_agent(assignment, max_iterations)} if METHOD in methods else {},
            "seed": seed,
            "llm": self._llm(),
        }

    def run(self, job: Mapping[str, Any], folder: Path, *, caching: bool) -> tuple[Result, bool]:
        """The result of a job, run in that folder unless it is there, and whether it was there.

        A run of the same job that was killed there, or that failed, is gone on with.

        Raises:
            NetwrightError: The work failed.
        """
        known = _known_result(job, folder) if caching else None
        if known is not None:
            return known, True
        agent, gpu = self.config.agents.pruning_agent, self.config.hardware.gpu
        with (
            hardware_in_force(self.config.hardware) as team,
            precomputing(self._precomputation()),
            asking_for_recomputation(gpu.gradient_checkpointing or agent.gradient_checkpointing),
            _key_at_hand(self.config),
            _own_folder(folder, team) as place,
        ):
            context = None if team.leads else RunContext(console=Console(quiet=True))
            if _is_interrupted(job, place):
                resumed = resume_run(place, context=context)
                if resumed is not None:
                    return resumed, False
            _set_aside(place)
            return run_job(job, RunFolder(place), context=context), False

    def _precomputation(self) -> PrecomputationSection:
        """The section, with what the profiling agent is told of its own."""
        section, own = self.config.precomputation, self.config.agents.profiling_agent
        if "enable_caching" not in own.model_fields_set:
            return section
        analysis = CachePolicy(enabled=own.enable_caching, cache_duration=own.cache_duration)
        scores = section.importance_scores.model_copy(update={"enabled": section.enabled})
        changes = {"enabled": True, "model_analysis": analysis, "importance_scores": scores}
        return section.model_copy(update={**changes, "cache_dir": own.cache_dir or section.cache_dir})

    def _calibration(self) -> dict[str, Any]:
        """How many samples are looked at, and how many at once."""
        batch, agent = self.config.batch_processing, self.config.agents.pruning_agent
        samples = batch.batches * batch.batch_size
        if agent.memory_efficient:
            size = min(SMALL_PIECES, batch.batch_size)
            return {"batches": -(-samples // size), "batch_size": size}
        if not (batch.enabled and agent.batch_processing):
            return {"batches": 1, "batch_size": samples}
        return {"batches": batch.batches, "batch_size": batch.batch_size}

    def _pruning(self) -> dict[str, Any]:
        """The pruning agent's settings that hold for every method."""
        agent = self.config.agents.pruning_agent
        return {key: getattr(agent, key) for key in ("tolerance", "round_to") if key in agent.model_fields_set}

    def _multi_agent(self, assignment: Assignment, max_iterations: int | None) -> dict[str, Any]:
        """The options of the baseline `multi_agent`."""
        agents = self.config.agents
        found = agents.master_agent.model_dump(mode="json", exclude_unset=True)
        if max_iterations is not None:
            found["max_iterations"] = max_iterations
        found |= agents.analysis_agent.model_dump(mode="json", exclude_unset=True, include={"safety_enforcement"})
        limits = merge_limits(agents.profiling_agent.safety_limits, assignment.info["safety_limits"])
        found["safety_limits"] = limits.model_dump(mode="json", exclude_none=True)
        recovery = agents.fine_tuning_agent.model_dump(mode="json", exclude_unset=True, include=set(RECOVERY))
        return {**found, "recovery": recovery} if recovery else found

    def _llm(self) -> dict[str, Any]:
        """The language model: with a key it proposes, without one rules decide."""
        openai = self.config.openai
        if openai.api_key is None:
            return {}
        found = {"backend": "litellm", "model": f"openai/{openai.model}", "api_key_variable": KEY}
        return {**found, "api_base": openai.api_base} if openai.api_base else found

    def _root(self) -> Path:
        return self.config.experiment.output_dir or Path("outputs") / slug(self.config.experiment.name)

    def _folder(self, settings: Mapping[str, Any], output_dir: str | Path | None, *, caching: bool) -> Path:
        if output_dir is not None:
            return Path(output_dir).expanduser()
        if caching:
            cache = self.config.precomputation.cache_dir or cache_folder("pruning")
            return cache / "results" / JobConfig.model_validate(settings).hash[:32]
        case, key = slug(str(settings["case"])), content_key(settings)[:8]
        return self._root() / f"{utc_now():%Y-%m-%d-%H-%M-%S}-{case}-{key}"


_ASSIGNED = ("checkpoint", "pretrained", "image_size", "constants", "train", "fine_tune")


def _limits(safety: Mapping[str, float]) -> dict[str, float]:
    """A dataset's safety limits as the engine takes them, by patterns of layers' names."""
    patterns = {"max_mlp_pruning": MLP_LAYERS, "max_attention_pruning": ATTENTION_LAYERS}
    return {pattern: safety[key] for key, names in patterns.items() if key in safety for pattern in names}


def _check_ratio(target_ratio: float) -> None:
    if isinstance(target_ratio, bool) or not isinstance(target_ratio, (int, float)) or not 0 < target_ratio < 1:
        raise UserError(
            f"target_ratio cannot be {target_ratio!r}",
            why="it is the share of the parameters that goes, above 0 and below 1",
        )


def _check_safety(target_ratio: float, dataset: str, config: ExperimentConfig) -> None:
    largest = dataset_section(dataset, config).safety_limits.max_overall_pruning
    if largest is not None and target_ratio > largest:
        raise UserError(
            f"target_ratio {target_ratio} is unsafe",
            why=f"datasets.{dataset}.safety_limits.max_overall_pruning is {largest}",
            remedy="ask for less, or raise the limit",
        )


def _known_result(settings: Mapping[str, Any], folder: Path) -> Result | None:
    """The result of the same job in that folder, if it ended well."""
    try:
        result = read_result(folder)
    except UserError:
        return None
    same = result.config_hash == JobConfig.model_validate(settings).hash
    return result if same and result.status == "ok" else None


def _is_interrupted(job: Mapping[str, Any], folder: Path) -> bool:
    """Whether the folder holds a run of the same job that did not end well."""
    first = next((e for e in read_json_lines(folder / "events.jsonl") if e["event"] == "job_started"), None)
    if first is None or first.get("config_hash") != JobConfig.model_validate(job).hash:
        return False
    try:
        return read_result(folder).status == "failed"
    except UserError:
        return True


def _set_aside(folder: Path) -> None:
    """Move an earlier run in the folder into `earlier/<number>` of it."""
    if not (folder / "events.jsonl").exists():
        return
    earlier = folder / "earlier"
    number = 1
    while (earlier / str(number)).exists():
        number += 1
    (earlier / str(number)).mkdir(parents=True)
    for entry in folder.iterdir():
        if entry != earlier:
            entry.rename(earlier / str(number) / entry.name)


@contextmanager
def _own_folder(folder: Path, team: Team) -> Iterator[Path]:
    """The folder for the first process of a team; the others, which come to the same, work in a temporary one."""
    if team.leads:
        yield folder
        return
    with TemporaryDirectory(prefix="netwright-") as temporary:
        yield Path(temporary)


@contextmanager
def _key_at_hand(config: ExperimentConfig) -> Iterator[None]:
    """Inside the block, the environment holds the experiment's key, where the language model's backend looks for it."""
    if config.openai.api_key is None:
        yield
        return
    before = os.environ.get(KEY)
    os.environ[KEY] = config.openai.api_key.get_secret_value()
    try:
        yield
    finally:
        if before is None:
            del os.environ[KEY]
        else:
            os.environ[KEY] = before


def _figures(
    report: Mapping[str, Any], result: Result, folder: Path, *, minutes: float | None, cached: bool
) -> dict[str, Any]:
    """One method's result, as the seed's reference names it."""
    before, after = result.metrics["before"], report["after"]
    alone = len(result.metrics["methods"]) == 1
    seconds = result.duration_s if alone else report["seconds"]
    return {
        "final_accuracy": after["accuracy"],
        "params_reduction": 1 - after["parameters"] / before["parameters"],
        "macs_reduction": 1 - after["macs"] / before["macs"],
        "convergence_iterations": report.get("iterations") or 1,
        "total_time_minutes": seconds / 60 if minutes is None else minutes,
        "baseline_accuracy": before["accuracy"],
        "final_params": after["parameters"],
        "final_macs": after["macs"],
        "method": report["label"],
        "within_budget": report["budget"]["within"],
        "cached": cached,
        "model_path": str(folder / result.artifacts[f"model_{report['label']}"]),
        "output_dir": str(folder),
    }
