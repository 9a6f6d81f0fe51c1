"""Random and degenerate inputs of an evaluation, with the values that scikit-learn, pycocotools, SciPy and statsmodels
give for them, into evaluation.golden.json.gz. tests/test_evaluation_values.cpp compares with 1e-9.

    pip install scikit-learn pycocotools scipy statsmodels
    python tests/golden/make_evaluation.py
"""
import contextlib
import gzip
import io
import json
import pathlib
import warnings

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy import optimize, stats
from sklearn import calibration, metrics
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

warnings.filterwarnings("ignore")
random = np.random.default_rng(6)


def plain(value):
    """Numbers as JSON has them; what is not defined as null."""
    if value is None or not np.isfinite(value):
        return None
    return float(value)


def detection_slices(slices, per_slice, extra, levels=None, whole=False, limit=None):
    """Annotated boxes, and found ones that lie near most of them; `levels` scores only, for ties."""
    result = []
    for _ in range(slices):
        truth, found = [], []
        for i in range(random.integers(0, per_slice + 1)):
            w, h = random.uniform(30, 50, 2)
            x, y = random.uniform(0, 60), 45.0 * i
            truth.append([x, y, w, h])
            for _ in range(random.integers(0, 3)):
                shift = random.normal(0, 5, 4)
                found.append([x + shift[0], y + shift[1], max(w + shift[2], 5), max(h + shift[3], 5)])
        for _ in range(random.integers(0, extra + 1)):
            found.append([*random.uniform(0, 200, 2), *random.uniform(10, 60, 2)])
        scores = random.uniform(0.05, 1, len(found))
        if levels:
            scores = np.ceil(scores * levels) / levels
        order = np.argsort(-scores, kind="stable")
        number = np.round if whole else (lambda v: np.round(v, 3))
        found = [[float(number(v)) for v in found[i]] + [float(np.round(scores[i], 6))] for i in order]
        result.append({"truth": [[float(number(v)) for v in box] for box in truth], "found": found[:limit]})
    return result


def coco_values(slices):
    images = [{"id": i + 1, "width": 4000, "height": 4000} for i in range(len(slices))]
    annotations, found = [], []
    for i, one in enumerate(slices):
        for box in one["truth"]:
            annotations.append({"id": len(annotations) + 1, "image_id": i + 1, "category_id": 1, "bbox": box,
                                "area": box[2] * box[3], "iscrowd": 0})
        for box in one["found"]:
            found.append({"image_id": i + 1, "category_id": 1, "bbox": box[:4], "score": box[4]})
    values = {"coco_50_95": None, "coco_50": None, "coco_75": None, "voc": None, "curve": []}
    if not annotations:
        return values
    if not found:
        return values | {"coco_50_95": 0.0, "coco_50": 0.0, "coco_75": 0.0, "voc": 0.0}
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "vertebra"}]}
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(found), "bbox")
        run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
        run.params.maxDets = [1, 10, 100]
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][:, :, 0, 0, 2]  # IoU, recall
    values |= {"coco_50_95": float(precision.mean()), "coco_50": float(precision[0].mean()),
               "coco_75": float(precision[5].mean())}
    if max(len(one["found"]) for one in slices) > 100:
        return values  # pycocotools forgets boxes that the curve has
    scores, hits = [], []
    for image in run.evalImgs:
        if image:
            scores += image["dtScores"]
            hits += [match > 0 for match in image["dtMatches"][0]]
    scores, hits = np.array(scores), np.array(hits)
    if hits.any():
        precision, recall, thresholds = metrics.precision_recall_curve(hits, scores)
        recall = recall * hits.sum() / len(annotations)
        precision, recall, thresholds = precision[:-1][::-1], recall[:-1][::-1], thresholds[::-1]
    else:
        thresholds = np.unique(scores)[::-1]
        precision = recall = np.zeros(len(thresholds))
    raised = np.maximum.accumulate(precision[::-1])[::-1]
    values["voc"] = float(np.sum(np.diff(np.concatenate([[0], recall])) * raised))
    values["curve"] = [[float(t), float(p), float(r)] for t, p, r in zip(thresholds, precision, recall)]
    return values


def placements(scores, positive):
    """DeLong's structural components by their definition: every positive against every negative."""
    p, n = scores[positive], scores[~positive]
    wins = (p[:, None] > n[None, :]) + 0.5 * (p[:, None] == n[None, :])
    return wins.mean(1), wins.mean(0)


def newcombe(auc, m, n):
    half = (m + n) / 2 - 1

    def excess(t):
        variance = t * (1 - t) * (1 + half * (1 - t) / (2 - t) + half * t / (1 + t)) / (m * n)
        return abs(t - auc) - stats.norm.ppf(0.975) * np.sqrt(variance)
    low = 0.0 if auc == 0 else optimize.brentq(excess, 0, auc - 1e-9, xtol=1e-15)
    high = 1.0 if auc == 1 else optimize.brentq(excess, auc + 1e-9, 1, xtol=1e-15)
    return [low, high]


def score_case(scores, positive):
    scores, positive = np.asarray(scores, float), np.asarray(positive, bool)
    case = {"scores": scores.tolist(), "positive": positive.astype(int).tolist(), "auc": None, "variance": None,
            "score_interval": None, "average_precision": None, "roc": [], "brier": None, "bins": [], "youden": None,
            "f1": None}
    if positive.any():
        case["average_precision"] = float(metrics.average_precision_score(positive, scores))
    if len(scores):
        case["brier"] = float(np.mean((scores - positive) ** 2))
        bins = 10
        share, mean = calibration.calibration_curve(positive, scores, n_bins=bins)
        if len(np.unique(positive)) == 2:
            assert abs(case["brier"] - metrics.brier_score_loss(positive, scores)) < 1e-12
        case["bins"] = [[float(m), float(s)] for m, s in zip(mean, share)]
    if positive.any() and not positive.all():
        case["auc"] = float(metrics.roc_auc_score(positive, scores))
        m, n = int(positive.sum()), int((~positive).sum())
        case["score_interval"] = newcombe(case["auc"], m, n)
        if m > 1 and n > 1:
            v10, v01 = placements(scores, positive)
            case["variance"] = float(v10.var(ddof=1) / m + v01.var(ddof=1) / n)
        false, true, _ = metrics.roc_curve(positive, scores, drop_intermediate=False)
        case["roc"] = [[float(a), float(b)] for a, b in zip(false, true)]
        case["youden"] = float(np.max(true[1:] - false[1:]))
        case["f1"] = float(max(metrics.f1_score(positive, scores >= t) for t in np.unique(scores)))
    return case


def paired_case(first, second, positive):
    case = {"first": first.tolist(), "second": second.tolist(), "positive": positive.astype(int).tolist(),
            "z": None, "p": None}
    (a10, a01), (b10, b01) = placements(first, positive), placements(second, positive)
    variance = (np.cov(a10, b10) / len(a10) + np.cov(a01, b01) / len(a01))
    variance = variance[0, 0] + variance[1, 1] - 2 * variance[0, 1]
    if variance > 1e-14:
        case["z"] = float((a10.mean() - b10.mean()) / np.sqrt(variance))
        case["p"] = float(2 * stats.norm.sf(abs(case["z"])))
    return case


def confusion_case(truth, said):
    truth, said = np.asarray(truth, bool), np.asarray(said, bool)
    if not len(truth):
        undefined = {name: {"value": None, "interval": None}
                     for name in ("sensitivity", "specificity", "ppv", "npv", "accuracy")}
        return {"tp": 0, "fp": 0, "fn": 0, "tn": 0, "f1": None, **undefined}
    tn, fp, fn, tp = (int(v) for v in metrics.confusion_matrix(truth, said, labels=[False, True]).ravel())
    case = {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
    undefined = {"zero_division": np.nan}
    figures = {"sensitivity": (metrics.recall_score(truth, said, **undefined), tp, tp + fn),
               "specificity": (metrics.recall_score(truth, said, pos_label=False, **undefined), tn, tn + fp),
               "ppv": (metrics.precision_score(truth, said, **undefined), tp, tp + fp),
               "npv": (metrics.precision_score(truth, said, pos_label=False, **undefined), tn, tn + fn),
               "accuracy": (metrics.accuracy_score(truth, said), tp + tn, len(truth))}
    for name, (value, part, whole) in figures.items():
        interval = [float(v) for v in proportion_confint(part, whole, method="wilson")] if whole else None
        case[name] = {"value": plain(value) if whole else None, "interval": interval}
    case["f1"] = plain(metrics.f1_score(truth, said)) if tp + fp + fn else None
    return case


def wilcoxon_case(differences, method):
    result = stats.wilcoxon(differences, zero_method="wilcox", correction=False, method=method)
    return {"differences": [float(d) for d in differences], "statistic": float(result.statistic),
            "p": float(result.pvalue), "exact": method == "exact"}


def mcnemar_case(first, second):
    result = mcnemar([[10, first], [second, 20]], exact=first + second < 25, correction=True)
    return {"first": first, "second": second, "p": float(result.pvalue)}


def line_case(x, y):
    case = {"x": list(map(float, x)), "y": list(map(float, y)), "slope": None, "intercept": None, "r": None}
    if len(x) > 1 and np.ptp(x) > 0:
        line = stats.linregress(x, y)
        case |= {"slope": float(line.slope), "intercept": float(line.intercept),
                 "r": float(line.rvalue) if np.ptp(y) > 0 else None}
    return case


def main():
    detection = [detection_slices(8, 12, 4), detection_slices(6, 10, 8, levels=5),
                 detection_slices(6, 8, 3, levels=3, whole=True), detection_slices(3, 6, 2, levels=1),
                 detection_slices(2, 17, 130), [{"truth": [], "found": []}],
                 [{"truth": [], "found": [[1, 2, 30, 40, 0.9]]}],
                 [{"truth": [[1, 2, 30, 40]], "found": []}],
                 [{"truth": [[1, 2, 30, 40]], "found": [[100, 100, 30, 40, 0.9], [100, 150, 30, 40, 0.9]]}],
                 [{"truth": [[0, 0, 10, 10], [0, 0, 10, 10]], "found": [[0, 0, 10, 10, 0.5], [0, 0, 10, 10, 0.5]]}],
                 [{"truth": [[0, 0, 20, 10]], "found": [[0, 0, 10, 10, 0.8], [0, 0, 20, 10, 0.8]]}]]
    y = random.random(60) < 0.3
    p = np.clip(random.normal(0.3 + 0.3 * y, 0.2), 0, 1)
    coarse = np.round(p * 5) / 5
    scores = [score_case(np.round(p, 6), y), score_case(coarse, y), score_case(np.full(12, 0.5), np.arange(12) % 3 == 0),
              score_case(np.round(p[:20], 4), np.ones(20)), score_case(np.round(p[:20], 4), np.zeros(20)),
              score_case([], []), score_case([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0]),
              score_case([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0]), score_case([0.4, 0.6, 0.7], [0, 1, 0]),
              score_case([0.0, 0.1, 0.2, 0.3, 0.7, 1.0, 1.0], [0, 0, 1, 0, 1, 1, 0])]
    q = np.clip(p + random.normal(0, 0.15, len(p)), 0, 1)
    paired = [paired_case(np.round(p, 6), np.round(q, 6), y), paired_case(coarse, np.round(q * 4) / 4, y),
              paired_case(p[:10], p[:10], y[:10] | (np.arange(10) < 3))]
    confusion = [confusion_case(y, p > 0.4), confusion_case(np.ones(7), np.arange(7) > 2), confusion_case([], []),
                 confusion_case(np.zeros(5), np.zeros(5)), confusion_case(np.ones(4), np.ones(4)),
                 confusion_case([1, 0, 1, 0], [0, 0, 0, 0]), confusion_case(np.arange(2000) % 7 == 0,
                                                                            np.arange(2000) % 6 == 0)]
    wilcoxon = [wilcoxon_case(random.integers(-3, 5, 40), "approx"), wilcoxon_case(random.permutation(
        [-1, 2, -3, 4, 5, 6, -7, 8, 9, 10, 11]), "exact"), wilcoxon_case([1, 1, 1, 2], "approx"),
        wilcoxon_case([3.0], "exact"), wilcoxon_case(np.round(random.normal(0.2, 1, 50), 9), "exact"),
        wilcoxon_case(np.round(random.normal(0.1, 1, 51), 9), "approx")]
    lines = [line_case(random.integers(5, 18, 30), random.integers(5, 18, 30)), line_case([3, 3, 3], [1, 2, 3]),
             line_case([1, 2, 3], [4, 4, 4]), line_case([1], [1]), line_case([], []), line_case([1, 2], [5, 9])]
    golden = {"detection": [{"slices": s, **coco_values(s)} for s in detection], "scores": scores, "paired": paired,
              "confusion": confusion, "wilcoxon": wilcoxon,
              "mcnemar": [mcnemar_case(a, b) for a, b in [(1, 0), (3, 9), (5, 5), (12, 12), (10, 15), (40, 11), (0, 30)]],
              "lines": lines}
    path = pathlib.Path(__file__).with_name("evaluation.golden.json.gz")
    text = json.dumps(golden, separators=(",", ":")).replace("},{", "},\n{") + "\n"
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
