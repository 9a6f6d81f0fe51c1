"""The project's counter-based generator: value i of a stream is a pure function of (seed, i). The text is in README.md.

Everything is integer arithmetic modulo 2^64 and single IEEE double operations, so that C++ gives the same bits.
"""
import math

import numpy as np

GOLDEN_GAMMA = 0x9E3779B97F4A7C15
SEED_FACTOR = 0xD1342543DE82EF95  # odd, so a bijection; it keeps the streams of neighbouring seeds apart
MASK64 = (1 << 64) - 1
# Variance of the sum of four independent uniform 16-bit integers: 4 * (65536^2 - 1) / 12, an exact integer.
FOUR_U16_VARIANCE = 1431655765.0
FOUR_U16_MEAN = 131070.0


def stream_seed(name: str, seed: int = 0) -> int:
    """Seed of a named stream: FNV-1a (64 bits) over the UTF-8 bytes of the name, xor the user's seed."""
    value = 0xCBF29CE484222325
    for byte in name.encode("utf-8"):
        value = ((value ^ byte) * 0x100000001B3) & MASK64
    return value ^ (seed & MASK64)


def words(seed: int, count: int, first: int = 0) -> np.ndarray:
    """64-bit words first .. first+count-1: the splitmix64 finaliser of seed * factor + (i + 1) * gamma."""
    with np.errstate(over="ignore"):
        index = np.arange(first + 1, first + count + 1, dtype=np.uint64)
        z = np.uint64(seed * SEED_FACTOR & MASK64) + index * np.uint64(GOLDEN_GAMMA)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def below(seed: int, count: int, limit: int, first: int = 0) -> np.ndarray:
    """Integers in [0, limit): the high 32 bits of each word times limit, shifted right by 32; limit <= 2^31."""
    if not 0 < limit <= 1 << 31:
        raise ValueError(f"limit {limit} is outside 1..2^31")
    return (((words(seed, count, first) >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32)).astype(np.int64)


def uniforms(seed: int, count: int, first: int = 0) -> np.ndarray:
    """Float32 in [-1, 1): the high 24 bits of each word times 2^-23, minus 1; exact."""
    return ((words(seed, count, first) >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1.0).astype(np.float32)


def normals(seed: int, count: int, first: int = 0) -> np.ndarray:
    """Bell-shaped doubles of mean 0 and variance 1: the four 16-bit pieces of a word, summed, centred and scaled."""
    word = words(seed, count, first)
    total = sum(((word >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.float64) for shift in (0, 16, 32, 48))
    return (total - FOUR_U16_MEAN) / math.sqrt(FOUR_U16_VARIANCE)


def tensor(name: str, shape: tuple[int, ...], scale: float, seed: int = 0) -> np.ndarray:
    """A float32 tensor of normals(stream_seed(name, seed)) times `scale`: product in double, rounded once."""
    count = math.prod(shape)
    return (normals(stream_seed(name, seed), count) * scale).astype(np.float32).reshape(shape)


def weight(name: str, shape: tuple[int, ...], gain: float = 1.0, seed: int = 0) -> np.ndarray:
    """A weight in the engine's layout ([kh][kw][in][out] or [in][out]): scale = gain * sqrt(2 / fan_in)."""
    fan_in = math.prod(shape[:-1])
    return tensor(name, shape, gain * math.sqrt(2.0 / fan_in), seed)
