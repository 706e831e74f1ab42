"""The nouns of the critic's self-test: what it is tested on, and what came of it."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from reasoner.chat.types import Usage

CanaryKind = Literal["frozen", "reversed", "shuffled", "prompt_swapped", "first_frame_swapped"]
WORDS: Final[Mapping[CanaryKind, str]] = {
    "frozen": "a standstill",
    "reversed": "a clip played backwards",
    "shuffled": "frames in random order",
    "prompt_swapped": "a prompt of something else",
    "first_frame_swapped": "another first frame",
}
"""Every kind, for people."""
TIED: Final = 0.02
"""Overall scores no farther apart than this are a tie: about the most that encoding a clip once more has moved one
(docs/canaries-benchmark.md)."""
LEAST_AUC: Final = 0.8
"""What a critic should reach that may stop a run early: all told but one, which of four canaries must be a tie and of
five may be a miss. A critic that guesses reaches it in 6 % of tests of four, in 19 % of those of five."""

LEAST_CONTROL: Final = 0.2
"""A clip that scores less is too bad to tell much from: ten ties lie below it."""


class Canary(BaseModel):
    """A doctored version of a clip, or a request that the clip surely does not meet, and what a critic gave it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: CanaryKind
    score: float = Field(ge=0, le=1)
    """Overall score of this version."""
    control: float = Field(ge=0, le=1)
    """Overall score of the clip itself, encoded as this version is."""
    outcome: Literal["told", "tied", "missed"]
    """told: scored lower than the control; missed: higher."""

    @classmethod
    def of(cls, kind: CanaryKind, score: float, control: float) -> Self:
        """With the outcome that the scores make."""
        outcome: Literal["told", "tied", "missed"] = "told" if score < control else "missed"
        return cls(kind=kind, score=score, control=control, outcome="tied" if abs(control - score) <= TIED else outcome)


class SelfTest(BaseModel):
    """Whether a critic tells doctored versions of a clip from the clip itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    critic: str
    """`Critic.id`."""
    control: float = Field(ge=0, le=1)
    """Overall score of the clip itself, encoded as the versions are."""
    canaries: tuple[Canary, ...]
    """Those judged, at most one of a kind."""
    unjudged: dict[CanaryKind, str] = {}
    """Why a version could not be judged, by kind. It counts as a tie: failing to judge tells nothing apart."""
    auc: float = Field(ge=0, le=1)
    """Chance that the control scores over a canary, ties half: 1 sees all, .5 is blind, 0 prefers what is worse."""
    seconds: float = Field(ge=0)
    """Wall seconds, making the versions included."""
    usage: Usage = Usage()
    """What asking a model took."""
    notes: tuple[str, ...] = ()
    """How the versions were made, in sentences for people."""

    @classmethod
    def of(
        cls,
        canaries: Sequence[Canary],
        *,
        critic: str,
        control: float,
        seconds: float,
        unjudged: Mapping[CanaryKind, str] | None = None,
        usage: Usage | None = None,
        notes: Sequence[str] = (),
    ) -> Self:
        """With the AUC that the outcomes make."""
        won = [{"told": 1.0, "tied": 0.5, "missed": 0.0}[canary.outcome] for canary in canaries]
        won += [0.5] * len(unjudged or {})
        return cls(
            critic=critic,
            control=control,
            canaries=tuple(canaries),
            unjudged=dict(unjudged or {}),
            auc=round(sum(won) / len(won), 6),
            seconds=seconds,
            usage=usage or Usage(),
            notes=tuple(notes),
        )

    @property
    def blind(self) -> tuple[CanaryKind, ...]:
        """The kinds that were judged and not told apart."""
        return tuple(canary.kind for canary in self.canaries if canary.outcome != "told")

    @property
    def conclusive(self) -> bool:
        """Whether the clip was good enough for its versions to be told from it."""
        return self.control >= LEAST_CONTROL

    def passed(self, least: float) -> bool:
        """Whether the AUC reaches `least`."""
        return self.auc >= least

    def sentence(self, least: float) -> str:
        """What came of it, for people, where an AUC of `least` is asked."""
        verdict = "passed" if self.passed(least) else "failed"
        total = len(self.canaries) + len(self.unjudged)
        told = len(self.canaries) - len(self.blind)
        words = (
            f"The critic {self.critic} {verdict} its self-test (AUC {self.auc:.2f}, {least:.2f} is asked): it told "
            f"{told} of {total} doctored versions from the clip itself"
        )
        if self.blind:
            words += f"; it did not tell {_listed([WORDS[kind] for kind in self.blind])}"
        if self.unjudged:
            words += f"; it could not judge {_listed([WORDS[kind] for kind in self.unjudged])}"
        if not self.conclusive:
            words += f". The clip itself scored {self.control:.2f}: too little to tell much from, so this says little"
        return f"{words}."


def _listed(words: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
