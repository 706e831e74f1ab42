"""JSON that must be read whole, since it is one value: within limits, and with what is said twice."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

from agent.errors import ConfigError

MAX_BYTES: Final = 64 << 20
"""Of a file."""
MAX_DEPTH: Final = 32
"""Lists and objects inside one another."""


def load(path: Path) -> tuple[Any, frozenset[str]]:
    """A file's JSON value, and the keys that one of its objects has more than once: JSON keeps the last value alone.

    Raises:
        ConfigError: too large, nested too deeply, or no JSON in UTF-8.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ConfigError(
            f"{path}: has {size / 2**20:,.0f} MiB, and JSON must be read whole: at most {MAX_BYTES >> 20} MiB of it; "
            "split it, or make a CSV or JSONL of it (docs/bench-data.md)"
        )
    twice: set[str] = set()

    def watched(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            twice.update(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        return made

    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=watched)
    except RecursionError as error:
        raise ConfigError(f"{path}: its JSON is nested too deeply") from error
    except ValueError as error:  # no JSON, no UTF-8, or a number of thousands of digits
        raise ConfigError(f"{path}: is no JSON ({error})") from error
    if _deeper(value, MAX_DEPTH):
        raise ConfigError(f"{path}: its JSON is nested more than {MAX_DEPTH} deep")
    return value, frozenset(twice)


def _deeper(value: Any, levels: int) -> bool:
    """Whether there are more than `levels` lists or objects inside one another."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper(one, levels - 1) for one in inner)
