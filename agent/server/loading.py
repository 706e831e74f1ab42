"""A config file as `retake serve` reads it: the run config, the `server` section, and each model's run config."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from agent import reading
from agent.building import endpoints
from agent.errors import ConfigError
from agent.server.config import Served, ServerConfig, merged
from agent.thresholds import settled

PATHS: Final = (("api_key_file",), ("safety", "word_file"))
"""Keys of the section that hold a path, read relative to the file they stand in."""


def load(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Served:
    """Read a config file for `retake serve`.

    Raises:
        ConfigError: names the key and the cure.
    """
    source = "config" if path is None else str(path)
    data, keys = reading.parsed(path, overrides)
    section = data.pop(reading.SERVER, {})
    if not isinstance(section, dict):
        raise ConfigError(f"{source}: server: must be a section such as {{limits: …}}")
    here = Path.cwd() if path is None else Path(path).expanduser().resolve().parent
    for names in PATHS:
        place: Any = section
        for name in names[:-1]:
            place = place.get(name) if isinstance(place, dict) else None
        if isinstance(place, dict) and isinstance(place.get(names[-1]), str):
            place[names[-1]] = str(here / Path(place[names[-1]]).expanduser())
    server = _checked(section, source)
    base = settled(reading.check(data, source, keys))
    models = {}
    for name, model in server.models.items():
        at = f"{source}: server.models.{name}"
        models[name] = settled(reading.check(merged(data, model.changes), at)) if model.changes else base
        endpoints(models[name])  # a key that is missing is said before anything is served
    return Served(base=base, server=server, models=models)


def _checked(section: Mapping[str, Any], source: str) -> ServerConfig:
    try:
        return ServerConfig.model_validate(section)
    except ValidationError as error:
        lines = []
        for fault in error.errors(include_url=False, include_input=False):
            where = ".".join(("server", *map(str, fault["loc"])))
            said = fault["msg"].removeprefix("Value error, ")
            if fault["type"] == "extra_forbidden":
                said = "unknown key; `retake config --server` prints those there are"
            lines.append(f"{source}: {where}: {said[:1].lower()}{said[1:]}")
        raise ConfigError("\n".join(lines)) from None
