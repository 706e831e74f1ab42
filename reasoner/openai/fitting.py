"""A reply's object made to fit: stamps, times within the clip, no keys beyond the caption's."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from reasoner.caption import MotionCaption, StructuredCaption, clock
from reasoner.chat.objects import Unreadable
from reasoner.given import duration, stamped
from reasoner.types import CaptionRequest

_C = TypeVar("_C", StructuredCaption, MotionCaption)
_MOMENT = re.compile(r"(\d{1,4}):([0-5]?\d)(?:\.\d+)?")


def structured_caption(data: Mapping[str, Any], request: CaptionRequest) -> StructuredCaption:
    """The structured caption of a reply.

    Raises:
        Unreadable: a field is missing or of the wrong kind, with its name.
    """
    fields = _known(data, StructuredCaption) | stamped(request)
    for key, field in (("actions", "time"), ("segments", "time_range")):
        if isinstance(rows := fields.get(key), list):
            for index, row in enumerate(rows):
                if isinstance(row, dict):
                    row[field] = _fitted(row.get(field), duration(request))
                    if key == "segments":
                        row["segment_index"] = index
    return _validated(StructuredCaption, fields)


def motion_caption(data: Mapping[str, Any], request: CaptionRequest) -> MotionCaption:
    """The short caption of a reply.

    Raises:
        Unreadable: it has none.
    """
    return _validated(MotionCaption, _known(data, MotionCaption) | stamped(request))


def _validated(model: type[_C], fields: Mapping[str, Any]) -> _C:
    try:
        caption = model.model_validate(fields)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'times'}: {fault['msg']}" for fault in error.errors()]
        more = f" and {len(faults) - 4} more" if len(faults) > 4 else ""
        raise Unreadable(f"does not fit the caption's fields ({'; '.join(faults[:4])}{more})") from None
    if not caption.temporal_caption.strip():
        raise Unreadable("tells nothing in temporal_caption")
    return caption


def _known(data: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """What of the data the model has fields for, in the model's order, all the way down; null is an empty string."""
    fields = {}
    for name, field in model.model_fields.items():
        if name in data:
            fields[name] = _part(data[name], field.annotation)
    return fields


def _part(value: Any, kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(value, Mapping):
        return _known(value, kind)
    if get_origin(kind) is tuple and isinstance(value, list):
        return [_part(item, get_args(kind)[0]) for item in value]
    return "" if value is None and kind is str else value


def _fitted(value: Any, seconds: int) -> Any:
    """A range of times within the clip, the earlier first; what is no range is left for the validation to refuse."""
    moments = _MOMENT.findall(value) if isinstance(value, str) else []
    if len(moments) != 2:
        return value
    return "-".join(clock(time) for time in sorted(min(60 * int(m) + int(s), seconds) for m, s in moments))
