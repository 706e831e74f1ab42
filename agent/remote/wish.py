"""What of a config a server is told, and what is refused since it is the server's to decide."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

from agent.config import RunConfig
from agent.errors import ConfigError

CARRIED: Final[Mapping[str, Mapping[str, str]]] = {
    "request": {
        name: name
        for name in (
            *("negative_prompt", "size", "num_frames", "fps", "num_inference_steps", "guidance_scale", "flow_shift"),
            *("sound", "guardrails", "seed", "enable_prompt_expansion"),
        )
    },
    "critic": {"accept_at": "accept_at"},
    "budget": {
        name: name
        for name in (
            *("max_iterations", "samples_per_iteration", "early_stop", "max_seconds", "max_renders"),
            *("max_gpu_seconds", "max_price_usd", "patience", "plateau", "plateau_iterations", "min_expected_gain"),
            "speculate",
        )
    },
    "search": {
        name: name for name in ("include_raw_prompt", "racing", "await_verdicts", "draft", "pairwise", "canaries")
    },
    "output": {
        "format": "format",
        "quality": "quality",
        "export_fps": "export_fps",
        "interpolation": "interpolation",
        "sound": "keep_sound",
    },
}
"""By section, keys of a config and the names that `POST /v1/runs` has for them."""
_APART: Final = {"request": {"prompt", "image", "video", "controls"}, "output": {"dir"}}
"""Keys that are sent otherwise, or are about this machine."""
_NULLED: Final = {"draft", "pairwise", "canaries"}
"""Keys whose null means never, and is spelt "none" on the wire."""


def wished(config: RunConfig) -> dict[str, Any]:
    """The fields of `POST /v1/runs` that a config names; what it leaves out is as the server's config has it.

    Raises:
        ConfigError: it names, with another value than the default, what a server decides for itself.
    """
    if theirs := list(_theirs(config)):
        raise ConfigError(
            f"{', '.join(theirs)}: the server decides that; leave out what is about who writes, renders and judges "
            "(--server-model chooses among the models it offers), or run without a server"
        )
    return {
        wire: _plain(key, value)
        for section, keys in CARRIED.items()
        for key, wire in keys.items()
        if key in getattr(config, section).model_fields_set
        and ((value := getattr(getattr(config, section), key)) is not None or key in _NULLED)
    }


def _theirs(config: RunConfig) -> Iterator[str]:
    """Keys that no request carries, where they are not the defaults."""
    usual = RunConfig()
    for section in RunConfig.model_fields:
        mine, default = getattr(config, section), getattr(usual, section)
        if type(mine) is not type(default):
            yield f"{section}.backend"
            continue
        kept = {*CARRIED.get(section, ()), *_APART.get(section, ())}
        for key in type(mine).model_fields:
            value = getattr(mine, key)
            if key not in kept and value != getattr(default, key):
                yield f"{section}.{key}"
            elif key == "accept_at" and value is None:
                yield f"{section}.{key}: null (give budget.early_stop: false)"


def _plain(key: str, value: Any) -> Any:
    if value is None and key in _NULLED:
        return "none"
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def named_here(field: str) -> str:
    """The config's key for a field of the wire, for a message; the field itself where it has none."""
    head, dot, rest = field.partition(".")
    if head in {"prompt", "image", "video", "controls"}:
        return f"request.{field}"
    for section, keys in CARRIED.items():
        for key, wire in keys.items():
            if wire == head:
                return f"{section}.{key}{dot}{rest}"
    return field
