"""Predicted FLOPs and parameters beside what other counters say of the same models, and how the predictor scales.

Every tool counts one forward of each model, all in a process of its own. The reference is torch's own flop counter on
the real model with eager attention. Tools that count multiply-accumulates are compared at 2 FLOPs each. Peers must run
the model, so the models of the table are reduced (see MODELS); the rest of the file takes whole shapes. Times are those
of the processor; netwright's include building the model, which the peers are given.

    pip install calflops fvcore ptflops torchinfo deepspeed     # each is optional, and reported when it is missing
    python benchmarks/predictor.py
"""

import contextlib
import io
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from _results import describe_machine, write_results

TEXT = {"hidden_size": 256, "num_hidden_layers": 3, "vocab_size": 1000, "num_attention_heads": 8}
EXPERTS = {"moe_intermediate_size": 128, "num_experts_per_tok": 2}
MODELS: dict[str, dict[str, Any]] = {
    "llama": {**TEXT, "num_key_value_heads": 2, "intermediate_size": 512},
    "gpt2": {"n_embd": 256, "n_layer": 3, "n_head": 8, "vocab_size": 1000},
    "mistral": {**TEXT, "num_key_value_heads": 2, "intermediate_size": 512, "sliding_window": 16},
    "qwen2": {**TEXT, "num_key_value_heads": 2, "intermediate_size": 512},
    "gemma3_text": {**TEXT, "num_key_value_heads": 2, "intermediate_size": 512, "head_dim": 64},
    "qwen3_moe": {**TEXT, **EXPERTS, "num_key_value_heads": 2, "intermediate_size": 512, "num_experts": 8},
    "deepseek_v3": {
        **TEXT,
        **EXPERTS,
        "num_key_value_heads": 8,
        "intermediate_size": 512,
        "n_routed_experts": 8,
        "n_group": 2,
        "topk_group": 1,
        "first_k_dense_replace": 1,
        "q_lora_rank": 96,
        "kv_lora_rank": 64,
        "qk_rope_head_dim": 16,
        "qk_nope_head_dim": 32,
        "v_head_dim": 32,
    },
    "mamba": {"hidden_size": 256, "num_hidden_layers": 3, "vocab_size": 1000},
    "bert": {**TEXT, "intermediate_size": 512},
    "t5": {"d_model": 256, "d_kv": 32, "num_heads": 8, "num_layers": 3, "d_ff": 512, "vocab_size": 1000},
    "vit": {"hidden_size": 256, "num_hidden_layers": 3, "num_attention_heads": 8, "intermediate_size": 512},
    "whisper": {
        "d_model": 256,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 8,
        "decoder_attention_heads": 8,
        "encoder_ffn_dim": 512,
        "decoder_ffn_dim": 512,
        "vocab_size": 1000,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 1,
    },
}
"""Model types with the fields that are not the default ones."""
BATCH, LENGTH = 2, 24
LIMIT_S = 900
LLAMA_405B = {
    "hidden_size": 16384,
    "intermediate_size": 53248,
    "num_hidden_layers": 126,
    "num_attention_heads": 128,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}
SHAPES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "Llama-3.1-405B": ("llama", LLAMA_405B, {"num_hidden_layers": 1, "hidden_size": 64, "num_attention_heads": 2}),
    "DeepSeek-V3": ("deepseek_v3", {}, {"num_hidden_layers": 4}),
}
"""Whole shapes: model type, fields, and fields of a small one that is predicted first so that all is imported."""
LENGTHS = (1_000, 1_000_000)
REPEATS = 5
CLASSES = 1000


@dataclass
class Count:
    """What one tool says of one model."""

    flops: int | None = None
    parameters: int | None = None
    seconds: float | None = None
    failure: str | None = None


def main() -> None:
    """Measure, print and write; with a name of a part, print that part as JSON."""
    if len(sys.argv) > 1:
        part, *names = sys.argv[1:]
        print("\n" + json.dumps(PARTS[part](*names)))
        return
    table = {tool: _child("table", tool) for tool in TOOLS}
    reference = table["torch's counter"]
    for tool, rows in table.items():
        print(f"\n{tool} {_version_of(tool)}")
        for model, row in rows.items() if isinstance(rows, dict) and "failure" not in rows else [("all", rows)]:
            row["equal"] = row.get("flops") is not None and row["flops"] == reference.get(model, {}).get("flops")
            print(f"  {model:12} {row}")
    results = {
        "batch": BATCH,
        "length": LENGTH,
        "models": MODELS,
        "versions": {tool: _version_of(tool) for tool in TOOLS},
        "table": table,
        "shapes": {name: _child("shape", name) for name in SHAPES},
        "population": _child("population"),
        "machine": describe_machine(),
    }
    print(json.dumps({name: results[name] for name in ("shapes", "population")}, indent=2))
    write_results("predictor", results)


def count_all(tool: str) -> dict[str, Any]:
    """One tool's counts of all models, in this process."""
    rows = {}
    for name, fields in MODELS.items():
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                rows[name] = asdict(TOOLS[tool](name, fields))
        except Exception as error:  # a tool may fail as it likes: that is a result
            rows[name] = asdict(Count(failure=" ".join(f"{type(error).__name__}: {error}".split())[:300]))
    return rows


def by_netwright(name: str, fields: dict[str, Any]) -> Count:
    """From the configuration alone: building the skeleton, tracing and predicting all count."""
    from netwright_predictor import predict

    started = time.process_time()
    found = predict(name, batch_size=BATCH, sequence_length=LENGTH, constants=fields)
    return Count(found.flops.forward, found.parameters.total, time.process_time() - started)


def by_torch(name: str, fields: dict[str, Any]) -> Count:
    """The reference."""
    from torch.utils.flop_counter import FlopCounterMode

    model, inputs = _model(name, fields)
    started = time.process_time()
    with FlopCounterMode(display=False) as counter:
        model(**inputs)
    seconds = time.process_time() - started
    return Count(counter.get_total_flops(), sum(each.numel() for each in model.parameters()), seconds)


def by_calflops(name: str, fields: dict[str, Any]) -> Count:
    """Its MACs, for its FLOPs count activations and more."""
    from calflops import calculate_flops

    model, inputs = _model(name, fields)
    started = time.process_time()
    _, macs, parameters = calculate_flops(
        model=model, kwargs=inputs, print_results=False, output_as_string=False, print_detailed=False
    )
    return Count(round(2 * macs), round(parameters), time.process_time() - started)


def by_deepspeed(name: str, fields: dict[str, Any]) -> Count:
    """Its MACs, as calflops', which grew out of it."""
    from deepspeed.profiling.flops_profiler import get_model_profile

    model, inputs = _model(name, fields)
    started = time.process_time()
    _, macs, parameters = get_model_profile(
        model=model, kwargs=inputs, print_profile=False, detailed=False, as_string=False, warm_up=0
    )
    return Count(round(2 * macs), round(parameters), time.process_time() - started)


def by_fvcore(name: str, fields: dict[str, Any]) -> Count:
    """It traces, and counts a multiply-add as one."""
    from fvcore.nn import FlopCountAnalysis, parameter_count

    model, inputs = _model(name, fields)
    wrapped = _positional(model, list(inputs))
    started = time.process_time()
    analysis = FlopCountAnalysis(wrapped, tuple(inputs.values()))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    flops = 2 * int(analysis.total())
    return Count(flops, parameter_count(model)[""], time.process_time() - started)


def by_ptflops(name: str, fields: dict[str, Any]) -> Count:
    """With its operator backend, which its authors recommend for transformers."""
    from ptflops import get_model_complexity_info

    model, inputs = _model(name, fields)
    started = time.process_time()
    macs, parameters = get_model_complexity_info(
        model,
        (1,),
        input_constructor=lambda _: inputs,
        as_strings=False,
        print_per_layer_stat=False,
        backend="aten",
    )
    if macs is None:
        return Count(failure="it returned None")
    return Count(2 * int(macs), parameters, time.process_time() - started)


def by_torchinfo(name: str, fields: dict[str, Any]) -> Count:
    """Its mult-adds of layers with weights."""
    from torchinfo import summary

    model, inputs = _model(name, fields)
    started = time.process_time()
    found = summary(model, input_data=inputs, verbose=0)
    return Count(2 * int(found.total_mult_adds), found.total_params, time.process_time() - started)


TOOLS: dict[str, Callable[[str, dict[str, Any]], Count]] = {
    "torch's counter": by_torch,
    "netwright": by_netwright,
    "calflops": by_calflops,
    "deepspeed": by_deepspeed,
    "fvcore": by_fvcore,
    "ptflops": by_ptflops,
    "torchinfo": by_torchinfo,
}


def predict_shape(name: str) -> dict[str, Any]:
    """Time and memory of whole shapes beyond the imports, at a short and at a very long sequence."""
    from netwright_predictor import predict

    model_type, fields, small = SHAPES[name]
    predict(model_type, sequence_length=64, constants=small)
    before = _peak_bytes()
    rows: dict[str, Any] = {}
    jobs: dict[str, dict[str, Any]] = {f"{length} tokens": {"sequence_length": length} for length in LENGTHS}
    jobs["with bounds of all phases"] = {"sequence_length": LENGTHS[0], "hardware": "h200"}
    for label, job in jobs.items():
        wall, processor = [], []
        for _ in range(REPEATS):
            started = time.perf_counter(), time.process_time()
            found = predict(model_type, constants=fields, dtype="bfloat16", **job)
            wall.append(time.perf_counter() - started[0])
            processor.append(time.process_time() - started[1])
        rows[label] = {
            "flops": found.flops.forward,
            "parameters": found.parameters.total,
            "median_s": statistics.median(wall),
            "median_cpu_s": statistics.median(processor),
        }
    return {**rows, "memory_bytes": _peak_bytes() - before}


def populate_classes() -> dict[str, Any]:
    """A thousand module classes, each with an instance's attributes and with none."""
    from transformers import LlamaConfig

    from netwright_predictor.population import populate

    config = LlamaConfig().to_dict()
    required = dict.fromkeys(
        ("B", "S", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "dtype_bytes"), "int"
    )
    runtime = {"B": 8, "S": 512}
    instance = {"head_dim": 128, "num_key_value_groups": 1, "layer_idx": 3}
    seconds = {}
    for label, attributes in (("with an instance", instance), ("without", None)):
        started = time.perf_counter()
        for number in range(CLASSES):
            populate(
                required,
                config=config,
                runtime=runtime,
                instance=attributes,
                module_class=f"transformers.models.llama.modeling_llama.LlamaAttention{number}",
            )
        seconds[label] = time.perf_counter() - started
    return {"classes": CLASSES, "parameters_each": len(required), "seconds": seconds}


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "table": count_all,
    "shape": predict_shape,
    "population": populate_classes,
}


def _model(name: str, fields: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The real model on the CPU with eager attention, and its inputs."""
    import torch

    from netwright_predictor.subject import read_subject
    from netwright_predictor.tracing.feed import Feed
    from netwright_predictor.tracing.inputs import draw_inputs
    from netwright_predictor.tracing.sizes import Sizes

    torch.manual_seed(0)
    subject = read_subject(name, fields)
    config = subject.config
    config._attn_implementation, config._experts_implementation = "eager", "batched_mm"
    config.use_cache = False
    model = subject.model_class._from_config(config).eval()
    sizes = Feed(subject.model_class, config).settle(Sizes(batch=BATCH, sequence=LENGTH, encoder=LENGTH))
    return model, draw_inputs(subject.model_class, config, sizes)


def _positional(model: Any, names: list[str]) -> Any:
    """The model with positional inputs and a tensor as its output, as tracing needs it."""
    from torch import nn

    class Positional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *values: Any) -> Any:
            return self.model(**dict(zip(names, values, strict=True)), return_dict=False)[0]

    return Positional()


def _child(*arguments: str) -> Any:
    """A part of this benchmark in a process of its own; what goes wrong is its result."""
    command = [sys.executable, str(Path(__file__)), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return {"failure": f"took more than {LIMIT_S} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return {"failure": lines[-1] if lines else f"ended with code {done.returncode}"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _version_of(tool: str) -> str:
    try:
        return version("torch" if tool == "torch's counter" else tool)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
