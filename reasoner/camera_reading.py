"""Reads one clause after another: which camera moves each asks for, whoever was named before."""

from collections.abc import Iterator, Sequence
from typing import Literal

from reasoner.camera_words import (
    DEFAULT_BEFORE,
    DIRECTIONS,
    FILLERS,
    FORMS,
    LEADS,
    LINKS,
    LOCKED,
    LYING,
    OBJECT_VERBS,
    ONLY_CAMERAS,
    SHAKY,
    SHOT_WORDS,
    SIDEWAYS,
    SWEEPS,
    VERBS,
    VERTICAL,
    Move,
)
from reasoner.clauses import (
    ARTICLES,
    AUXILIARY,
    CAMERA,
    DENIALS,
    MANNER,
    PREPOSITIONS,
    Clause,
    camera_head,
    denied,
    names_camera,
)


def _direction(verb: str, after: Sequence[str], *, distant: bool = True) -> str:
    """The direction that the words after a verb give it, or "". `distant`: also across what is named in between."""
    near = True
    for at, word in enumerate(after[:9]):
        key = SWEEPS.get(tuple(after[at : at + 3]), "") or DIRECTIONS.get(word, "")  # type: ignore[arg-type]
        following, beyond = [*after[at + 1 : at + 3], "", ""][:2]
        target = beyond if following == "the" else following
        plain = not VERBS[verb].noun
        skipped = (
            (word in {"toward", "towards"} and DIRECTIONS.get(target) in SIDEWAYS)
            # "moves in the rain", "glides out of the hall" say where, not which way
            or (word == "in" and plain and following not in {"", "on", "closer", "to", "toward", "towards", "from"})
            or (word == "out" and plain and following == "of")
        )
        previous, earlier = after[at - 1] if at else "", after[at - 2] if at > 1 else ""
        aimed = (earlier if previous == "the" else previous) in {"to", "toward", "towards", "from"} or word.endswith(
            "wards"
        )
        wide = verb == "tilt" and key in VERTICAL
        if key in VERBS[verb].moves and not skipped and (near or aimed or wide):
            return key
        if word in FORMS and VERBS[FORMS[word][0]].jargon and not key:
            break
        near = near and (word in FILLERS or bool(key) or (not at and word in {"shot", "move"}))
        if not near and not distant:
            break
    return ""


class Reader:
    """Reads clauses in order, remembering whose verb comes next."""

    def __init__(self) -> None:
        self.subject: Literal["camera", "other", ""] = ""
        self.object_named = False
        """The camera's clause names something else that a following "it" may mean."""
        self.of_named = False
        self.denying = False
        self.verb = ""
        """The last verb that took the camera somewhere: "then right" goes on with it."""

    def moves(self, clause: Clause) -> list[Move]:
        """The moves that a clause asks for, in its order."""
        listed = clause.opener in {"or", "nor"} or (
            clause.comma and all(w in FORMS or w in MANNER for w in clause.words)
        )
        first = next((word for word in clause.words if word in FORMS), "")
        carried = self.denying and (listed or (clause.opener == "and" and first != "" and FORMS[first][1] != "s"))
        kept = self.subject
        if clause.opener in {"which", "who", "where", "because"} and kept != "camera":
            self.subject = "other"
        if clause.words[0] == "it" and clause.opener in {"as", "while", "when", "whilst"} and self.object_named:
            self.subject = "other"
        found = [*self._travel(clause.words, carried), *self._hold(clause.words), *self._again(clause)]
        self.subject = kept
        self.denying = any(move is None for _, move in found)
        asked = [move for _, move in sorted((at, move) for at, move in found if move)]
        self.verb = self.verb if asked else ""
        self._pass_on(clause, bool(asked))
        return asked

    def _pass_on(self, clause: Clause, asked: bool) -> None:
        head = camera_head(clause.words)
        lead = next((word for word in clause.words if word not in MANNER and word not in AUXILIARY), "")
        verbal = lead in FORMS or (len(lead) > 4 and lead.endswith(("s", "ing", "ed")))
        if head:
            self.subject = "camera"
            self.object_named = any(word in OBJECT_VERBS for word in clause.words[head:])
            self.of_named = "of" in clause.words[head:]
        elif asked:
            self.subject = "camera"
        elif lead and not verbal and lead not in PREPOSITIONS and not lead.endswith("ly") and not self.denying:
            self.subject = "other"

    def _owner(self, words: Sequence[str], at: int) -> Literal["camera", "imperative", "noun", "other"]:
        """Whose move the verb at that word is; an imperative or a noun of the jargon needs no camera named."""
        name, form = FORMS[words[at]]
        verb = VERBS[name]
        end = at
        while end and (words[end - 1] in MANNER or words[end - 1] in AUXILIARY or words[end - 1] in DENIALS):
            end -= 1
        paced = any(word in MANNER for word in words[end:at])
        shot = words[at + 1 : at + 2] in (["shot"], ["move"])
        if end == 0:
            plain_ing = form == "ing" and not verb.jargon and self.of_named and not paced
            if self.subject == "camera" and not plain_ing:
                return "camera"
            said = (
                form == "base"
                or not self.subject
                or (shot and "of" not in words[at : at + 4])
                or (form == "ing" and (name in ONLY_CAMERAS or (verb.noun and paced)))
            )
            return "imperative" if verb.jargon and said else "other"
        last = words[end - 1]
        if last in ARTICLES:
            return "noun" if (verb.noun and form == "base") or (verb.jargon and shot) else "other"
        if names_camera(words, end - 1):
            return "camera"
        head = camera_head(words[:end])
        between = words[head:end]
        of_object = form == "ing" and any(word == "of" or word in OBJECT_VERBS for word in between)
        if head and not of_object and form != "base":
            return "camera"
        return "noun" if verb.noun and form == "base" and (paced or last in LEADS) else "other"

    def _travel(self, words: Sequence[str], carried: bool) -> Iterator[tuple[int, Move | None]]:
        """Position and move of each camera verb; None for a denied one."""
        for at, word in enumerate(words):
            name = FORMS.get(word, ("",))[0]
            after = words[at + 1 :]
            pair = (name, *after[:1])
            if (
                not name
                or pair in {("tilt", "shift"), ("dolly", "zoom")}
                or (name == "zoom" and words[at - 1 : at] == ["dolly"])
            ):
                continue
            owner = self._owner(words, at)
            no = denied(words, at, FORMS) or carried
            if no and (owner != "other" or "camera" in after[:2]):
                # "no movement", but not "no sudden movement"
                still = name == "move" and not _direction(name, after) and words[at - 1] not in MANNER
                yield at, None
                if still:
                    yield at, "static"
                continue
            move = self._move(words, at, owner)
            if move and no:
                yield at, None
            elif move:
                self.verb = name
                yield at, move

    def _again(self, clause: Clause) -> Iterator[tuple[int, Move | None]]:
        """The move of a clause that is only a direction: "pans left and then right"."""
        over = next(
            (at for at, w in enumerate(clause.words) if w in PREPOSITIONS - DIRECTIONS.keys() and w != "to"), None
        )
        said = clause.words[:over] if over is None or clause.words[over] != "of" else []
        keys = [DIRECTIONS[word] for word in said if word in DIRECTIONS]
        # "with trees left and right" does not go on with the verb
        bare = all(word in DIRECTIONS or word in FILLERS or word in {"again", "side"} for word in said)
        if self.verb and self.subject == "camera" and bare and keys and not self.denying:
            move = VERBS[self.verb].moves.get(keys[0])
            if move:
                yield 0, move

    def _move(self, words: Sequence[str], at: int, owner: str) -> Move | None:
        name = FORMS[words[at]][0]
        after = words[at + 1 :]
        if owner == "other":
            return None
        key = _direction(name, after, distant=owner == "camera" or name in ONLY_CAMERAS or after[:1] == ["shot"])
        if key:
            lying = owner == "noun" and DIRECTIONS.get(after[0]) in SIDEWAYS and len(after) > 1 and after[1] in LYING
            return None if lying else VERBS[name].moves[key]
        plain_zoom = name == "zoom" and owner == "noun"
        if owner == "camera" or plain_zoom or (after and after[0] in DEFAULT_BEFORE.get(name, ())):
            return VERBS[name].default
        return None

    def _hold(self, words: Sequence[str]) -> Iterator[tuple[int, Move | None]]:
        """Position and move of each word on how the camera is held; None for a denied one."""
        for at, word in enumerate(words):
            if word in LOCKED or word in SHAKY:
                move: Move = "static" if word in LOCKED else "handheld"
                said = self._linked(words, at) or (_said_locked if word in LOCKED else _said_shaky)(words, at)
                # "tripod-steady" says how smoothly, not that the camera stays, but for "a tripod-steady shot"
                said = said and (
                    words[at : at + 2] != ["tripod", "steady"] or words[at + 2 : at + 3] in (["shot"], ["camera"])
                )
                if said:
                    yield at, None if denied(words, at, FORMS) else move

    def _linked(self, words: Sequence[str], at: int) -> bool:
        """Whether a camera that is the subject "is", "stays" or "remains" so."""
        head = camera_head(words[:at])
        inherited = self.subject == "camera" and all(word in LINKS or word in AUXILIARY for word in words[:at])
        return inherited or (head > 0 and (head == at or words[at - 1] in LINKS or words[at - 1] in {"not", "never"}))


def _said_locked(words: Sequence[str], at: int) -> bool:
    word, after = words[at], words[at + 1 : at + 4]
    reach = after[:1] if word == "still" else after
    noun = next((index for index, w in enumerate(reach) if w in CAMERA), None)
    beside = noun is not None and not any(w in PREPOSITIONS for w in reach[:noun])
    terms = LOCKED | MANNER | CAMERA | {"off", "a", "on", "mounted"}
    alone = word in {"static", "locked", "tripod"} and all(w in terms for w in words)
    fixed = word == "locked" and after[:1] == ["off"]
    mounted = word == "tripod" and after[:1] and after[0] in {"mounted", "footage", "locked"}
    return bool(beside or alone or fixed or mounted)


def _said_shaky(words: Sequence[str], at: int) -> bool:
    alone = all(w in SHAKY or w in MANNER or w in SHOT_WORDS or w in {"gritty", "raw"} for w in words)
    before = words[at - 1] if at else ""
    return alone or any(w in SHOT_WORDS for w in words[at + 1 : at + 3]) or before in {"shot", "filmed", "captured"}
