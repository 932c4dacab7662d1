"""Training throughput beside hand-written loops on the same model, data and recipe.

All train `cases/digits_cnn` on scikit-learn's digits for a few epochs and validate after each; arms take turns in
each round, in changing order; medians with bootstrap intervals.
Writes benchmarks/results/<date>-training-throughput.json.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import cast

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from _results import describe_machine, write_results
from netwright.cases.load import load_case
from netwright.context import RunContext, use_run
from netwright.harness.statistics import ratio_of_medians
from netwright_training import Splits, TrainConfig, load_dataset, train

ROUNDS = 20
EPOCHS = 3
LR = 1e-3
WEIGHT_DECAY = 0.01

Pairs = Dataset[tuple[Tensor, ...]]


def netwright_loop(model: nn.Module, splits: Splits, batch_size: int) -> None:
    """The training plugin's loop, with its guard against numbers that are not finite."""
    recipe = TrainConfig.model_validate(
        {
            "epochs": EPOCHS,
            "batch_size": batch_size,
            "optimizer": {"lr": LR, "weight_decay": WEIGHT_DECAY},
            "scheduler": {"name": "none"},
            "device": "cpu",
        }
    )
    train(model, splits, recipe, seed=0)


def by_hand(model: nn.Module, splits: Splits, batch_size: int, *, fused: bool | None = None) -> None:
    """What one writes for data in memory: shuffle indices, gather, step; no guard, no record."""
    inputs, targets = cast("TensorDataset", splits.train).tensors
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=WEIGHT_DECAY, fused=fused)
    for _ in range(EPOCHS):
        model.train()
        for indices in torch.randperm(len(inputs)).split(batch_size):
            loss = F.cross_entropy(model(inputs[indices]), targets[indices])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        validate(model, splits, batch_size)


def by_hand_fused(model: nn.Module, splits: Splits, batch_size: int) -> None:
    """The same with torch's fused AdamW, which netwright's loop takes too."""
    by_hand(model, splits, batch_size, fused=True)


def by_data_loader(model: nn.Module, splits: Splits, batch_size: int) -> None:
    """What tutorials write: a data loader that collates sample by sample."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    loader = DataLoader(cast("Pairs", splits.train), batch_size, shuffle=True)
    for _ in range(EPOCHS):
        model.train()
        for inputs, targets in loader:
            loss = F.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        validate(model, splits, batch_size)


@torch.no_grad()
def validate(model: nn.Module, splits: Splits, batch_size: int) -> float:
    """Validation accuracy."""
    inputs, targets = cast("TensorDataset", splits.validation).tensors
    model.eval()
    scores = torch.cat([model(batch) for batch in inputs.split(batch_size)])
    return (scores.argmax(1) == targets).float().mean().item()


ARMS: dict[str, Callable[[nn.Module, Splits, int], None]] = {
    "netwright": netwright_loop,
    "by hand": by_hand,
    "by hand, fused optimizer": by_hand_fused,
    "by data loader": by_data_loader,
}


def main() -> None:
    """Measure, print and write."""
    splits = load_dataset({"name": "digits"}, seed=0)
    samples = EPOCHS * len(cast("TensorDataset", splits.train))
    rows = []
    for threads, batch_size in ((1, 64), (1, 256), (torch.get_num_threads(), 64)):
        torch.set_num_threads(threads)
        with use_run(RunContext(console=Console(quiet=True))):
            wall, processor = measure(splits, batch_size)
        for arm in ARMS:
            by_wall = ratio_of_medians(wall[arm], wall["netwright"])
            by_processor = ratio_of_medians(processor[arm], processor["netwright"])
            rows.append(
                {
                    "arm": arm,
                    "threads": threads,
                    "batch_size": batch_size,
                    "samples_per_s": samples / statistics.median(wall[arm]),
                    "netwright_over_this": asdict(by_wall),
                    "netwright_over_this_by_processor_time": asdict(by_processor),
                }
            )
            print(
                f"{arm:26} {threads} threads, batches of {batch_size:3}: {rows[-1]['samples_per_s']:6.0f} samples/s; "
                f"netwright / this {by_wall}, by processor time {by_processor}"
            )
    facts = {"case": "digits_cnn", "dataset": "digits", "epochs": EPOCHS, "rounds": ROUNDS, "device": "cpu"}
    write_results("training-throughput", {**facts, "rows": rows, "machine": describe_machine()})


def measure(splits: Splits, batch_size: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds by the clock, and of processor time, per arm and round, without the first round, which warms up.

    Other programs on the machine disturb the clock more than the processor time.
    """
    wall: dict[str, list[float]] = {arm: [] for arm in ARMS}
    processor: dict[str, list[float]] = {arm: [] for arm in ARMS}
    names = list(ARMS)
    for round_number in range(ROUNDS + 1):
        turn = round_number % len(names)
        for arm in names[turn:] + names[:turn]:
            torch.manual_seed(0)
            model = load_case("digits_cnn").build()
            started = time.perf_counter(), time.process_time()
            ARMS[arm](model, splits, batch_size)
            if round_number:
                wall[arm].append(time.perf_counter() - started[0])
                processor[arm].append(time.process_time() - started[1])
    return wall, processor


if __name__ == "__main__":
    main()
