from pathlib import Path

import pytest

from agent.report.changes import CONTEXT, Piece, changes, fields, lineage, negative, shortened, since_first, word_diff
from reasoner.caption import MotionCaption, Resolution
from reasoner.types import Caption, Edit
from tests import runs


def words(pieces: tuple[Piece, ...], *kinds: str) -> list[str]:
    return "".join(p.text for p in pieces if p.kind in kinds).split()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("The camera moves.", "The camera clearly pushes in, all the way."),
        ("", "entirely new"),
        ("entirely gone", ""),
        ("one  two\nthree", "one two three four"),
        ("Don't stop; state-of-the-art!", "Do stop, state-of-the-art."),
        ("黄昏の海と灯台", "夜の海と赤い灯台"),
        ("a b c d e f", "f e d c b a"),
    ],
)
def test_a_diff_holds_both_texts(before: str, after: str) -> None:
    pieces = word_diff(before, after)
    assert "".join(words(pieces, "same", "added")) == "".join(after.split())
    assert "".join(words(pieces, "same", "removed")) == "".join(before.split())


def test_a_diff_is_of_whole_words() -> None:
    assert word_diff("the camera pans", "the camera pulls out") == (
        Piece("same", "the camera"),
        Piece("removed", " pans"),
        Piece("added", " pulls out"),
    )


def test_punctuation_alone_is_a_change_of_punctuation_alone() -> None:
    assert word_diff("Warm dusk light.", "Warm dusk light, bright.") == (
        Piece("same", "Warm dusk light"),
        Piece("added", ", bright"),
        Piece("same", "."),
    )


def test_a_lone_word_between_two_changes_does_not_chop_the_sentence() -> None:
    kinds = [p.kind for p in word_diff("slow and vague", "fast and clear")]
    assert kinds == ["removed", "added"]


def test_texts_that_differ_in_spaces_only_are_the_same() -> None:
    assert [p.kind for p in word_diff("a  b\n c", "a b c")] == ["same"]


def test_a_diff_of_nothing_is_empty() -> None:
    assert word_diff("", "") == ()


def test_long_unchanged_stretches_are_cut_but_no_change_is() -> None:
    many = " ".join(f"w{n}" for n in range(200))
    pieces = word_diff(f"{many} left {many}", f"{many} right {many}")
    short = shortened(pieces)
    assert [p.text.strip() for p in short if p.kind != "same"] == ["left", "right"]
    assert short[0].text.split() == ["…", *(f"w{n}" for n in range(200 - CONTEXT, 200))]
    assert short[-1].text.split() == [*(f"w{n}" for n in range(CONTEXT)), "…"]


def test_a_text_without_any_change_is_not_cut() -> None:
    pieces = word_diff("same " * 100, "same " * 100)
    assert shortened(pieces) == pieces


def test_five_thousand_characters_are_compared_quickly() -> None:
    before = "the quick brown fox jumps over the lazy dog " * 114
    assert words(word_diff(before, before.replace("lazy", "sleepy")), "added").count("sleepy") == 114


def test_fields_leave_out_what_says_nothing() -> None:
    structured = runs.caption()
    found = fields(Caption(prompt=structured.text(), structured=structured, source="upsample", reasoner="r/1"))
    assert found["segments.0.camera"] == "The camera moves."
    assert found["resolution.W"] == "320"
    assert not {"subjects.0.clothing", "subjects.0.number_of_arms", "segments.0.segment_index"} & found.keys()


def test_changes_name_the_field_and_carry_the_reason() -> None:
    first, last = (
        Caption(prompt=c.text(), structured=c, source="rewrite", reasoner="r/1")
        for c in (runs.caption(), runs.caption("The camera pushes in.", "Bright light."))
    )
    edit = Edit(field="segments.0", before="", after="", criterion="camera", reason="say it")
    found = changes(first, last, [edit])
    assert [c.field for c in found] == [
        "segments.0.camera",
        "lighting.conditions",
        "cinematography.camera_motion",
        "temporal_caption",
    ]
    assert [c.edits for c in found] == [(edit,), (), (), ()]


def test_from_plain_words_to_a_caption_every_field_is_new() -> None:
    structured = runs.caption()
    found = changes(
        Caption.raw("a boat"),
        Caption(prompt=structured.text(), structured=structured, source="rewrite", reasoner="r/1"),
    )
    gone = next(c for c in found if c.field == "prompt")
    assert gone.pieces == (Piece("removed", "a boat"),)
    assert all(p.kind == "added" for c in found if c is not gone for p in c.pieces)


def test_what_changed_since_the_first_caption_follows_the_parents(tmp_path: Path) -> None:
    run = runs.good(tmp_path / "run")
    assert lineage(run, 2) == [0, 1, 2]
    found = {c.field: [e.reason for e in c.edits] for c in since_first(run, 2)}
    assert len(found["cinematography.camera_motion"]) == 2
    assert found["temporal_caption"] == []
    assert since_first(run, 0) == ()


def test_a_short_caption_has_its_fields_too() -> None:
    motion = MotionCaption(
        temporal_caption="A boat drifts.",
        duration="2s",
        fps=24,
        resolution=Resolution(H=192, W=320),
        aspect_ratio="16,9",
    )
    first = Caption(prompt=motion.text(), structured=motion, source="upsample", reasoner="r/1")
    faster = motion.model_copy(update={"temporal_caption": "A boat races."})
    last = first.model_copy(update={"prompt": faster.text(), "structured": faster})
    edit = Edit(field="temporal_caption", before="", after="", criterion="motion", reason="say it")
    (found,) = changes(first, last, [edit])
    assert found.edits == (edit,)
    assert words(found.pieces, "added") == ["races"]


def test_an_edit_of_plain_words_is_an_edit_of_the_prompt() -> None:
    edit = Edit(field="prompt", before="a boat", after="a red boat", criterion="colour", reason="say it")
    (found,) = changes(Caption.raw("a boat"), Caption.raw("a red boat"), [edit])
    assert (found.field, found.edits, words(found.pieces, "added")) == ("prompt", (edit,), ["red"])


def test_a_negative_prompt_is_compared_with_the_requests(tmp_path: Path) -> None:
    run = runs.begin(tmp_path / "run")
    asked = run.request.spec.negative_prompt
    own = Caption.raw("a boat").model_copy(update={"negative_prompt": f"{asked}, fog"})
    assert words(negative(run, own), "added") == [",", "fog"]
    assert negative(run, Caption.raw("a boat")) == ()
    assert negative(run, own.model_copy(update={"negative_prompt": asked})) == ()
    assert words(negative(run, own.model_copy(update={"negative_prompt": ""})), "removed") == asked.split()
