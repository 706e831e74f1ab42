"""Which reasoner writes captions, and its settings."""

from typing import Annotated, Literal

from pydantic import Field

from reasoner.chat.config import EndpointConfig, Section
from reasoner.chat.types import Sampling


class RulesConfig(Section):
    """The embedded caption writer: the field's vocabulary and no model."""

    backend: Literal["rules"] = "rules"


class OpenAIConfig(EndpointConfig):
    """A reasoner behind an OpenAI-compatible server: Cosmos3's own on vLLM or NIM, or any other."""

    backend: Literal["openai"] = "openai"
    caption: Literal["full", "image2video"] = "full"
    """full: the structured caption of Cosmos3-Nano and -Super. image2video: the short one, with a negative prompt of
    its own, that the post-trained Cosmos3-Super-Image2Video wants."""
    enable_thinking: bool = False
    """Let the model think aloud before it writes: slower. Its thoughts are thrown away."""
    sampling: Sampling | None = None
    """How captions are drawn. null: as NVIDIA documents it, with or without thinking."""


ReasonerConfig = Annotated[RulesConfig | OpenAIConfig, Field(discriminator="backend")]
