"""Toy data for the tests of the recipe: bright boxes on dark noise whose texture says the label, 128 x 128 canvas."""

import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

SIZE = 128
WIDTH, HEIGHT = 100, 150  # wider canvas, cropped height: both halves of the placement are used
LABELS = (["normal"], ["OVCF"], ["KD", "OVCF"], ["normal"], ["SN"])


def slice_and_boxes(seed: int) -> tuple[np.ndarray, list[list[float]]]:
    """Grey uint8 [150][100] and five boxes one above the other."""
    random = np.random.default_rng(seed)
    grey = random.integers(0, 40, (HEIGHT, WIDTH)).astype(np.uint8)
    boxes = []
    for n in range(len(LABELS)):
        x, y = 34 + int(random.integers(-4, 5)), 14 + 25 * n
        width, height = 28, 18
        grey[y : y + height, x : x + width] = 150
        stripe = 255 if "normal" in LABELS[n] else 60
        grey[y + 4 : y + height - 4 : 3, x + 4 : x + width - 4] = stripe
        boxes.append([float(x), float(y), float(width), float(height)])
    return grey, boxes


def write(folder: Path, count: int) -> Path:
    """`count` slices as PNG and their truth.json."""
    folder.mkdir(parents=True, exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for n in range(count):
        grey, boxes = slice_and_boxes(n)
        name = f"slice_{n:03}.png"
        Image.fromarray(grey).save(folder / name)
        images.append({"id": n, "file_name": name, "width": WIDTH, "height": HEIGHT})
        for box, labels in zip(boxes, LABELS):
            record = {"id": len(annotations), "image_id": n, "category_id": 1, "bbox": box, "labels": labels}
            annotations.append(record)
    path = folder / "truth.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def document(architecture: str = "fasterrcnn_resnet18_fpn") -> dict[str, Any]:
    """The ready config made small: the canvas, the anchors, the proposals, the patches."""
    made = json.loads((ROOT / "converter/configs/fasterrcnn_resnet18_fpn.json").read_text())
    detector = made["detector"]
    detector["architecture"] = architecture
    detector["input"]["size"] = SIZE
    sizes = [8, 16, 24, 32, 64]
    detector["anchors"]["sizes"] = [[s] for s in sizes] if architecture.endswith("_fpn") else [sizes]
    detector["rpn"] |= {"pre_nms_top_n": 200, "post_nms_top_n": 60}
    # A toy that has seen a few slices is sure of nothing: every box counts.
    detector["box"] |= {"detections_per_image": 12, "score_threshold": 0.001}
    detector["roi"]["output_size"] = 2  # else fc6 takes most of the time and has up to 64 million weights
    made["patches"] = {"size": 32, "table": [[1.25, 0, 0], [1.4, 0.05, -0.05]]}
    made["diagnosis"]["score_threshold"] = 0.001
    return copy.deepcopy(made)
