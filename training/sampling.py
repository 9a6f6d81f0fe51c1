"""Random over- and under-sampling of vertebrae to given ratios between the classes, exact in number.

A vertebra with several labels belongs to the rarest of them, so that the rare class gets all it has.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Sequence

import numpy as np

from .data import CLASS_NAMES, fail

# Ours: every disease as often as another, and as many normal vertebrae as diseased ones.
RATIOS = {"OVCF": 1.0, "OF": 1.0, "SN": 1.0, "KD": 1.0, "PS": 1.0, "normal": 5.0}


@dataclass(frozen=True)
class Plan:
    """How many of each stratum there are, and how many an epoch draws."""

    present: dict[str, int]
    drawn: dict[str, int]


def strata(labels: Sequence[Sequence[str]]) -> list[str]:
    """The class that each record stands for: its rarest label, the earlier class among equals."""
    counts = Counter(label for own in labels for label in own)
    return [min(own, key=lambda label: (counts[label], CLASS_NAMES.index(label))) for own in labels]


def plan(labels: Sequence[Sequence[str]], ratios: dict[str, float] | None, epoch_size: int | None = None) -> Plan:
    """Numbers by largest remainder, so that they add up to `epoch_size` exactly (default: as many as there are).

    `ratios` None keeps the natural mixture. A class without a record gets none, and its share goes to the others.
    """
    present = Counter(strata(labels))
    total = len(labels) if epoch_size is None else epoch_size
    if not labels or total < 1:
        raise fail("sampling", "nothing to draw", "one vertebra or more", total)
    names = [name for name in CLASS_NAMES if present[name]]
    weights = {name: float(present[name]) if ratios is None else ratios.get(name, 0.0) for name in names}
    whole = sum(weights.values())
    if any(not 0 <= weight < 1e9 for weight in weights.values()) or whole <= 0:
        raise fail("sampling", "impossible ratios", "numbers from 0, one of a class that is present above 0", ratios)
    exact = {name: total * weight / whole for name, weight in weights.items()}
    drawn = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(names, key=lambda name: drawn[name] - exact[name])
    for name in by_remainder[: total - sum(drawn.values())]:
        drawn[name] += 1
    return Plan({name: present[name] for name in names}, drawn)


def draw(labels: Sequence[Sequence[str]], numbers: Plan, random: np.random.Generator) -> list[int]:
    """Indices of one epoch in random order.

    Over-sampling repeats every record equally often before it draws the rest without replacement, so no record is left
    out by chance; under-sampling draws without replacement, another choice each epoch.
    """
    belongs = strata(labels)
    chosen: list[int] = []
    for name, count in numbers.drawn.items():
        members = np.array([i for i, own in enumerate(belongs) if own == name])
        repeats, rest = divmod(count, len(members))
        chosen += members.repeat(repeats).tolist() + random.permutation(members)[:rest].tolist()
    return [int(i) for i in random.permutation(chosen)]


def parse_ratios(text: str) -> dict[str, float] | None:
    """`OVCF=1,normal=5`, or `natural` for None. A class that is not named gets nothing."""
    if text == "natural":
        return None
    ratios: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        try:
            ratios[name] = float(value)
        except ValueError as problem:
            raise fail("ratios", "not a number", "CLASS=NUMBER,... or natural", part) from problem
        if name not in CLASS_NAMES:
            raise fail("ratios", "unknown class", f"some of {', '.join(CLASS_NAMES)}", name)
    return ratios
