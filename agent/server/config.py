"""The `server` section of a config file, and the run config that each model name stands for."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from agent.config import RunConfig

_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9.])?")
_AT: Final = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
_ADDRESS: Final = re.compile(rf"https?://{_AT}(/[^?#\s]*)?")
_ORIGIN: Final = re.compile(rf"[a-z][a-z0-9+.-]*://(?=[^A-Z]*$){_AT}")


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class ModelConfig(_Section):
    """A model that clients may name: what is different for it from the config above."""

    aliases: tuple[str, ...] = Field(default=(), strict=False)
    """Other names that it answers to, such as a model that a client has fixed."""
    request: dict[str, Any] = {}
    reasoner: dict[str, Any] = {}
    generator: dict[str, Any] = {}
    critic: dict[str, Any] = {}
    budget: dict[str, Any] = {}
    search: dict[str, Any] = {}
    output: dict[str, Any] = {}

    @property
    def changes(self) -> dict[str, dict[str, Any]]:
        """By section. One that names a backend stands by itself; the keys of any other go over those above."""
        return {name: part for name in RunConfig.model_fields if (part := getattr(self, name, None))}


class LimitsConfig(_Section):
    """How much is taken at once."""

    max_running: int = Field(default=2, ge=1, le=1000)
    """Runs at the same time. A backend has a queue of its own; the embedded one wants a core for each."""
    max_queued: int = Field(default=100, ge=0, le=100_000)
    """Jobs that wait; one more is answered with 429 and Retry-After."""
    max_running_per_key: int | None = Field(default=None, ge=1)
    """Of one key. The others of that key wait. null: no limit."""
    max_queued_per_key: int | None = Field(default=None, ge=1)
    """Likewise of those that wait. null: no limit."""
    backend_seconds: float = Field(default=600.0, ge=0)
    """Seconds that a request waits for backends of its model that do not answer, also where they went away while it
    ran. Then it is begun all the same, and fails with the cause. 0: at once."""
    engine_silent_seconds: float | None = Field(default=120.0, ge=3)
    """Seconds that the process which carries runs may say nothing while the server itself works. Then it hangs: it is
    killed and started again, and its runs go on. null: it is never taken to hang."""
    max_renders_per_run: int = Field(default=64, ge=1)
    """Renders that one request may ask for: iterations times samples, and what drafts lead to."""
    max_body_bytes: int = Field(default=32 * 2**20, ge=2**10, le=2**30)
    """Of a request's body, data URIs included; uploads have their own limit."""
    max_upload_bytes: int = Field(default=512 * 2**20, ge=2**10, le=2**36)
    """Of one uploaded file."""
    max_uploaded_bytes_per_key: int = Field(default=8 * 2**30, ge=2**10)
    """Of all uploads that one key keeps here."""
    max_input_bytes_per_key: int = Field(default=8 * 2**30, ge=2**10)
    """Of media that came with, or were uploaded for, requests of one key which wait or run: they are kept until these
    are over, whatever becomes of the upload, and each file counts once."""
    requests_per_second: float | None = Field(default=1000.0, gt=0)
    """Of one key, on average; a burst of ten seconds' worth passes. Polling clients ask up to 10 times a second a job.
    null: no limit."""
    sync_seconds: float = Field(default=3600.0, gt=0)
    """Longest that a request which waits for its result (fal's run, NIM's infer) is held open."""


class RetentionConfig(_Section):
    """How long what is over is kept."""

    days: float | None = Field(default=7.0, gt=0)
    """After a job's end; its folder, uploads and addresses are gone then. null: for ever."""
    gib: float | None = Field(default=50.0, gt=0)
    """Of all run folders; the oldest that are over go first. null: no limit."""
    upload_hours: float = Field(default=24.0, gt=0)
    """For uploads that nobody used or that were used long ago."""


class SafetyConfig(_Section):
    """The safety checker, where a request asks for it (fal's default)."""

    words: bool = True
    """Hold the prompt against the word list."""
    word_file: str | None = None
    """A word list of your own, one word or phrase a line. null: the one that comes with Retake."""
    reasoner: Literal["auto", "always", "never"] = "auto"
    """Ask the reasoner about prompt, image and video. auto: where it is a model. always: a request is refused (503)
    where it cannot be asked."""
    backend: bool = True
    """Also ask the backend for its own guardrails, where it has them."""
    may_switch_off: bool = True
    """A request may switch the checker off. false: it is asked in vain, and the response says so."""


class WebhookConfig(_Section):
    """Telling the end of a job to an address."""

    allow_private_addresses: bool = False
    """Also to this machine and the local network. A server for others must keep this off."""
    attempts: int = Field(default=10, ge=1, le=100)
    """Within `hours`, ever farther apart."""
    hours: float = Field(default=2.0, gt=0)
    timeout_seconds: float = Field(default=15.0, gt=0, le=300)
    """Of one attempt."""


class ServerConfig(_Section):
    """Everything that `retake serve` needs to know beside what a run does."""

    models: dict[str, ModelConfig] = Field(
        default={
            "cosmos-3-super": ModelConfig(aliases=("sora-2", "sora-2-pro", "nvidia/cosmos-3-super")),
            "cosmos-3-nano": ModelConfig(aliases=("nvidia/cosmos-3-nano",)),
            "cosmos-predict-2.5": ModelConfig(aliases=("fal-ai/cosmos-predict-2.5",)),
            "cogvideox-5b": ModelConfig(aliases=("fal-ai/cogvideox-5b",)),
        }
    )
    """Models that clients may name, each with what is different for it from the config above."""
    default_model: str = "cosmos-3-super"
    """For requests that name none (NIM)."""
    nim_agentic: bool = False
    """Requests to /v1/infer run the whole loop. NIM has no field that says so, and its clients expect the time of one
    render. false: one caption and one render, measured."""
    public_url: str | None = None
    """http(s)://host[:port][/prefix] under which clients reach this server, if that is not the one they ask at."""
    hosts: tuple[str, ...] = Field(default=(), strict=False)
    """Names under which it may be asked (the Host header) beside localhost, public_url's and fal's. ["*"]: any."""
    trusted_proxies: tuple[str, ...] = Field(default=(), strict=False)
    """Addresses of proxies whose X-Forwarded-For and -Proto are believed."""
    cors_origins: tuple[str, ...] = Field(default=(), strict=False)
    """Origins whose pages may ask from a browser, such as https://studio.example. ["*"]: any."""
    api_keys_env: str = Field(default="RETAKE_API_KEYS", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")
    """Name of the environment variable with the keys, separated by commas: KEY, NAME=KEY or NAME:run+read=KEY."""
    api_key_file: str | None = None
    """File of hashed keys, as `retake serve --new-key` prints them."""
    allow_anybody: bool = False
    """Take requests without a key although others than this machine can reach the server."""
    limits: LimitsConfig = LimitsConfig()
    retention: RetentionConfig = RetentionConfig()
    safety: SafetyConfig = SafetyConfig()
    webhooks: WebhookConfig = WebhookConfig()
    drain_seconds: float = Field(default=30.0, ge=0)
    """After SIGTERM, for runs to end; what has not goes on at the next start."""

    @field_validator("public_url")
    @classmethod
    def _whole(cls, url: str | None) -> str | None:
        if url is not None and _ADDRESS.fullmatch(url) is None:
            raise ValueError("must look like https://studio.example or https://studio.example:8443/prefix")
        return url

    @field_validator("hosts")
    @classmethod
    def _bare(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [name for name in names if name != "*" and _NAME.fullmatch(name) is None]:
            raise ValueError(f"{wrong[0]!r:.80} must be a bare name such as studio.example: no scheme, port or path")
        return names

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [origin for origin in origins if origin != "*" and _ORIGIN.fullmatch(origin) is None]:
            raise ValueError(
                f"{wrong[0]!r:.80} must be as browsers send it, such as https://studio.example: a scheme, a name in "
                "lower case, its port if it has one, nothing behind"
            )
        return origins

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        seen: set[str] = set()
        for name, model in self.models.items():
            for word in (name, *model.aliases):
                if word in seen:
                    raise ValueError(f"models: the name {word!r} stands twice")
                seen.add(word)
        if self.default_model not in seen:
            raise ValueError(f"default_model: {self.default_model!r} is none of models")
        return self

    def to_yaml(self) -> str:
        """As the section of a config file."""
        data = self.model_dump(mode="json")
        data["models"] = {
            name: model.model_dump(mode="json", exclude_defaults=True) for name, model in self.models.items()
        }
        return yaml.safe_dump({"server": data}, sort_keys=False, allow_unicode=True, width=120)

    def model_named(self, name: str) -> str | None:
        """The model that a name or alias stands for; None: none."""
        if name in self.models:
            return name
        return next((model for model, its in self.models.items() if name in its.aliases), None)


class Served(BaseModel):
    """A whole config file as `retake serve` reads it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: RunConfig
    server: ServerConfig
    models: dict[str, RunConfig]
    """The config that each model's runs are made with, but for what a request asks."""

    @property
    def folder(self) -> Path:
        """Where run folders lie, and in `.server` what the server itself keeps."""
        return self.base.output.folder.expanduser().resolve()


def merged(data: Mapping[str, Any], changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A config's plain data with a model's changes."""
    out = dict(data)
    for section, keys in changes.items():
        before = out.get(section)
        over = before if isinstance(before, dict) and "backend" not in keys else {}
        out[section] = {**over, **keys}
    return out
