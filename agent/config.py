"""RunConfig: the one YAML file that a user edits, and how it is read."""

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import ConfigError
from agent.intake import FetchRules
from agent.types import Budget
from critic.config import CriticConfig, SignalsConfig
from generator.config import AnimaticConfig, GeneratorConfig
from reasoner.config import ReasonerConfig, RulesConfig

NEGATIVE_PROMPT = (
    "The video captures a series of frames showing macroblocking artifacts, chromatic aberration, high-frequency "
    "noise, and rolling shutter distortion. It includes static with no motion, motion blur, over-saturation, "
    "shaky footage, low resolution, grainy texture, pixelated images, poorly lit areas, underexposed and "
    "overexposed scenes, poor color balance, washed out colors, choppy sequences, jerky movements, low frame "
    "rate, bit-depth compression artifacts, color banding, unnatural transitions, outdated special effects, fake "
    "elements, unconvincing visuals, poorly edited content, jump cuts, hard cut, visual noise, and flickering. It "
    "features moiré patterns, edge halos, and temporal aliasing. Furthermore, the content defies common sense, "
    "generating illogical scenarios, nonsensical entities, absurd character behaviors, and conceptual paradoxes "
    "that violate basic human reasoning and everyday reality. The video looks like a surreal or glitchy "
    "hallucination. Overall, the video is of poor quality."
)
"""NVIDIA's, as its post-trained image-to-video template and the hosted endpoint have it, verbatim."""

MAX_PROMPT = 4096
"""Characters of a prompt in words: the hosted endpoint's limit."""
MAX_CAPTION = 20_000
"""Characters of a prompt that is a JSON caption already: NIM's limit."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class RequestConfig(_Section):
    """What is asked for."""

    prompt: str = ""
    """What should happen in the video, in plain words or as a finished JSON caption."""
    image: str | None = None
    """The first frame: a path, an http(s) URL or a data URI. null: text-to-video."""
    negative_prompt: str = Field(default=NEGATIVE_PROMPT, max_length=2048)
    """What the clip should not look like. "" disables it."""
    size: str = "auto"
    """auto, a preset (square_hd, square, portrait_4_3, portrait_16_9, landscape_4_3, landscape_16_9) or WxH; snapped to
    the nearest size that Cosmos3 was trained on. auto: 832x480, or the 480p size nearest to the image's shape."""
    num_frames: int = Field(default=189, ge=5)
    """Frames; moved to the nearest 4k+1. At most 397 (256p), 297 (480p), 197 (720p)."""
    fps: int = Field(default=24, ge=1, le=60)
    """Frames per second."""
    num_inference_steps: int = Field(default=35, ge=1, le=200)
    """Denoising steps: more is slower and cleaner."""
    guidance_scale: float = Field(default=6.0, ge=0, le=20)
    """How closely the prompt is followed."""
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)
    """Seed of the first candidate; the others count up from it. null: drawn once and written down."""
    enable_prompt_expansion: bool = True
    """Let the reasoner write the caption that the model was trained on. false: your words go to the generator as they
    are."""
    image_fetch: FetchRules = FetchRules()
    """How an image URL may be fetched."""


class OutputConfig(_Section):
    """Where runs are kept."""

    dir: str = "runs"
    """Folder that holds one folder a run."""


class RunConfig(_Section):
    """Everything a run needs to know."""

    request: RequestConfig = RequestConfig()
    reasoner: ReasonerConfig = RulesConfig()
    generator: GeneratorConfig = AnimaticConfig()
    critic: CriticConfig = SignalsConfig()
    budget: Budget = Budget()
    output: OutputConfig = OutputConfig()

    def to_yaml(self) -> str:
        """As a config file."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)


PATHS = ("request.image", "output.dir")
"""Keys that hold a path, read relative to the file they stand in."""


def load_config(path: str | Path | None = None, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a config file, apply `key=value` overrides, and check everything.

    Paths in the file are relative to the file; paths in overrides to the current folder. No file: the defaults.

    Raises:
        ConfigError: names the key and the cure.
    """
    source = "config" if path is None else str(path)
    data = {} if path is None else _read(Path(path).expanduser())
    base = Path.cwd() if path is None else Path(path).expanduser().resolve().parent
    for key in PATHS:
        _make_absolute(data, key, base)
    for override in overrides:
        _apply(data, override)
    return check(data, source)


def check(data: Mapping[str, Any], source: str = "config") -> RunConfig:
    """Validate plain data as a config.

    Raises:
        ConfigError: names the key and the cure.
    """
    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        lines = [f"{source}: {line}" for line in (_line(e) for e in error.errors(include_url=False))]
        raise ConfigError("\n".join(lines)) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such config file; configs/quickstart.yaml is a complete one to start from"
        ) from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder, not a config file; to go on with a run use --resume") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not a text file in UTF-8") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(
            f"{path}: must be a mapping of sections ({', '.join(RunConfig.model_fields)}), not a {_kind(data)}"
        )
    return data


def _make_absolute(data: dict[str, Any], key: str, base: Path) -> None:
    section, _, name = key.partition(".")
    place = data.get(section)
    value = place.get(name) if isinstance(place, dict) else None
    if isinstance(place, dict) and isinstance(value, str) and value and not is_remote(value):
        place[name] = os.path.normpath(base / Path(value).expanduser())


def is_remote(image: str) -> bool:
    """Whether an image is named by a URL or data URI and not by a path."""
    head = image.lstrip()[:16].lower()
    return head.startswith("data:") or "://" in head


def _apply(data: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"-s {override!r}: must look like budget.max_iterations=3")
    value = _value(text, override)
    *path, last = key.strip().split(".")
    place = data
    for part in path:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"-s {override!r}: {part} is not a section")
        place = inner
    place[last] = value


def _value(text: str, override: str) -> object:
    """A value as YAML reads it, but for words: a colon in a prompt makes no mapping, and nothing is the empty text."""
    collection = text.lstrip().startswith(("[", "{"))
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        if not collection:
            return text
        raise ConfigError(f"-s {override!r}: the value is not YAML: {' '.join(str(error).split())}") from error
    return text if text == "" or (isinstance(value, dict | list) and not collection) else value


def _line(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        *parents, name = (str(part) for part in error["loc"])
        known = _keys(parents)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        cure = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        return f"{where}: unknown key; {cure}"
    given = error["input"]
    shown = f" (got {given!r:.60})" if not isinstance(given, dict | list) else f" (got a {_kind(given)})"
    return f"{where}: {error['msg'][:1].lower()}{error['msg'][1:]}{shown}"


def _keys(path: Sequence[str]) -> list[str]:
    model: Any = RunConfig
    for part in path:
        field = model.model_fields.get(part)
        if field is None:  # the tag of a union of backends
            continue
        annotation = field.annotation
        model = next(
            (a for a in (annotation, *get_args(annotation)) if isinstance(a, type) and issubclass(a, BaseModel)), model
        )
    return list(model.model_fields)


def _kind(value: object) -> str:
    return {list: "list", dict: "mapping", str: "text", int: "number", float: "number", bool: "true/false"}.get(
        type(value), "value"
    )
