"""The randomness the market needs, as a protocol: the caller brings `random.Random` or a script. Pure."""

from collections.abc import Callable
from typing import Protocol


class Chance(Protocol):
    """The part of `random.Random` that is used."""

    def random(self) -> float:
        """Uniform in [0, 1)."""

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        """A normal value."""

    def expovariate(self, lambd: float) -> float:
        """An exponential value with mean 1/lambd."""


ChanceFor = Callable[[str], Chance]  # the same key must always give the same sequence


def below(chance: Chance, limit: int) -> int:
    """A whole number in [0, limit)."""
    return int(chance.random() * limit)
