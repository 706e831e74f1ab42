"""A clip from start to end: the caption is read, the camera planned, and frame after frame made."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from generator.animatic.camera import Pose, fit, path
from generator.animatic.finish import Finish
from generator.animatic.look import settled
from generator.animatic.noise import dice
from generator.animatic.painted import Painting
from generator.animatic.photo import Photograph
from generator.animatic.quality import quality_of
from generator.animatic.scenario import read
from generator.animatic.stage import Stage
from generator.animatic.weather import Weather
from generator.animatic.world import World
from generator.first_frame import load
from generator.types import RenderSpec

Array = npt.NDArray[Any]

RAMP_FRAMES = 5
"""Frames over which an image-to-video clip takes on what the settings and words do to it: the first is the image."""


def film(prompt: str, spec: RenderSpec, seed: int) -> Iterator[Array]:
    """The frames of a clip: RGB, height x width x 3, uint8.

    Raises:
        RenderError: the first frame cannot be read.
    """
    scenario = read(prompt, spec)
    scenario = replace(scenario, look=settled(scenario.look, seed, from_image=spec.first_frame is not None))
    quality = quality_of(spec, scenario, seed)
    look = scenario.look
    size = (spec.width, spec.height)
    poses = path(
        scenario.phases,
        spec.num_frames,
        spec.fps,
        gain=quality.gain,
        vague=quality.vague,
        shake=look.shake + quality.shake,
        rng=dice(seed, "camera"),
    )
    source: Photograph | Painting
    if spec.first_frame is not None:
        source = Photograph(load(spec.first_frame, *size), look.shallow, look.softness)
    else:
        stage = Stage(*size)
        poses = fit(poses, stage.room)
        source = Painting(World.of(stage, scenario, seed))
    weather = Weather(scenario.weather, *size, seed, scenario.hour in ("night", "storm"), 0.5 + 0.5 * look.activity)
    small = (max(8, round(spec.width * quality.detail)), max(8, round(spec.height * quality.detail)))
    finish = Finish(*size, spec.num_frames, seed, quality, look, grade=spec.first_frame is None, detail=small)
    for index in range(spec.num_frames):
        pose = Pose(*(float(value) for value in poses[index]))
        seconds = index / spec.fps
        ramp = 1.0 if spec.first_frame is None else min(1.0, index / RAMP_FRAMES)
        frame = source.frame(pose, seconds, ramp)
        frame = weather.draw(frame, pose, seconds, ramp)
        yield np.ascontiguousarray(finish.apply(frame, index, seconds, ramp))
