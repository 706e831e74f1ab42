"""The suite's figures in words: a table for the terminal, a page in Markdown, and rows of scores."""

import csv
import io
from typing import Final

from rich.table import Table

from agent.bench.degrade.types import LEAST, Row, Suite

METHOD: Final = """\
**AUC** is the chance that a base clip scores over its own degraded version, a tie counting a half: .5 is a critic that
does not see the difference. It is what choosing among clips of one request needs, and what the table is sorted by.
**Pooled** is the same against the degraded versions of every base: what a threshold on the score needs, since clips of
different requests are then held against one another. Both have 95 % intervals by resampling the base clips.
**By severity**: AUC at each severity alone. **Spearman**: rank correlation of severity with how far the score falls,
within a base clip, mean over base clips: 1 is a strict order. **Fell most**: the criterion whose score fell most, and
by how much in the mean over all clips; it shows whether the right question noticed. **Seen**: whether a person who
knows the request sees it at first glance at severity 3 and up: a judgement of ours, made on the suite's own clips. All
clips, the base clips too, are encoded alike as H.264 at CRF 18, so that coding is not what is told apart."""


def figure(value: float | None) -> str:
    """Two decimals; a dash where there is nothing."""
    return "-" if value is None else f"{value:.2f}"


def interval(of: tuple[float, float] | None) -> str:
    """Both ends."""
    return "" if of is None else f" ({of[0]:.2f}-{of[1]:.2f})"


def severities(row: Row) -> str:
    """AUC at each severity."""
    return " ".join(figure(part.auc) for _, part in sorted(row.by_severity.items()))


def fell(row: Row) -> str:
    """The criterion that fell most."""
    return f"{row.fell} {-row.fell_by:+.2f}" if row.fell else "none"


def verdict(suite: Suite) -> str:
    """What came of it, in a sentence or two."""
    seen = [row for row in suite.rows if row.seen and row.all.auc is not None]
    blind = suite.blind
    words = (
        f"Of {len(seen)} degradations that are seen at first glance, {len(seen) - len(blind)} reach an AUC of {LEAST:g}"
    )
    if blind:
        named = ", ".join(
            f"{row.degradation} ({figure(row.all.auc)}, at severity 3 and up {figure(row.clear.auc)})" for row in blind
        )
        words += f". Below it: {named}"
    failed = sum(row.failed for row in suite.rows)
    return f"{words}." + (f" {failed} clips could not be judged and are in no figure." if failed else "")


def table(suite: Suite) -> Table:
    """The figures for a terminal, the worst told first."""
    shown = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("degradation", "axis", "seen"):
        shown.add_column(name, no_wrap=True)
    for name in ("AUC", "pooled", "by severity", "Spearman"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("fell most")
    for row in suite.rows:
        low = row.seen and row.all.auc is not None and row.all.auc < LEAST
        shown.add_row(
            row.degradation,
            row.axis,
            "yes" if row.seen else "no",
            figure(row.all.auc) + interval(row.interval),
            figure(row.all.pooled),
            severities(row),
            figure(row.spearman),
            fell(row),
            style="bold" if low else None,
        )
    return shown


def page(suite: Suite) -> str:
    """The figures as Markdown."""
    scores = sorted(suite.base_scores.values())
    count = f"{len(suite.bases)} base clips"
    if scores:
        count += f" (scores {scores[0]:.2f} to {scores[-1]:.2f}, median {scores[len(scores) // 2]:.2f})"
    versions = ", ".join(f"{name} {version}" for name, version in suite.versions.items())
    settings = ", ".join(f"{name} {value}" for name, value in suite.settings.items())
    lines = [
        "# How far the critic tells degraded clips from their bases",
        "",
        f"Made by `{suite.command}` with the critic `{suite.instrument.critic}` ({settings}; {versions}).",
        "",
        f"{count}, {len(suite.rows)} degradations, {sum(row.all.pairs for row in suite.rows)} degraded clips judged.",
        "",
        METHOD,
        "",
        verdict(suite),
        "",
        "| degradation | what is done | axis | seen | AUC | pooled | by severity | Spearman | fell most | bases |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_line(row) for row in suite.rows),
        "",
        "## Base clips",
        "",
        "| clip | prompt | score |",
        "|---|---|---|",
        *(
            f"| {name} | {_cell(prompt)} | {figure(suite.base_scores.get(name))} |"
            for name, prompt in suite.bases.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    cells = (
        row.degradation,
        row.words.rstrip("."),
        row.axis,
        "yes" if row.seen else "no",
        figure(row.all.auc) + interval(row.interval),
        figure(row.all.pooled) + interval(row.pooled_interval),
        severities(row),
        figure(row.spearman),
        fell(row),
        str(row.bases),
    )
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    """Text that stays in its cell of a Markdown table, whatever it holds."""
    flat = " ".join(text.split()).replace("\\", "\\\\")
    for mark in "|`<*[":
        flat = flat.replace(mark, "\\" + mark)
    return flat


def scores(suite: Suite) -> str:
    """Rows for `retake bench report --scores`: sample_id, score, label (1 a base, 0 degraded) and group (the base)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("sample_id", "score", "label", "group"))
    for each in suite.judged:
        if each.score is not None:
            label = 0 if each.case.degradation else 1
            writer.writerow((each.case.id, f"{each.score:.6f}", label, each.case.base))
    return out.getvalue()
