"""The page that `benchmarks.canaries` writes, and the figures on it."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Final

from agent.api import versions
from benchmarks.quickstart import SETTINGS
from critic.canaries.types import LEAST_AUC, TIED, WORDS, Canary, SelfTest
from reasoner.camera import requested_moves

PAGE: Final = Path(__file__).parents[1] / "docs" / "canaries-benchmark.md"
LEASTS: Final = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0)
UNDIRECTED: Final = frozenset(("static", "handheld", "orbit_left", "orbit_right"))
"""Moves that look alike backwards to measured signals."""


@dataclass(frozen=True)
class Row:
    """What came of one request."""

    prompt: str
    image: bool
    """Whether the clip was asked to begin with an image."""
    plain: float
    """Overall score of the clip as it was rendered."""
    test: SelfTest
    wall_ratio: float
    """Seconds of the self-test over those of judging the clip once."""
    processor_ratio: float
    """The same of processor seconds."""

    @property
    def directed(self) -> bool:
        """Whether the prompt asks for a camera move that is another one backwards."""
        return any(move not in UNDIRECTED for phase in requested_moves(self.prompt) for move in phase)

    @property
    def encoding(self) -> float:
        """How far encoding it once more moved the clip's score."""
        return abs(self.plain - self.test.control)


def won(canaries: Sequence[Canary]) -> float:
    """AUC of several canaries of any clips, each against its own control."""
    return SelfTest.of(canaries, critic="", control=canaries[0].control, seconds=0).auc


def kinds(rows: Sequence[Row]) -> list[tuple[str, list[Canary]]]:
    """The canaries of all clips by what was done to the clip or its request."""
    found = [(words, [c for row in rows for c in row.test.canaries if c.kind == kind]) for kind, words in WORDS.items()]
    for directed, words in ((True, "is asked for"), (False, "is not asked for")):
        part = [c for row in rows if row.directed == directed for c in row.test.canaries if c.kind == "reversed"]
        found.append((f"... backwards, where a camera move with a direction {words}", part))
    return [(words, canaries) for words, canaries in found if canaries]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % bootstrap interval of the mean."""
    dice = random.Random(1)
    means = sorted(fmean(dice.choices(values, k=len(values))) for _ in range(2000))
    return means[49], means[1949]


def guessed(least: float, canaries: int) -> float:
    """Chance that a critic that guesses, and never ties, reaches an AUC of `least`."""
    needed = [told for told in range(canaries + 1) if round(told / canaries, 6) >= least]
    return sum(comb(canaries, told) for told in needed) * 0.5**canaries


def figures(rows: Sequence[Row]) -> dict[str, object]:
    """For machines."""
    aucs = [row.test.auc for row in rows]
    return {
        "clips": len(rows),
        "auc": round(fmean(aucs), 4),
        "interval": [round(end, 4) for end in interval(aucs)],
        "least_auc": LEAST_AUC,
        "passed": sum(row.test.passed(LEAST_AUC) for row in rows),
        "auc_by_kind": {words: won(canaries) for words, canaries in kinds(rows)},
        "median_wall_ratio": round(median(row.wall_ratio for row in rows), 2),
        "median_processor_ratio": round(median(row.processor_ratio for row in rows), 2),
        "encoding_moves_scores_by_at_most": round(max(row.encoding for row in rows), 4),
    }


TEXT: Final = """\
# Does the critic `signals` pass its own self-test?

Made by `{command}` in {minutes:.1f} minutes ({setting}; {library}).

**On {clips} first clips, {with_image} of them with a first frame, the critic reaches a mean AUC of {auc:.3f} (95 %
bootstrap interval {low:.3f} to {high:.3f}). {passed} of {clips} tests reach {least:g}, which is asked by default of a
critic that may stop a run early.**

| requests | clips | mean AUC | reach {least:g} | told all but content |
|---|---|---|---|---|
{groups}

## What is done

The embedded loop makes the first clip of each request. The clip is encoded once more, and that *control* is judged
against the request; so are the same frames as a standstill (the first one held), backwards and in random order, all
encoded alike; and the control against a prompt of another scene under the same camera moves
(`critic/canaries/swaps.py`) and, where there is a first frame, against another one, a painted pattern that no picture
is near. A canary is *told* where it scores lower than the control by more than {tied}, *missed* where it scores higher
by more, else *tied*. AUC: the chance that the control scores over its canary, ties half; 0.5 is blind.

| canary | clips | told | tied | missed | AUC | control, median | canary, median |
|---|---|---|---|---|---|---|---|
{kinds}

* **A prompt of something else**: the critic is blind to it. No signal looks at what is shown. Where it is told, that
  is by words that allow something (night, rain, fog) and are not in the other prompt.
* **Backwards**: seen by the camera's path, where the request asks for a move with a direction. Where it does not, the
  critic is blind to time's arrow.
* **Random order**: seen where something moves by more than a few pixels from one frame to the next. In quiet clips the
  critic ties, or likes the shuffled clip as much.

So where a request asks for no camera move, measured signals tell a standstill, and frames in random order if enough
moves; that is not enough to pass, as it should not be. A model is what sees the rest.

## What is asked

The AUC of one test can only take few values: it is of four canaries, or of five with a first frame.

| AUC asked | this critic passes | one that guesses passes, of 4 | of 5 |
|---|---|---|---|
{leasts}

A guess here is a score that differs at random by more than {tied}; a critic that sees nothing gets 0.5. {least:g} is
the default: all told but one, which of four must be a tie and of five may be a miss. With 0.75 a critic passes that
prefers a standstill, where it tells the other three of four; with 0.9 one fails that is blind to a single kind of four.

Encoding a clip once more, which nobody sees, moved its score by {encoding_median:.3f} in the median, by
{encoding_high:.3f} in 19 of 20 clips at most, and by {encoding_most:.3f} in the worst. So scores no farther apart than
{tied} are a tie.

## What it takes

The self-test takes {processor:.1f} times the processor seconds of judging the clip once ({processor_least:.1f} to
{processor_most:.1f}), making the versions included, and {wall:.1f} times its wall seconds with two clips judged at a
time (medians; 2 cores with other work on them). A critic that asks a model judges five or six clips more, and one that
writes its questions for each request writes them once more, for the other prompt.

## Clips

| # | request | control | standstill | backwards | random order | other prompt | other first frame | AUC |
|---|---|---|---|---|---|---|---|---|
{rows}

## What it does not show

* **No model was asked.** This page is about measured signals; how `vlm` and `hybrid` do depends on the model, and each
  run's own self-test is what says so. In `hybrid` the signals tell time by themselves, so a model that sees nothing
  may pass with them: whether the other prompt was told is what says most about it.
* **Canaries are gross.** A critic that tells them all may still be no judge of which of two good clips is better, nor
  agree with people. One that tells none of them is no judge at all.
* **One clip a test.** Four or five canaries of one clip are little evidence: the table above says how often luck does.
* **Procedural clips.** The renderer is the embedded animatic at 320x192. Real footage moves otherwise, and what the
  first clip of a run is like decides what can be seen in it.
* **Not every canary is fair.** Backwards or in another order, waves, rain or a still life can be as good a clip.
"""


def page(rows: Sequence[Row], command: str, seconds: float) -> str:
    """docs/canaries-benchmark.md."""
    aucs = [row.test.auc for row in rows]
    low, high = interval(aucs)
    encoding = sorted(row.encoding for row in rows)
    return TEXT.format(
        command=command,
        minutes=seconds / 60,
        setting=", ".join(f"{k} {v}" for k, v in SETTINGS.items()),
        library=", ".join(f"{k} {v}" for k, v in versions().items() if k != "machine"),
        clips=len(rows),
        with_image=sum(row.image for row in rows),
        auc=fmean(aucs),
        groups="\n".join(group_rows(rows)),
        low=low,
        high=high,
        passed=sum(row.test.passed(LEAST_AUC) for row in rows),
        least=LEAST_AUC,
        tied=TIED,
        kinds="\n".join(kind_row(words, canaries) for words, canaries in kinds(rows)),
        leasts="\n".join(least_row(least, rows) for least in LEASTS),
        encoding_median=median(encoding),
        encoding_high=quantiles(encoding, n=20)[-1] if len(encoding) > 1 else encoding[0],
        encoding_most=encoding[-1],
        processor=median(row.processor_ratio for row in rows),
        processor_least=min(row.processor_ratio for row in rows),
        processor_most=max(row.processor_ratio for row in rows),
        wall=median(row.wall_ratio for row in rows),
        rows="\n".join(clip_row(number, row) for number, row in enumerate(rows, 1)),
    )


def kind_row(words: str, canaries: Sequence[Canary]) -> str:
    """How one kind of canary fared."""
    counts = [sum(c.outcome == outcome for c in canaries) for outcome in ("told", "tied", "missed")]
    control, score = median(c.control for c in canaries), median(c.score for c in canaries)
    cells = [words, len(canaries), *counts, f"{won(canaries):.2f}", f"{control:.3f}", f"{score:.3f}"]
    return f"| {' | '.join(map(str, cells))} |"


def group_rows(rows: Sequence[Row]) -> Iterator[str]:
    """How requests fared by what they ask for."""
    for image in (False, True):
        for directed, words in ((True, "a camera move with a direction"), (False, "none")):
            part = [row for row in rows if (row.image, row.directed) == (image, directed)]
            if part:
                passed, told = (
                    sum(test(row.test) for row in part)
                    for test in (lambda t: t.passed(LEAST_AUC), lambda t: set(t.blind) <= {"prompt_swapped"})
                )
                name = f"{'text and image' if image else 'text'}, {words}"
                yield f"| {name} | {len(part)} | {fmean(row.test.auc for row in part):.3f} | {passed} | {told} |"


def least_row(least: float, rows: Sequence[Row]) -> str:
    """Who reaches an AUC."""
    passed = sum(row.test.passed(least) for row in rows)
    guesses = " | ".join(f"{guessed(least, count):.0%}" for count in (4, 5))
    return f"| {least:.2f} | {passed} of {len(rows)} | {guesses} |"


def clip_row(number: int, row: Row) -> str:
    """What one clip's canaries scored."""
    scores = {canary.kind: canary for canary in row.test.canaries}
    marks = {"told": "", "tied": " =", "missed": " +"}
    cells = [f"{scores[k].score:.3f}{marks[scores[k].outcome]}" if k in scores else "-" for k in WORDS]
    prompt = f"{row.prompt}{' (with an image)' * row.image}"
    return f"| {number} | {prompt} | {row.test.control:.3f} | {' | '.join(cells)} | {row.test.auc:.3f} |"
