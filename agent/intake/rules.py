"""How much of an image or video is taken, from where, and for how long."""

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

PRIVATE: Final = "request.image_fetch.allow_private_addresses"
"""The config key that errors name."""


class FetchRules(BaseModel):
    """Limits on taking an image. The byte limit holds for files and data URIs too, the rest for URLs."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    allow_private_addresses: bool = False
    """Fetch from this machine, the local network and any port too. A server for others must keep this off: it opens the
    metadata service of a cloud machine as well."""
    max_bytes: int = Field(default=20 * 2**20, ge=1, le=2**30)
    """Largest image file, in bytes."""
    timeout_seconds: float = Field(default=20.0, gt=0, le=600)
    """One deadline for the whole fetch: names, redirects, headers and body together."""
    max_redirects: int = Field(default=3, ge=0, le=20)
    """Redirects followed; the same rules hold at each."""


@dataclass(frozen=True)
class Wanted:
    """What is fetched, as requests and errors call it."""

    field: str
    """What errors begin with."""
    noun: str
    accept: str
    """The request's `Accept`."""
    smaller: str
    """What to do where it is too large."""
    slower: str
    """What to do where it takes too long, beside fetching it by hand."""
    data_uri: str
    """How a data URI of it begins."""

    @property
    def by_hand(self) -> str:
        """The cure that always helps."""
        return f"download the {self.noun} and give its path"


IMAGE: Final = Wanted(
    field="request.image",
    noun="image",
    accept="image/*",
    smaller="give a smaller file or raise request.image_fetch.max_bytes",
    slower="raise request.image_fetch.timeout_seconds",
    data_uri="data:image/png;base64",
)
VIDEO: Final = Wanted(
    field="video",
    noun="video",
    accept="video/*",
    smaller="give a shorter one",
    slower="give the same command again: it goes on where it was",
    data_uri="data:video/mp4;base64",
)
