"""One peer in a process of its own: opens the networks, runs them on demand, answers in JSON lines.

Started by peers.py. Protocol on stdin/stdout: {"do": "outputs", "file": F} writes boxes, scores and probabilities;
{"do": "run", "stage": S, "repeats": R} answers {"ms": [...]}. The first line it writes holds start-up and memory.
"""
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "golden"))

import numpy as np  # noqa: E402

Runner = Callable[[np.ndarray], tuple[np.ndarray, ...]]


def open_onnxruntime(job: dict[str, Any]) -> Callable[[str], Runner]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = job["threads"]
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.log_severity_level = 3

    def load(name: str) -> Runner:
        session = ort.InferenceSession(job["onnx"][name], options, providers=["CPUExecutionProvider"])
        entry = session.get_inputs()[0].name
        return lambda values: tuple(session.run(None, {entry: values}))

    return load


def open_openvino(job: dict[str, Any]) -> Callable[[str], Runner]:
    import openvino as ov

    core = ov.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(job["threads"]),
        "ENABLE_CPU_PINNING": "YES",
        "INFERENCE_PRECISION_HINT": job["precision"],
    }

    def load(name: str) -> Runner:
        model = core.read_model(job["onnx"][name])
        request = core.compile_model(model, "CPU", settings).create_infer_request()

        def run(values: np.ndarray) -> tuple[np.ndarray, ...]:
            request.infer({0: values}, share_inputs=True)
            return tuple(np.array(request.get_output_tensor(i).data) for i in range(len(model.outputs)))

        return run

    return load


def fold_norms(body: Any, blocks: Any) -> None:
    """Batch norms into the convolutions of a ResNet, as an expert user of torch does."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    def fold(owner: Any, conv: str, norm: str) -> None:
        setattr(owner, conv, fuse_conv_bn_eval(getattr(owner, conv), getattr(owner, norm)))
        setattr(owner, norm, nn.Identity())

    fold(body, "conv1", "bn1")
    for block in blocks:
        for number in (1, 2, 3):
            if hasattr(block, f"conv{number}"):
                fold(block, f"conv{number}", f"bn{number}")
        if block.downsample is not None:
            block.downsample = nn.Sequential(fuse_conv_bn_eval(block.downsample[0], block.downsample[1]))


def open_torch(job: dict[str, Any]) -> Callable[[str], Runner]:
    import torch

    import pipeline_config
    import torch_pipeline

    torch.set_num_threads(job["threads"])
    torch.set_num_interop_threads(1)
    paths = {key: Path(value) for key, value in job["weights"].items()}
    if "model" in paths:
        pipeline = torch_pipeline.Pipeline.from_model(paths["model"])
    else:
        config = pipeline_config.load(paths.get("config"))
        pipeline = torch_pipeline.Pipeline.from_checkpoints(paths["detector"], paths["classifier"], config)
    # torchvision as it is installed: the log of close decisions belongs to the reference, not to a timed peer.
    torch_pipeline.box_ops.batched_nms = torch_pipeline.box_ops._batched_nms_vanilla
    detector, classifier = pipeline.detector, pipeline.classifier
    for body in (detector.backbone.body, classifier):
        fold_norms(body, [block for n in range(1, 5) for block in getattr(body, f"layer{n}")])
    detector.to(memory_format=torch.channels_last)
    classifier.to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def detect(values: np.ndarray) -> tuple[np.ndarray, ...]:
        image = torch.from_numpy(values)[None].contiguous(memory_format=torch.channels_last)[0]
        result = detector([image])[0]
        return result["boxes"].numpy(), result["scores"].numpy()

    @torch.inference_mode()
    def classify(values: np.ndarray) -> tuple[np.ndarray, ...]:
        patches = torch.from_numpy(values).contiguous(memory_format=torch.channels_last)
        return (torch.sigmoid(classifier(patches)).numpy(),)

    return lambda name: detect if name == "detector" else classify


def peak_rss_mb() -> float:
    # Not getrusage: its maximum outlives exec and would show the memory of the parent.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def main() -> None:
    started = float(sys.argv[2])  # wall clock of the parent at the moment of the start
    job = json.loads(Path(sys.argv[1]).read_text())
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers

    def answer(**values: Any) -> None:
        answers.write(json.dumps(values) + "\n")
        answers.flush()

    inputs = np.load(job["inputs"])
    feeds = {"detector": inputs["image"], "classifier_1": inputs["patches"][:1], "classifier_8": inputs["patches"][:8]}
    opener = {"onnxruntime": open_onnxruntime, "openvino": open_openvino, "torch": open_torch}[job["engine"]]
    begin = time.perf_counter()
    load = opener(job)
    runners = {"detector": load("detector")}
    open_ms = (time.perf_counter() - begin) * 1e3
    begin = time.perf_counter()
    runners["detector"](feeds["detector"])
    first_ms = (time.perf_counter() - begin) * 1e3
    start_to_first_s = time.time() - started
    runners["classifier_1"] = load("classifier_1")
    runners["classifier_1"](feeds["classifier_1"])
    both_mb = peak_rss_mb()  # before the second batch size, which a user of one pipeline would not open
    runners["classifier_8"] = load("classifier_8")
    answer(open_ms=open_ms, first_ms=first_ms, start_to_first_s=start_to_first_s, peak_rss_mb=both_mb)

    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "outputs":
            boxes, scores = runners["detector"](feeds["detector"])
            eight = runners["classifier_8"](feeds["classifier_8"])[0]
            one = runners["classifier_1"](feeds["classifier_1"])[0]
            np.savez(order["file"], boxes=boxes, scores=scores, probabilities=eight, single=one)
            answer(done=True)
        elif order["do"] == "run":
            runner, feed = runners[order["stage"]], feeds[order["stage"]]
            times = []
            for _ in range(order["repeats"]):
                begin = time.perf_counter()
                runner(feed)
                times.append((time.perf_counter() - begin) * 1e3)
            answer(ms=times)


if __name__ == "__main__":
    main()
