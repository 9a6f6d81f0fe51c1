"""SpineRT against ONNX Runtime, OpenVINO, torch and ncnn on one machine: same weights, same slice, parity first,
interleaved. README.md says how, and which command makes the tables of docs/PERFORMANCE.md.

Every engine lives in a process of its own and runs in turn, round after round, so that a busy machine hits all of them
alike; a round gives one ratio per engine, and the tables show the median of the rounds.
"""
import argparse
import json
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "golden"))

import own_venv  # noqa: E402

MODULES = ("torch", "torchvision", "onnx", "onnxruntime", "openvino", "nncf", "ncnn", "numpy", "PIL")
own_venv.ensure(HERE / "requirements.txt", MODULES)

import numpy as np  # noqa: E402
import torch  # noqa: E402

import export_onnx  # noqa: E402
import parity  # noqa: E402
import picture as pictures  # noqa: E402
import quantise  # noqa: E402
import table  # noqa: E402
import torch_pipeline  # noqa: E402
from lanes import Lane, LaneFailed, Peer, SpineRt, measure, own_lane  # noqa: E402

CLASSIFIERS = tuple(f"classifier_{batch}" for batch in export_onnx.BATCHES)
NETWORKS = ("detector", *CLASSIFIERS)
CONVOLUTIONS = tuple(export_onnx.CONVOLUTIONS)
STAGES = (*NETWORKS, *CONVOLUTIONS, "roi_align")
DEFAULT_STAGES = tuple(stage for stage in STAGES if stage != "classifier_64")  # as classifier_8, at eight times the wait
# float32 must agree. Lower precisions move boxes visibly (another of two overlapping candidates may win): such a lane
# shows what the precision buys and costs, so only a broken network is refused and the measured maxima stand in the table.
LIMITS = {
    "f32": parity.Limits(0.99, 1e-3, 1e-3),
    "bf16": parity.Limits(0.8, 0.05, 0.1),
    "int8": parity.Limits(0.7, 0.2, 0.5),
}
OUR_PRECISIONS = {"fp32": "f32", "mixed": "bf16", "int8": "int8"}
CONV_LIMITS = {"f32": 1e-3, "bf16": 0.05, "int8": 0.15}  # of the largest output
PEERS = {  # name: engine, package, precision, stages, more of the job
    "ONNX Runtime fp32": ("onnxruntime", "onnxruntime", "f32", (*NETWORKS, *CONVOLUTIONS), {}),
    "ONNX Runtime int8": ("onnxruntime", "onnxruntime", "int8", (*NETWORKS, *CONVOLUTIONS), {}),
    "OpenVINO f32": ("openvino", "openvino", "f32", (*NETWORKS, *CONVOLUTIONS), {"hint": "f32"}),
    "OpenVINO bf16": ("openvino", "openvino", "bf16", (*NETWORKS, *CONVOLUTIONS), {"hint": "bf16"}),
    "OpenVINO int8": ("openvino", "openvino", "int8", (*NETWORKS, *CONVOLUTIONS), {"hint": "f32"}),
    "torch fp32": ("torch", "torch", "f32", (*NETWORKS, *CONVOLUTIONS, "roi_align"), {}),
    "torch bf16": ("torch", "torch", "bf16", (*NETWORKS, *CONVOLUTIONS), {}),
    "torch compiled": ("torch", "torch", "f32", NETWORKS[:3], {"compiled": True}),
    "ncnn fp32": ("ncnn", "ncnn", "f32", (*CLASSIFIERS[:2], *CONVOLUTIONS), {}),
    "ncnn bf16": ("ncnn", "ncnn", "bf16", (*CLASSIFIERS[:2], *CONVOLUTIONS), {}),
}


class Reference:
    """Torch's answers, the inputs of every stage, and the check of a lane against them."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.pipeline = torch_pipeline.pipeline_from_options(options)
        config = self.pipeline.config
        picture = pictures.read_picture(options.slice)
        wanted = [int(stage.partition("_")[2]) for stage in options.stages if stage in CLASSIFIERS]
        self.diagnosis = self.pipeline.diagnose(picture) if options.spinert and "detector" in options.stages else None
        self.mean = np.array(config.classifier_mean, np.float32)[:, None, None]
        self.std = np.array(config.classifier_std, np.float32)[:, None, None]
        image, grey, self.boxes, self.scores = self.look(options.slice)
        grey = np.resize(grey, (max([1, *wanted]), *grey.shape[1:]))  # repeats them if there are too few
        self.probabilities = self.pipeline.classify(grey).numpy() if wanted else np.zeros(0)
        rng = np.random.default_rng(3)
        pictures_in = {
            name: rng.random((1, channels, side, side), dtype=np.float32)
            for name, (channels, side) in export_onnx.CONVOLUTIONS.items()
        }
        self.inputs = folder / "inputs.npz"
        np.savez(self.inputs, image=image, patches=self.normalise(grey), **pictures_in)
        self.convolved = {}
        with torch.inference_mode():
            for name, (channels, _) in export_onnx.CONVOLUTIONS.items():
                network = export_onnx.chain(channels, export_onnx.CHAIN)
                self.convolved[name] = network(torch.from_numpy(pictures_in[name])).numpy()
        self.files = export_onnx.export(
            self.pipeline.detector, self.pipeline.classifier, self.pipeline.weights_id, torch.from_numpy(image),
            options.cache,
        )
        self.pictures_in = pictures_in
        self.calibration: list[tuple[np.ndarray, np.ndarray]] = []

    def normalise(self, grey: np.ndarray) -> np.ndarray:
        return (grey[:, None] / np.float32(255) - self.mean) / self.std

    def look(self, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """[3][size][size] picture, grey patches of its vertebrae, all boxes and scores."""
        placed = pictures.place(pictures.read_picture(path).grey, self.pipeline.config.size)
        boxes, scores, _ = self.pipeline.detect(placed.canvas)
        chosen = boxes[scores >= self.pipeline.config.score_threshold].tolist()
        image = np.repeat(placed.canvas[None] / np.float32(255), 3, axis=0)
        return image, self.pipeline.patches(placed.canvas, chosen), boxes.numpy(), scores.numpy()

    def calibrate(self, name: str) -> list[dict[str, np.ndarray]]:
        """Inputs for the quantisers: every calibration slice, or its patches."""
        if name.partition("_")[0] in CONVOLUTIONS:
            return [{"in": self.pictures_in[name.partition("_")[0]]}]
        if not self.calibration:
            self.calibration = [self.look(path)[:2] for path in self.options.calibration]
        if name.startswith("classifier"):
            batch = int(name.partition("_")[2])
            patches = np.concatenate([grey for _, grey in self.calibration])
            if batch > len(patches):
                patches = np.resize(patches, (batch, *patches.shape[1:]))
            return [
                {"patches": self.normalise(patches[i : i + batch])} for i in range(0, len(patches) - batch + 1, batch)
            ][:64]
        if name == "head":
            parts = export_onnx.Whole(self.pipeline.detector, self.pipeline.config.size)
            with torch.inference_mode():
                outputs = [parts.propose(*parts.trunk(torch.from_numpy(image)))[1] for image, _ in self.calibration]
            return [{"features": features.numpy()} for features in outputs]
        return [{"image": image} for image, _ in self.calibration]

    def check(self, lane: Lane, stage: str) -> None:
        """Fills the lane's parity of this stage; LaneFailed where it is beyond the limits."""
        if isinstance(lane, SpineRt):
            if stage == "detector":
                outcome = parity.compare(
                    self.diagnosis, lane.diagnose(self.options.slice)["slices"][0], self.pipeline.config,
                    LIMITS[lane.precision],
                )
                values = 1 - outcome.worst_iou, outcome.worst_score, outcome.worst_probability
                lane.parity |= {"detector": "{:.1e} / {:.1e}".format(*values[:2]), CLASSIFIERS[1]: f"{values[2]:.1e}"}
                if outcome.failures:
                    raise LaneFailed("parity: " + "; ".join(outcome.failures)[:200])
            return  # `spinert bench` compares a single kernel with its reference before it times it
        if stage == "roi_align":
            return  # torchvision is its own reference
        target = self.folder / "outputs.npz"
        lane.outputs(target)
        got = np.load(target)
        got = [got[key] for key in got.files]
        limits = LIMITS[lane.precision]
        if stage == "detector":
            lane.parity[stage] = self.check_boxes(*got, limits)
        elif stage in CLASSIFIERS:
            expected = self.probabilities[: len(got[0])]
            worst = float(np.abs(got[0] - expected).max())
            lane.parity[stage] = f"{worst:.1e}"
            if not worst <= limits.probability:
                raise LaneFailed(f"parity: probabilities differ by {worst:.1e}")
        else:
            expected = self.convolved[stage]
            worst = float(np.abs(got[0].reshape(expected.shape) - expected).max() / np.abs(expected).max())
            lane.parity[stage] = f"{worst:.1e}"
            if not worst <= CONV_LIMITS[lane.precision]:
                raise LaneFailed(f"parity: outputs differ by {worst:.1e} of the largest")

    def check_boxes(self, boxes: np.ndarray, scores: np.ndarray, limits: parity.Limits) -> str:
        threshold = self.pipeline.config.score_threshold
        want = [(b, s) for b, s in zip(self.boxes, self.scores) if s >= threshold]
        have = [(b, s) for b, s in zip(boxes, scores) if s >= threshold]
        worst_iou, worst_score = 1.0, 0.0
        for box, score in want:
            partner = max(have, key=lambda other: parity.iou(box, other[0]), default=(np.zeros(4), 0.0))
            worst_iou = min(worst_iou, parity.iou(box, partner[0]))
            worst_score = max(worst_score, abs(float(score) - float(partner[1])))
        line = f"{1 - worst_iou:.1e} / {worst_score:.1e}"
        if not (len(have) == len(want) and worst_iou >= limits.iou and worst_score <= limits.score):
            raise LaneFailed(f"parity: {len(have)} boxes of {len(want)}, 1-IoU / score {line}")
        return line


def peers(options: argparse.Namespace, reference: Reference, folder: Path) -> list[Peer]:
    """The peers that were asked for, with their files."""
    named = {key: getattr(options, key) for key in ("model", "detector", "classifier", "config")}
    weights = {key: str(path) for key, path in named.items() if path}
    has_bf16 = "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    made = []
    for name, (engine, package, precision, stages, more) in PEERS.items():
        if options.peers and not any(word in name for word in options.peers):
            continue
        if (more.get("compiled") and not options.compile) or (engine == "openvino" and precision == "bf16" and not has_bf16):
            continue
        files = reference.files
        if precision == "int8":
            wanted = {f: path for f, path in files.items() if f.partition("_")[0] in options.kinds}
            files = quantise.quantise(wanted, engine, reference.calibrate)
        job = {"engine": engine, "precision": precision, "threads": options.threads, "inputs": str(reference.inputs),
               "files": files, "weights": weights, "compiled": False, **more}
        limit = 1200.0 if job["compiled"] else 300.0
        made.append(Peer(name=name, precision=precision, version=version(package), engine=engine, stages=stages,
                         job=job, folder=folder, limit_s=limit))
    return made


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  peers.py --model models/spine-demo.safetensors --spinert build/spinert --slice examples/slice_001.png\n"
        "  peers.py ... --ours 'fp32:' --ours 'mixed:--precision mixed' --stages detector --peers OpenVINO\n"
        "  peers.py --merge detector.json classifier.json --markdown docs/PERFORMANCE.md",
    )
    torch_pipeline.add_weight_options(parser)
    parser.add_argument("--spinert", type=Path, help="the program; without it the peers are timed alone")
    parser.add_argument("--ours", action="append", metavar="NAME:OPTIONS",
                        help="a lane of SpineRT and the options that make it; repeatable (default 'fp32:')")
    parser.add_argument("--slice", type=Path, help="a picture with at least one vertebra")
    parser.add_argument("--calibration", type=Path, nargs="+", default=sorted((ROOT / "examples").glob("*.png")),
                        help="pictures that the peers' int8 is calibrated on (default: examples/)")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds, at least 7 for a claim")
    parser.add_argument("--repeats", type=int, default=1, help="runs per lane and round (their median counts)")
    parser.add_argument("--peers", nargs="*", default=[], metavar="WORD", help="only lanes whose names hold such a word")
    parser.add_argument("--compile", action="store_true", help="torch.compile too (its autotuning takes minutes)")
    parser.add_argument("--stages", nargs="*", default=list(DEFAULT_STAGES), choices=STAGES)
    parser.add_argument("--cache", type=Path, default=HERE / ".venv" / "onnx", help="folder of the ONNX files")
    parser.add_argument("--json", type=Path, help="write every time of every round here")
    parser.add_argument("--merge", type=Path, nargs="+", metavar="JSON", help="measure nothing: tables of these runs")
    parser.add_argument("--markdown", type=Path, help="replace the tables between the peers marks of this file")
    options = parser.parse_args()
    if not options.merge and not options.slice:
        parser.error("--slice is missing")
    if options.spinert and not options.model:
        parser.error("--spinert needs --model: both sides must compute with the same weights")
    options.kinds = {"trunk", "propose", "head", "select"} if "detector" in options.stages else set()
    options.kinds |= {stage.partition("_")[0] for stage in options.stages}
    return options


def run(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        reference = Reference(options, folder)
        everyone: list[Lane] = []
        for text in (options.ours or ["fp32:"]) if options.spinert else []:
            lane = own_lane(text, binary=options.spinert, model=options.model, folder=folder)
            named = lane.arguments[lane.arguments.index("--precision") + 1] if "--precision" in lane.arguments else "fp32"
            lane.precision = OUR_PRECISIONS[named]
            if "--threads" not in lane.arguments:
                lane.arguments += ["--threads", str(options.threads)]
            everyone.append(lane)
        everyone += peers(options, reference, folder)
        try:
            for stage in options.stages:
                taking = [lane for lane in everyone if lane.ours or stage in lane.stages]
                measure(stage, taking, options.rounds, options.repeats, reference.check)
        finally:
            for lane in everyone:
                lane.stop()
    head = {"machine": f"{processor()}, {os.cpu_count()} cores", "threads": options.threads, "rounds": options.rounds,
            "slice": options.slice.name}
    return table.document(everyone, head)


def main() -> None:
    options = parse()
    document = table.merge([json.loads(path.read_text()) for path in options.merge]) if options.merge else run(options)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    text = table.markdown(document)
    print(text)
    if options.markdown:
        table.replace_between_marks(options.markdown, text)


if __name__ == "__main__":
    main()
