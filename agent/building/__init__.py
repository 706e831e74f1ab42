"""The composition root below a run: a config becomes the three parts and the servers that they ask."""

from agent.building.generators import NIM_URL, OMNI_URL, as_built, build_generator, known_price
from agent.building.instruments import foretold
from agent.building.judges import Judges, build_judges
from agent.building.parts import Parts, build, build_critic, build_reasoner, rubric_file
from agent.serving.endpoints import BASE_URL, endpoints

__all__ = [
    "BASE_URL",
    "NIM_URL",
    "OMNI_URL",
    "Judges",
    "Parts",
    "as_built",
    "build",
    "build_critic",
    "build_generator",
    "build_judges",
    "build_reasoner",
    "endpoints",
    "foretold",
    "known_price",
    "rubric_file",
]
