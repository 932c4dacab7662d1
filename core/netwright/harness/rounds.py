"""Timing in rounds: variants of a case side by side, each in a process of its own, taking turns."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from random import Random, SystemRandom

from netwright.cases import CaseOptions
from netwright.context import current_run
from netwright.errors import UserError
from netwright.harness.arms import START_SECONDS, Arm
from netwright.harness.lane import Lane
from netwright.harness.protocol import Draw
from netwright.harness.timing import DEFAULT_TIMING, Timing, TimingConfig
from netwright.harness.variant import Variant
from netwright.machine import usable_cores

INSPECTED_TURNS = 2
LOOK_EVERY = 5
"""Rounds between two looks at how far medians are settled, which takes some milliseconds per arm."""


def measure(
    case_name: str,
    options: CaseOptions,
    variants: Sequence[Variant],
    config: TimingConfig = DEFAULT_TIMING,
    *,
    seed: int = 0,
) -> dict[str, Timing]:
    """Time variants of a case side by side, without judging what they compute.

    Args:
        case_name: The case's URI-like name.
        options: How to build it.
        variants: What to time; `netwright.harness.EAGER` is the unmodified module. Labels must differ.
        config: How long and in what cache state.
        seed: Draws inputs, weights and the order of arms.

    Returns:
        Label to timing, in the order of `variants`; a variant that failed has a `not_measured` reason.

    Raises:
        UserError: The case is wrong, or two variants have one label.
    """
    with open_arms(case_name, options, variants, config, seed=seed) as arms:
        return time_arms(arms, config, Draw(seed=seed, weight_seed=seed), seed=seed)


@contextmanager
def open_arms(
    case_name: str, options: CaseOptions, variants: Sequence[Variant], config: TimingConfig, *, seed: int
) -> Iterator[list[Arm]]:
    """A worker process per variant, started at once; all end with the block.

    Raises:
        UserError: Two variants have one label.
    """
    labels = [variant.label for variant in variants]
    for label in labels:
        if labels.count(label) > 1:
            raise UserError(f"two variants are labelled '{label}'", remedy="give each a label of its own")
    threads = config.threads or usable_cores()
    timeout = max(config.compile_timeout_s, START_SECONDS)
    with ExitStack() as stack:
        yield [
            stack.enter_context(Arm(case_name, options, variant, threads=threads, seed=seed, start_timeout=timeout))
            for variant in variants
        ]


def time_arms(
    arms: Sequence[Arm],
    config: TimingConfig,
    draw: Draw,
    *,
    seed: int,
    inspect: Callable[[Arm], None] | None = None,
) -> dict[str, Timing]:
    """Time loaded variants in rounds: in each, every arm takes its turn, in an order drawn anew.

    Args:
        draw: The weights and inputs to run on.
        inspect: Called after two of an arm's turns, picked at random, while the worker remembers a call of that turn.

    Returns:
        Label to timing; an arm that failed has a `not_measured` reason.

    Raises:
        UserError: The case is wrong.
    """
    lanes = [Lane(arm, config, draw) for arm in arms]
    for lane in lanes:
        with current_run().step(f"warm up {lane.label}"):
            lane.warm_up()
    settings = next((lane.settings for lane in lanes if lane.failure is None), {})
    order = Random(seed)
    inspected = {lane.label: SystemRandom().sample(range(config.min_rounds), INSPECTED_TURNS) for lane in lanes}
    budget = config.max_seconds * len(lanes)
    spent = 0.0

    def settled(number: int) -> bool:
        due = config.margin > 0 and number % LOOK_EVERY == 0
        return due and all(lane.margin(seed) <= config.margin for lane in lanes)

    with current_run().step("time", total=max(1, round(budget))) as step:
        for number in range(config.max_rounds):
            if number >= config.min_rounds and (spent >= budget or (spent >= budget / 2 and settled(number))):
                break
            turns = [lane for lane in lanes if lane.failure is None]
            order.shuffle(turns)
            for lane in turns:
                lane.take_turn(settings)
                spent += lane.last_turn_s
                step.advance(lane.last_turn_s)
                if inspect and lane.failure is None and number in inspected[lane.label]:
                    lane.show(inspect)
    return {lane.label: lane.timing(seed) for lane in lanes}
