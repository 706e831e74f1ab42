import pytest

from reasoner.openai.negative import phrases, without

TEXT = (
    "The video captures frames showing macroblocking artifacts, noise, and rolling shutter. It includes static with no "
    "motion, jump cuts, hard cut, and flickering. Furthermore, the content defies common sense, generating nonsense. "
    "Overall, it is poor."
)


def test_items_of_lists_and_whole_sentences_can_go() -> None:
    assert phrases(TEXT) == (
        "macroblocking artifacts",
        "noise",
        "rolling shutter",
        "static with no motion",
        "jump cuts",
        "hard cut",
        "flickering",
        "Furthermore, the content defies common sense, generating nonsense.",
        "Overall, it is poor.",
    )


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        (["jump cuts", "hard cut"], "It includes static with no motion and flickering."),
        (["static with no motion"], "It includes jump cuts, hard cut, and flickering."),
        (["flickering"], "It includes static with no motion, jump cuts, and hard cut."),
        (["static with no motion", "jump cuts", "hard cut"], "It includes flickering."),
    ],
)
def test_what_is_left_is_a_sentence(gone: list[str], left: str) -> None:
    assert left in without(TEXT, gone)
    assert without(TEXT, gone).startswith("The video captures frames showing macroblocking artifacts, noise, and")


def test_sentences_go_whole() -> None:
    rest = without(TEXT, ["static with no motion", "jump cuts", "hard cut", "flickering", phrases(TEXT)[7]])
    assert (
        rest
        == "The video captures frames showing macroblocking artifacts, noise, and rolling shutter. Overall, it is poor."
    )


def test_keyword_lists() -> None:
    assert without("blurry, shaky, low quality", ["shaky"]) == "blurry, low quality"
    assert without("blurry", ["blurry"]) == ""


def test_nothing_gone_or_unknown_changes_no_letter() -> None:
    odd = "blurry ,shaky,  low quality ; "
    assert without(odd, []) == odd
    assert without(odd, ["cuts"]) == odd
