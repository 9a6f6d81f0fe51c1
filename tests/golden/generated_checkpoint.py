"""Checkpoints of networks without a trained model, from the counter-based generator (README.md): state_dicts with
torchvision's names, so that reading and folding them is tested too.
"""
import argparse
import json
import math
from pathlib import Path

import own_venv

own_venv.ensure(Path(__file__).with_name("requirements.txt"), ("torch", "torchvision", "numpy", "PIL"))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

import counter_rng  # noqa: E402
import pipeline_config  # noqa: E402
import torch_pipeline  # noqa: E402

RESIDUAL_GAIN = 0.25  # of the last convolution of a residual branch: the sum keeps its size over many blocks
PROJECTION_GAIN = 0.75  # the same in MobileNetV2, where most, but not all, projections end a residual branch
DELTA_GAIN = 0.1  # boxes stay near their anchors


def gain(name: str, names: set[str]) -> float:
    if name.endswith("bbox_pred.weight"):
        return DELTA_GAIN
    ends_bottleneck = name.endswith(".conv3.weight")
    ends_basic = name.endswith(".conv2.weight") and name.replace(".conv2.", ".conv3.") not in names
    if ends_bottleneck or ends_basic:
        return RESIDUAL_GAIN
    return PROJECTION_GAIN if name.endswith(".conv.2.weight") else 1.0


def values(name: str, shape: tuple[int, ...], names: set[str], seed: int) -> np.ndarray:
    """One tensor, by its name and shape alone (and, for the gain, by the other names)."""
    normal = counter_rng.normals(counter_rng.stream_seed(name, seed), math.prod(shape))
    if len(shape) > 1:
        made = normal * (gain(name, names) * math.sqrt(2.0 / math.prod(shape[1:])))
    elif name.endswith("running_var"):
        made = 1.0 + 0.2 * np.abs(normal)
    elif name.endswith("weight"):
        made = 1.0 + 0.1 * normal
    else:
        made = 0.1 * normal
    return made.astype(np.float32).reshape(shape)


def fill(module: nn.Module, seed: int) -> None:
    """Every tensor of the module but the counters of training steps."""
    state = module.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point():
            tensor.copy_(torch.from_numpy(values(name, tuple(tensor.shape), set(state), seed)))


def pipeline(config: pipeline_config.PipelineConfig, seed: int) -> torch_pipeline.Pipeline:
    detector, classifier = torch_pipeline.build_detector(config), torch_pipeline.build_classifier(config)
    fill(detector, seed)
    fill(classifier, seed)
    return torch_pipeline.Pipeline(detector, classifier, config, f"generated, seed {seed}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example: generated_checkpoint.py --config converter/configs/fasterrcnn_mobilenet_v2.json -o made; "
        "spinert convert --detector made/detector.pth --classifier made/classifier.pth --config made/pipeline.json "
        "-o made/model.safetensors",
    )
    parser.add_argument("--config", type=Path, required=True, help="pipeline.json that names both architectures")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the two .pth files and the config")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--score-threshold", type=float, help="diagnosis.score_threshold (random weights score low)")
    parser.add_argument("--no-venv", action="store_true", help="use this Python as it is")
    options = parser.parse_args()
    document = json.loads(options.config.read_text())
    if options.score_threshold is not None:
        document["diagnosis"]["score_threshold"] = options.score_threshold
    made = pipeline(pipeline_config.from_json(document), options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.save(made.detector.state_dict(), options.out / "detector.pth")
    torch.save(made.classifier.state_dict(), options.out / "classifier.pth")
    (options.out / "pipeline.json").write_text(json.dumps(document, indent=1) + "\n")
    print(f"{options.out}: detector.pth, classifier.pth, pipeline.json")


if __name__ == "__main__":
    main()
