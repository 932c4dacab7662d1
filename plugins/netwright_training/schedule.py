"""The course of the learning rate, as a fraction of its configured height."""

import math

from netwright_training.config import SchedulerConfig

ONE_CYCLE_RISE = 0.3
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = ONE_CYCLE_START / 1e4


def learning_rate_fraction(config: SchedulerConfig, step: int, steps_per_epoch: int, epochs: int) -> float:
    """The fraction in force in one step, without what plateau takes off.

    cosine: SGDR (Loshchilov and Hutter 2017, equation 5, one period). one_cycle: the learning rate of Smith and Topin
    2018, both ways along a cosine, from 1/25 up over the first 30 % of the steps, then down to 1/250,000; momentum
    stays as it is. step and exponential move between epochs, the others in every step.

    Args:
        step: Steps taken so far, in all epochs.
    """
    total = steps_per_epoch * epochs
    if config.name == "one_cycle":
        return _one_cycle(step / total)
    rising = round(config.warmup_epochs * steps_per_epoch)
    if step < rising:
        return (step + 1) / rising
    epoch = step // steps_per_epoch
    if config.name == "cosine":
        return _cosine(1.0, config.final_fraction, (step - rising) / (total - rising))
    if config.name == "step":
        return config.factor ** (epoch // config.every)
    if config.name == "exponential":
        return config.decay**epoch
    return 1.0


def _one_cycle(done: float) -> float:
    if done < ONE_CYCLE_RISE:
        return _cosine(ONE_CYCLE_START, 1.0, done / ONE_CYCLE_RISE)
    return _cosine(1.0, ONE_CYCLE_END, (done - ONE_CYCLE_RISE) / (1 - ONE_CYCLE_RISE))


def _cosine(start: float, end: float, done: float) -> float:
    """From `start` to `end` along half a cosine wave, `done` from 0 to 1."""
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2
