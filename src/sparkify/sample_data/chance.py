"""Reproducible random draws."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from random import Random
from typing import TypeVar

# Chance. Only + - * / and comparisons: logarithms and powers may differ in the last bit from one machine to the next.

Draw = Callable[[], float]  # a number from 0 up to 1
T = TypeVar("T")


def stream(seed: int, concern: str) -> Draw:
    """Open the stream of chance of one concern, so that more of one leaves the others as they are."""
    return Random(f"{seed} {concern}").random


def pick(options: Sequence[T], chance: float) -> T:
    """Return one of some options, each as likely as the others."""
    return options[int(chance * len(options))]


def between(quantiles: Sequence[int], chance: float) -> float:
    """Return the value that a share `chance` of all values lies below, given evenly spaced quantiles."""
    place = chance * (len(quantiles) - 1)
    below = int(place)
    return quantiles[below] + (quantiles[below + 1] - quantiles[below]) * (place - below)


def bounds(weights: Iterable[float]) -> list[float]:
    """Turn weights into upper bounds, in which `bisect(bounds, draw())` finds an index."""
    sums = list(accumulate(weights))
    return [bound / sums[-1] for bound in sums]
