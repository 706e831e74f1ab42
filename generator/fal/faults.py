"""What fal's failures mean: which error each of its bodies is, in words that hold neither the key nor the image."""

import re
from collections.abc import Mapping
from typing import Any

import httpx

from generator.types import BackendError, BlockedError, RenderError

Failure = RenderError | BackendError

BLOCKED = "content_policy_violation"
TRANSIENT = frozenset(
    ("internal_server_error", "generation_timeout", "downstream_service_error", "downstream_service_unavailable")
)
"""Types of a model's error that say nothing about the request."""
IMAGE = frozenset(
    (
        *("image_too_small", "image_too_large", "image_load_error", "unsupported_image_format"),
        *("file_download_error", "file_too_large", "face_detection_error"),
    )
)
"""Types of a model's error that the first frame is the cause of."""
INFRASTRUCTURE = {
    "request_timeout": "It did not start in time: raise generator.timeout_seconds, or try later.",
    "startup_timeout": "Its machine did not start in time: try later.",
    "client_cancelled": "Somebody cancelled it at fal: ask again if that was not meant.",
    "client_disconnected": "Ask again.",
    "concurrent_requests_limit": "The account's limit of requests at once is reached: lower generator.concurrency.",
}
"""Types of fal's own error, and the cure; the others come and go."""
_LONGEST = 300
"""Characters of fal's words that a message quotes."""
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[\w+/=%-]*")


def unusable_proxy(error: Exception) -> BackendError:
    """The error where no HTTP client can be made: httpx reads the proxies of the environment."""
    # never the address itself: it may hold a password
    return BackendError(
        f"No connection to fal can be set up ({type(error).__name__}). Check the proxy variables of the environment "
        "(HTTPS_PROXY, HTTP_PROXY, ALL_PROXY): http://host:port, or unset."
    )


class Faults:
    """Turns what fal answers into errors.

    Args:
        model: as fal names it.
        key: never to appear in a message.
        key_env: the environment variable that holds it.
    """

    def __init__(self, model: str, key: str, key_env: str) -> None:
        self._model, self._key, self._key_env = model, key, key_env

    def of_answer(self, response: httpx.Response) -> Failure:
        """The error that an answer of 400 or above stands for."""
        try:
            body = response.json()
        except ValueError:
            body = {}
        body = body if isinstance(body, dict) else {}
        detail = body.get("detail") or body.get("message") or response.text
        kind = str(body.get("error_type") or response.headers.get("x-fal-error-type") or "")
        if isinstance(detail, list):
            return self._of_details([entry for entry in detail if isinstance(entry, dict)])
        return self._of_words(response.status_code, str(detail), kind)

    def of_state(self, words: str, kind: str | None) -> Failure:
        """The error of a request that ended with one, where its result says nothing more."""
        return self._of_words(500, words, kind or "")

    def of_connection(self, error: Exception, doing: str) -> BackendError:
        """The error of a connection that failed while `doing` something."""
        return BackendError(f"fal could not be reached {doing} ({type(error).__name__}: {self.quoted(str(error))}).")

    def quoted(self, words: str) -> str:
        """Words of fal's, shortened, without the key and without data URIs."""
        words = _DATA_URI.sub("<data URI>", words.replace(self._key, "<key>"))
        return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}..."

    def _of_details(self, details: list[dict[str, Any]]) -> Failure:
        """The error of a model that lists what it does not take: `[{loc, msg, type}]`."""
        kinds = {str(entry.get("type")) for entry in details}
        said = "; ".join(f"{_field(entry)}: {entry.get('msg')} ({entry.get('type', 'no type')})" for entry in details)
        said = self.quoted(said) or "it does not say why"
        if BLOCKED in kinds:
            return self._blocked(said)
        if kinds and kinds <= TRANSIENT:
            return BackendError(f"{self._model} failed: {said}. It may do later.")
        if kinds & IMAGE:
            cure = "Give another first frame."
        elif "no_media_generated" in kinds:
            cure = "Try another seed or prompt."
        else:
            cure = f"Change {' and '.join(dict.fromkeys(map(_field, details))) or 'the request'}."
        return RenderError(f"{self._model} refused the request: {said}. {cure}")

    def _of_words(self, status: int, words: str, kind: str) -> Failure:
        """The error of flat words: fal's own ones come so, and those of a proxy on the way."""
        said = f"{self.quoted(words) or 'no reason given'} ({kind or status})"
        if kind == BLOCKED:
            return self._blocked(said)
        if status in {400, 413, 422} and kind not in TRANSIENT | INFRASTRUCTURE.keys():
            return RenderError(f"{self._model} refused the request: {said}. Change the request.")
        if kind in INFRASTRUCTURE:
            return BackendError(f"fal did not render with {self._model}: {said}. {INFRASTRUCTURE[kind]}")
        match status:
            case 401 | 403:
                what = f"fal refused the key in {self._key_env}"
                cure = f"Set {self._key_env} to a valid key of an account with credit."
            case 404:
                what = f"fal knows no such model or request of {self._model}"
                cure = "Check generator.model, and whether this account may use it."
            case 429:
                what, cure = "fal is asked too much at once", INFRASTRUCTURE["concurrent_requests_limit"]
            case _:
                what, cure = f"fal did not render with {self._model}", "It may do later."
        return BackendError(f"{what}: {said}. {cure}")

    def _blocked(self, said: str) -> BlockedError:
        return BlockedError(
            f"The safety checks of {self._model} refused the request: {said}. Change the prompt or the first frame."
        )


def _field(entry: Mapping[str, Any]) -> str:
    loc = entry.get("loc")
    names = [str(part) for part in loc if part != "body"] if isinstance(loc, list) else []
    return ".".join(names) or "the request"
