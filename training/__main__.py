"""Command line of the recipe: `python3 -m training COMMAND --help`."""

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

NEEDED = "requirements.txt"


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--truth", type=Path, required=True, metavar="FILE", help="COCO-style truth")
    parser.add_argument("--pictures", type=Path, required=True, metavar="FOLDER", help="where its slices lie")
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("fasterrcnn_resnet18_fpn"),
        metavar="FILE",
        help="pipeline.json, or the name of a ready one: fasterrcnn_resnet18_fpn (default), fasterrcnn_mobilenet_v2, "
        "fasterrcnn_resnet18_c5",
    )


def add_training(parser: argparse._ActionsContainer, prefix: str = "", defaults=None) -> None:
    """One option for each training setting; with a prefix for one network of the recipe."""
    from .classifier import DEFAULTS

    for own in fields(DEFAULTS):
        name = f"--{prefix}{own.name.replace('_', '-')}"
        kind = type(getattr(DEFAULTS, own.name))
        if kind is bool:
            parser.add_argument(name, action=argparse.BooleanOptionalAction, default=None)
        else:
            shown = None if defaults is None else f"default: {getattr(defaults, own.name)}"
            parser.add_argument(name, type=kind, metavar=own.name.upper(), help=shown)


def training_settings(options: argparse.Namespace, defaults, start: Path | None, *prefixes: str):
    """The defaults, with what the command line says; batch norms are frozen where training starts from a checkpoint."""
    settings = replace(defaults, freeze_norm=start is not None)
    for prefix in prefixes:
        given = {own.name: getattr(options, prefix + own.name, None) for own in fields(defaults)}
        settings = replace(settings, **{name: value for name, value in given.items() if value is not None})
    return settings.check()


def limit_threads(options: argparse.Namespace) -> None:
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)


def check(options: argparse.Namespace) -> int:
    from collections import Counter

    from .config import load
    from .data import read_dataset
    from .slices import SliceReader

    dataset = read_dataset(options.truth)
    if options.pictures:
        reader = SliceReader(dataset, options.pictures, load(options.config))
        for image in dataset.images:
            reader.place(image)
    counts = Counter(label for annotation in dataset.annotations for label in annotation.labels)
    print(f"{len(dataset.images)} slices, {len(dataset.annotations)} vertebrae, labels {dict(counts)}")
    return 0


def merge(options: argparse.Namespace) -> int:
    from . import corrections
    from .data import Dataset, read_dataset, write_dataset, write_json

    base = read_dataset(options.truth) if options.truth else Dataset((), ())
    merged = corrections.merge(base, options.corrections)
    document = corrections.conflicts_document(merged)
    print(f"{merged.counts}, {len(merged.conflicts)} conflicts")
    for conflict in merged.conflicts:
        print(f"conflict: {conflict.reason}: {'; '.join(conflict.records)}", file=sys.stderr)
    if options.conflicts:
        write_json(options.conflicts, document)
    write_dataset(options.output, merged.dataset)
    return 3 if merged.conflicts else 0


def detector(options: argparse.Namespace) -> int:
    from . import recipe
    from .config import load
    from .data import read_dataset
    from .detector import DEFAULTS
    from .slices import SliceReader

    limit_threads(options)
    dataset = read_dataset(options.truth)
    reader = SliceReader(dataset, options.pictures, load(options.config))
    settings = training_settings(options, DEFAULTS, options.start, "")
    recipe.train_detector(dataset, reader, settings, options.start, options.output, options.resume, print)
    print(f"wrote {options.output.with_suffix('.pth')}")
    return 0


def classifier(options: argparse.Namespace) -> int:
    from . import recipe
    from .classifier import DEFAULTS
    from .config import load
    from .data import read_dataset
    from .sampling import parse_ratios
    from .slices import SliceReader

    limit_threads(options)
    dataset = read_dataset(options.truth)
    reader = SliceReader(dataset, options.pictures, load(options.config))
    own = training_settings(options, DEFAULTS, options.start, "")
    settings = recipe.RecipeSettings(own, own, classifier_from=options.start)
    if options.ratios:
        settings = replace(settings, ratios=parse_ratios(options.ratios))
    recipe.train_classifier(dataset, reader, settings, options.output, options.resume, print)
    print(f"wrote {options.output.with_suffix('.pth')}")
    return 0


def mine(options: argparse.Namespace) -> int:
    from . import detector as detectors
    from . import mine_normals
    from .config import load
    from .data import DISEASED, DataError, read_dataset, sha256_of, write_dataset
    from .loop import open_device
    from .recipe import now
    from .slices import SliceReader
    from .transfer import transfer

    limit_threads(options)
    dataset, pipeline = read_dataset(options.truth), load(options.config)
    if (options.detector is None) == (options.report is None):
        raise DataError("mine: name one of --detector and --report")
    if options.report:
        found, model_hash = mine_normals.from_report(options.report, dataset)
    else:
        model = detectors.build(pipeline)
        if (taken := transfer(model, options.detector)).fresh:
            raise DataError(f"{options.detector}: not a whole detector: {taken}")
        model.to(open_device(options.device))
        images = [image for image in dataset.images if image.annotated == DISEASED]
        reader = SliceReader(dataset, options.pictures, pipeline)
        found, model_hash = detectors.detect(model, reader, images), sha256_of(options.detector)
    mined = mine_normals.mine(dataset, found, pipeline.score_threshold, model_hash, now(), options.iom)
    print(f"mined normals: {mined.counts}")
    write_dataset(options.output, mined.dataset)
    return 0


def run(options: argparse.Namespace) -> int:
    from . import classifier, detector, recipe
    from .config import load
    from .export import Program
    from .sampling import parse_ratios

    limit_threads(options)
    settings = recipe.RecipeSettings(
        training_settings(options, detector.DEFAULTS, options.detector_from, "", "detector_"),
        training_settings(options, classifier.DEFAULTS, options.classifier_from, "", "classifier_"),
        options.detector_from,
        options.classifier_from,
        iom=options.iom,
        held_out=options.held_out,
        storage=options.storage,
        name=options.name,
        description=options.description,
    )
    if options.ratios:
        settings = replace(settings, ratios=parse_ratios(options.ratios))
    validation = tuple(options.validation) if options.validation else None
    sources = recipe.Sources(options.truth, options.pictures, options.output, tuple(options.corrections), validation)
    model = recipe.run(
        sources, load(options.config), settings, Program(options.spinert), options.resume, options.verify_slices
    )
    print(f"model: {model}\nevaluation: {options.output / 'evaluation'}")
    return 0


def add_run(parser: argparse.ArgumentParser) -> None:
    """What the commands share that train something."""
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PATH")
    parser.add_argument("--resume", action="store_true", help="go on after the last epoch of an earlier run")
    parser.add_argument("--threads", type=int, default=0, help="of torch; default: its own choice")


def build_parser() -> argparse.ArgumentParser:
    from . import classifier as classifiers, detector as detectors
    from .export import DEFAULT_PROGRAM
    from .mine_normals import OVERLAP

    parser = argparse.ArgumentParser(
        prog="python3 -m training",
        description="Trains SpineRT's networks. Research use only.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, function, help_text: str, *examples: str) -> argparse.ArgumentParser:
        epilog = "examples:\n" + "\n".join(f"  python3 -m training {name} {example}" for example in examples)
        added = commands.add_parser(
            name,
            help=help_text,
            description=help_text,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(function=function)
        return added

    own = command(
        "check",
        check,
        "check truth, and its pictures where they are named",
        "--truth slices/truth.json",
        "--truth slices/truth.json --pictures slices",
    )
    own.add_argument("--truth", type=Path, required=True, metavar="FILE")
    own.add_argument("--pictures", type=Path, metavar="FOLDER")
    own.add_argument("--config", type=Path, default=Path("fasterrcnn_resnet18_fpn"), metavar="FILE")

    own = command(
        "merge",
        merge,
        "merge experts' corrections into a truth file; exit code 3 with conflicts",
        "--truth truth.json --corrections anna.json ben.json -o next.json --conflicts conflicts.json",
    )
    own.add_argument("--truth", type=Path, metavar="FILE", help="what the experts started from; default: nothing")
    own.add_argument("--corrections", type=Path, nargs="+", required=True, metavar="FILE")
    own.add_argument("--conflicts", type=Path, metavar="FILE", help="write counts and conflicts here")
    own.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the next training set")

    start_help = "checkpoint to start from: of the whole network, or a plain ResNet or MobileNet for the backbone"
    own = command(
        "detector",
        detector,
        "train a detector; PATH.pth is its state_dict, PATH/ holds the checkpoints",
        "--truth slices/truth.json --pictures slices --epochs 12 -o out/detector",
        "--truth t.json --pictures p --config fasterrcnn_mobilenet_v2 --from mobilenet.pth --device cuda --amp "
        "--batch 8 --workers 8 -o out/detector",
    )
    add_data(own)
    add_run(own)
    own.add_argument("--from", dest="start", type=Path, metavar="FILE", help=start_help)
    add_training(own, defaults=detectors.DEFAULTS)

    own = command(
        "mine",
        mine,
        "add normal vertebrae where diseased ones alone are annotated",
        "--truth diseased.json --pictures slices --detector out/detector.pth -o with-normals.json",
        "--truth diseased.json --pictures slices --report out/report.json -o with-normals.json",
    )
    add_data(own)
    own.add_argument("--detector", type=Path, metavar="FILE", help="state_dict of the detector")
    own.add_argument("--report", type=Path, metavar="FILE", help="report.json of spinert diagnose, instead")
    own.add_argument(
        "--iom", type=float, default=OVERLAP, help=f"overlap that makes one vertebra of two boxes; default: {OVERLAP}"
    )
    own.add_argument("--device", default="cpu", help="default: cpu")
    own.add_argument("--threads", type=int, default=0)
    own.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")

    own = command(
        "classifier",
        classifier,
        "train the classifier; PATH.pth is its state_dict",
        "--truth with-normals.json --pictures slices --ratios OVCF=1,OF=1,SN=1,KD=1,PS=1,normal=5 -o out/classifier",
    )
    add_data(own)
    add_run(own)
    own.add_argument("--from", dest="start", type=Path, metavar="FILE", help="checkpoint of a ResNet-50 to start from")
    own.add_argument("--ratios", metavar="CLASS=X,...", help="what an epoch draws, or natural; training/README.md")
    add_training(own, defaults=classifiers.DEFAULTS)

    own = command(
        "recipe",
        run,
        "all steps: corrections, detector, mining, classifier, convert, verify, evaluate",
        "--truth slices/truth.json --pictures slices -o out --detector-from detector.pth --classifier-from "
        "classifier.pth --epochs 1 --name mine --description 'Synthetic slices only.'",
        "--truth t.json --pictures p --validation v.json v --device cuda --amp --workers 8 --batch 8 -o out",
    )
    add_data(own)
    add_run(own)
    own.add_argument("--corrections", type=Path, nargs="+", default=[], metavar="FILE")
    own.add_argument("--validation", type=Path, nargs=2, metavar=("TRUTH", "FOLDER"), help="instead of a split")
    own.add_argument("--held-out", type=float, default=0.2, help="share of slices kept for evaluation; default: 0.2")
    own.add_argument("--detector-from", type=Path, metavar="FILE", help=start_help)
    own.add_argument("--classifier-from", type=Path, metavar="FILE")
    own.add_argument("--ratios", metavar="CLASS=X,...")
    own.add_argument("--iom", type=float, default=OVERLAP)
    own.add_argument("--storage", choices=("f32", "f16", "int8"), default="f32")
    own.add_argument("--name", default="unnamed", help="of the model, for its card")
    own.add_argument(
        "--description", default="Not described.", help="of the data, for the card: say whether patients are in it"
    )
    own.add_argument(
        "--spinert", type=Path, default=DEFAULT_PROGRAM, metavar="FILE", help="the program; default: build/spinert"
    )
    own.add_argument(
        "--verify-slices", type=int, default=1, help="held-out slices for spinert verify; default: 1; 0: none"
    )
    add_training(own.add_argument_group("training of both networks"))
    add_training(own.add_argument_group("training of the detector alone"), "detector-", detectors.DEFAULTS)
    add_training(own.add_argument_group("training of the classifier alone"), "classifier-", classifiers.DEFAULTS)
    return parser


def main() -> int:
    try:
        import numpy, PIL, torch, torchvision  # noqa: E401, F401
    except ImportError as missing:
        print(f"training: {missing}; pip install -r {Path(__file__).with_name(NEEDED)}", file=sys.stderr)
        return 2
    from .data import DataError
    from .export import ProgramError

    options = build_parser().parse_args()
    try:
        return options.function(options)
    except (DataError, ProgramError) as problem:
        print(f"training: error: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
