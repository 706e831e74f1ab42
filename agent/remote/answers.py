"""What a server answers, as far as a client reads it, and the errors that its refusals become."""

from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import ConfigError, IntakeError, NoCandidateError, RetakeError, ServingError
from agent.remote.wish import named_here

IMAGE_TYPES: Final = frozenset(
    {
        *("image_load_error", "file_download_error", "file_too_large", "image_too_small", "image_too_large"),
        *("unsupported_image_format", "unsupported_video_format", "face_detection_error"),
    }
)
"""Problems of an image or video that was given."""
AGAIN: Final = frozenset({408, 425, 429, 502, 503, 504})
"""Answers after which the same is asked again."""


Noun = TypeVar("Noun", bound=BaseModel)


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Problem(_Read):
    """Why a run failed."""

    status: int = 500
    type: str = ""
    message: str = "no reason was told"
    loc: tuple[str | int, ...] = ()


class Told(_Read):
    """A run, as the server tells it."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,120}$")
    """It names a folder here."""
    state: Literal["queued", "running", "completed", "failed", "cancelled"]
    model: str = ""
    position: int | None = None
    problem: Problem | None = None

    @property
    def live(self) -> bool:
        """Whether it is not over."""
        return self.state in {"queued", "running"}


class RemoteFile(_Read):
    """A file of a run on the server."""

    path: str
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    url: str


class FileList(_Read):
    """All of them."""

    data: list[RemoteFile]


def read(noun: type[Noun], text: str | bytes, server: str) -> Noun:
    """An answer.

    Raises:
        ServingError: it is none of ours.
    """
    try:
        return noun.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"])) or "the answer"
        raise ServingError(
            f"{server} does not answer as Retake's server does ({where}: {fault['msg']}); check the address, and that "
            "both are of the same version"
        ) from None


def refusal(response: httpx.Response, server: str, key_env: str) -> RetakeError:
    """What an answer from 400 on becomes."""
    status = response.status_code
    problem = _problem(response)
    if status in {401, 403}:
        return ServingError(f"{server}: {problem.message}; the key is taken from the environment variable {key_env}")
    if status == 404:
        return ServingError(f"{server}: {problem.message}; was the run removed, or is this another server?")
    return _error(problem, server)


def failure(problem: Problem, server: str, folder: Path) -> RetakeError:
    """What a run that failed becomes. `folder`: where its files lie here."""
    if problem.type == "no_media_generated":
        return NoCandidateError(problem.message, folder)
    error = _error(problem, server)
    if isinstance(error, ServingError):
        error.folder = folder if folder.exists() else None
    return error


def _error(problem: Problem, server: str) -> RetakeError:
    field = ".".join(map(str, problem.loc)).removeprefix("body.")
    here = named_here(field)
    told = problem.message.removeprefix(f"{field}: ")
    if field and (told != problem.message or here not in told):
        told = f"{here}: {told}"
    if problem.type in IMAGE_TYPES:
        return IntakeError(told)
    if problem.status in {400, 413, 415, 422}:
        return ConfigError(told)
    cure = "ask again later" if problem.status in AGAIN else "its log says more"
    return ServingError(f"{server}: {told} (HTTP {problem.status}); {cure}")


def _problem(response: httpx.Response) -> Problem:
    """Of any answer: a proxy on the way answers in words of its own."""
    try:
        body: Any = response.json()
        error = body["error"]
        field = error.get("field") or ""
        return Problem(
            status=response.status_code,
            type=str(error.get("type", "")),
            message=str(error["message"]),
            loc=tuple(field.split(".")) if field else (),
        )
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
        return Problem(status=response.status_code, message=f"answered HTTP {response.status_code}")
