"""How much of an image is taken, from where, and for how long."""

from pydantic import BaseModel, ConfigDict, Field


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
