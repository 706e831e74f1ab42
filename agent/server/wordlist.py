"""The safety checker's words: a small list, compared with a text in whatever spelling it comes."""

import json
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from agent.errors import ConfigError

NEAR: Final = 8
"""Words within which the parts of an entry must stand."""
MAX_FILE_BYTES: Final = 2**20
_OWN: Final = "what this server does not make"
"""Category of a list that names none."""
_HEADING: Final = re.compile(r"\[(?P<name>[^\]]{1,80})\]")
_WORD: Final = re.compile(r"[^\W_]+")
_LEET: Final = str.maketrans("013457@$!", "oieastasi")
_ALIKE: Final = str.maketrans("асеорхуіѕјԁһκοαερνι", "aceopxyisjdhkoaepvi")
"""Cyrillic and Greek letters that look like Latin ones."""
_SPELT: Final = re.compile(r"(?<!\S)(?:[a-z] ){3,}[a-z](?!\S)")
_NUMBERS: Final = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
_AGE: Final = rf"(?:1[0-7]|[1-9]|{_NUMBERS.replace(' ', '|')})"
_AGES: Final = re.compile(
    rf"\b{_AGE} ?(?:years? old|yrs? old|yo|y o)\b"
    rf"|\baged? (?:of )?{_AGE}\b(?! (?:days|weeks|months|years|hours|minutes))"
)


@dataclass(frozen=True)
class Entry:
    """One line of a list: what it belongs to, and its parts, each with its alternatives, each a row of words."""

    category: str
    parts: tuple[tuple[tuple[str, ...], ...], ...]


class Words:
    """A list, ready to compare with.

    Args:
        text: as safety_words.txt says.
        name: what errors call the list.

    Raises:
        ConfigError: a line cannot be read.
    """

    def __init__(self, text: str, name: str) -> None:
        lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
        told = [(number, line) for number, line in lines if line and not line.startswith("#")]
        harmless = [line[2:] for _, line in told if line.startswith("- ")]
        self._harmless = [phrase for line in harmless for part in line.split("|") if (phrase := normalised(part))]
        self._entries = list(_entries([line for line in told if not line[1].startswith("- ")], name))
        if not self._entries:
            raise ConfigError(f"{name}: it holds no word; write one a line, or set server.safety.words to false")

    def category(self, text: str) -> str | None:
        """The first category that a text falls into; None: none. A JSON caption is read by its strings."""
        for spelling in _spellings(text):
            padded = f" {spelling} "
            for phrase in self._harmless:
                padded = padded.replace(f" {phrase} ", " ")
            said = padded.split()
            places: dict[str, list[int]] = {}
            for at, word in enumerate(said):
                places.setdefault(word, []).append(at)
            for entry in self._entries:
                if _stands(entry, said, places):
                    return entry.category
        return None


@lru_cache(maxsize=4)
def words(path: str | None) -> Words:
    """The list of a file; None: the one that comes with Retake. Read once.

    Raises:
        ConfigError: it cannot be read.
    """
    if path is None:
        return Words((files("agent.server") / "safety_words.txt").read_text(encoding="utf-8"), "safety_words.txt")
    name = "server.safety.word_file"
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{name}: {path} cannot be read ({error.strerror})") from error
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"{name}: it is over {MAX_FILE_BYTES // 2**20} MiB")
    try:
        return Words(data.decode(), name)
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: it is not UTF-8") from None


def normalised(text: str) -> str:
    """A text as lists are compared with it: words in lower case with one blank between, and nothing unseen."""
    flat = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    seen = "".join(char for char in flat if unicodedata.category(char) not in {"Mn", "Cf", "Me"})
    bare = " ".join(_WORD.findall(seen.translate(_ALIKE)))
    bare = _SPELT.sub(lambda found: found[0].replace(" ", ""), bare)
    return _AGES.sub(" underage ", bare)


def _spellings(text: str) -> Iterator[str]:
    """The text's words; and again with digits and signs as the letters they stand for, where that changes any."""
    whole = " \n ".join([text, *_strings(text)])
    yield normalised(whole)
    spoken = re.sub(r"(?<!\S)(?=\S*[A-Za-z])\S+", lambda found: found[0].translate(_LEET), whole)
    if spoken != whole:
        yield normalised(spoken)


def _strings(text: str) -> list[str]:
    """The strings of a JSON caption, whose escapes hide no word then."""
    if not text.lstrip().startswith(("{", "[")):
        return []
    try:
        level: list[Any] = [json.loads(text)]
    except (ValueError, RecursionError):
        return []
    found = []
    while level:
        value = level.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, dict):
            level += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            level += value
    return found


def _entries(lines: Iterable[tuple[int, str]], name: str) -> Iterator[Entry]:
    category = _OWN
    for number, said in lines:
        heading = _HEADING.fullmatch(said)
        if heading is not None:
            category = heading["name"]
            continue
        parts = tuple(
            tuple(tuple(normalised(phrase).split()) for phrase in part.split("|")) for part in said.split("&")
        )
        if not all(phrase for part in parts for phrase in part):
            raise ConfigError(f"{name}, line {number}: a word is missing beside | or &")
        yield Entry(category, parts)


def _stands(entry: Entry, text: list[str], places: dict[str, list[int]]) -> bool:
    found = []
    for part in entry.parts:
        starts = sorted({at for phrase in part for at in _starts(phrase, text, places)})
        if not starts:
            return False
        found.append(starts)
    return len(found) == 1 or any(all(_near(at, others) for others in found[1:]) for at in found[0])


def _near(at: int, others: list[int]) -> bool:
    """Whether one of `others`, which rise, stands near."""
    next_one = bisect_left(others, at - NEAR)
    return next_one < len(others) and others[next_one] <= at + NEAR


def _starts(phrase: tuple[str, ...], text: list[str], places: dict[str, list[int]]) -> Iterator[int]:
    for at in places.get(phrase[0], ()):
        if tuple(text[at : at + len(phrase)]) == phrase:
            yield at
