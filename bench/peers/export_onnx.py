"""The two networks as ONNX files with fixed shapes, for the peers that read ONNX; kept in a cache by weights."""
import hashlib
import warnings
from pathlib import Path

import torch
from torch import nn
from torchvision.ops import boxes as box_ops

OPSET = 17
BATCHES = (1, 8)


class DetectorForExport(nn.Module):
    """[3][size][size] grey/255 -> boxes, scores."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        result = self.detector([image])[0]
        return result["boxes"], result["scores"]


class ClassifierForExport(nn.Module):
    """Normalised patches -> probabilities."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.classifier(patches))


def write(model: nn.Module, example: torch.Tensor, target: Path, inputs: list[str], outputs: list[str]) -> None:
    partial = target.with_suffix(".partial")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's remarks; what counts is the parity check of each peer
        torch.onnx.export(
            model.eval(),
            (example,),
            str(partial),
            input_names=inputs,
            output_names=outputs,
            opset_version=OPSET,
            dynamo=False,  # the tracing exporter is the one that knows torchvision's detection models
        )
    partial.replace(target)


def export(
    detector: nn.Module, classifier: nn.Module, weights_id: str, image: torch.Tensor, cache: Path
) -> dict[str, str]:
    """Paths of the ONNX files: detector, classifier_1, classifier_8. Written only where they are missing."""
    folder = cache / hashlib.sha256(f"{weights_id} {torch.__version__} {OPSET}".encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    names = ["detector", *(f"classifier_{batch}" for batch in BATCHES)]
    files = {name: folder / f"{name}.onnx" for name in names}
    # One NonMaxSuppression over shifted boxes is what every user of the exporter gets, and the faster graph for a peer.
    patched, box_ops.batched_nms = box_ops.batched_nms, box_ops._batched_nms_coordinate_trick
    try:
        with torch.inference_mode():
            if not files["detector"].exists():
                write(DetectorForExport(detector), image, files["detector"], ["image"], ["boxes", "scores"])
            for batch in BATCHES:
                target = files[f"classifier_{batch}"]
                if not target.exists():
                    patches = torch.zeros(batch, 3, 224, 224)
                    write(ClassifierForExport(classifier), patches, target, ["patches"], ["probabilities"])
    finally:
        box_ops.batched_nms = patched
    return {name: str(path) for name, path in files.items()}
