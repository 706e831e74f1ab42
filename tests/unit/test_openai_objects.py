import pytest

from reasoner.chat.answers import p_yes
from reasoner.chat.objects import Unreadable, read_object
from reasoner.chat.types import Token


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        '```json\n{"a": 1}\n```',
        '```\n{"a": 1}',
        '<think>{"a": 2}</think>{"a": 1}',
        '<think>one</think><Reflection>{"a": 3}</Reflection>\n```json\n{"a": 1}\n```',
        'I think so.</think>{"a": 1}',
        'Here it is, in {braces}: {"a": 1} Enjoy!',
        'Like ```{"a": 9}```'.replace("9", "1"),
        '{"a": 1} <think>unasked',
    ],
)
def test_the_object_is_found(text: str) -> None:
    assert read_object(text) == {"a": 1}


def test_control_characters_and_half_pairs_do_not_get_through() -> None:
    assert read_object('{"a": "one\x01\ntwo \\u0007 \\ud83d"}') == {"a": "one two   \ufffd"}


def test_a_tag_inside_a_string_is_a_string() -> None:
    assert read_object('{"a": "x</think>{y"} and more') == {"a": "x</think>{y"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ('<think>{"a": 1}', "thoughts only"),
        ("<think>hm</think>", "thoughts only"),
        ("I cannot do that.", "no JSON object"),
        ('{"a": {"b": 1}, "c": "and th', "ends before"),
        ('{"a": {"b": 1},', "ends before"),
        ('{"a" 1}', "no valid JSON object"),
        ('{"a": NaN}', "NaN"),
        ('[{"a": 1}]', "list"),
        ("[" * 100_000, "no JSON object"),
        ('{"a":' * 100_000, "ends before"),
    ],
)
def test_what_is_no_object_says_why(text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read_object(text)


def tokens(**probabilities: float) -> list[Token]:
    from math import log

    return [Token(token=name.replace("_", " "), logprob=log(p) if p else -9999.0) for name, p in probabilities.items()]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (tokens(Yes=0.6, No=0.2), 0.75),
        (tokens(Yes=0.3, _yes=0.2, Y=0.1, No=0.1, NO=0.1), 0.75),
        (tokens(Yes=0.0, No=0.5), 0.0),
        (tokens(Not=0.9, Yes=0.05, No=0.05), 0.5),
        (tokens(Perhaps=0.99, Yes=0.004), None),
        (tokens(Yesterday=1.0), None),
        ([], None),
        (None, None),
        ([*tokens(_=0.99)], None),
    ],
)
def test_p_yes(given: list[Token] | None, expected: float | None) -> None:
    assert p_yes(given) == (None if expected is None else pytest.approx(expected))
