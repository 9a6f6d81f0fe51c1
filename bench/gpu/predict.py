"""Predicted times of the network's layers on a card, from operations, bytes and rounds of tiles. Not measured.

Method, per layer: tiles of 128 rows x min(columns, 256 or 128) are dealt out to the multiprocessors; the round with the
most tiles decides, each step of 64 k of a tile takes its multiply-adds at the card's measured rate for matrix products;
the bytes that must move (inputs, weights, output in f16) go at the measured rate of memory; the larger of the two, plus
the start of a kernel and the first loads and last store of a tile. Sums are cut into segments as gemm_plan does it.

example: predict.py bench/shapes/detector_cuda.txt bench/shapes/classifier.txt
"""
import argparse
import math
import re
from pathlib import Path

MULTIPROCESSORS = 132
TFLOPS = 790.0  # f16 products of random data on such a card, PERFORMANCE section 2
GBYTES = 4300.0
LAUNCH_US = 1.3  # of a dependent node in a graph
TILE_ENDS_US = 0.8  # first loads and last store of the last tile
TILE_ROWS, CHUNK = 128, 64
STEP_US = 2.0 * TILE_ROWS * 128 * CHUNK / (TFLOPS * 1e6 / MULTIPROCESSORS)  # a step of a tile of 128 columns


def ceil(a: float, b: float) -> int:
    return -(-int(a) // int(b))


def product_us(rows: int, columns: int, depth: int) -> tuple[float, str]:
    """Time of the products alone and how they are cut."""
    chunks = ceil(depth, CHUNK)
    width = 64 if columns <= 64 else 256 if columns % 256 == 0 and ceil(rows, TILE_ROWS) * (columns // 256) >= 96 else 128
    tiles = ceil(rows, TILE_ROWS) * ceil(columns, width)
    best, segments = None, 1
    for candidate in range(1, 9):
        if candidate > 1 and (width != 128 or candidate > chunks // 12):
            break
        steps = ceil(tiles * candidate, MULTIPROCESSORS) * ceil(chunks, candidate)
        extra = 0.0 if candidate == 1 else 10 + tiles * candidate / 8
        if best is None or steps + extra < best:
            best, segments = steps + extra, candidate
    fill = tiles * segments / (ceil(tiles * segments, MULTIPROCESSORS) * MULTIPROCESSORS)
    return best * STEP_US * width / 128, f"{tiles} x {segments}, {100 * fill:.0f} %"


def layer(line: str) -> tuple[float, float, float, str] | None:
    """GFLOP, MB, predicted us, tiles of a case line; None for an operator without products (bytes decide there)."""
    op, values = line.split()[0], dict(re.findall(r"(\w+)=(\S+)", line))

    def get(key: str, default: int) -> int:
        return int(values.get(key, default))

    n, h, c, o, k = get("n", 1), get("h", 8), get("c", 16), get("o", 32), get("k", 3)
    w = get("w", h)
    if op == "conv2d":
        stride, pad = get("stride", 1), get("padding", 0)
        out = n * ((h + 2 * pad - k) // stride + 1) * ((w + 2 * pad - k) // stride + 1)
        read = n * h * w * c / (1 if k > 1 else stride * stride)
        extra = out * o / get("residual_upsample", 1) ** 2 if get("residual", 0) else 0
        shape, bytes_ = (out, o, k * k * c), 2 * (read + out * o + k * k * c * o + extra)
    elif op == "linear":
        rows, depth = get("r", 4), get("k", 32)
        shape, bytes_ = (rows, o, depth), 2 * (rows * depth + depth * o + rows * o)
    elif op == "rpn_head":
        rows = sum((h >> level) ** 2 for level in range(get("levels", 1)))
        shape, bytes_ = (rows, k, 9 * c), 2 * (rows * c + 9 * c * k) + 4 * rows * 15
    elif op == "fpn_merge":
        q = get("q", 64)
        shape, bytes_ = (4 * h * w, o, 9 * q + 4 * c), 2 * (4 * h * w * q + h * w * c + 4 * h * w * o + (9 * q + 16 * c) * o)
    elif op == "conv2d_stem":
        out = n * (h // 2) * (w // 2)
        return 2 * out * 64 * 49 / 1e9, (n * h * w * 4 + out * 64 * 2) / 1e6, 0.0, "memory"
    elif op == "max_pool2d":
        return 0.0, n * h * w * c * 2 * 1.25 / 1e6, 0.0, "memory"
    else:
        return None
    us, tiles = product_us(*shape)
    return 2 * math.prod(shape) / 1e9, bytes_ / 1e6, us, tiles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__.strip().splitlines()[-1])
    parser.add_argument("shapes", nargs="+", type=Path)
    options = parser.parse_args()
    for path in options.shapes:
        print(f"| `{path.name}` | n | GFLOP | MB | tiles x segments, places used | predicted, us |\n|---|---|---|---|---|---|")
        total = gflop = 0.0
        for line in path.read_text().splitlines():
            match = re.match(r"(\S+)\s+x(\d+)\s+(.*)", line)
            if line.startswith("#") or not match or match[2] == "0":
                continue
            found = layer(match[3])
            if not found:
                continue
            flops, megabytes, products, tiles = found
            us = max(products, megabytes / GBYTES * 1e3) + LAUNCH_US + (TILE_ENDS_US if products else 0)
            total += int(match[2]) * us
            gflop += int(match[2]) * flops
            print(f"| {match[1]} | {match[2]} | {flops:.2f} | {megabytes:.1f} | {tiles} | {us:.1f} |")
        print(f"| all | | {gflop:.1f} | | | {total:.0f} |\n")


if __name__ == "__main__":
    main()
