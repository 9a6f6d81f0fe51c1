"""Truth, corrections, mining and ratios of the recipe: everything that is exact."""

import json
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from training import augment, corrections, mine_normals, sampling  # noqa: E402
from training.data import DataError, Dataset, read_dataset, split, write_dataset  # noqa: E402

ANNA = {"who": "anna", "when": "2026-03-01T10:00:00+00:00", "model_sha256": "a" * 64}
BEN = {"who": "ben", "when": "2026-03-02T10:00:00+00:00", "model_sha256": "b" * 64}


def truth() -> dict[str, Any]:
    images = [
        {"id": 1, "file_name": "a.png", "width": 200, "height": 400, "spacing_mm": 0.5},
        {"id": 2, "file_name": "b.png", "width": 200, "height": 400, "annotated": "diseased"},
    ]
    annotations = [
        {
            "id": n,
            "image_id": 1,
            "category_id": 1,
            "bbox": [50.0, 50.0 * n, 60.0, 40.0],
            "labels": ["normal"],
            "vertebra": f"L{n}",
        }
        for n in range(1, 5)
    ]
    annotations.append({"id": 9, "image_id": 2, "category_id": 1, "bbox": [50.0, 100.0, 60.0, 40.0], "labels": ["OF"]})
    return {
        "info": {"seed": "7"},
        "categories": [{"id": 1, "name": "vertebra"}],
        "images": images,
        "annotations": annotations,
    }


class Files(unittest.TestCase):
    def setUp(self) -> None:
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.folder = Path(held.name)

    def file(self, document: Any, name: str = "truth.json") -> Path:
        path = self.folder / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    def dataset(self) -> Dataset:
        return read_dataset(self.file(truth()))

    def correct(self, *files: tuple[dict[str, Any], list[dict[str, Any]]]) -> corrections.Merged:
        """Merges files of (info, annotations) about image 1 into the truth."""
        image = {"id": 1, "file_name": "a.png", "width": 200, "height": 400}
        paths = [
            self.file({"info": info, "images": [image], "annotations": annotations}, f"c{n}.json")
            for n, (info, annotations) in enumerate(files)
        ]
        return corrections.merge(self.dataset(), paths)


class Truth(Files):
    def test_a_file_survives_reading_and_writing(self) -> None:
        write_dataset(self.folder / "again.json", self.dataset())
        self.assertEqual(json.loads((self.folder / "again.json").read_text()), truth())

    def test_every_bad_record_is_named(self) -> None:
        def bad(change: Any) -> str:
            document = truth()
            change(document)
            with self.assertRaises(DataError) as caught:
                read_dataset(self.file(document))
            return str(caught.exception)

        first = lambda d: d["annotations"][0]  # noqa: E731
        rows = [
            (lambda d: first(d).update(bbox=[float("nan"), 0, 5, 5]), "annotations[0], id 1: the box holds a number"),
            (lambda d: first(d).update(bbox=[10**400, 0, 5, 5]), "annotations[0], id 1: the box holds a number"),
            (lambda d: first(d).update(bbox=[150, 50, 60, 40]), "annotations[0], id 1: the box lies outside a.png"),
            (lambda d: first(d).update(bbox=[-0.02, 50, 60, 40]), "annotations[0], id 1: the box lies outside a.png"),
            (lambda d: first(d).update(bbox=[50, 50, 0, 40]), "annotations[0], id 1: the box has no area"),
            (lambda d: first(d).update(bbox=[50, 50, True, 40]), 'id 1: "bbox" holds something else than numbers'),
            (lambda d: first(d).update(bbox=[50, 50, 40]), 'id 1: "bbox" is no box'),
            (lambda d: first(d).update(labels=["Osteo"]), "annotations[0], id 1: unknown label"),
            (lambda d: first(d).update(labels=[]), "annotations[0], id 1: the vertebra has no label"),
            (lambda d: first(d).update(labels=["OF", "OF"]), "annotations[0], id 1: a label is given twice"),
            (lambda d: first(d).update(labels=["OF", "normal"]), "id 1: the vertebra is normal and diseased"),
            (lambda d: first(d).update(id=2), "annotations[1]: the annotation id 2 is used twice"),
            (lambda d: first(d).update(image_id=7), "annotations[0], id 1: there is no such image"),
            (lambda d: first(d).update(provenance=[{"who": "x"}]), "id 1, provenance[0]"),
            (lambda d: first(d).pop("id"), 'annotations[0]: "id" is missing'),
            (lambda d: d["images"][1].update(id=1), "images[1]: the image id 1 is used twice"),
            (lambda d: d["images"][1].update(file_name="a.png"), "images[1], id 2: the slice is listed twice"),
            (lambda d: d["images"][1].update(file_name="../a.png"), "images[1], id 2: the file name leaves"),
            (lambda d: d["images"][1].update(width=0), 'images[1], id 2: "width" is not positive'),
            (lambda d: d["images"][1].update(annotated="some"), 'images[1], id 2: "annotated" is unknown'),
            (lambda d: d.update(findings=["OF"]), '"findings" are other classes'),
            (lambda d: d.update(images=[], annotations=[]), "the truth names no slice"),
            (lambda d: d.pop("annotations"), '"annotations" is missing'),
        ]
        for number, (change, message) in enumerate(rows):
            with self.subTest(number):
                self.assertIn(message, bad(change))
        with self.assertRaisesRegex(DataError, "cannot be read as JSON"):
            read_dataset(self.file("{"))
        with self.assertRaisesRegex(DataError, "cannot be read as JSON"):
            read_dataset(self.file("[" * 100000))

    def test_a_split_keeps_studies_whole_and_slices_on_their_side(self) -> None:
        document = truth()
        document["annotations"] = []
        document["images"] = [
            {"id": n, "file_name": f"{n}.png", "width": 9, "height": 9, "study": n // 5} for n in range(200)
        ]
        left, right = split(read_dataset(self.file(document)), 0.3, 1)
        self.assertEqual(len(left.images) + len(right.images), 200)
        self.assertFalse({i.study for i in left.images} & {i.study for i in right.images})
        self.assertTrue(20 < len(right.images) < 110)
        document["images"] = document["images"][:100]
        fewer, _ = split(read_dataset(self.file(document)), 0.3, 1)
        self.assertEqual([i.id for i in fewer.images], [i.id for i in left.images if i.id < 100])


class Corrections(Files):
    def test_each_kind_of_change_is_exact_and_keeps_what_was_before(self) -> None:
        info = {"review": ANNA}
        merged = self.correct(
            (
                info,
                [
                    {"id": 1, "image_id": 1, "bbox": [52.0, 50.0, 60.0, 40.0], "labels": ["normal"]},
                    {"id": 2, "image_id": 1, "bbox": [50.0, 100.0, 60.0, 40.0], "labels": ["OVCF", "KD"]},
                    {"id": 3, "image_id": 1, "removed": True},
                    {"image_id": 1, "bbox": [50.0, 300.0, 60.0, 40.0], "labels": ["SN"], "review": BEN},
                ],
            )
        )
        self.assertEqual(merged.conflicts, [])
        self.assertEqual(
            {k: v for k, v in merged.counts.items() if v}, {"moved": 1, "relabelled": 1, "removed": 1, "added": 1}
        )
        by_id = {a.id: a for a in merged.dataset.annotations}
        self.assertEqual(sorted(by_id), [1, 2, 4, 9, 10])
        self.assertEqual((by_id[1].box, by_id[1].labels), ((52.0, 50.0, 60.0, 40.0), ("normal",)))
        self.assertEqual(by_id[2].labels, ("OVCF", "KD"))
        self.assertEqual(by_id[1].extra["vertebra"], "L1")
        history = by_id[1].provenance
        self.assertEqual(
            [(p.who, p.when, p.model_sha256, p.action) for p in history], [("anna", ANNA["when"], "a" * 64, "moved")]
        )
        self.assertEqual(history[0].before, {"bbox": [50.0, 50.0, 60.0, 40.0], "labels": ["normal"]})
        self.assertEqual((by_id[10].labels, by_id[10].provenance[0].who), (("SN",), "ben"))
        self.assertEqual((by_id[4].provenance, by_id[9].provenance), ((), ()))
        self.assertEqual([r["id"] for r in merged.dataset.extra["removed"]], [3])
        # What was written reads back, and the same file merged again changes nothing.
        write_dataset(self.folder / "next.json", merged.dataset)
        again = corrections.merge(read_dataset(self.folder / "next.json"), [self.folder / "c0.json"])
        self.assertEqual((again.conflicts, again.dataset.annotations), ([], merged.dataset.annotations))
        self.assertEqual({k: v for k, v in again.counts.items() if v}, {"confirmed": 4})

    def test_what_contradicts_is_reported_and_not_applied(self) -> None:
        relabelled = {"id": 1, "image_id": 1, "bbox": [50.0, 50.0, 60.0, 40.0], "labels": ["OF"]}
        other = {**relabelled, "labels": ["OVCF"]}
        added = {"image_id": 1, "bbox": [50.0, 300.0, 60.0, 40.0], "labels": ["SN"]}
        nearly = {**added, "bbox": [51.0, 300.0, 60.0, 40.0]}
        on_top = {"image_id": 1, "bbox": [50.0, 101.0, 60.0, 40.0], "labels": ["SN"]}
        gone = {"id": 77, "image_id": 1, "removed": True}
        rows = [
            ([({"review": ANNA}, [relabelled]), ({"review": BEN}, [other])], "experts disagree about this vertebra"),
            (
                [({"review": ANNA}, [relabelled]), ({"review": BEN}, [{"id": 1, "image_id": 1, "removed": True}])],
                "experts disagree about this vertebra",
            ),
            ([({"review": ANNA}, [added]), ({"review": BEN}, [nearly])], "a vertebra that they added"),
            ([({"review": ANNA}, [on_top])], "lies on vertebra 2"),
            ([({"review": ANNA}, [gone])], "no such vertebra to remove"),
        ]
        for files, reason in rows:
            with self.subTest(reason):
                merged = self.correct(*files)
                self.assertEqual(len(merged.conflicts), 1)
                self.assertIn(reason, merged.conflicts[0].reason)
                self.assertEqual(merged.dataset.annotations, self.dataset().annotations)
                self.assertEqual(set(merged.counts.values()), {0})
        self.assertIn("anna", corrections.conflicts_document(self.correct(*rows[0][0]))["conflicts"][0]["records"][0])

    def test_history_grows_and_a_mined_vertebra_that_was_corrected_is_kept(self) -> None:
        document = truth()
        change = {"who": "spinert training mine", "when": ANNA["when"], "model_sha256": "c" * 64, "action": "mined"}
        document["annotations"][4] |= {"labels": ["normal"], "mined": True, "score": 0.9, "provenance": [change]}
        image = document["images"][1]
        moved = {"id": 9, "image_id": 2, "bbox": [51.0, 100.0, 60.0, 40.0], "labels": ["normal"]}
        path = self.file({"info": {"review": BEN}, "images": [image], "annotations": [moved]}, "c.json")
        merged = corrections.merge(read_dataset(self.file(document)), [path])
        [own] = [a for a in merged.dataset.annotations if a.id == 9]
        self.assertEqual([p.action for p in own.provenance], ["mined", "moved"])
        again = mine_normals.mine(merged.dataset, [(merged.dataset.images[1], [])], 0.75, "f" * 64, BEN["when"])
        self.assertIn(own, again.dataset.annotations)

    def test_agreement_is_one_change(self) -> None:
        relabelled = {"id": 1, "image_id": 1, "bbox": [50.0, 50.0, 60.0, 40.0], "labels": ["OVCF", "KD"]}
        added = {"image_id": 1, "bbox": [50.0, 300.0, 60.0, 40.0], "labels": ["SN"]}
        same = {**relabelled, "labels": ["KD", "OVCF"]}
        merged = self.correct(({"review": ANNA}, [relabelled, added]), ({"review": BEN}, [same, added]))
        self.assertEqual(merged.conflicts, [])
        self.assertEqual({k: v for k, v in merged.counts.items() if v}, {"relabelled": 1, "added": 1, "confirmed": 1})

    def test_an_older_correction_does_not_undo_a_later_one(self) -> None:
        late = self.correct(
            ({"review": BEN}, [{"id": 1, "image_id": 1, "bbox": [50.0, 50.0, 60.0, 40.0], "labels": ["OF"]}])
        )
        image = {"id": 1, "file_name": "a.png", "width": 200, "height": 400}
        early = {"id": 1, "image_id": 1, "bbox": [50.0, 50.0, 60.0, 40.0], "labels": ["KD"]}
        path = self.file({"info": {"review": ANNA}, "images": [image], "annotations": [early]}, "early.json")
        merged = corrections.merge(late.dataset, [path])
        self.assertIn("changed later", merged.conflicts[0].reason)
        self.assertEqual(merged.dataset.annotations, late.dataset.annotations)

    def test_a_complete_review_removes_what_it_leaves_out(self) -> None:
        rest = [{"id": n, "image_id": 1, "bbox": [50.0, 50.0 * n, 60.0, 40.0], "labels": ["normal"]} for n in (1, 2, 3)]
        merged = self.correct(({"review": {**ANNA, "complete": True}}, rest))
        self.assertEqual([a.id for a in merged.dataset.annotations], [1, 2, 3, 9])
        self.assertEqual(merged.counts["removed"], 1)
        # A slice that holds all its vertebrae may train a detector, unless something about it is open.
        image = truth()["images"][1]
        full = {"id": 9, "image_id": 2, "bbox": [50.0, 100.0, 60.0, 40.0], "labels": ["OF"]}
        for records, annotated in (([full], "all"), ([full, {"id": 5, "image_id": 2, "removed": True}], "diseased")):
            document = {"info": {"review": {**ANNA, "complete": True}}, "images": [image], "annotations": records}
            reviewed = corrections.merge(self.dataset(), [self.file(document, "full.json")])
            self.assertEqual([i.annotated for i in reviewed.dataset.images], ["all", annotated])
        partly = self.correct(({"review": ANNA}, rest))
        self.assertEqual([a.id for a in partly.dataset.annotations], [1, 2, 3, 4, 9])

    def test_nobody_corrects_without_a_name_a_time_and_a_model(self) -> None:
        record = {"id": 1, "image_id": 1, "bbox": [50.0, 50.0, 60.0, 40.0], "labels": ["OF"]}
        rows = [
            ({}, "nobody says who"),
            ({"review": {**ANNA, "when": "yesterday"}}, '"when" is no time'),
            ({"review": {**ANNA, "when": "2026-03-01T10:00:00"}}, "no time zone"),
            ({"review": {**ANNA, "model_sha256": "12"}}, "no hash"),
            ({"review": {"when": ANNA["when"], "model_sha256": "a" * 64}}, '"who" is missing'),
        ]
        for info, message in rows:
            with self.subTest(message), self.assertRaises(DataError) as caught:
                self.correct((info, [record]))
            self.assertIn(message, str(caught.exception))


class Mining(Files):
    def test_detections_less_those_on_annotated_vertebrae(self) -> None:
        dataset = self.dataset()
        image = dataset.images[1]
        box = lambda y, score: mine_normals.Detection((50.0, y, 110.0, y + 40.0), score)  # noqa: E731
        found = [box(100, 0.99), box(119, 0.9), box(121, 0.9), box(200, 0.75), box(300, 0.74), box(-20, 0.8)]
        mined = mine_normals.mine(dataset, [(image, found)], 0.75, "f" * 64, "2026-01-01T00:00:00+00:00")
        # At 119 the smaller area is covered by 21 of 40 rows, at 121 by 19.
        self.assertEqual(mined.counts, {"slices": 1, "normal": 3, "annotated": 2, "below_threshold": 1, "outside": 0})
        new = [a for a in mined.dataset.annotations if a.extra.get("mined")]
        self.assertEqual(
            [a.box for a in new], [(50.0, 121.0, 60.0, 40.0), (50.0, 200.0, 60.0, 40.0), (50.0, 0.0, 60.0, 20.0)]
        )
        self.assertEqual({a.labels for a in new}, {("normal",)})
        self.assertEqual(new[0].provenance[0].model_sha256, "f" * 64)
        self.assertEqual(len(mined.dataset.annotations), len(dataset.annotations) + 3)
        # Again with other detections: the earlier ones are gone, no id is used twice.
        again = mine_normals.mine(
            mined.dataset, [(image, [box(200, 0.8)])], 0.75, "e" * 64, "2026-01-02T00:00:00+00:00"
        )
        self.assertEqual(len(again.dataset.annotations), len(dataset.annotations) + 1)
        write_dataset(self.folder / "mined.json", again.dataset)
        self.assertEqual(read_dataset(self.folder / "mined.json").annotations, again.dataset.annotations)
        with self.assertRaisesRegex(DataError, "no detections of b.png"):
            mine_normals.mine(dataset, [], 0.75, "f" * 64, "2026-01-01T00:00:00+00:00")


class Sampling(unittest.TestCase):
    LABELS = [["normal"]] * 70 + [["OVCF"]] * 20 + [["OVCF", "KD"]] * 4 + [["SN"]] * 3

    def test_numbers_are_exact(self) -> None:
        ratios = {"OVCF": 1.0, "KD": 1.0, "SN": 1.0, "PS": 1.0, "normal": 3.0}
        plan = sampling.plan(self.LABELS, ratios, 120)
        self.assertEqual(plan.present, {"OVCF": 20, "SN": 3, "KD": 4, "normal": 70})
        self.assertEqual(plan.drawn, {"OVCF": 20, "SN": 20, "KD": 20, "normal": 60})
        drawn = sampling.draw(self.LABELS, plan, np.random.default_rng(3))
        self.assertEqual(len(drawn), 120)
        times = Counter(drawn)
        self.assertEqual(max(times[i] for i in range(70)), 1)  # under-sampled: none twice
        self.assertEqual({times[i] for i in range(70, 90)}, {1})
        self.assertEqual({times[i] for i in range(90, 94)}, {5})  # over-sampled: evenly
        self.assertEqual(sorted(times[i] for i in range(94, 97)), [6, 7, 7])
        self.assertEqual(drawn, sampling.draw(self.LABELS, plan, np.random.default_rng(3)))
        self.assertNotEqual(drawn, sampling.draw(self.LABELS, plan, np.random.default_rng(4)))

    def test_numbers_add_up(self) -> None:
        for size in (1, 2, 97, 101, 776):
            plan = sampling.plan(self.LABELS, sampling.RATIOS, size)
            self.assertEqual(sum(plan.drawn.values()), size)
        natural = sampling.plan(self.LABELS, None)
        self.assertEqual(natural.drawn, natural.present)

    def test_impossible_ratios(self) -> None:
        for text in ("OVCF", "OVCF=x", "Osteo=1"):
            with self.subTest(text), self.assertRaises(DataError):
                sampling.parse_ratios(text)
        for ratios in ({"PS": 1.0}, {"normal": -1.0}, {"normal": float("nan")}):
            with self.subTest(ratios), self.assertRaises(DataError):
                sampling.plan(self.LABELS, ratios)


class EightFold(unittest.TestCase):
    def test_boxes_follow_pixels(self) -> None:
        size = 32
        picture = np.zeros((size, size), np.float32)
        picture[5:9, 20:27] = 1  # rows, columns
        picture[5, 20] = 2  # one corner marked
        seen = set()
        for element in range(augment.FOLDS):
            turned = augment.turn(picture, element)
            x1, y1, x2, y2 = augment.turn_boxes(np.array([[20.0, 5.0, 27.0, 9.0]]), size, element)[0].astype(int)
            self.assertEqual(float(turned[y1:y2, x1:x2].sum()), float(picture.sum()), element)
            self.assertTrue((turned[y1:y2, x1:x2] > 0).all(), element)
            self.assertEqual(sorted((x2 - x1, y2 - y1)), [4, 7])
            # The marked pixel as a box of its own.
            u1, v1, u2, v2 = augment.turn_boxes(np.array([[20.0, 5.0, 21.0, 6.0]]), size, element)[0].astype(int)
            self.assertEqual((float(turned[v1, u1]), u2 - u1, v2 - v1), (2.0, 1, 1), element)
            seen.add(turned.tobytes())
        self.assertEqual(len(seen), 8)
        self.assertTrue(np.array_equal(augment.turn(picture, 0), picture))


if __name__ == "__main__":
    unittest.main()
