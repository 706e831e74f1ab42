"""The critic `vlm`: yes/no questions put to a vision language model, scored by the probability of yes."""

from critic.vlm.checklist import Checklist, FromFile
from critic.vlm.judge import VLM
from critic.vlm.rubric import RubricError

__all__ = ["VLM", "Checklist", "FromFile", "RubricError"]
