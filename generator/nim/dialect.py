"""Which dialect of `/v1/infer` a NIM speaks, and what it says it is."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Dialect = Literal["v1", "v2", "predict", "transfer"]

MARKS: tuple[tuple[Dialect, frozenset[str]], ...] = (
    ("v2", frozenset({"model_mode"})),
    ("v1", frozenset({"num_output_frames"})),
    ("predict", frozenset({"video_params"})),
    ("transfer", frozenset({"edge", "depth", "vis", "seg"})),
)
"""Names of request fields that only one dialect has."""
INFER = "/v1/infer"
_DEEPEST = 20


class Served(BaseModel):
    """A NIM, as it describes itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dialect: Dialect
    model: str = ""
    """Name, variant and checkpoint; "" where it tells none."""
    version: str = ""
    """Of the NIM."""
    fields: frozenset[str] | None = None
    """What a request may hold; None: it does not say."""


def fields(openapi: object) -> frozenset[str] | None:
    """Names that the body of `POST /v1/infer` may hold, from an OpenAPI document; None if it tells none."""
    post = _at(openapi, "paths", INFER, "post", "requestBody", "content", "application/json", "schema")
    found = frozenset(_properties(post, openapi, 0))
    return found or None


def told_by_fields(names: frozenset[str]) -> Dialect | None:
    """The dialect that a request with these names belongs to."""
    return next((dialect for dialect, marks in MARKS if marks & names), None)


def told_by_names(metadata: Mapping[str, Any], version: Mapping[str, Any]) -> Dialect | None:
    """The dialect that the names of `/v1/metadata` and `/v1/version` speak of; None unless they are plain."""
    told = " ".join(_names(metadata)).lower()
    if "transfer" in told:
        return "transfer"
    if "predict" in told:
        return "predict"
    if "cosmos3-generator" in told:
        return "v1"
    release = str(version.get("release") or metadata.get("version") or "").partition(".")[0]
    if "cosmos3" in told and metadata.get("model_type") == "generator" and release in {"2", "4"}:
        return "v2"  # the unified NIM: image cosmos3:2.1.0, documentation 4.0.0
    return None


def model(metadata: Mapping[str, Any]) -> str:
    """The model's name, variant and checkpoint in one line."""
    info = _first_model(metadata)
    name = info.get("shortName") or info.get("modelUrl") or metadata.get("repository_override") or ""
    extra = [metadata.get(key) for key in ("model_variant", "checkpoint")]
    return " ".join(dict.fromkeys(str(part) for part in (name, *extra) if part))


def _names(metadata: Mapping[str, Any]) -> Iterator[str]:
    info = _first_model(metadata)
    for found in (info.get("shortName"), info.get("modelUrl"), metadata.get("repository_override")):
        if isinstance(found, str):
            yield found


def _first_model(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    models = metadata.get("modelInfo")
    first = models[0] if isinstance(models, list) and models else None
    return first if isinstance(first, dict) else {}


def _at(document: object, *path: str) -> object:
    for step in path:
        document = document.get(step) if isinstance(document, dict) else None
    return document


def _properties(schema: object, document: object, depth: int) -> Iterator[str]:
    """Names in a schema and in those it refers to or is made of."""
    if not isinstance(schema, dict) or depth > _DEEPEST:  # a schema may refer to itself
        return
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        yield from _properties(_at(document, *reference[2:].split("/")), document, depth + 1)
    own = schema.get("properties")
    if isinstance(own, dict):
        yield from (str(name) for name in own)
    for kind in ("anyOf", "oneOf", "allOf"):
        parts = schema.get(kind)
        for part in parts if isinstance(parts, list) else ():
            yield from _properties(part, document, depth + 1)
