"""How a config file is read, and in which words it is refused."""

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from agent.config import RunConfig
from agent.errors import ConfigError
from agent.thresholds import settled

PATHS = (
    *("request.image", "request.video", "request.controls", "output.dir"),
    *("critic.rubric", "critic.threshold_file", "search.draft_correlation"),
)
"""Keys that hold a path, read relative to the file they stand in."""
MAX_BYTES = 1 << 20
"""Of a config file."""


def expand(path: str | Path, name: str) -> Path:
    """A path with its `~` expanded.

    Raises:
        ConfigError: it cannot be one. `name`: where it was given.
    """
    try:
        expanded = Path(path).expanduser()
        expanded.stat()
    except FileNotFoundError:
        return expanded
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, PermissionError):
            return expanded
        raise ConfigError(
            f"{name}: {str(path)[:80]!r} cannot be a path: {getattr(error, 'strerror', None) or error}"
        ) from None
    return expanded


SERVER = "server"
"""The section that `retake serve` alone reads."""


def load_config(path: str | Path | None = None, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a config file, apply `key=value` overrides, and check everything. A threshold file gives `critic.accept_at`.

    Paths in the file are relative to the file; paths in overrides to the current folder. No file: the defaults.

    Raises:
        ConfigError: names the key and the cure.
    """
    data, keys = parsed(path, overrides)
    data.pop(SERVER, None)
    return settled(check(data, "config" if path is None else str(path), keys))


def parsed(path: str | Path | None, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], list[str]]:
    """A config file's plain data with the overrides applied, its paths absolute; and the keys that were overridden.

    Raises:
        ConfigError: as in `load_config`, but for what only `check` sees.
    """
    file = None if path is None else expand(path, "config")
    data = {} if file is None else _read(file)
    data = {section: {} if value is None else value for section, value in data.items()}
    for key in PATHS:
        _make_absolute(data, key, Path.cwd() if file is None else file.resolve().parent)
    keys = [_apply(data, override) for override in overrides]
    for key in set(keys) & set(PATHS):
        _make_absolute(data, key, Path.cwd())
    if "critic.threshold_file" in keys and "critic.accept_at" not in keys:
        _without_its_threshold(data)
    return data, keys


def check(data: Mapping[str, Any], source: str = "config", overridden: Sequence[str] = ()) -> RunConfig:
    """Validate plain data as a config. `overridden`: keys that came from the command line and not from `source`.

    Raises:
        ConfigError: names every wrong key and the cure.
    """
    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        lines = []
        for fault in error.errors(include_url=False):
            if _beside(fault):
                continue
            path = _plain(fault["loc"])
            if fault["type"].startswith("union_tag"):
                path.append("backend")
            where = ".".join(path)
            typed = any(where == key or where.startswith(f"{key}.") for key in overridden)
            lines.append(f"{'-s' if typed else f'{source}:'} {where}: {_fault(fault, data)}")
        raise ConfigError("\n".join(lines)) from error


class _Loader(yaml.SafeLoader):
    """YAML in which a key stands once: the second would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: is over {MAX_BYTES:,} bytes, and so no config file")
        data = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such config file in {Path.cwd()}; leave it out for the embedded defaults, or start "
            "from one of those in configs/ of the repository"
        ) from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder, not a config file; `retake run --resume` goes on with a run") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not a text file in UTF-8") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: {_yaml_fault(error)}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        sections = ", ".join(RunConfig.model_fields)
        raise ConfigError(f"{path}: must be a mapping of sections ({sections}), not a {_kind(data)}")
    return data


def _yaml_fault(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or (str(error) if isinstance(error, ValueError) else "nested too deep")
    if mark is None:
        return f"is not YAML: {problem}"
    return f"line {mark.line + 1}, column {mark.column + 1}: is not YAML: {problem} (is a space missing after a colon?)"


def _make_absolute(data: dict[str, Any], key: str, base: Path) -> None:
    section, _, name = key.partition(".")
    place = data.get(section)
    value = place.get(name) if isinstance(place, dict) else None
    if isinstance(value, list):
        for item in value:
            _enter(item, "path", base, f"{key}.path")
    else:
        _enter(place, name, base, key)


def _enter(place: Any, name: str, base: Path, key: str) -> None:
    value = place.get(name) if isinstance(place, dict) else None
    if isinstance(value, str) and value and not is_remote(value):
        place[name] = os.path.normpath(base / expand(value, key))


def is_remote(image: str) -> bool:
    """Whether an image is named by a URL or data URI and not by a path."""
    head = image.lstrip()[:16].lower()
    return head.startswith("data:") or "://" in head


def _apply(data: dict[str, Any], override: str) -> str:
    """Put an override into `data`. Returns its key."""
    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigError(f"-s {override!r}: must look like budget.max_iterations=3")
    value = _value(text, override)
    *path, last = key.split(".")
    place = data
    for part in path:
        if (
            place.get(part) is None or place[part] == "auto"
        ):  # a section that is switched off is switched on by a key of it
            place[part] = {}
        inner = place[part]
        if not isinstance(inner, dict):
            raise ConfigError(f"-s {override!r}: {part} is not a section")
        place = inner
    place[last] = value
    return key


def _value(text: str, override: str) -> object:
    """A value as YAML reads it, but for words: a colon in a prompt makes no mapping, and nothing is the empty text."""
    collection = text.lstrip().startswith(("[", "{"))
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if not collection:
            return text
        raise ConfigError(f"-s {override!r}: {_yaml_fault(error)}") from error
    return text if text == "" or (isinstance(value, dict | list) and not collection) else value


def _without_its_threshold(data: dict[str, Any]) -> None:
    """A threshold file that the command line names takes the place of the threshold in the config file."""
    critic = data.get("critic")
    if isinstance(critic, dict) and critic.get("threshold_file") is not None:
        critic.pop("accept_at", None)


def _plain(loc: Sequence[Any]) -> list[str]:
    """A fault's place without the tag that names the backend or the member of a union: nobody wrote it as a key."""
    section = RunConfig.model_fields.get(str(loc[0])) if loc else None
    if section is None or len(loc) < 2:
        return [str(part) for part in loc]
    tag = 1 if len(_models(section)) > 1 else 2 if len(loc) > 2 and str(loc[2]) in _members(loc) else None
    return [str(part) for index, part in enumerate(loc) if index != tag]


def _members(loc: Sequence[Any]) -> list[str]:
    """What the library calls the members of a key that takes a section or words: `search.draft` does."""
    key = _models(RunConfig.model_fields[str(loc[0])])[0].model_fields.get(str(loc[1]))
    words = [] if key is None else _words(key)
    return (
        [*(kind.__name__ for kind in _models(key)), f"literal[{','.join(map(repr, words))}]"] if key and words else []
    )


def _words(field: FieldInfo) -> list[str]:
    """The words that a key may hold instead of a section."""
    kinds = get_args(field.annotation) if _models(field) else ()
    return [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]


def _beside(error: Any) -> bool:
    """Whether a fault says no more than the one of another member of the same union does."""
    loc = error["loc"]
    return error["type"] == "literal_error" and len(loc) > 2 and len(_plain(loc)) == 2 and str(loc[2]) in _members(loc)


def _fault(error: Any, data: Mapping[str, Any]) -> str:
    """What is wrong with one key, and the cure."""
    given, kind = error["input"], error["type"]
    if kind == "extra_forbidden":
        return f"unknown key; {_nearest(_plain(error['loc']), data)}"
    if error["loc"] and error["loc"][-1] == "api_key_env":
        return "must be the name of an environment variable, and never the key itself"
    if kind == "union_tag_invalid":
        tags = error["ctx"]["expected_tags"].replace(", ", " or ")
        return f"this version has {tags} (got {error['ctx']['tag']!r:.60})"
    said = f"{error['msg'][:1].lower()}{error['msg'][1:]}"
    if kind == "literal_error" and error["loc"][-1] == "backend":
        said = f"this version has {error['ctx']['expected']}"
    said = said.removeprefix("value error, ")
    if kind == "model_type":
        said = f"must be {_instead(_plain(error['loc']), data)}"
    if kind == "tuple_type":
        said = f"must be a list, such as [{given}]" if isinstance(given, str) else "must be a list, such as [a, b]"
    if error["loc"] and {error["loc"][-1], error["loc"][-2:-1] and error["loc"][-2]} & {"base_url", "endpoints"}:
        return said  # what was given may hold a password
    if kind == "value_error" and isinstance(given, dict):
        return said  # of several keys, which it names
    shown = f"(got a {_kind(given)})" if isinstance(given, dict | list) else f"(got {given!r:.60})"
    cure = "; put it in quotes" if kind == "string_type" and isinstance(given, int | float) else ""
    return f"{said} {shown}{cure}"


def _instead(path: Sequence[str], data: Mapping[str, Any]) -> str:
    """What a key takes that was given something else than its section."""
    section = f"a section such as {{{_keys(path, data)[0]}: …}}"
    field = _models(RunConfig.model_fields[path[0]])[0].model_fields.get(path[1]) if len(path) == 2 else None
    if field is None:
        return section
    nothing = ["null"] if type(None) in get_args(field.annotation) else []
    others = ", ".join([*_words(field), *nothing])
    return f"{others} or {section}" if others else section


def _nearest(path: Sequence[str], data: Mapping[str, Any]) -> str:
    *parents, name = path
    known = _keys(parents, data)
    if near := difflib.get_close_matches(name, known, n=1, cutoff=0.5):
        return f"did you mean {near[0]}?"
    if len(parents) == 1 and parents[0] in RunConfig.model_fields:
        for kind in _models(RunConfig.model_fields[parents[0]]):
            if name in kind.model_fields:
                return f"it belongs to {parents[0]}.backend: {kind.model_fields['backend'].default}"
    homes = [f"{section}.{name}" for section in RunConfig.model_fields if name in _keys([section], data)]
    listed = known if parents else [*known, SERVER]
    return f"did you mean {homes[0]}?" if homes else f"known here: {', '.join(listed)}"


def _keys(path: Sequence[str], data: Mapping[str, Any]) -> list[str]:
    """The keys of the section at `path`; of a section with several backends, those of the one that `data` names."""
    model: type[BaseModel] = RunConfig
    for depth, part in enumerate(path):
        found = _models(model.model_fields[part]) if part in model.model_fields else []
        section = data.get(part) if depth == 0 else None
        named = section.get("backend") if isinstance(section, dict) else None
        backends = {kind.model_fields["backend"].default: kind for kind in found if "backend" in kind.model_fields}
        model = backends.get(named) or (found[0] if found else model)
    return list(model.model_fields)


def _models(field: FieldInfo) -> list[type[BaseModel]]:
    """The sections that a key may hold."""
    kinds = (field.annotation, *get_args(field.annotation))
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _kind(value: object) -> str:
    names = {list: "list", dict: "mapping", str: "text", int: "number", float: "number", bool: "true/false"}
    return names.get(type(value), "value")
