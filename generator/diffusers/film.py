"""Frames and sound of a render, written into one mp4."""

import threading
from pathlib import Path
from typing import Literal

import av
import numpy as np
import numpy.typing as npt

from generator.diffusers.pipeline import Film
from generator.encode import H264, ClipWriter
from generator.types import RenderError, RenderSpec


class StoppedError(Exception):
    """The caller no longer waits."""


def write(film: Film, spec: RenderSpec, to: Path, stop: threading.Event) -> None:
    """Encode a film into the file `to`. Frames of another size than the spec's are written as they are.

    Raises:
        StoppedError: `stop` was set.
        RenderError: there are no frames.
        OSError: the disk or folder failed.
    """
    if film.sound is None:
        _write_frames(film, spec, to, stop)
        return
    silent = to.with_name(f"{to.name}.silent")
    try:
        _write_frames(film, spec, silent, stop)
        samples = round(spec.seconds * film.sound_rate)  # sound comes in whole latent frames, a little too long
        _join(silent, film.sound[:, :samples], film.sound_rate, to)
    finally:
        silent.unlink(missing_ok=True)


def _write_frames(film: Film, spec: RenderSpec, to: Path, stop: threading.Event) -> None:
    if not film.frames:
        raise RenderError("The pipeline gave no frames. Try another size or frame count.")
    height, width, _ = film.frames[0].shape
    with ClipWriter(to, width, height, spec.fps) as writer:
        for frame in film.frames:
            if stop.is_set():
                raise StoppedError
            writer.write(frame)


def _join(silent: Path, sound: npt.NDArray[np.float32], rate: int, to: Path) -> None:
    """Copy the video of `silent` and put `sound` beside it as AAC."""
    layout: Literal["mono", "stereo"] = "mono" if len(sound) == 1 else "stereo"
    with (
        av.open(str(silent)) as source,
        av.open(str(to), "w", format=H264.container, options=dict(H264.container_options)) as target,
    ):
        pictures = source.streams.video[0]
        video = target.add_stream_from_template(pictures)
        audio = target.add_stream("aac", rate=rate)
        audio.layout = layout
        for packet in source.demux(pictures):
            if packet.dts is not None:
                packet.stream = video
                target.mux(packet)
        samples = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[:2], np.float32), format="fltp", layout=layout)
        samples.sample_rate = rate
        samples.pts = 0
        for block in (samples, None):
            target.mux(audio.encode(block))
