"""Edits that a model proposes: read from its reply, and refused where they may not be."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reasoner.chat.objects import Unreadable
from reasoner.credit import credit, lost
from reasoner.openai import core
from reasoner.openai.fields import NEGATIVE, Draft
from reasoner.types import Edit, Revision, Verdict


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
    verdict: Verdict
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
        """Read off a run.

        An edit that raised its criterion in a rewrite that lost by others may be tried again without them; once more,
        and not where it has lost twice.
        """
        failed: set[tuple[str, str]] = set()
        outdone: set[tuple[str, str]] = set()
        losses: Counter[tuple[str, str]] = Counter()
        for index, revision in enumerate(history):
            helped = credit(history, index)
            for edit in revision.caption.edits:
                after = (edit.field, plain(edit.after))
                losses[after] += lost(revision)
                if helped.get(edit.criterion) is False or losses[after] > 1:
                    failed.add(after)
                if helped.get(edit.criterion) and not lost(revision):
                    outdone.add((edit.field, plain(edit.before)))
        return cls(frozenset(failed), frozenset(outdone))

    def takes(self, field: str, words: str) -> bool:
        """Whether a field may be given these words, as far as the past knows."""
        return (field, plain(words)) not in self.failed | self.outdone


class Repeated(ValueError):  # noqa: N818 - says what it is
    """An edit that leads back to words that were tried in this run."""


class Made(NamedTuple):
    """What came of proposed edits."""

    draft: Draft
    edits: tuple[Edit, ...]
    refused: tuple[str, ...]
    """Why the others were refused, by field."""
    repeated: tuple[str, ...]
    """Fields with the words that were tried in this run already."""


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
) -> Made:
    """The draft with every edit that may be made."""
    edits: list[Edit] = []
    refused: list[str] = []
    repeated: list[str] = []
    for proposal in diagnosis.edits[:4]:
        before = draft.texts().get(proposal.field, "")
        try:
            after = _allowed(draft, proposal, fields, prompt, past)
        except ValueError as error:
            refused.append(f"{proposal.field}: {error}")
            if isinstance(error, Repeated):
                repeated.append(f"{proposal.field}: {proposal.value.strip()}")
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
    return Made(draft, tuple(edits), tuple(refused), tuple(repeated))


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
        raise Repeated("it changes nothing")
    after = draft.edited(field, value)
    result = (field, plain(after.texts().get(field, "")))
    if result in past.failed:
        raise Repeated("the same was tried before and did not gain")
    if result in past.outdone:
        raise Repeated("it would undo an edit that gained")
    if field != NEGATIVE and (gone := core.lost(prompt, draft, after)):
        raise ValueError(f"it would take out what was asked for ({gone})")
    return after
