"""The critic `vlm`: questions put to a vision language model, scored by the probability of the answer."""

from critic.vlm.checklist import Checklist, FromFile
from critic.vlm.judge import VLM, instrument
from critic.vlm.pairwise import Pairwise
from critic.vlm.rubric import RubricError
from critic.vlm.viewer import Viewer

__all__ = ["VLM", "Checklist", "FromFile", "Pairwise", "RubricError", "Viewer", "instrument"]
