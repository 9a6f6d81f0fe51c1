"""Golden values of the reduced detectors on one feature map, with generated weights: the test needs no model file."""
import argparse
import json
from pathlib import Path
from typing import Any

import own_venv

own_venv.ensure(Path(__file__).with_name("requirements.txt"), ("torch", "torchvision", "numpy", "PIL"))

import torch  # noqa: E402
import torchvision  # noqa: E402

import generated_checkpoint  # noqa: E402
import make_golden  # noqa: E402
import pipeline_config  # noqa: E402

CONFIGS = Path(__file__).resolve().parents[2] / "converter" / "configs"
SEED = 5  # of the generated weights: its boxes have scores well apart
NETWORKS = {  # reduced architecture: the config that it is made from, a threshold amid the scores of the seed
    "fasterrcnn_reduced_c5": ("fasterrcnn_resnet18_c5", 0.4779),
    "fasterrcnn_reduced_mobilenet": ("fasterrcnn_mobilenet_v2", 0.8679),
}


def reduced_config(architecture: str) -> dict[str, Any]:
    """The ready config with a canvas of 128 pixels and few boxes."""
    source, score_threshold = NETWORKS[architecture]
    config = json.loads((CONFIGS / f"{source}.json").read_text())
    detector, classifier = config["detector"], config["classifier"]
    detector["architecture"] = architecture
    detector["input"]["size"] = 128
    detector["anchors"]["sizes"] = [[16, 24, 32, 48, 64]]
    detector["rpn"] |= {"pre_nms_top_n": 150, "post_nms_top_n": 80}
    detector["box"]["detections_per_image"] = 20
    classifier["architecture"] = "resnet_reduced_multilabel"
    config["patches"]["size"] = 32
    config["diagnosis"]["score_threshold"] = score_threshold
    return config


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example: make_network_golden.py examples/slice_001.png -o tests/golden/networks.golden.json.gz",
    )
    parser.add_argument("slices", nargs="+", type=Path, metavar="SLICE", help="PNG pictures; their middle is used")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=24, help="positions per stage (default 24)")
    parser.add_argument("--no-venv", action="store_true", help="use this Python as it is")
    options = parser.parse_args()
    networks = []
    for architecture in NETWORKS:
        config = reduced_config(architecture)
        pipeline = generated_checkpoint.pipeline(pipeline_config.from_json(config), SEED)
        slices = [make_golden.golden_slice(pipeline, path, options.samples) for path in options.slices]
        networks.append({"config": config, "slices": slices})
        counts = ", ".join(f"{len(s['vertebrae'])} of {len(s['candidates'])} boxes" for s in slices)
        print(f"{architecture}: {counts} at the threshold")
    head = {
        "schema": "spinert.golden_networks/1",
        "seed": SEED,
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "samples": options.samples,
        "rows": make_golden.ROWS,
        "classified": make_golden.CLASSIFIED,
    }
    text = ",\n".join(f"{json.dumps(key)}:{json.dumps(value)}" for key, value in head.items())
    bodies = ",\n".join(make_golden.layout(network).rstrip() for network in networks)
    whole = "{" + text + ',\n"networks":[\n' + bodies + "]}\n"
    json.loads(whole)  # what was put together is JSON
    make_golden.write(options.out, whole)
    print(f"{options.out}: {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
