"""What a rendered file really holds, and whether that is what was asked for."""

from pathlib import Path

import av
import av.error

from generator.types import Effective, RenderError, RenderSpec

FPS_TOLERANCE = 0.01
"""Frames a second. Containers store the rate as a fraction of their own clock."""


def probe(path: Path) -> Effective:
    """Size, frames, rate and codec of the video at `path`. Frames are counted as packets: some containers state none.

    Raises:
        RenderError: the file is missing, is no video, or is cut off.
    """
    try:
        # without protocols a playlist or session file cannot make FFmpeg open anything else
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            if not container.streams.video:
                raise RenderError(f"{path} holds no video stream. Check what the backend wrote there.")
            stream = container.streams.video[0]
            frames = sum(1 for packet in container.demux(stream) if packet.size)
            return Effective(
                width=stream.codec_context.width,
                height=stream.codec_context.height,
                num_frames=frames,
                fps=float(stream.average_rate or stream.base_rate or 0),
                codec=stream.codec_context.name,
                audio=container.streams.audio[0].codec_context.name if container.streams.audio else "",
            )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise RenderError(f"{path} cannot be read as a video ({error}). Check what the backend wrote there.") from error


def verify(path: Path, spec: RenderSpec) -> Effective:
    """Probe `path`, hold it against `spec`, and decode every frame: a container may promise what it does not hold.

    Raises:
        RenderError: not a video, other frames, size or rate than requested (the message names both), or pictures that
            cannot be decoded.
    """
    found = probe(path)
    wrong = []
    if (found.width, found.height) != (spec.width, spec.height):
        wrong.append(f"size {spec.width}x{spec.height} was requested, found {found.width}x{found.height}")
    if found.num_frames != spec.num_frames:
        wrong.append(f"{spec.num_frames} frames were requested, found {found.num_frames}")
    if abs(found.fps - spec.fps) > FPS_TOLERANCE:
        wrong.append(f"{spec.fps} fps was requested, found {found.fps:g}")
    if wrong:
        raise RenderError(f"{path.name} is not what was asked for: {'; '.join(wrong)}.")
    _decode(path, found)
    return found


def _decode(path: Path, found: Effective) -> None:
    """Decode every picture, and conceal nothing. The size is known to be a sane one by now."""
    whole, why = 0, "the rest is missing"
    try:
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            stream = container.streams.video[0]
            stream.codec_context.options = {"err_detect": "explode"}
            stream.thread_type = "AUTO"
            for frame in container.decode(stream):
                if frame.is_corrupt or (frame.width, frame.height) != (found.width, found.height):
                    why = "the next one is damaged"
                    break
                whole += 1
    except (av.error.FFmpegError, OSError, ValueError) as error:
        why = str(error)
    if whole != found.num_frames:
        raise RenderError(
            f"{path.name} breaks off: {whole} of {found.num_frames} frames can be decoded ({why}). It was damaged "
            "where it was rendered or on its way here; render it again."
        )
