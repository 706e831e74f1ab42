"""Signals of broken time: frozen stretches, repeated frames, cuts and black frames."""

import numpy as np

from critic.signals.curves import score
from critic.signals.reading import Finding, Reading, Span
from critic.signals.timeline import runs

_FREEZE_SECONDS = 1 / 6
"""A shorter standstill is a repeated frame, not a freeze."""


def _freezes(reading: Reading) -> list[tuple[int, int]]:
    shortest = max(4, round(_FREEZE_SECONDS * reading.footage.fps))
    return [(start, end) for start, end in runs(reading.timeline.still) if end - start >= shortest]


def frozen(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Longest stretch of still pairs of a sixth of a second or more, as a share of the clip, 0 to 1.

    Still is defined by `timeline.lay_out`; the idea is FFmpeg's freezedetect.
    """
    freezes = _freezes(reading)
    start, end = max(freezes, key=lambda run: run[1] - run[0], default=(0, 0))
    share = (end - start) / len(reading.timeline.still)
    words = f"the picture stands still for {share:.0%} of the clip" if freezes else "no stretch stands still"
    return Finding(
        share,
        score("frozen", share, wishes),
        words,
        "describe movement that never stops, from the first second to the last",
        tuple(Span(reading.seconds(a), reading.seconds(b), "the picture stands still") for a, b in freezes),
    )


def duplicates(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Share of pairs that repeat a frame outside frozen stretches, 0 to 1: .5 is a clip padded to twice its rate."""
    still = reading.timeline.still.copy()
    for start, end in _freezes(reading):
        still[start:end] = False
    change = np.pad(reading.pairs.change, 1)
    # a slow start or end of a move also differs little, but so do its neighbours
    still &= reading.pairs.change < 0.3 * np.maximum(change[:-2], change[2:])
    share = float(still.mean())
    spans = []
    for start, end in _clusters(np.flatnonzero(still), round(reading.footage.fps / 2)):
        count = int(still[start : end + 1].sum())
        words = f"{count} frames are repeated" if count > 1 else "a frame is repeated"
        spans.append(Span(reading.seconds(start), reading.seconds(end + 1), words))
    return Finding(
        share,
        score("duplicates", share, wishes),
        f"{share:.0%} of the frames repeat the one before" if spans else "no frame repeats the one before",
        "ask for smooth continuous motion at full frame rate, no stop motion",
        tuple(spans),
    )


def cuts(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Number of hard cuts (`timeline.lay_out`) and of frames out of their order (`order.leaps`), from 0."""
    found = reading.timeline.cuts
    # a single strange frame is two cuts; black frames are a criterion of their own
    near = {i + step for i in found for step in (-1, 0)} | {
        i + s for i in np.flatnonzero(reading.black) for s in (-1, 0, 1)
    }
    strays = np.array([i for i in np.flatnonzero(reading.leaps) if i not in near], np.int64)
    words = [f"{len(found)} hard cut{'s' if len(found) != 1 else ''}"] * bool(found)
    if len(strays):
        words.append(f"{len(strays)} frame{'s' if len(strays) != 1 else ''} out of order with both neighbours")
    spans = [Span(reading.seconds(i), reading.seconds(i), "a hard cut") for i in found]
    for start, end in _clusters(strays, round(reading.footage.fps / 2)):
        spans.append(Span(reading.seconds(start), reading.seconds(end), "frames leap out of their order"))
    count = len(found) + len(strays)
    return Finding(
        float(count),
        score("cuts", count, wishes),
        " and ".join(words) or "one continuous shot",
        "ask for one continuous unbroken take, without cuts or scene changes",
        tuple(sorted(spans, key=lambda span: span.start)),
    )


def black(reading: Reading, wishes: frozenset[str]) -> Finding:
    """Share of black frames (95th percentile of luma under 20), 0 to 1."""
    share = float(reading.black.mean())
    return Finding(
        share,
        score("black", share, wishes),
        f"{share:.0%} of the frames are black" if share else "no frame is black",
        "ask for a scene that is lit and visible from the first frame to the last",
        tuple(Span(reading.seconds(a), reading.seconds(b), "the picture is black") for a, b in runs(reading.black)),
    )


def _clusters(indices: np.ndarray[tuple[int], np.dtype[np.int64]], gap: int) -> list[tuple[int, int]]:
    """First and last index of each group whose neighbours lie at most `gap` apart."""
    groups: list[tuple[int, int]] = []
    for i in indices.tolist():
        if groups and i - groups[-1][1] <= max(gap, 2):
            groups[-1] = groups[-1][0], i
        else:
            groups.append((i, i))
    return groups
