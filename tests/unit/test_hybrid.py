"""The hybrid critic: gates, shares and joined words."""

from pathlib import Path

import pytest

from critic.config import HybridConfig
from critic.hybrid import Hybrid
from critic.types import Axis, Critique, Defect, Score
from reasoner.chat.types import Usage

CLIP = Path("clip.mp4")


def score(name: str, value: float, weight: float = 1.0, floor: float = 0.0, axis: Axis = "quality") -> Score:
    return Score(criterion=name, axis=axis, value=value, weight=weight, floor=floor, explanation=f"{name}.")


class Fixed:
    """A critic that always says the same and counts how often."""

    def __init__(self, name: str, scores: list[Score], feedback: str = "Nothing is wrong.") -> None:
        self.id, self.asked, self._scores, self._feedback = name, 0, scores, feedback

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        self.asked += 1
        last = self._scores[-1].criterion
        return Critique.of(
            self._scores, feedback=self._feedback, rubric=f"{self.id}/1", judge=self.id, seconds=1,
            defects=[Defect(criterion=last, start=0, end=1, words="wrong")], notes=[f"from {self.id}"],
            usage=Usage(calls=3),
        )  # fmt: skip


def hybrid(signals: Fixed, vlm: Fixed) -> Hybrid:
    return Hybrid(HybridConfig(signals_share=0.3), signals, vlm)


@pytest.mark.parametrize("gate", ["frozen", "black", "first_frame"])
async def test_a_broken_gate_spends_no_call_and_never_pays(gate: str) -> None:
    broken = [score(gate, 0.2, floor=0.5), score("noise", 1.0, weight=9)]
    vlm = Fixed("vlm", [score("ball", 0.2)])
    gated = await hybrid(Fixed("signals", broken), vlm).judge(CLIP, "", None)
    assert vlm.asked == 0
    missing = gated.scores[-1]
    assert (missing.criterion, missing.value, missing.method) == ("not_asked", 0.2, "inherited")
    assert missing.weight == pytest.approx(0.7)
    assert sum(s.weight for s in gated.scores) == pytest.approx(1)
    assert gate in missing.explanation
    assert not gated.floors_hold
    poor = await hybrid(Fixed("signals", [score(gate, 0.9, floor=0.5), score("noise", 1.0)]), vlm).judge(CLIP, "", None)
    assert gated.overall < poor.overall
    assert vlm.asked == 1


async def test_another_broken_floor_is_no_gate() -> None:
    vlm = Fixed("vlm", [score("ball", 0.2)])
    await hybrid(Fixed("signals", [score("noise", 0.1, floor=0.4)]), vlm).judge(CLIP, "", None)
    assert vlm.asked == 1


async def test_signals_make_up_their_share() -> None:
    signals = Fixed("signals", [score("noise", 1.0, weight=8), score("blur", 1.0, weight=2)])
    joined = await hybrid(signals, Fixed("vlm", [score("ball", 0.0, weight=3)])).judge(CLIP, "", None)
    assert joined.overall == pytest.approx(0.3)
    assert joined.rubric == "signals/1+vlm/1"
    assert joined.notes == ("from signals", "from vlm")
    assert joined.usage.calls == 6
    assert len(joined.defects) == 2


async def test_questions_named_as_a_signal_are_renamed_wherever_they_stand() -> None:
    signals = Fixed("signals", [score("motion", 0.6)], "motion (0.60): little moves.")
    asked = Fixed(
        "vlm", [score("ball", 0.7), score("motion", 0.1)], "motion (0.10): no\nball (0.70): unsure\nIn short: x"
    )
    joined = await hybrid(signals, asked).judge(CLIP, "", None)
    assert [s.criterion for s in joined.scores] == ["motion", "ball", "asked_motion"]
    assert [d.criterion for d in joined.defects] == ["motion", "asked_motion"]
    assert joined.feedback.splitlines() == [
        "asked_motion (0.10): no", "motion (0.60): little moves.", "ball (0.70): unsure", "In short: x",
    ]  # fmt: skip


async def test_the_measured_score_is_the_same_beside_answers_and_without() -> None:
    """What a comparison leaves tied is broken by it, whichever critic judged."""
    broken = score("cuts", 0.2, floor=0.4)
    for scores in ([score("noise", 0.9), score("blur", 0.5, weight=3)], [score("noise", 0.9), broken]):
        signals = Fixed("signals", scores)
        alone = await signals.judge(CLIP, "", None)
        answer = score("ball", 0.1, weight=5, floor=0.5).model_copy(update={"method": "logprobs"})
        vlm = Fixed("vlm", [answer])
        joined = await hybrid(signals, vlm).judge(CLIP, "", None)
        assert joined.overall != alone.overall
        assert joined.measured == pytest.approx(alone.overall)
        assert alone.measured == alone.overall
        assert (await vlm.judge(CLIP, "", None)).measured is None


async def test_a_gates_stand_in_was_not_measured() -> None:
    broken = Fixed("signals", [score("frozen", 0.2, floor=0.5), score("noise", 1.0, weight=9)])
    alone = await broken.judge(CLIP, "", None)
    gated = await hybrid(broken, Fixed("vlm", [score("ball", 0.2)])).judge(CLIP, "", None)
    assert gated.measured == pytest.approx(alone.overall)
