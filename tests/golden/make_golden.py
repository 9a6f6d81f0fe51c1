"""Runs torchvision on example slices and stores sampled values of every stage, for the golden test (see README.md)."""
import argparse
import gzip
import json
import math
from pathlib import Path
from typing import Any

import own_venv

own_venv.ensure(Path(__file__).with_name("requirements.txt"), ("torch", "torchvision", "numpy", "PIL"))

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402

import counter_rng  # noqa: E402
import picture as pictures  # noqa: E402
import stages  # noqa: E402
import torch_pipeline  # noqa: E402

ROW_STAGES = ("proposals", "roi", "head.fc6.relu", "head.fc7.relu", "head.logits", "head.deltas", "head.scores")
ROWS = 200  # of a row stage, only the best proposals are sampled: their order is settled by clear margins
CLASSIFIED = 2  # vertebrae, from the top, whose patches go through the sampled classifier run
WHOLE = 48  # a stage of at most so many elements is compared whole
BORDER_SHARE = 4  # every fourth sample of a feature map lies on its border, where padding errors show


def number(value: float) -> float:
    """Nine digits read back to the same float32."""
    return float(f"{value:.9g}")


def positions(name: str, shape: tuple[int, ...], count: int) -> np.ndarray:
    """Flat positions in a tensor of `shape`: first, last, then drawn; README.md defines them."""
    size = math.prod(shape)
    if size <= max(count, WHOLE):
        return np.arange(size)
    drawn = counter_rng.below(counter_rng.stream_seed(name), count, size)
    drawn[0], drawn[1] = 0, size - 1
    if len(shape) == 4 and shape[1] > 1:
        batch, y, x, channel = (part.copy() for part in np.unravel_index(drawn, shape))
        chosen = np.arange(2, count, BORDER_SHARE)
        for turn, index in enumerate(chosen):
            if turn % 4 < 2:
                y[index] = (0, shape[1] - 1)[turn % 2]
            else:
                x[index] = (0, shape[2] - 1)[turn % 2]
        drawn = np.ravel_multi_index((batch, y, x, channel), shape)
    return drawn


class Sampler:
    """Collects one record per reported stage and keeps no tensor."""

    def __init__(self, prefix: str, count: int) -> None:
        self.prefix, self.count = prefix, count
        self.records: list[dict[str, Any]] = []

    def __call__(self, name: str, tensor: torch.Tensor) -> None:
        full = tuple(tensor.shape)
        if name in ROW_STAGES:
            tensor = tensor[:ROWS]
        flat = tensor.reshape(-1)
        places = positions(f"{self.prefix}/{name}", tuple(tensor.shape), self.count)
        self.records.append(
            {
                "stage": name,
                "shape": list(full),
                "max_abs": number(flat.abs().max().item()) if flat.numel() else 0.0,
                "positions": places.tolist(),
                "values": [number(v) for v in flat[torch.from_numpy(places)].tolist()],
            }
        )


@torch.inference_mode()
def golden_slice(pipeline: torch_pipeline.Pipeline, path: Path, count: int) -> dict[str, Any]:
    picture = pictures.read_picture(path)
    placed = pictures.place(picture.grey, pipeline.config.size)
    detector = Sampler(f"{picture.source}/detector", count)
    proposals: list[list[float]] = []

    def on_detector(name: str, tensor: torch.Tensor) -> None:
        if name == "proposals":
            proposals.extend([round(v, 3) for v in row] for row in tensor[:ROWS].tolist())
        detector(name, tensor)

    with stages.watch_detector(pipeline.detector, on_detector):
        boxes, scores, _ = pipeline.detect(placed.canvas)
    detector("boxes", boxes)
    detector("scores", scores)

    diagnosis = pipeline.diagnose(picture)
    shift = [placed.dx, placed.dy, placed.dx, placed.dy]
    first = [[v + s for v, s in zip(vertebra.box, shift)] for vertebra in diagnosis.vertebrae[:CLASSIFIED]]
    patches = pipeline.patches(placed.canvas, first)
    classifier = Sampler(f"{picture.source}/classifier", count)
    classifier("patches", torch.from_numpy(patches)[..., None])
    with stages.watch_classifier(pipeline.classifier, classifier):
        probabilities = pipeline.classify(patches)
    classifier("probabilities", probabilities)

    return {
        "source": picture.source,
        "sha256": picture.sha256,
        "width": diagnosis.width,
        "height": diagnosis.height,
        "offset": [placed.dx, placed.dy],
        "detector": detector.records,
        "proposals": proposals,
        "classifier": classifier.records,
        "vertebrae": [
            {
                "box": [number(v) for v in vertebra.box],
                "score": number(vertebra.score),
                "probabilities": [number(v) for v in vertebra.probabilities],
                "labels": vertebra.labels,
            }
            for vertebra in diagnosis.vertebrae
        ],
        "candidates": [
            {"box": [number(v) for v in box], "score": number(score)} for box, score in diagnosis.candidates
        ],
    }


def layout(document: dict[str, Any]) -> str:
    """JSON with one stage, proposal list or box per line, so that two versions, unpacked, differ in few lines."""

    def line(value: Any) -> str:
        return json.dumps(value, separators=(",", ":"))

    def block(items: list[Any]) -> str:
        return "[\n" + ",\n".join(line(item) for item in items) + "]"

    parts = []
    for entry in document["slices"]:
        pairs = [
            f"{line(key)}:{block(value) if key in ('detector', 'classifier', 'vertebrae') else line(value)}"
            for key, value in entry.items()
        ]
        parts.append("{" + ",\n".join(pairs) + "}")
    head = ",\n".join(f"{line(k)}:{line(v)}" for k, v in document.items() if k != "slices")
    return "{" + head + ',\n"slices":[\n' + ",\n".join(parts) + "]}\n"


def write(path: Path, text: str) -> None:
    """Compressed, without a time: the same text gives the same bytes."""
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example: make_golden.py models/spine-demo.safetensors examples/*.png -o tests/golden/demo.golden.json.gz",
    )
    parser.add_argument("weights", nargs="?", type=Path, metavar="MODEL", help="SpineRT model file")
    parser.add_argument("slices", nargs="*", type=Path, metavar="SLICE", help="PNG pictures")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=4, help="positions per stage (default 4)")
    torch_pipeline.add_weight_options(parser)
    options = parser.parse_args()
    slices = list(options.slices)
    if options.detector:  # two state_dicts instead of a model file: the first positional is a slice as well
        slices = [options.weights, *slices]
    else:
        options.model = options.model or options.weights
    if not slices:
        parser.error("name at least one slice")
    pipeline = torch_pipeline.pipeline_from_options(options)
    document = {
        "schema": "spinert.golden/1",
        "weights": pipeline.weights_id,
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "samples": options.samples,
        "rows": ROWS,
        "classified": CLASSIFIED,
        "slices": [golden_slice(pipeline, path, options.samples) for path in slices],
    }
    write(options.out, layout(document))
    print(f"{options.out}: {len(slices)} slices, {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
