"""What is said to a chat server and what it answers."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Usage(_Part):
    """What asking a server took. Adds up by `+`."""

    calls: int = Field(default=0, ge=0)
    """Requests answered, repairs included."""
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    cached_tokens: int = Field(default=0, ge=0)
    """Of `prompt_tokens`, those the server says it had in its prefix cache; 0 where it does not say."""
    seconds: float = Field(default=0.0, ge=0)
    """Sum of the requests' wall seconds: more than what passed, where they ran side by side."""
    cache_queries: int = Field(default=0, ge=0)
    """Tokens looked up in the server's prefix cache, by its own metrics, since they were read before."""
    cache_hits: int = Field(default=0, ge=0)
    """Of `cache_queries`, those found."""

    def __add__(self, other: "Usage") -> "Usage":
        """Both together."""
        mine, theirs = self.model_dump(), other.model_dump()
        return Usage(**{name: mine[name] + theirs[name] for name in mine})


class Sampling(BaseModel):
    """How a reply is drawn. None: the server's own default, and not sent."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    temperature: float | None = Field(default=0.7, ge=0, le=2)
    """0: always the likeliest token."""
    top_p: float | None = Field(default=0.8, gt=0, le=1)
    """Share of the probability that is drawn from."""
    top_k: int | None = Field(default=20, ge=-1)
    """Tokens that are drawn from (vLLM's extra)."""
    min_p: float | None = Field(default=None, ge=0, le=1)
    """Least probability relative to the likeliest token (vLLM's extra)."""
    presence_penalty: float | None = Field(default=1.5, ge=-2, le=2)
    """Penalty on tokens that stand in the reply already."""
    repetition_penalty: float | None = Field(default=1.0, gt=0)
    """Penalty on repeated tokens (vLLM's extra)."""
    max_tokens: int | None = Field(default=20_000, ge=1)
    """Longest reply. Lowered to what the server's context leaves."""
    seed: int | None = 3407
    """Seed of the draw; a repair counts up from it."""

    @classmethod
    def greedy(cls, max_tokens: int) -> Self:
        """The likeliest reply: for scoring, never for writing."""
        return cls(
            temperature=0.0,
            top_p=None,
            top_k=None,
            presence_penalty=None,
            repetition_penalty=None,
            max_tokens=max_tokens,
            seed=None,
        )


class Text(_Part):
    """Words."""

    text: str


class Image(_Part):
    """A still, as a JPEG or PNG file's bytes."""

    data: bytes = Field(repr=False)
    mime: str = "image/jpeg"


class Video(_Part):
    """A clip in the form that the server takes. Whoever shows it finds out which."""

    url: str = Field(repr=False)
    """`data:video/jpeg;base64,F1,F2,…` or `data:video/mp4;base64,…`."""
    io: Mapping[str, Any] | None = None
    """`media_io_kwargs.video` of the request, where the server honours it."""


Content = Sequence[Text | Image | Video]
"""A user's message. Media first, so that the server's prefix cache serves every further question on them."""


class Message(_Part):
    """One turn of a conversation."""

    role: str
    """system, user or assistant."""
    content: str | tuple[Text | Image | Video, ...]


class Token(_Part):
    """What could have stood at a place of the reply."""

    token: str
    logprob: float


class Reply(_Part):
    """What a server answered."""

    text: str
    """The message's content; the reasoning field's where the content is empty (`from_reasoning`)."""
    from_reasoning: bool = False
    finish_reason: str
    """stop, or length when it was cut."""
    model: str
    """As the server names it."""
    first_token: tuple[Token, ...] | None = None
    """The likeliest first tokens with their log probabilities; None: the server gives none."""
    usage: Usage = Usage()


class ChatError(Exception):
    """A question that got no usable answer. The message says what was asked of which server, and the cure."""


class ServerDown(ChatError):  # noqa: N818 - says what it is
    """Nobody answers there: refused, timed out, or dropped more often than the transport repeats."""


class Unauthorized(ChatError):  # noqa: N818 - as above
    """The key is missing or wrong."""


class Busy(ChatError):  # noqa: N818 - as above
    """429 or 503 more often than the transport repeats."""


class TooLong(ChatError):  # noqa: N818 - as above
    """The question does not fit into the model's context: ask with less."""


class Refused(ChatError):  # noqa: N818 - as above
    """The server does not take the request as it stands (another 4xx)."""

    def __init__(self, message: str, status: int = 400, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param = status, param


class ServerFailed(ChatError):  # noqa: N818 - as above
    """The server failed at it (500), or answered what is no chat completion."""


class WrongModel(ChatError):  # noqa: N818 - as above
    """The server answered with another model than the one asked, or has no such model."""
