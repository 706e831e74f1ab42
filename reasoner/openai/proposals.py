"""Edits that a model proposes: read from its reply, and refused where they may not be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reasoner.chat.objects import Unreadable
from reasoner.openai.core import lost
from reasoner.openai.fields import NEGATIVE, Draft
from reasoner.types import Edit, Revision

GAINED = 0.002
"""A smaller gain on the same seeds is taken for none."""


class _Proposal(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    field: str
    value: str
    criterion: str
    reason: str


class Diagnosis(BaseModel):
    """What a model makes of a critique."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    diagnosis: str
    verdict: Literal["prompt_problem", "model_limit"]
    edits: tuple[_Proposal, ...] = Field(max_length=16)


@dataclass(frozen=True)
class Past:
    """What earlier rewrites did to each field."""

    failed: frozenset[tuple[str, str]]
    """Fields and the words that gained nothing there."""
    outdone: frozenset[tuple[str, str]]
    """Fields and the words that a gain took from there."""

    @classmethod
    def of(cls, history: Sequence[Revision]) -> "Past":
        """Read off a run."""
        told = [
            (revision.gain, edit)
            for revision in history
            if revision.gain is not None
            for edit in revision.caption.edits
        ]
        return cls(
            frozenset((edit.field, plain(edit.after)) for gain, edit in told if gain < GAINED),
            frozenset((edit.field, plain(edit.before)) for gain, edit in told if gain >= GAINED),
        )


def plain(words: str) -> str:
    """Words as they are compared: neither case nor spaces count."""
    return " ".join(words.lower().split())


def read_diagnosis(data: Mapping[str, Any]) -> Diagnosis:
    """The diagnosis of a reply.

    Raises:
        Unreadable: it is none.
    """
    try:
        return Diagnosis.model_validate(data)
    except ValidationError as error:
        fault = error.errors()[0]
        raise Unreadable(f"is no diagnosis ({'.'.join(map(str, fault['loc']))}: {fault['msg']})") from None


def carried_out(
    draft: Draft, diagnosis: Diagnosis, fields: Sequence[str], criteria: Sequence[str], prompt: str, past: Past
) -> tuple[Draft, tuple[Edit, ...], tuple[str, ...]]:
    """The draft with every edit that may be made, those edits, and why the others were refused."""
    edits: list[Edit] = []
    refused: list[str] = []
    for proposal in diagnosis.edits[:4]:
        before = draft.texts().get(proposal.field, "")
        try:
            after = _allowed(draft, proposal, fields, prompt, past)
        except ValueError as error:
            refused.append(f"{proposal.field}: {error}")
            continue
        criterion = proposal.criterion if proposal.criterion in criteria else criteria[0]
        edits.append(
            Edit(
                field=proposal.field,
                before=before,
                after=after.texts().get(proposal.field, ""),
                criterion=criterion,
                reason=proposal.reason or f"To raise {criterion}.",
            )
        )
        draft = after
    return draft, tuple(edits), tuple(refused)


def _allowed(draft: Draft, proposal: _Proposal, fields: Sequence[str], prompt: str, past: Past) -> Draft:
    """The draft with an edit, or a ValueError that says why it may not be made."""
    field, value = proposal.field, proposal.value.strip()
    texts = draft.texts()
    if field not in texts:
        raise ValueError("the caption has no such text")
    if field not in fields:
        raise ValueError("it is fixed, by the first frame or by the render")
    if not value:
        raise ValueError("it would be left empty")
    if plain(value) == plain(texts[field]):
        raise ValueError("it changes nothing")
    after = draft.edited(field, value)
    result = (field, plain(after.texts().get(field, "")))
    if result in past.failed:
        raise ValueError("the same was tried before and did not gain")
    if result in past.outdone:
        raise ValueError("it would undo an edit that gained")
    if field != NEGATIVE and (gone := lost(prompt, draft, after)):
        raise ValueError(f"it would take out what was asked for ({gone})")
    return after
