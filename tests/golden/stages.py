"""Names the intermediate tensors of the torch networks as the engine names them, through forward hooks."""
from contextlib import contextmanager
from typing import Any, Callable, Iterator

import torch
from torch import nn

OnStage = Callable[[str, torch.Tensor], None]


def nhwc(tensor: torch.Tensor) -> torch.Tensor:
    """Channels last, the engine's order; tensors of other rank stay as they are."""
    return tensor.permute(0, 2, 3, 1).contiguous() if tensor.dim() == 4 else tensor


@contextmanager
def hooks(handles: list[Any]) -> Iterator[None]:
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def on_output(module: nn.Module, name: str, report: OnStage) -> Any:
    return module.register_forward_hook(lambda _m, _i, output: report(name, nhwc(output)))


def on_input(module: nn.Module, name: str, report: OnStage) -> Any:
    return module.register_forward_pre_hook(lambda _m, inputs: report(name, nhwc(inputs[0])))


def watch_backbone(backbone: nn.Module, report: OnStage) -> list[Any]:
    """A feature pyramid over a ResNet, the children of a ResNet in a Sequential, or the features of MobileNetV2."""
    if hasattr(backbone, "fpn"):
        return watch_pyramid(backbone, report)
    if isinstance(backbone[0], nn.Conv2d):
        pool, layers = backbone[3], list(backbone)[4:]
        handles = [on_input(pool, "body.stem", report), on_output(pool, "body.maxpool", report)]
        return handles + [on_output(layer, f"body.layer{n}.1", report) for n, layer in enumerate(layers, 1)]
    return [on_output(part, f"body.{n}", report) for n, part in enumerate(backbone)]


def watch_pyramid(backbone: nn.Module, report: OnStage) -> list[Any]:
    body, fpn = backbone.body, backbone.fpn
    handles = [on_input(body.maxpool, "body.stem", report), on_output(body.maxpool, "body.maxpool", report)]
    handles += [on_output(getattr(body, f"layer{n}"), f"body.layer{n}.1", report) for n in range(1, 5)]
    for level in range(4):
        # The input of a layer block is the lateral convolution plus the upsampled level above it.
        handles.append(on_input(fpn.layer_blocks[level], f"fpn.inner.{level}", report))
        handles.append(on_output(fpn.layer_blocks[level], f"fpn.{level}", report))

    def features(_module: nn.Module, _inputs: Any, output: dict[str, torch.Tensor]) -> None:
        report("fpn.pool", nhwc(output["pool"]))

    return [*handles, fpn.register_forward_hook(features)]


def watch_detector(model: nn.Module, report: OnStage) -> Any:
    """A context in which each forward pass of the Faster R-CNN reports its stages."""
    roi = model.roi_heads
    handles = watch_backbone(model.backbone, report)

    def rpn_head(_module: nn.Module, _inputs: Any, output: tuple[list[torch.Tensor], list[torch.Tensor]]) -> None:
        for level, (logits, deltas) in enumerate(zip(*output)):
            report(f"rpn.logits.{level}", nhwc(logits))
            report(f"rpn.deltas.{level}", nhwc(deltas))

    def predictor(_module: nn.Module, _inputs: Any, output: tuple[torch.Tensor, torch.Tensor]) -> None:
        report("head.logits", output[0])
        report("head.deltas", output[1])
        report("head.scores", torch.softmax(output[0], -1))

    handles += [
        model.rpn.head.register_forward_hook(rpn_head),
        model.rpn.register_forward_hook(lambda _m, _i, output: report("proposals", output[0][0])),
        on_output(roi.box_roi_pool, "roi", report),
        on_input(roi.box_head.fc7, "head.fc6.relu", report),
        on_output(roi.box_head, "head.fc7.relu", report),
        roi.box_predictor.register_forward_hook(predictor),
    ]
    return hooks(handles)


def watch_classifier(model: nn.Module, report: OnStage) -> Any:
    """The same for the ResNet-50; `probabilities` is left to the caller."""
    handles = [on_input(model.maxpool, "stem", report), on_output(model.maxpool, "maxpool", report)]
    for number in range(1, 5):
        layer = getattr(model, f"layer{number}")
        handles.append(on_output(layer, f"layer{number}.{len(layer) - 1}", report))
    handles.append(on_input(model.fc, "avgpool", report))
    handles.append(on_output(model.fc, "logits", report))
    return hooks(handles)
