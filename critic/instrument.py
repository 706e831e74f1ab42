"""What scores were measured with, and whether two critics measure the same."""

from collections.abc import Collection
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from critic.types import Critic


class Instrument(BaseModel):
    """Everything about a critic that decides what its scores mean. A threshold holds for the same one alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    critic: str
    """Method and version, and what joins several: "signals/1", "vlm/1", "signals/1+vlm/1 signals=0.3"."""
    model: str = ""
    """Id of the model that is asked, as its server names it. "": none is."""
    rubric: str = ""
    """What is asked or measured: a rubric's id and version, or the writer's of a checklist for each request."""
    templates: str = ""
    """Version and hash of the instruction texts. "": none are sent."""
    fps: float | None = Field(default=None, gt=0)
    """Frames shown of each second. None: every frame is read."""
    max_frames: int | None = Field(default=None, ge=1)
    """Most frames shown. None: every frame is read."""
    long_side: int | None = Field(default=None, ge=1)
    """Pixels on the long side of the frames shown. None: as they are."""

    @property
    def name(self) -> str:
        """Critic and model, for people."""
        return f"{self.critic} {self.model}".rstrip()

    @classmethod
    def of(cls, critic: Critic) -> Self:
        """A critic's own account of itself; of one that gives none, its id, which says all of it or should."""
        own = getattr(critic, "instrument", None)
        return own if isinstance(own, cls) else cls(critic=critic.id)

    def differences(self, other: "Instrument", but: Collection[str] = ()) -> tuple[str, ...]:
        """How another one differs, in words: "model: A there, B here" (`self` is there, `other` here).

        `but`: names of what is not compared, since it is not known yet.
        """
        return tuple(
            f"{name}: {_told(getattr(self, name))} there, {_told(getattr(other, name))} here"
            for name in type(self).model_fields
            if name not in but and getattr(self, name) != getattr(other, name)
        )


def _told(value: object) -> str:
    return "none" if value in {None, ""} else f"{value:g}" if isinstance(value, float) else str(value)
