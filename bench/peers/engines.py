"""How each engine opens a network: open_<engine>(job) gives load(name), which gives a function of arrays to arrays.

A job names files (export_onnx.py, quantise.py), weights, threads and precision; the settings are the best known for two
threads and one picture at a time (README.md).
"""
import os
import tempfile
from pathlib import Path
from typing import Any, Callable

import numpy as np

Runner = Callable[[np.ndarray], tuple[np.ndarray, ...]]
Load = Callable[[str], Runner]


class Refused(Exception):
    """The engine has no such network, or its quantiser refused it."""


def file_of(job: dict[str, Any], name: str) -> str:
    path = job["files"].get(name, "")
    if not path or path.startswith("failed"):
        raise Refused(path or f"no file for {name}")
    return path


def open_onnxruntime(job: dict[str, Any]) -> Load:
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
        session = ort.InferenceSession(file_of(job, name), options, providers=["CPUExecutionProvider"])
        binding = session.io_binding()
        entry = session.get_inputs()[0].name
        for output in session.get_outputs():
            binding.bind_output(output.name)

        def run(values: np.ndarray) -> tuple[np.ndarray, ...]:
            binding.bind_cpu_input(entry, values)
            session.run_with_iobinding(binding)
            return tuple(value.numpy() for value in binding.get_outputs())

        return run

    return load


def open_openvino(job: dict[str, Any]) -> Load:
    import openvino as ov

    core = ov.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(job["threads"]),
        "ENABLE_CPU_PINNING": "YES",
        "INFERENCE_PRECISION_HINT": job["hint"],
    }

    def request(name: str) -> Any:
        return core.compile_model(core.read_model(file_of(job, name)), "CPU", settings).create_infer_request()

    def outputs(of: Any) -> tuple[np.ndarray, ...]:
        return tuple(np.array(tensor.data) for tensor in of.output_tensors)

    def single(name: str) -> Runner:
        alone = request(name)

        def run(values: np.ndarray) -> tuple[np.ndarray, ...]:
            alone.infer({0: values}, share_inputs=True)
            return outputs(alone)

        return run

    def in_parts() -> Runner:
        """The detector whose matrix products are quantised apart: no copy between the parts."""
        trunk, propose, head, select = (request(name) for name in ("trunk", "propose", "head", "select"))

        def run(values: np.ndarray) -> tuple[np.ndarray, ...]:
            trunk.infer({0: values}, share_inputs=True)
            for number, tensor in enumerate(trunk.output_tensors):
                propose.set_tensor(f"map{number}", tensor)
            propose.infer()
            head.set_tensor("features", propose.get_tensor("features"))
            head.infer()
            select.set_tensor("proposals", propose.get_tensor("proposals"))
            select.set_tensor("logits", head.get_tensor("logits"))
            select.set_tensor("deltas", head.get_tensor("deltas"))
            select.infer()
            return outputs(select)

        return run

    return lambda name: in_parts() if name == "detector" and job["precision"] == "int8" else single(name)


def open_ncnn(job: dict[str, Any]) -> Load:
    """One picture at a time, as ncnn works; convolutions and the classifier only."""
    import ncnn

    import export_onnx
    import ncnn_net
    import torch_engine

    def load(name: str) -> Runner:
        with tempfile.TemporaryDirectory() as folder:
            stem = Path(folder) / "net"
            if name.startswith("classifier"):
                ncnn_net.resnet50(torch_engine.folded(job).classifier, stem)
            elif name.startswith("conv"):
                layer, _, length = name.partition("_")
                ncnn_net.chain(export_onnx.chain(export_onnx.CONVOLUTIONS[layer][0], int(length)), stem)
            else:
                raise Refused("ncnn runs convolutions and the classifier here; it has no RoIAlign pyramid, NMS or top-k")
            net = ncnn.Net()
            net.opt.num_threads = job["threads"]
            net.opt.lightmode = True
            net.opt.use_winograd_convolution = True
            net.opt.use_sgemm_convolution = True
            net.opt.use_packing_layout = True
            net.opt.use_bf16_storage = job["precision"] == "bf16"
            net.opt.use_fp16_storage = net.opt.use_fp16_packed = net.opt.use_fp16_arithmetic = False
            if net.load_param(f"{stem}.param") != 0 or net.load_model(f"{stem}.bin") != 0:
                raise Refused("ncnn could not read the network written for it")
        ncnn.set_cpu_powersave(0)

        def run(values: np.ndarray) -> tuple[np.ndarray, ...]:
            rows = []
            for picture in values:
                extractor = net.create_extractor()
                extractor.input("in", ncnn.Mat(picture))
                status, out = extractor.extract("out")
                if status != 0:
                    raise Refused(f"ncnn's extract ended with {status}")
                rows.append(np.array(out))
            return (np.stack(rows),)

        return run

    return load


def open_torch(job: dict[str, Any]) -> Load:
    import torch_engine

    return torch_engine.opener(job)


OPENERS = {"onnxruntime": open_onnxruntime, "openvino": open_openvino, "torch": open_torch, "ncnn": open_ncnn}


def peak_rss_mb() -> float:
    # Not getrusage: its maximum outlives exec and would show the memory of the parent.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def environment(threads: int, compiled: bool) -> dict[str, str]:
    """What a worker's process needs before it starts."""
    count = str(threads)
    more = {"OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count}
    if compiled:
        more |= {"TORCHINDUCTOR_FREEZING": "1", "TORCHINDUCTOR_MAX_AUTOTUNE": "1"}
    return {**os.environ, **more}
