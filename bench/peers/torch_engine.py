"""torch as an expert runs it on a CPU: batch norms folded, channels_last, optionally bfloat16 autocast or compiled parts."""
import contextlib
from pathlib import Path
from typing import Any, Callable

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import pipeline_config
import torch_pipeline

ROI_BOXES, ROI_CHANNELS, ROI_SIDE = 1000, 256, 256  # RoIAlign alone: boxes, channels, side of the finest of 4 levels


def fold_norms(network: nn.Module) -> None:
    """Batch norms into the convolutions before them, as an expert user of torch does: neighbours among the children."""
    for module in list(network.modules()):
        before: tuple[str, nn.Module] | None = None
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d) and before and isinstance(before[1], nn.Conv2d):
                setattr(module, before[0], fuse_conv_bn_eval(before[1], child))
                setattr(module, name, nn.Identity())
            before = name, child


def folded(job: dict[str, Any]) -> torch_pipeline.Pipeline:
    """The pipeline of the job's weights, batch norms folded."""
    paths = {key: Path(value) for key, value in job["weights"].items()}
    if "model" in paths:
        pipeline = torch_pipeline.Pipeline.from_model(paths["model"])
    else:
        config = pipeline_config.load(paths.get("config"))
        pipeline = torch_pipeline.Pipeline.from_checkpoints(paths["detector"], paths["classifier"], config)
    # torchvision as it is installed: the log of close decisions belongs to the reference, not to a timed peer.
    torch_pipeline.box_ops.batched_nms = torch_pipeline.box_ops._batched_nms_vanilla
    for network in (pipeline.detector.backbone, pipeline.classifier):
        fold_norms(network)
    return pipeline


def roi_align() -> Callable[[np.ndarray], tuple[np.ndarray, ...]]:
    """torchvision's RoIAlign of 1000 boxes over four levels; corners anywhere, sides up to half the picture."""
    generator = torch.Generator().manual_seed(5)
    size = 4 * ROI_SIDE
    levels = {
        str(n): torch.rand(1, ROI_CHANNELS, ROI_SIDE >> n, ROI_SIDE >> n, generator=generator) for n in range(4)
    }
    start = torch.rand(ROI_BOXES, 2, generator=generator) * size
    boxes = torch.cat([start, start + torch.rand(ROI_BOXES, 2, generator=generator) * size / 2], 1).clamp(0, size)
    pool = torchvision.ops.MultiScaleRoIAlign(list(levels), 7, 2)

    @torch.inference_mode()
    def run(_: np.ndarray) -> tuple[np.ndarray, ...]:
        return (pool(levels, [boxes], [(size, size)]).numpy(),)

    return run


def opener(job: dict[str, Any]) -> Callable[[str], Any]:
    """load(name) for detector, classifier_N, convNNN_L and roi_align."""
    import export_onnx

    torch.set_num_threads(job["threads"])
    torch.set_num_interop_threads(1)
    half = job["precision"] == "bf16"
    networks: list[torch_pipeline.Pipeline] = []

    def prepare(module: nn.Module) -> nn.Module:
        module = module.to(memory_format=torch.channels_last)
        return torch.compile(module, mode="max-autotune", dynamic=False) if job["compiled"] else module

    def pipeline() -> torch_pipeline.Pipeline:
        if not networks:
            made = folded(job)
            detector, heads = made.detector, made.detector.roi_heads
            detector.to(memory_format=torch.channels_last)
            if job["compiled"]:
                detector.backbone = prepare(detector.backbone)
                detector.rpn.head = prepare(detector.rpn.head)
                heads.box_head = prepare(heads.box_head)
            made.classifier = prepare(made.classifier)
            networks.append(made)
        return networks[0]

    def context() -> Any:
        return torch.autocast("cpu", dtype=torch.bfloat16) if half else contextlib.nullcontext()

    def load(name: str) -> Any:
        if name == "roi_align":
            return roi_align()
        if name == "detector":
            detector = pipeline().detector

            @torch.inference_mode()
            def detect(values: np.ndarray) -> tuple[np.ndarray, ...]:
                image = torch.from_numpy(values)[None].contiguous(memory_format=torch.channels_last)[0]
                with context():
                    result = detector([image])[0]
                return result["boxes"].float().numpy(), result["scores"].float().numpy()

            return detect
        if name.startswith("classifier"):
            network: nn.Module = nn.Sequential(pipeline().classifier, nn.Sigmoid())
        else:
            layer, _, length = name.partition("_")
            network = prepare(export_onnx.chain(export_onnx.CONVOLUTIONS[layer][0], int(length)))

        @torch.inference_mode()
        def run(values: np.ndarray) -> tuple[np.ndarray, ...]:
            with context():
                result = network(torch.from_numpy(values).contiguous(memory_format=torch.channels_last))
            return (result.float().numpy(),)

        return run

    return load


def graph_breaks() -> int:
    """Breaks that torch.compile met so far in this process."""
    from torch._dynamo.utils import counters

    return sum(counters["graph_break"].values())
