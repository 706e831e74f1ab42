"""What an edit is: a step of a ladder, and the case that it is written for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from reasoner.camera import requested_moves
from reasoner.caption import clock
from reasoner.given import duration, given_object
from reasoner.rules import moves, timeline
from reasoner.rules.english import reads_as_english
from reasoner.rules.passages import Passage, passages
from reasoner.rules.wishes import Wish, wishes
from reasoner.types import CaptionRequest


@dataclass(frozen=True)
class Case:
    """What a ladder's edits are written for."""

    request: CaptionRequest
    feedback: str
    phases: moves.Phases
    wordings: moves.Wordings
    wishes: frozenset[Wish]
    passages: Sequence[Passage]
    """What the prompt says of the camera."""

    @classmethod
    def of(cls, request: CaptionRequest, feedback: str) -> "Case":
        """Read the user's prompt once."""
        prompt = request.prompt
        return cls(
            request,
            feedback,
            requested_moves(prompt),
            moves.wordings(prompt),
            frozenset(wishes(prompt)),
            passages(prompt) if given_object(prompt) is None else (),
        )

    @property
    def end(self) -> str:
        """M:SS of the clip's end."""
        return clock(duration(self.request))

    @property
    def travels(self) -> bool:
        """Whether the user asks the camera to go somewhere."""
        return any(move in moves.AMOUNTS for phase in self.phases for move in phase)

    @property
    def camera_free(self) -> bool:
        """Whether the user leaves it open what the camera does; its framing may be settled.

        Of a prompt in another language nobody knows.
        """
        if given_object(self.request.prompt) is None and not reads_as_english(self.request.prompt):
            return False
        return not self.phases and all(passage.kind == "framing" for passage in self.passages)

    @property
    def slow(self) -> bool:
        """Whether the user asks for a slow move."""
        return any(said.pace == "slowly" for said in self.wordings.values())

    @property
    def overexposed(self) -> bool:
        """Whether the critic found too much light and not too little."""
        return "highlight" in self.feedback or "overexposed" in self.feedback


Sentence = Callable[[Case, int | None], str]
"""A step's words, for one segment's index or, with None, for the whole clip."""


@dataclass(frozen=True)
class Step:
    """One edit of a ladder."""

    reason: str
    """One sentence for people, which also names the step in a history."""
    says: Sentence
    fields: Sequence[str]
    """Caption fields that take the sentence; `*` stands for every item of a list."""
    from_image: Sequence[str] = ()
    """The fields to take instead when a first frame is given, where `fields` would describe that frame."""
    unless: frozenset[Wish] = field(default_factory=frozenset)
    """Wishes of the user that the step would contradict."""
    fits: Callable[[Case], bool] = lambda _: True
    replaces: bool = False
    """The sentence replaces what stands in the field. Otherwise it is added to it."""


def sentence(text: str) -> Sentence:
    """The same sentence in every field; `{end}` stands for the clip's end and `{fps}` for its frame rate."""
    return lambda case, _: text.replace("{end}", case.end).replace("{fps}", str(case.request.fps))


def strong(case: Case, segment: int | None, *, paced: bool = True) -> str:
    """The asked moves put strongly; `paced`: with the pace that the user's words give them."""
    spans = timeline.spans(case.request, len(case.phases))
    wordings = case.wordings if paced else {move: replace(said, pace="") for move, said in case.wordings.items()}
    if segment is not None:
        phase = case.phases[min(segment, len(case.phases) - 1)]
        return moves.strong(phase, wordings, *spans[min(segment, len(spans) - 1)])
    if len(case.phases) == 1:
        return moves.strong(case.phases[0], wordings, 0, duration(case.request))
    told = [moves.strong(phase, wordings, *span) for phase, span in zip(case.phases, spans, strict=True)]
    return " Then: ".join(told)


def unhurried(case: Case, segment: int | None) -> str:
    """The asked moves put strongly, with a pace that does not make them small."""
    return f"{strong(case, segment, paced=False)} The pace is constant and unhurried."
