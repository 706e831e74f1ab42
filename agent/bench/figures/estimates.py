"""Each figure of an axis: its value by scikit-learn or scipy where these compute it, or why there is none."""

from typing import Any, Final

import numpy as np
from scipy.stats import kendalltau, pearsonr, spearmanr
from sklearn.metrics import average_precision_score, brier_score_loss, cohen_kappa_score, roc_auc_score

from agent.bench.figures import weighted as by
from agent.bench.figures.calibration import across_groups
from agent.bench.figures.columns import Columns, numbers
from agent.bench.figures.resampling import Estimate
from agent.bench.figures.weighted import Floats, Ints, Weighted, scaled

ONE_CLASS: Final = "people took all of these clips, or none of them"
Found = dict[str, Estimate | str]


def _ours(rows: Ints, weighted: Weighted) -> Estimate:
    """A statistic that neither library has: the value is that of every row counted once."""
    return Estimate(float(weighted(np.ones((len(rows), 1)))[0]), rows, weighted)


def estimates(columns: Columns, seed: int) -> Found:
    """All figures by their names in `AxisFigures`, and those of `Leaning`.

    `pairwise_scored` is the accuracy on the pairs that have scores: it says whether the critic is told from a coin.

    Args:
        columns: of the axis.
        seed: of the folds of the isotonic regression.
    """
    return {
        **_ranking(columns),
        **_graded(columns),
        **_calibrated(columns, seed),
        **_pairs(columns),
        **_leaning(columns),
    }


def _ranking(columns: Columns) -> Found:
    """Taken or not, by score: of the rows with a score. AURC: of those that some threshold could accept."""
    rows, why = columns.taken, _no_classes(columns)
    names = ("roc_auc", "average_precision", "aurc")
    if why:
        return dict.fromkeys(names, why)
    score, passed = columns.score[rows], columns.passes[rows]
    found: Found = {
        "roc_auc": Estimate(float(roc_auc_score(passed, score)), rows, by.auc_of(score, passed)),
        "average_precision": Estimate(
            float(average_precision_score(passed, score)), rows, by.average_precision_of(score, passed)
        ),
        "aurc": "no clip could be accepted: a floor is broken in each",
    }
    held = rows[columns.accepted[rows]]
    if len(held):
        found["aurc"] = _ours(held, by.aurc_of(columns.score[held], columns.passes[held]))
    return found


def _no_classes(columns: Columns) -> str:
    if why := _no_label(columns):
        return why
    return "" if 0 < columns.passes[columns.taken].sum() < len(columns.taken) else ONE_CLASS


def _no_label(columns: Columns) -> str:
    if len(columns.taken):
        return ""
    return "no row has a score" if len(columns.asked) else columns.pass_at


def _graded(columns: Columns) -> Found:
    rows = columns.graded
    score, grade = columns.score[rows], columns.grade[rows]
    found: Found = {**_kappa(columns)}
    why = _flat(score, "scores") or _flat(grade, "labels")
    if why:
        return {**found, **dict.fromkeys(("spearman", "kendall", "pearson"), why)}
    a, b = scaled(score), scaled(grade)  # none of the three is changed by it, and no square overflows
    found["spearman"] = Estimate(_of(spearmanr(score, grade)), rows, by.spearman_of(score, grade))
    found["kendall"] = Estimate(_of(kendalltau(score, grade)), rows, by.kendall_of(score, grade))
    found["pearson"] = Estimate(_of(pearsonr(a, b)), rows, by.pearson_of(score, grade))
    return found


def _of(found: Any) -> float:
    """The statistic of scipy's answer, without the p-value that knows of no groups."""
    return float(found.statistic)


def _flat(values: Floats, what: str) -> str:
    if len(values) < 2:
        return "fewer than 2 rows have a score and a label" if len(values) else "no row has a score and a graded label"
    return f"all {what} are equal" if np.all(values == values[0]) else ""


def _kappa(columns: Columns) -> Found:
    """Agreement on the label's own steps. A row that failed is one that does not agree, and has no step for kappa."""
    names = ("quadratic_kappa", "exact_accuracy")
    every = [n for n, row in enumerate(columns.rows) if row.label_type == "likert"]
    rows = numbers([n for n in every if np.isfinite(columns.score[n])])
    scales = {columns.rows[n].scale for n in every}
    if not len(rows):
        return dict.fromkeys(names, "no likert label has a score" if every else "no label is likert")
    (low, high) = next(iter(scales)) or (0.0, 1.0)
    label = np.array([columns.rows[n].label for n in rows.tolist()])
    steps = on_steps(columns.score[rows], low, high)
    if len(scales) > 1:
        return dict.fromkeys(names, "the likert labels are on several scales")
    if steps is None:
        return dict.fromkeys(names, "scores lie neither in [0, 1] nor on the label's scale")
    if np.any(np.mod([*(label - low), high - low], 1)) or high - low > 1000:
        return dict.fromkeys(names, "the labels are not on whole steps of their scale, or on over 1,000")
    label = label - low
    right = (steps == label).astype(float)
    everyone = numbers([*rows.tolist(), *(n for n in every if not np.isfinite(columns.score[n]))])
    agree = np.concatenate([right, np.zeros(len(everyone) - len(rows))])
    found: Found = {
        "exact_accuracy": _ours(everyone, by.mean_of(agree)),
        "quadratic_kappa": "all labels and all scores are the same step",
    }
    if len(np.unique(np.concatenate([steps, label]))) > 1:
        every_step = np.arange(int(high - low) + 1)  # else steps that are not there would bring their neighbours nearer
        kappa = cohen_kappa_score(label.astype(int), steps.astype(int), labels=every_step, weights="quadratic")
        found["quadratic_kappa"] = Estimate(float(kappa), rows, by.kappa_of(label, steps))
    return found


def on_steps(score: Floats, low: float, high: float) -> Floats | None:
    """Scores brought to the whole steps of a scale, from 0, halves upwards.

    Scores in [0, 1] are spread over the scale; others that lie on the scale are on it already. None: neither.
    """
    if _in_unit(score):
        at = score * (high - low)
    elif score.min() >= low and score.max() <= high:
        at = score - low
    else:
        return None
    return np.asarray(np.floor(at + 0.5), dtype=np.float64)


def _in_unit(score: Floats) -> bool:
    return bool(np.all((score >= 0) & (score <= 1)))


def _calibrated(columns: Columns, seed: int) -> Found:
    rows, names = columns.taken, ("ece", "brier", "ece_isotonic")
    if why := _no_label(columns):
        return dict.fromkeys(names, why)
    score, passed = columns.score[rows], columns.passes[rows]
    beyond = "scores leave [0, 1]: they are no probabilities"
    found: Found = {"ece": beyond, "brier": beyond, "ece_isotonic": "all rows are of one group: none is left to fit on"}
    if _in_unit(score):
        found["ece"] = _ours(rows, by.ece_of(score, passed))
        loss = float(brier_score_loss(passed, score, pos_label=True))
        found["brier"] = Estimate(loss, rows, by.mean_of((score - passed) ** 2))
    fitted = across_groups(score, passed, columns.group[rows], seed)
    if fitted is not None:  # fitted once: its interval is that of the error, given the fit
        found["ece_isotonic"] = _ours(rows, by.ece_of(fitted, passed))
    return found


def _pairs(columns: Columns) -> Found:
    rows = columns.pairs
    gap = columns.gap[rows]
    label = np.array([columns.rows[n].label for n in rows.tolist()])
    failed = int((~np.isfinite(gap)).sum())
    names = ("pairwise_accuracy", "pairwise_accuracy_ties", "pairwise_scored")
    if failed == len(rows):
        return {**dict.fromkeys(names, "no pair has scores" if len(rows) else "there are no pairs"), **_again(columns)}
    wanted = np.sign(label - 0.5)
    right = np.where(np.isfinite(gap), (np.sign(gap) * wanted + 1) / 2, 0.0)
    decided = wanted != 0
    scored = decided & np.isfinite(gap)
    found: Found = dict.fromkeys(names, "people call every pair with scores a tie")
    found["pairwise_accuracy_ties"] = _ours(rows, by.three_way_of(gap, wanted, failed))
    if scored.any():
        found["pairwise_accuracy"] = _ours(rows[decided], by.mean_of(right[decided]))
        found["pairwise_scored"] = _ours(rows[scored], by.mean_of(right[scored]))
    return {**found, **_again(columns)}


def tie_margin(columns: Columns) -> float | None:
    """The margin within which two scores are a tie that agrees most with people; of several the least."""
    rows = columns.pairs
    gap = columns.gap[rows]
    rows = rows[np.isfinite(gap)]
    gap = np.abs(columns.gap[rows])
    if not len(gap):
        return None
    wanted = np.sign(np.array([columns.rows[n].label for n in rows.tolist()]) - 0.5)
    right = np.sign(columns.gap[rows]) == wanted
    order = np.argsort(gap, kind="stable")
    won = np.concatenate([[0], np.cumsum((wanted[order] == 0).astype(int) - (right & (wanted != 0))[order])])
    whole = np.flatnonzero(np.concatenate([[gap.min() > 0], np.diff(gap[order]) > 0, [True]]))
    best = int(whole[np.argmax(won[whole])])
    return float(gap[order][best - 1]) if best else 0.0


def _again(columns: Columns) -> Found:
    """Judged twice: in both orders, and afresh."""
    swapped = [(n, row.orders) for n, row in enumerate(columns.rows) if row.orders is not None]
    twice = [n for n, row in enumerate(columns.rows) if row.retest is not None and np.isfinite(columns.score[n])]
    found: Found = {"swap_consistency": "no pair was compared in both orders", "retest": "no clip was judged twice"}
    if swapped:
        same = np.array([np.sign(first - 0.5) == np.sign(second - 0.5) for _, (first, second) in swapped])
        found["swap_consistency"] = _ours(numbers([n for n, _ in swapped]), by.mean_of(same))
    if twice:
        off = [abs((columns.rows[n].retest or 0.0) - float(columns.score[n])) for n in twice]
        found["retest"] = _ours(numbers(twice), by.mean_of(np.array(off)))
    return found


def _leaning(columns: Columns) -> Found:
    unit = np.array([np.nan if row.unit is None else row.unit for row in columns.rows])
    rows = columns.graded[np.isfinite(unit[columns.graded])]
    talked = [n for n in columns.graded.tolist() if columns.rows[n].words is not None]
    found: Found = {"leniency": "no label with a score has a known scale"}
    if len(rows) and not _in_unit(columns.score[columns.graded]):
        found["leniency"] = "scores leave [0, 1]: they are on no scale of the labels"
    elif len(rows):
        found["leniency"] = _ours(rows, by.mean_of(columns.score[rows] - unit[rows]))
    score, words = columns.score[talked], np.array([columns.rows[n].words or 0 for n in talked], dtype=float)
    why = "no critique's length is known" if not talked else _flat(score, "scores") or _flat(words, "lengths")
    found["length_correlation"] = why or Estimate(
        _of(spearmanr(score, words)), numbers(talked), by.spearman_of(score, words)
    )
    return found
