"""A config file as `retake serve` reads it: the run config, the `server` section, and each model's run config."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from agent import reading
from agent.building import endpoints
from agent.building.generators import NIM_URL
from agent.config import RunConfig
from agent.errors import ConfigError
from agent.server.config import ModelConfig, Served, ServerConfig, merged
from agent.server.engine.warm import wanted_by
from agent.server.wordlist import words
from agent.serving.endpoints import shared_by_turns
from agent.thresholds import settled
from generator.config import NIMConfig

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
    server = _checked(section, source, keys)
    if server.safety.words and server.safety.word_file is not None:
        words(server.safety.word_file)  # one that cannot be read is said before anything is served
    _inside(data, source)
    base = settled(reading.check(data, source, keys))
    models: dict[str, RunConfig] = {}
    started: dict[int, tuple[str, object]] = {}
    for name, model in server.models.items():
        at = f"{source}: server.models.{name}"
        models[name] = settled(reading.check(merged(data, model.changes), at)) if model.changes else base
        endpoints(models[name])  # a key that is missing is said before anything is served
        if shared_by_turns(models[name]) is not None and server.limits.max_running > 1:
            raise ConfigError(
                f"{source}: server.limits.max_running: the servers of {name} take turns (generator.serve.time_share), "
                "which runs side by side cannot share; set it to 1, or time_share to false"
            )
        for part, serve, _ in wanted_by(models[name]):
            other, already = started.setdefault(serve.port, (f"{name}'s {part}", serve))
            if already != serve:
                raise ConfigError(
                    f"{source}: the {part} of {name} is a server on port {serve.port}, and so is {other}, another one; "
                    "give one of them another serve.port"
                )
    return Served(base=base, server=server, models=models)


def _inside(data: Mapping[str, Any], source: str) -> None:
    for key in data:
        if key in ServerConfig.model_fields:
            raise ConfigError(f"{source}: {key}: unknown key; did you mean server.{key}?")


def _checked(section: Mapping[str, Any], source: str, overridden: Sequence[str]) -> ServerConfig:
    try:
        return ServerConfig.model_validate(section)
    except ValidationError as error:
        lines = []
        for fault in error.errors(include_url=False, include_input=False):
            where = ".".join(("server", *map(str, fault["loc"])))
            typed = any(where == key or where.startswith(f"{key}.") for key in overridden)
            lines.append(
                f"{'-s' if typed else f'{source}:'} {where}: {_said(fault['type'], fault['msg'], fault['loc'])}"
            )
        raise ConfigError("\n".join(lines)) from None


def _said(kind: str, told: str, loc: Sequence[int | str]) -> str:
    """What is wrong with a key of the section, and the cure."""
    if kind == "extra_forbidden":
        known = _keys(loc[:-1])
        near = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.5)
        return "unknown key; " + (f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}")
    if kind == "tuple_type":
        return "must be a list, such as [a, b]"
    if kind in {"model_type", "dict_type"}:
        return f"must be a section such as {{{next(iter(_keys(loc)), 'NAME')}: …}}"
    if loc[-1:] == ("api_keys_env",):
        return "must be the name of an environment variable, and never the keys themselves"
    said = told.removeprefix("Value error, ")
    return said[:1].lower() + said[1:]


def _keys(path: Sequence[int | str]) -> list[str]:
    """The keys of the part of the section that stands there."""
    if path[:1] == ("models",):
        return list(ModelConfig.model_fields) if len(path) == 2 else []
    model: type[BaseModel] = ServerConfig
    for part in path:
        kind = model.model_fields[str(part)].annotation
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        model = kind
    return list(model.model_fields)


def apart(served: Served, port: int) -> None:
    """Check that no backend is looked for where this server itself listens.

    Raises:
        ConfigError: one is.
    """
    for name, config in served.models.items():
        for part, endpoint in endpoints(config).items():
            place = endpoint.serve.port if endpoint.serve is not None else _local_port(endpoint.base_url)
            if place == port:
                raise _taken(name, part, port)
        generator = config.generator
        serve = getattr(generator, "serve", None)
        places = {_local_port(url) for url in getattr(generator, "endpoints", ())}
        if isinstance(generator, NIMConfig) and not generator.endpoints:
            places = {_local_port(NIM_URL)}
        if port in places or (serve is not None and serve.port == port):
            raise _taken(name, "generator", port)


def _taken(model: str, part: str, port: int) -> ConfigError:
    return ConfigError(
        f"--port {port}: the {part} of {model} is configured on that port of this machine; give another --port"
    )


def _local_port(url: str | None) -> int | None:
    """The port of an address on this machine; None: it is of another, or none."""
    if url is None:
        return None
    parts = urlsplit(url)
    if (parts.hostname or "") not in {"127.0.0.1", "localhost", "::1"}:
        return None
    return parts.port or (443 if parts.scheme == "https" else 80)
