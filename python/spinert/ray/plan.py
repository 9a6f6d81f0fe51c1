"""How many engines a cluster holds, and what each may use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import DeviceError

# An engine beside its weights, maps and one volume of 600 slices: 866 MB were measured (docs/STATUS.md).
ENGINE_MEMORY = 1 << 30


@dataclass(frozen=True)
class Plan:
    actors: int  # one engine each
    threads: int  # of each engine
    gpus: int  # of each actor
    memory: int = ENGINE_MEMORY  # bytes that Ray sets aside for each


def plan(nodes: Sequence[Mapping[str, float]], device: str | None = None, threads: int = 0, actors: int = 0) -> Plan:
    """nodes: Ray's resources of each (CPU, GPU, memory). 0: chosen here.

    On the CPU one engine for each core, with one thread: two threads of one engine do 1.8 times the work of one, two
    engines twice. Where a node has not the memory for that, engines have more threads. A card is one engine with its
    share of the cores; as everywhere it is used only where the device is named.
    """
    if device and device.startswith("cuda"):
        cards = [(int(node.get("GPU", 0)), int(node.get("CPU", 0))) for node in nodes if node.get("GPU", 0) >= 1]
        if not cards:
            raise DeviceError(8, "E_DEVICE", "no node of the cluster has a card (expected GPU in its resources). Take "
                                             "--device cpu, or start Ray with --num-gpus.")
        share = max(1, min(cores // count for count, cores in cards))
        return Plan(actors or sum(count for count, _ in cards), threads or share, 1)
    cores = [(int(node.get("CPU", 0)), max(1, int(node.get("memory", 0)) // ENGINE_MEMORY)) for node in nodes
             if node.get("CPU", 0) >= 1]
    if not cores:
        raise DeviceError(8, "E_DEVICE", "no node of the cluster has a core for an engine (expected CPU in its resources)")
    each = threads or max(math.ceil(count / room) for count, room in cores)
    fit = sum(min(count // each, room) for count, room in cores)
    if fit == 0:
        raise DeviceError(8, "E_DEVICE", f"no node has {each} cores for --threads {each} (the largest has "
                                         f"{max(count for count, _ in cores)})")
    return Plan(actors or fit, each, 0)
