"""What stands behind the threshold of a run."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from critic.threshold import Threshold

Decision = Literal["accepted", "undecided", "rejected"]
"""accepted: at or above the threshold, every floor held. rejected: below `reject_below`. undecided: anything else."""
UNNAMED: Final = "the threshold file does not say which critic it is for"


class Calibration(BaseModel):
    """A threshold file as a run used it, and whether it is for the critic that judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: Threshold
    sha256: str
    """Of the file's bytes."""
    differs: tuple[str, ...] = ()
    """How the critic that judges differs from the one that the file is for, in words: it says nothing of this one."""

    @property
    def complaint(self) -> str:
        """Why the file says nothing of this critic's scores, in a clause; "" if it does."""
        if not self.differs:
            return ""
        if self.threshold.instrument is None:
            return "; ".join(self.differs)
        return f"the threshold file is for another critic ({'; '.join(self.differs)})"
