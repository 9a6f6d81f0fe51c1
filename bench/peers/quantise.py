"""int8 forms of the networks for the peers, made once and kept beside their float32 files.

ONNX Runtime: its own static quantiser, QDQ, per channel, u8 activations and s8 weights. OpenVINO: NNCF's post-training
quantisation of classifier, trunk and head; the whole detector and the geometry between its parts stay as they are. The
stem and the predictors stay in float32 in both.
"""
import logging
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

import numpy as np

STEMS = ("/classifier/conv1/Conv", "/trunk/backbone/body/conv1/Conv", "/backbone/body/conv1/Conv")
PREDICTORS = ("/classifier/fc/", "cls_logits", "bbox_pred", "cls_score")
DETECTOR_BODIES = ("/trunk/backbone/", "/trunk/head/", "/head/head/")  # matrix products; the rest is geometry
ORT_OPERATORS = ("Conv", "Gemm", "MatMul", "Add", "Relu", "MaxPool", "Resize", "GlobalAveragePool")
# Calibration needs one shape only; the other batch sizes use the same ranges.
Inputs = Callable[[str], Sequence[dict[str, np.ndarray]]]


def stays_float(name: str) -> bool:
    return name in STEMS or any(part in name for part in PREDICTORS)


def for_onnxruntime(source: Path, target: Path, inputs: Sequence[dict[str, np.ndarray]]) -> None:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.rest: Iterator[dict[str, np.ndarray]] = iter(inputs)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.rest, None)

    prepared = target.with_suffix(".prepared")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    nodes = [node.name for node in onnx.load(prepared).graph.node if node.op_type in ORT_OPERATORS]
    if source.stem == "detector":
        nodes = [name for name in nodes if name.startswith(DETECTOR_BODIES)]
    partial = target.with_suffix(".partial")
    quantize_static(
        str(prepared),
        str(partial),
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_quantize=[name for name in nodes if not stays_float(name)],
    )
    prepared.unlink()
    partial.replace(target)


def for_openvino(source: Path, target: Path, inputs: Sequence[dict[str, np.ndarray]]) -> None:
    import nncf
    import openvino as ov

    model = ov.Core().read_model(source)
    names = [node.get_friendly_name() for node in model.get_ops()]
    kept = [name for name in names if stays_float(name) and any(name.endswith(end) for end in ("/Conv", "/Gemm"))]
    quantised = nncf.quantize(
        model, nncf.Dataset(list(inputs)), subset_size=len(inputs), ignored_scope=nncf.IgnoredScope(names=kept)
    )
    ov.save_model(quantised, target, compress_to_fp16=False)


def quantise(onnx_files: dict[str, str], engine: str, inputs: Inputs) -> dict[str, str]:
    """Files by name as in export_onnx; "failed: reason" where an engine's quantiser refuses."""
    logging.disable(logging.WARNING)
    make, suffix = {
        "onnxruntime": (for_onnxruntime, ".qdq.onnx"),
        "openvino": (for_openvino, ".nncf.xml"),
    }[engine]
    files: dict[str, str] = {}
    for name, path in onnx_files.items():
        if engine == "openvino" and name in ("detector", "propose", "select"):
            files[name] = path
            continue
        if engine == "onnxruntime" and name in ("trunk", "propose", "head", "select"):
            continue
        target = Path(path).with_suffix("").with_name(Path(path).stem + suffix)
        try:
            if not target.exists():
                make(Path(path), target, inputs(name))
            files[name] = str(target)
        except Exception as problem:  # noqa: BLE001  whatever a library throws ends this file alone
            files[name] = f"failed: {type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''}"
    return files
