"""The JSON schemas that replies are bound to: everything bounded and required, so that any model's reply ends."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from reasoner.caption import StructuredCaption, clock
from reasoner.types import Verdict

STAMPS = ("resolution", "aspect_ratio", "duration", "fps")
"""Fields that state what is rendered: copied in afterwards, never asked for."""
_FIRST = ("temporal_caption", "audio_description")
_LONG = 2400
_LENGTHS = {
    "temporal_caption": _LONG,
    "audio_description": 800,
    "background_setting": 800,
    "description": 600,
    "appearance_details": 500,
    "location": 80,
    "gender": 10,
    "age": 20,
    "text": 160,
    "category": 40,
}
_OTHERWISE = 300
_ITEMS = {"subjects": 6, "actions": 10, "text_and_signage_elements": 6, "segments": 6, "transitions": 5}
_AT_LEAST_ONE = {"actions", "segments"}
_ENUMS = {"relative_size": ["Small within frame", "Medium within frame", "Large within frame"]}
_MOST_ALIKE = 99

Schema = dict[str, Any]


def _string(most: int, least: int = 0) -> Schema:
    return {"type": "string", "minLength": least, "maxLength": most} if least else {"type": "string", "maxLength": most}


def _object(properties: Mapping[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _range(seconds: int) -> Schema:
    """Ranges of whole seconds within a clip."""
    longer = "|".join(clock(second) for second in range(seconds + 1))
    moment = f"0:0[0-{seconds}]" if seconds <= 9 else f"({longer})"
    return {"type": "string", "pattern": f"^{moment}-{moment}$"}


def _bound(name: str, node: Schema, definitions: Mapping[str, Schema], seconds: int) -> Schema:
    """One field of the model's own schema, bounded."""
    if "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]]
    if name in ("time", "time_range"):
        return _range(seconds)
    if name in _ENUMS:
        return {"type": "string", "enum": _ENUMS[name]}
    if node["type"] == "object":
        return _object({key: _bound(key, part, definitions, seconds) for key, part in node["properties"].items()})
    if node["type"] == "array":
        items = _bound(f"{name} item", node["items"], definitions, seconds)
        return {"type": "array", "items": items, "minItems": int(name in _AT_LEAST_ONE), "maxItems": _ITEMS[name]}
    if node["type"] == "integer":
        return {"type": "integer", "minimum": 0, "maximum": _MOST_ALIKE}
    return _string(_LENGTHS.get(name, _OTHERWISE), least=int(name == "temporal_caption"))


def caption_schema(seconds: int) -> Schema:
    """The structured caption of a clip of so many whole seconds, in the order in which it is thought out."""
    whole = StructuredCaption.model_json_schema()
    asked = [*_FIRST, *(name for name in whole["properties"] if name not in (*_FIRST, *STAMPS))]
    fields = {name: _bound(name, whole["properties"][name], whole["$defs"], seconds) for name in asked}
    return _object({"scene_imagination": _string(1600), **fields})


def motion_schema(phrases: Sequence[str]) -> Schema:
    """The short caption, and which phrases of the negative prompt to leave out."""
    fields = {"temporal_caption": _string(_LONG, least=1)}
    if phrases:
        fields["delete"] = {
            "type": "array",
            "items": {"type": "string", "enum": list(phrases)},
            "maxItems": len(phrases),
        }
    return _object(fields)


def edits_schema(fields: Sequence[str], criteria: Sequence[str]) -> Schema:
    """A diagnosis and up to four edits of named fields."""
    edit = _object(
        {
            "field": {"type": "string", "enum": list(fields)},
            "value": _string(_LONG),
            "criterion": {"type": "string", "enum": list(criteria)},
            "reason": _string(300),
        }
    )
    return _object(
        {
            "diagnosis": _string(600),
            "verdict": {"type": "string", "enum": list(get_args(Verdict))},
            "edits": {"type": "array", "items": edit, "maxItems": 4},
        }
    )
