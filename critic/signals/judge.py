"""The critic `signals`: decode, measure, score, explain."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from critic import frames
from critic.config import SignalsConfig
from critic.instrument import Instrument
from critic.signals import continuity, feedback, quality, steadiness
from critic.signals.camera import camera
from critic.signals.first_frame import first_frame, load
from critic.signals.reading import Finding, Reading
from critic.signals.rubric import RUBRIC
from critic.signals.words import wishes_of
from critic.types import Criterion, Critique, Defect, Score, Trace
from reasoner.camera import requested_moves

log = logging.getLogger("critic.signals")

_TRACE = 96
"""Most values of a trace."""

SIGNALS: Final[Mapping[str, Callable[[Reading, frozenset[str]], Finding]]] = {
    "motion": steadiness.motion,
    "frozen": continuity.frozen,
    "duplicates": continuity.duplicates,
    "cuts": continuity.cuts,
    "black": continuity.black,
    "flicker": steadiness.flicker,
    "shake": steadiness.shake,
    "warping": steadiness.warping,
    "blur": quality.blur,
    "noise": quality.noise,
    "blockiness": quality.blockiness,
    "banding": quality.banding,
    "exposure": quality.exposure,
    "saturation": quality.saturation,
}
"""The signals that need only the clip and the prompt's wishes, by criterion, in the rubric's order."""


class Stopped(Exception):  # noqa: N818 - not an error: the caller has gone
    """The judging thread was told to stop."""


class Signals:
    """Judges clips by measured signals, without a model. Implements `critic.types.Critic`.

    Deterministic: the same file, prompt and first frame give the same critique but for `seconds`. What no signal sees
    (whether the right thing is shown, anatomy, physics) it does not judge.
    """

    def __init__(self, config: SignalsConfig) -> None:
        self._slots = asyncio.Semaphore(config.concurrency)
        cv2.setNumThreads(1)  # clips are what runs side by side; OpenCV's own threads would only fight over the cores

    @property
    def id(self) -> str:
        """Method and version."""
        return "signals/1"

    @property
    def instrument(self) -> Instrument:
        """What decides what a score means. Every frame is read as it is."""
        return Instrument(critic=self.id, rubric=RUBRIC.id)

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        """Judge one clip in a thread of its own. When cancelled, the thread ends at the next frame or stage.

        Raises:
            JudgeError: the clip or the first frame does not decode.
            OSError: a file cannot be read.
        """
        async with self._slots:
            stop = threading.Event()
            log.info("judge start %s", clip)
            try:
                return await asyncio.to_thread(judge_now, clip, prompt, first_frame, stop)
            finally:
                stop.set()


def judge_now(clip: Path, prompt: str, image: Path | None, stop: threading.Event) -> Critique:
    """Judge one clip in this thread; `stop` ends it early by an exception that nobody should see."""
    began = time.monotonic()

    def check() -> None:
        if stop.is_set():
            raise Stopped

    footage = frames.read(clip, check=check)
    reading = Reading(footage, check)
    findings = measure(reading, prompt, None if image is None else load(image))
    criteria = {criterion.name: criterion for criterion in RUBRIC.criteria}
    scores = [_score(criteria[name], finding) for name, finding in findings.items()]
    words = feedback.write(scores, findings)
    return Critique.of(
        scores,
        feedback=f"{words}\nNote: {footage.complaint}." if footage.complaint else words,
        rubric=RUBRIC.id,
        judge="signals/1",
        seconds=time.monotonic() - began,
        defects=[
            Defect(criterion=name, start=span.start, end=max(span.start, span.end), words=span.words)
            for name, finding in findings.items()
            for span in finding.spans
        ],
        traces=_traces(reading),
    )


def measure(reading: Reading, prompt: str, image: frames.Picture | None) -> Mapping[str, Finding]:
    """All findings, in the rubric's order: `camera` if the prompt asks for a move, `first_frame` with an image."""
    phases = requested_moves(prompt)
    wishes = wishes_of(prompt) | ({"unsteady"} if any("handheld" in phase for phase in phases) else set())
    found: dict[str, Finding] = {}
    if phases:
        found["camera"] = camera(reading, phases, wishes)
    if image is not None:
        found["first_frame"] = first_frame(reading, image, wishes)
    for name, signal in SIGNALS.items():
        reading.check()
        found[name] = signal(reading, wishes)
    return found


def _score(criterion: Criterion, finding: Finding) -> Score:
    return Score(
        criterion=criterion.name,
        axis=criterion.axis,
        value=round(min(1.0, max(0.0, finding.value)), 4),
        weight=criterion.weight,
        floor=criterion.floor,
        explanation=finding.words[0].upper() + finding.words[1:] + ".",
        measured=None if finding.measured is None else round(finding.measured, 4),
        unit=criterion.unit,
    )


def _traces(reading: Reading) -> list[Trace]:
    """Signals over time, evenly resampled."""
    times = reading.footage.times
    between = (times[1:] + times[:-1]) / 2
    measured = (
        ("motion", "% of the diagonal per second", between, reading.pairs.top_speed * reading.footage.fps),
        ("flicker", "levels", between, steadiness.light_jumps(reading)),
        ("sharpness", "levels per pixel", times, reading.sharpness),
        ("luma", "levels", times, reading.grey.mean((1, 2))),
    )
    even = np.linspace(0, times[-1], min(_TRACE, len(times)))
    return [
        Trace(name=name, unit=unit, values=tuple(round(float(v), 3) for v in np.interp(even, at, values)))
        for name, unit, at, values in measured
    ]
