"""The reasoner's nouns: what is asked of it, the caption it writes, the history it rewrites from, and its Protocol."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reasoner.caption import MotionCaption, StructuredCaption
from reasoner.chat.types import Usage

Verdict = Literal["prompt_problem", "model_limit", "reseed"]
"""What a rewrite found. prompt_problem: the words were to blame and were edited. model_limit: the caption says it and
the model does not do it. reseed: seeds decide more than words, or no new words were found. After the last two the same
caption is tried on fresh seeds."""


class CaptionRequest(BaseModel):
    """What a caption is written for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str
    """What the user asked, word for word."""
    first_frame: Path | None = None
    """The image that the clip starts from, or None for text-to-video."""
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    num_frames: int = Field(ge=5)
    fps: int = Field(ge=1, le=60)
    negative_prompt: str = ""
    """What the user does not want to see."""


class Edit(BaseModel):
    """One change to a caption, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    """Dotted path in the caption, e.g. "cinematography.camera_motion"."""
    before: str
    after: str
    criterion: str
    """The criterion that the edit answers."""
    reason: str
    """One sentence for people."""


class Caption(BaseModel):
    """What the generator is given, and how it came to be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str
    """The text sent to the generator: `StructuredCaption.text()`, or plain words."""
    structured: StructuredCaption | MotionCaption | None = None
    """None when `prompt` is plain words."""
    negative_prompt: str | None = None
    """What the clip should not look like, for this caption. None: the request's."""
    source: Literal["upsample", "rewrite", "raw"]
    """"raw": the user's own words, because expansion is off or failed."""
    edits: tuple[Edit, ...] = ()
    """What a rewrite changed, against the caption it started from."""
    notes: tuple[str, ...] = ()
    """What the reasoner could not make of the prompt, in sentences for people."""
    diagnosis: str = ""
    """A rewrite's sentence on what was wrong: the prompt, or a limit of the model."""
    verdict: Verdict | None = None
    """What a rewrite found. None: a first caption, or one written before verdicts were."""
    reseed: bool = False
    """True: no edit is left that could help, so try this caption on fresh seeds. Follows from `verdict` where there is
    one."""
    reasoner: str
    """`Reasoner.id`."""
    seconds: float = Field(default=0.0, ge=0)
    """Wall seconds that writing took."""
    usage: Usage = Usage()
    """What asking a model took."""

    @model_validator(mode="after")
    def _verdict_and_reseed_agree(self) -> Self:
        if self.verdict is not None and self.reseed != (self.verdict != "prompt_problem"):
            raise ValueError(f"verdict {self.verdict!r} contradicts reseed {self.reseed}")
        return self

    @classmethod
    def raw(cls, prompt: str, diagnosis: str = "", reasoner: str = "none", *, reseed: bool = False) -> Self:
        """The user's own words, as they are. `reseed`: they were tried already, on other seeds."""
        verdict: Verdict | None = "reseed" if reseed else None
        return cls(prompt=prompt, source="raw", diagnosis=diagnosis, reasoner=reasoner, verdict=verdict, reseed=reseed)

    def once_more(self) -> Self:
        """This caption, to be rendered otherwise: what writing it took is counted already."""
        return self.model_copy(update={"seconds": 0.0, "usage": Usage()})

    def on_fresh_seeds(self, diagnosis: str, verdict: Literal["model_limit", "reseed"] = "reseed") -> Self:
        """This caption, to be tried again unchanged on other seeds."""
        changes = {"source": "rewrite", "edits": (), "verdict": verdict, "reseed": True, "diagnosis": diagnosis}
        return self.model_copy(update={**changes, "seconds": 0.0, "usage": Usage()})


class Revision(BaseModel):
    """A caption that was tried, and what came of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    caption: Caption
    score: float = Field(ge=0, le=1)
    """Mean overall score of its candidates."""
    criteria: Mapping[str, float]
    """Mean score by criterion, in [0, 1]."""
    spread: float | None = Field(default=None, ge=0)
    """Standard deviation of the overall score over the seeds; None for a single one."""
    criteria_spread: Mapping[str, float] = {}
    """The same by criterion; empty for a single seed."""
    floors: Mapping[str, float] = {}
    """The critic's floor by criterion."""
    final: Mapping[str, float] = {}
    """Mean score by criterion of its renders as asked, where `score` and `criteria` are those of cheap drafts, which
    all captions have. Empty: none was made, or there are no drafts."""
    feedback: str
    """The critic's words on its best candidate, of those rendered as asked if there are any."""
    parent: int | None = None
    """Index in the history of the caption that it was rewritten from."""
    gain: float | None = None
    """Mean score gained over the parent on the same seeds; None without a common seed."""

    @property
    def latest(self) -> dict[str, float]:
        """What is to be mended: mean scores by criterion as asked, and of drafts where there are none of these."""
        return {**self.criteria, **self.final}


class CaptionError(Exception):
    """A caption could not be written."""


class Reasoner(Protocol):
    """Writes captions."""

    @property
    def id(self) -> str:
        """Method or model, and version: what a finished caption is remembered under."""
        ...

    async def upsample(self, request: CaptionRequest) -> Caption:
        """Write the first caption.

        Raises:
            CaptionError: none could be written.
        """
        ...

    async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
        """Write the next caption, starting from `history[champion]`, the best so far on paired seeds.

        Raises:
            CaptionError: none could be written.
        """
        ...
