"""Reproducible random draws.

Only + - * / and comparisons are used: logarithms and powers can differ in the last bit from one machine to another.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from random import Random
from typing import TypeVar

Draw = Callable[[], float]  # → the next random number, from 0 up to 1
T = TypeVar("T")


def stream(seed: int, purpose: str) -> Draw:
    """Return the random numbers for one purpose; more draws from one stream do not affect the others."""
    return Random(f"{seed} {purpose}").random


def pick(options: Sequence[T], chance: float) -> T:
    """Return one of some options, all equally likely."""
    return options[int(chance * len(options))]


def quantile(quantiles: Sequence[int], chance: float) -> float:
    """Return the value below which a share `chance` of all values lies, interpolated from evenly spaced quantiles."""
    place = chance * (len(quantiles) - 1)
    below = int(place)
    return quantiles[below] + (quantiles[below + 1] - quantiles[below]) * (place - below)


def bounds(weights: Iterable[float]) -> list[float]:
    """Return the upper bounds of weights, such that `bisect(bounds, draw())` is a weighted random index."""
    sums = list(accumulate(weights))
    return [bound / sums[-1] for bound in sums]
