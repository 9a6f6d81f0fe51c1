"""How many engines a cluster holds, and what each may use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..errors import DeviceError

# Of an engine with one volume of 600 slices: 866 MB were measured (docs/STATUS.md).
ENGINE_MEMORY = 1 << 30


class Plan(NamedTuple):
    actors: int  # one engine each
    threads: int  # of each engine
    gpus: int  # of each actor


def plan(nodes: Sequence[Mapping[str, float]], device: str | None = None, threads: int = 0, actors: int = 0) -> Plan:
    """nodes: Ray's resources of each (CPU, GPU, memory). 0: chosen here.

    On the CPU an engine for each core, with one thread; more threads where a node has not the memory for that. A card
    is one engine with its share of the cores; as everywhere it is used only where the device is named.
    """
    if device and device.startswith("cuda"):
        cards = [(int(node["GPU"]), int(node.get("CPU", 0))) for node in nodes if node.get("GPU", 0) >= 1]
        if not cards:
            raise DeviceError(8, "E_DEVICE", "no node of the cluster has a card. Take --device cpu.")
        share = max(1, min(cores // count for count, cores in cards))
        return Plan(actors or sum(count for count, _ in cards), threads or share, 1)
    cores = [(int(node["CPU"]), int(node["memory"]) // ENGINE_MEMORY) for node in nodes
             if node.get("CPU", 0) >= 1 and node.get("memory", 0) >= ENGINE_MEMORY]
    each = threads or max((math.ceil(count / room) for count, room in cores), default=1)
    fit = sum(min(count // each, room) for count, room in cores)
    if fit == 0:
        raise DeviceError(8, "E_DEVICE", f"no node has the cores and 1 GiB for an engine (expected {each} cores)")
    return Plan(actors or fit, each, 0)
