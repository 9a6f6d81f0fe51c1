"""The networks of the recipe at toy size: they learn, resume exactly, convert, and mean the same as the engine.

`SPINERT_BINARY` names the program; the tests that need it are skipped without it.
"""

import json
import os
import subprocess
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
import toy
import torch
import torchvision
from torch import nn

from training import classifier, config, detector, export, recipe
from training.augment import PatchRange, random_row
from training.data import CLASS_NAMES, DataError, Dataset, Image, overlap, read_dataset
from training.loop import TrainSettings, fit
from training.slices import SliceReader, canvas_boxes, patch, read_grey, window_hu
from training.transfer import transfer

SHARED = toy.ROOT.parent / "shared"
BINARY = os.environ.get("SPINERT_BINARY", "")
NAMES = {
    "fasterrcnn_resnet18_fpn": "names_frcnn_r18_fpn_bn.tsv",
    "fasterrcnn_mobilenet_v2": "names_frcnn_mobilenetv2_tutorial.tsv",
    "fasterrcnn_resnet18_c5": "names_frcnn_r18_c5_sequential.tsv",
}
DETECTOR = TrainSettings(epochs=2, batch=2, learning_rate=0.01, warmup_steps=4, epoch_size=16, seed=3)
CLASSIFIER = TrainSettings(epochs=2, batch=10, learning_rate=0.02, warmup_steps=2, epoch_size=60, seed=3)


def silent(_: str) -> None:
    pass


def listed(name: str) -> dict[str, str]:
    """Names and shapes of a list in ../shared/formats."""
    lines = (SHARED / "formats" / name).read_text().splitlines()
    return {row[0]: row[1] for row in (line.split("\t") for line in lines if not line.startswith("#"))}


def names_and_shapes(model: nn.Module) -> dict[str, str]:
    return {name: str(tuple(value.shape)) for name, value in model.state_dict().items()}


def small_classifier() -> nn.Module:
    """Six outputs and a batch norm in a few thousand weights, where the loop is tested and not the network."""
    return nn.Sequential(nn.Conv2d(3, 8, 5, 4), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 7 * 7, 6))


class Toy(unittest.TestCase):
    """One training for all tests of the class, because it takes most of the time."""

    folder: Path
    data: Dataset
    pipeline: config.Pipeline
    reader: SliceReader

    @classmethod
    def setUpClass(cls) -> None:
        torch.set_num_threads(1)
        held = tempfile.TemporaryDirectory()
        cls.addClassCleanup(held.cleanup)
        cls.folder = Path(held.name)
        cls.data = read_dataset(toy.write(cls.folder / "slices", 4))
        cls.pipeline = config.from_document(toy.document(), "toy")
        cls.reader = SliceReader(cls.data, cls.folder / "slices", cls.pipeline)


class Definitions(Toy):
    """What a sample is, checked without training."""

    def test_a_placed_slice_is_cropped_and_padded_about_its_centre(self) -> None:
        image = self.data.images[0]
        grey, _ = toy.slice_and_boxes(0)
        placed = self.reader.place(image)
        # 150 rows: 11 above and 11 below are cut; 100 columns: 14 to the left and 14 to the right are zero.
        self.assertTrue(np.array_equal(placed.canvas[:, 14:114], grey[11:139].astype(np.float32)))
        self.assertEqual(float(placed.canvas[:, :14].sum() + placed.canvas[:, 114:].sum()), 0.0)
        self.assertEqual((placed.dx, placed.dy), (14, -11))
        box = canvas_boxes(self.data.by_image()[image.id][1:2], placed)[0]
        x, y, width, height = self.data.annotations[1].box
        self.assertEqual(box.tolist(), [x + 14, y - 11, x + width + 14, y + height - 11])

    def test_a_patch_of_scale_one_and_its_own_size_is_the_canvas(self) -> None:
        canvas = np.random.default_rng(1).integers(0, 256, (64, 64)).astype(np.float32)
        self.assertTrue(np.array_equal(patch(canvas, (8, 16, 40, 48), (1.0, 0, 0), 32), canvas[16:48, 8:40]))
        # Half a pixel to the right: the mean of two neighbours.
        half = patch(canvas, (8, 16, 40, 48), (1.0, 0.5 / 32, 0), 32)
        self.assertTrue(np.array_equal(half, (canvas[16:48, 8:40] + canvas[16:48, 9:41]) / 2))
        outside = patch(canvas, (-32, 0, 0, 32), (1.0, 0, 0), 32)
        self.assertEqual(float(outside.sum()), 0.0)

    def test_random_rows_stay_in_their_range(self) -> None:
        random, limits = np.random.default_rng(1), PatchRange()
        rows = np.array([random_row(random, limits) for _ in range(2000)])
        self.assertTrue((rows[:, 0] >= 1.05).all() and (rows[:, 0] <= 1.6).all() and (abs(rows[:, 1:]) <= 0.08).all())
        self.assertTrue(rows[:, 0].min() < 1.06 and rows[:, 0].max() > 1.59 and abs(rows[:, 1:]).max() > 0.079)

    def test_hounsfield_units_become_grey_by_the_window(self) -> None:
        # level 400, width 1800: -500 HU is 0, 1300 HU is 255; half of a step rounds to even.
        step = 1800 / 255
        stored = np.array([0, 524, 524 + 1.5 * step, 524 + 2.5 * step, 1424, 2324, 9000])
        self.assertEqual(window_hu(stored, 1024, 400, 1800).tolist(), [0, 0, 2, 2, 128, 255, 255])

    def test_a_picture_of_another_size_is_named(self) -> None:
        image = Image(5, "slice_000.png", 99, 150)
        with self.assertRaisesRegex(DataError, "image id 5: .*expected 99 x 150, got 100 x 150"):
            read_grey(self.folder / "slices/slice_000.png", image, None, (400, 1800))
        with self.assertRaisesRegex(DataError, "image id 5: .*nothing.png"):
            read_grey(self.folder / "slices/nothing.png", image, None, (400, 1800))

    def test_samples_follow_from_seed_epoch_and_position(self) -> None:
        job = classifier.ClassifierJob(self.data, self.reader, CLASSIFIER, None)
        items = job.items(0)
        self.assertEqual(len(items), 60)
        self.assertEqual(items, job.items(0))
        self.assertNotEqual(items, job.items(1))
        one, two = (job.sample(items[0], np.random.default_rng([3, 0, 0])) for _ in range(2))
        self.assertTrue(torch.equal(one[0], two[0]))
        # 20 vertebrae in 8 forms: a natural epoch of 160 shows each in each.
        every = classifier.ClassifierJob(self.data, self.reader, replace(CLASSIFIER, epoch_size=0), None).items(0)
        self.assertEqual(len(set(every)), 160)
        slices = detector.DetectorJob(self.data, self.reader, replace(DETECTOR, epoch_size=0)).items(0)
        self.assertEqual((len(slices), len({(i.image.id, i.element) for i in slices})), (32, 32))

    def test_a_vertebra_mostly_off_the_canvas_is_not_asked_for(self) -> None:
        boxes = np.array([[0.0, -9, 10, 11], [0, -11, 10, 9], [118, 0, 138, 10]])
        self.assertEqual(detector.visible(boxes, 128).tolist(), [[0, 0, 10, 11], [118, 0, 128, 10]])

    def test_settings_that_cannot_be(self) -> None:
        for change in ({"epochs": 0}, {"batch": 0}, {"learning_rate": float("nan")}, {"folds": 3}, {"seed": -1}):
            with self.subTest(change), self.assertRaises(DataError):
                replace(DETECTOR, **change).check()


class Networks(Toy):
    """Every architecture has the names that the converter knows."""

    @unittest.skipUnless((SHARED / "formats").is_dir(), "no lists of names beside the source tree")
    def test_names_and_shapes(self) -> None:
        for architecture, name in NAMES.items():
            with self.subTest(architecture):
                document = toy.document(architecture)
                document["detector"]["roi"]["output_size"] = 7
                with torch.device("meta"):  # names and shapes without the memory
                    model = detector.build(config.from_document(document, "toy"))
                self.assertEqual(names_and_shapes(model), listed(name))
        self.assertEqual(names_and_shapes(classifier.build(self.pipeline)), listed("names_resnet50_6.tsv"))

    def test_every_detector_learns_and_detects(self) -> None:
        for architecture in NAMES:
            with self.subTest(architecture):
                pipeline = config.from_document(toy.document(architecture), "toy")
                reader = SliceReader(self.data, self.folder / "slices", pipeline)
                torch.manual_seed(0)
                model = detector.build(pipeline)
                settings = replace(DETECTOR, epochs=1, epoch_size=2)
                history = fit(
                    model,
                    detector.DetectorJob(self.data, reader, settings),
                    settings,
                    self.folder / architecture,
                    say=silent,
                )
                self.assertEqual(set(history[0].parts), {"classifier", "box_reg", "objectness", "rpn_box_reg"})
                found = list(detector.detect(model, reader, [self.data.images[0]]))
                self.assertEqual(found[0][0], self.data.images[0])

    def test_transfer_takes_what_fits_and_names_what_does_not(self) -> None:
        torch.manual_seed(1)
        plain = torchvision.models.resnet18(weights=None)
        path = self.folder / "plain.pth"
        torch.save(plain.state_dict(), path)
        for architecture, name in (
            ("fasterrcnn_resnet18_fpn", "backbone.body.layer3.0.conv1.weight"),
            ("fasterrcnn_resnet18_c5", "backbone.6.0.conv1.weight"),
        ):
            model = detector.build(config.from_document(toy.document(architecture), "toy"))
            self.assertEqual(transfer(model, path).kind, "backbone")
            self.assertTrue(torch.equal(model.state_dict()[name], plain.state_dict()["layer3.0.conv1.weight"]))
        with self.assertRaisesRegex(DataError, "has no place|another shape|missing"):
            transfer(classifier.build(self.pipeline), path)
        wide = torchvision.models.resnet50(weights=None, num_classes=10)
        torch.save({"state_dict": {f"module.{k}": v.half() for k, v in wide.state_dict().items()}}, path)
        self.assertEqual(transfer(classifier.build(self.pipeline), path).fresh, ("fc.weight", "fc.bias"))
        broken = {**plain.state_dict(), "conv1.weight": torch.full((64, 3, 7, 7), float("nan"))}
        torch.save(broken, path)
        with self.assertRaisesRegex(DataError, "conv1.weight holds numbers that are not finite"):
            transfer(detector.build(self.pipeline), path)
        path.write_bytes(b"no checkpoint")
        with self.assertRaisesRegex(DataError, "no checkpoint that can be read"):
            transfer(detector.build(self.pipeline), path)

    def test_a_resumed_run_ends_in_the_same_weights(self) -> None:
        settings = replace(CLASSIFIER, epochs=2, epoch_size=10, batch=5)
        states = []
        for name, stops in (("whole", (None,)), ("resumed", (1, None))):
            for stop in stops:
                torch.manual_seed(settings.seed)
                model = small_classifier()
                job = classifier.ClassifierJob(self.data, self.reader, settings, None)
                fit(model, job, settings, self.folder / name, name == "resumed", silent, stop)
            states.append(model.state_dict())
        self.assertTrue(all(torch.equal(states[0][key], states[1][key]) for key in states[0]))
        with self.assertRaisesRegex(DataError, "started with another learning_rate"):
            fit(model, job, replace(settings, learning_rate=0.5), self.folder / "whole", True, silent)
        with self.assertRaisesRegex(DataError, "from an earlier run"):
            fit(model, job, settings, self.folder / "whole", False, silent)

    def test_mixed_precision_learns_and_a_loss_that_is_no_number_names_the_records(self) -> None:
        settings = replace(CLASSIFIER, epochs=1, epoch_size=4, batch=4, amp=True)
        model = small_classifier()
        job = classifier.ClassifierJob(self.data, self.reader, settings, None)
        self.assertLess(fit(model, job, settings, self.folder / "amp", say=silent)[0].loss, 2.0)
        with torch.no_grad():
            model[-1].bias.fill_(float("nan"))
        with self.assertRaisesRegex(DataError, r"loss is nan in epoch 1, step 1 \(annotation id \d+ on slice_"):
            fit(model, job, settings, self.folder / "nan", say=silent)
        with self.assertRaisesRegex(DataError, "not finite"):
            export.save_state(model, self.folder / "nan.pth")


@unittest.skipUnless(BINARY, "SPINERT_BINARY names no program")
class Engine(Toy):
    """Trained, exported, converted; then the engine and the recipe on the same slice."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        settings = recipe.RecipeSettings(DETECTOR, CLASSIFIER)
        output = cls.folder / "out"
        cls.detector, cls.detector_history = recipe.train_detector(
            cls.data, cls.reader, DETECTOR, None, output / "detector", False, silent
        )
        cls.classifier, cls.classifier_history = recipe.train_classifier(
            cls.data, cls.reader, settings, output / "classifier", False, silent
        )
        export.write_export(output, cls.pipeline.document, export.card("toy", cls.data, "Synthetic only.", {}))
        cls.program = export.Program(Path(BINARY), silent)
        cls.model = cls.program.convert(output, "f32")

    def test_the_losses_decrease(self) -> None:
        for history in (self.detector_history, self.classifier_history):
            losses = [record["loss"] for record in history]
            self.assertLess(losses[-1], 0.8 * losses[0], losses)

    def test_the_model_says_what_it_was_trained_on(self) -> None:
        described = self.program.run("inspect", self.model)
        self.assertIn("Synthetic only. 4 slices, 20 vertebrae (0 mined normal, 0 corrected).", described)

    def test_engine_and_recipe_agree_on_a_slice(self) -> None:
        image = self.data.images[0]
        out = self.folder / "report"
        # Exit code 13 is a result: a toy may find too few boxes for a spine.
        done = subprocess.run(
            [BINARY, "diagnose", self.folder / "slices" / image.file_name, "-o", out, "--model", self.model],
            capture_output=True,
            text=True,
        )
        self.assertIn(done.returncode, (0, 13), done.stderr)
        entry = json.loads((out / "report.json").read_text())["slices"][0]
        [(_, found)] = list(detector.detect(self.detector, self.reader, [image]))
        self.assertEqual(len(entry["candidates"]), len(found))
        placed = self.reader.place(image)
        shift = np.array([placed.dx, placed.dy, placed.dx, placed.dy])
        boxes = np.array([d.corners for d in found]) + shift
        own = classifier.classify(self.classifier, placed.canvas, boxes, self.pipeline)
        # The best half: among the last, a rounding decides which of two nearly equal scores is the twelfth.
        best = sorted(entry["vertebrae"], key=lambda v: -v["score"])[: len(found) // 2]
        self.assertGreater(len(best), 2)
        for vertebra in best:
            n = max(range(len(found)), key=lambda n: overlap(found[n].corners, vertebra["box"])[0])
            self.assertGreater(overlap(found[n].corners, vertebra["box"])[0], 0.999)
            self.assertAlmostEqual(found[n].score, vertebra["score"], delta=1e-4)
            for value, name in zip(own[n], CLASS_NAMES):
                self.assertAlmostEqual(float(value), vertebra["probabilities"][name], delta=1e-4)

    def test_a_program_that_fails_is_quoted(self) -> None:
        with self.assertRaisesRegex(export.ProgramError, "spinert inspect ended with .*E_"):
            self.program.run("inspect", self.folder / "nothing.safetensors")


if __name__ == "__main__":
    unittest.main()
