"""Which of the chat errors an HTTP error is, in words that name the cure."""

import re

import httpx

from reasoner.chat.reading import Fault
from reasoner.chat.types import Busy, ChatError, Refused, ServerDown, ServerFailed, TooLong, Unauthorized, WrongModel

_TOO_LONG = re.compile(r"maximum (?:context|model) length|longer than the maximum", re.IGNORECASE)
_NO_MODEL = re.compile(r"\bmodel\b.*(?:does not exist|not found)|(?:no such|unknown) model", re.IGNORECASE)
_LIMIT = re.compile(r"(?:maximum (?:context|model) length is |max_model_len=\D*)(\d+)", re.IGNORECASE)
_INPUT = re.compile(r"(?P<least>at least )?(?P<tokens>\d+) (?:input tokens|in the messages)", re.IGNORECASE)
_SHORTEST_CUT = 256
"""Room of a reply below which the question itself is what is too long."""

START_IT = "Start it, or set reasoner.serve or base_url"


def error_for(  # noqa: PLR0911 - one line a kind
    response: httpx.Response, fault: Fault, asked: str, credential: str, known: str
) -> ChatError:
    """The error for a status that is not 200.

    Args:
        response: the answer.
        fault: what it says.
        asked: what was asked of whom, e.g. "Asking tiny at http://…".
        credential: what is known of the key.
        known: what models the server has.
    """
    status, said = response.status_code, f": {fault.message.rstrip('.')}" if fault.message else ""
    match status:
        case 401 | 403:
            return Unauthorized(f"{asked} was not allowed ({status}){said}. {credential}")
        case 404 if fault.param == "model" or fault.code == "model_not_found" or _NO_MODEL.search(fault.message):
            return WrongModel(f"{asked} found no such model there{said}. {known}")
        case 400 | 413 | 422 if is_too_long(fault) or status == 413:
            said += ". Ask with less, or raise max_model_len"
            return TooLong(f"{asked} was too much for the model's context{said}.")
        case 429 | 503:
            return Busy(f"{asked} found it too busy ({status}), several times{said}. Try later, or lower concurrency.")
        case 502 | 504:
            return ServerDown(f"{asked} got no further than a gateway ({status}), several times{said}. {START_IT}.")
        case _ if status >= 500:
            return ServerFailed(f"{asked} made the server fail ({status}){said}. Its log says more.")
        case _ if status < 400 or status in {404, 405}:
            return Refused(f"{asked} found no such endpoint ({status}){said}. Check base_url.", status, fault.param)
    return Refused(f"{asked} was refused ({status}){said}.", status, fault.param)


def is_too_long(fault: Fault) -> bool:
    """Whether it is about the length of the question, or of the reply that is asked for."""
    return (
        fault.param in {"input_tokens", "max_tokens", "max_completion_tokens"}
        or fault.code == "context_length_exceeded"
        or _TOO_LONG.search(fault.message) is not None
    )


def lowered(fault: Fault, max_tokens: int, context: int | None) -> int | None:
    """A shorter reply for which the question may fit; None where the question is what is too long.

    vLLM counts a question only up to where it is too long ("at least 769 input tokens"), so what is left for the reply
    is often not known: a quarter of the context then.
    """
    limit = int(found[1]) if (found := _LIMIT.search(fault.message)) else context
    if max_tokens <= _SHORTEST_CUT or limit is None:
        return None
    counted = _INPUT.search(fault.message)
    if counted and not counted["least"]:
        left = limit - int(counted["tokens"])
        return left if 0 < left < max_tokens else None
    return min(max_tokens // 2, limit // 4) or None
