"""The critic `hybrid`: measured signals first, and a model asked about the clips that pass them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from critic.config import HybridConfig
from critic.instrument import Instrument
from critic.types import Critic, Critique, Defect, Score

GATES: Final = ("frozen", "black", "first_frame")
"""Signals below whose floor a clip is not worth a question."""
NOT_ASKED: Final = "not_asked"
_Named = TypeVar("_Named", Score, Defect)
_LINE = re.compile(r"([a-z][a-z0-9_]*) \(")


class Hybrid:
    """Joins a critic that measures with one that asks. Implements `critic.types.Critic`."""

    def __init__(self, config: HybridConfig, signals: Critic, vlm: Critic) -> None:
        self._share, self._signals, self._vlm = config.signals_share, signals, vlm

    @property
    def id(self) -> str:
        """Both critics', and how they are weighed."""
        return f"{self._signals.id}+{self._vlm.id} signals={self._share:g}"

    @property
    def instrument(self) -> Instrument:
        """Both critics', joined."""
        return joined(Instrument.of(self._signals), Instrument.of(self._vlm), self._share)

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        """Judge one clip; a frozen or black one, or one that begins with another picture, without asking the model.

        Raises:
            JudgeError: the clip or the first frame does not decode, or an answer cannot be read.
            OSError: a file cannot be read.
            ChatError: the server gives no answers.
        """
        measured = await self._signals.judge(clip, prompt, first_frame)
        broken = [s for s in measured.scores if s.criterion in GATES and s.value < s.floor]
        if broken:
            return self._gated(measured, min(broken, key=lambda s: s.value))
        return self._joined(measured, await self._vlm.judge(clip, prompt, first_frame))

    def _gated(self, measured: Critique, gate: Score) -> Critique:
        """The signals alone, and the answers that were not asked for as bad as the gate.

        Without these a clip that no question can be held against would outrank one that answered them.
        """
        missing = Score(
            criterion=NOT_ASKED,
            axis="quality",
            value=gate.value,
            weight=1 - self._share,
            floor=0.0,
            explanation=(
                f"The model was not asked about this clip, since {gate.criterion!r} ({gate.value:.2f}) is below its "
                f"floor of {gate.floor:g}: its answers count as {gate.value:.2f}."
            ),
            method="inherited",
        )
        note = f"No question was asked: {gate.criterion!r} is below its floor."
        return self._critique([*_weighed(measured.scores, self._share), missing], [measured], measured.feedback, [note])

    def _joined(self, measured: Critique, asked: Critique) -> Critique:
        taken = {score.criterion for score in measured.scores} | {NOT_ASKED}
        renamed = {s.criterion: f"asked_{s.criterion}" for s in asked.scores if s.criterion in taken}
        asked = asked.model_copy(
            update={
                "scores": tuple(_renamed(score, renamed) for score in asked.scores),
                "defects": tuple(_renamed(defect, renamed) for defect in asked.defects),
            }
        )
        scores = [*_weighed(measured.scores, self._share), *_weighed(asked.scores, 1 - self._share)]
        # a critic with nothing to say says so in a line that names no criterion
        mine, theirs = _lines(measured.feedback, {}), _lines(asked.feedback, renamed)
        values = {s.criterion: s.value for s in scores}
        named = [line for line in (*mine, *theirs) if _criterion(line) in values]
        named.sort(key=lambda line: values[_criterion(line)])
        rest = [line for line in (*theirs, *mine) if _criterion(line) not in values]
        return self._critique(scores, [measured, asked], "\n".join([*named, *rest]), [])

    def _critique(
        self, scores: Sequence[Score], parts: Sequence[Critique], feedback: str, notes: Sequence[str]
    ) -> Critique:
        used = parts[0].usage
        for part in parts[1:]:
            used += part.usage
        return Critique.of(
            scores,
            feedback=feedback,
            rubric="+".join(part.rubric for part in parts),
            judge=self.id,
            seconds=sum(part.seconds for part in parts),
            defects=[defect for part in parts for defect in part.defects],
            traces=[trace for part in parts for trace in part.traces],
            notes=[*(note for part in parts for note in part.notes), *notes],
            usage=used,
        )


def joined(signals: Instrument, asked: Instrument, share: float) -> Instrument:
    """Of a critic that measures and asks. `share`: of the measured signals in the overall score."""
    names = {
        "critic": f"{signals.critic}+{asked.critic} signals={share:g}",
        "rubric": f"{signals.rubric}+{asked.rubric}",
    }
    return asked.model_copy(update=names)


def _weighed(scores: Sequence[Score], share: float) -> list[Score]:
    """The scores with weights that sum up to `share`."""
    whole = sum(score.weight for score in scores)
    return [score.model_copy(update={"weight": score.weight * share / whole}) for score in scores]


def _renamed(item: _Named, renamed: Mapping[str, str]) -> _Named:
    return item.model_copy(update={"criterion": renamed.get(item.criterion, item.criterion)})


def _lines(feedback: str, renamed: Mapping[str, str]) -> list[str]:
    lines = feedback.splitlines()
    for at, line in enumerate(lines):
        if (name := _criterion(line)) in renamed:
            lines[at] = renamed[name] + line[len(name) :]
    return lines


def _criterion(line: str) -> str:
    found = _LINE.match(line)
    return found[1] if found else ""
