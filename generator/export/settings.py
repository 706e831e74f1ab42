"""Codecs and their settings, by format and quality."""

from typing import NamedTuple

from generator.encode import H264, Format
from generator.export.types import Container, Quality

GIF_MOST_FPS = 50
"""Browsers show frames of under two hundredths of a second for ten."""


class GifForm(NamedTuple):
    """How large a GIF of a quality is, at most."""

    width: int
    fps: int
    colours: int


GIF: dict[Quality, GifForm] = {
    "low": GifForm(320, 8, 64),
    "medium": GifForm(480, 12, 128),
    "high": GifForm(640, 15, 256),
    "maximum": GifForm(832, 24, 256),
}

_X264: dict[Quality, tuple[str, str]] = {
    "low": ("28", "veryfast"),
    "medium": ("21", "medium"),
    "high": ("17", "medium"),
    "maximum": ("12", "slow"),
}
"""CRF and preset."""
_VP9: dict[Quality, tuple[str, str, str]] = {
    "low": ("44", "5", "good"),
    "medium": ("34", "5", "good"),
    "high": ("28", "4", "good"),
    "maximum": ("20", "3", "good"),
}
"""CRF, cpu-used and deadline. For low, realtime took half the time and twice the bytes at the same PSNR."""
_PRORES: dict[Quality, str] = {"low": "800", "medium": "1600", "high": "2600", "maximum": "4000"}
"""Bits a macroblock."""
_THREADS = "4"
"""Of an encoder. A fixed number, since the bytes depend on it."""


def movie_format(container: Container, quality: Quality) -> Format:
    """Codec and settings of everything but a GIF."""
    match container:
        case "mp4":
            crf, preset = _X264[quality]
            options = {**H264.codec_options, "crf": crf, "preset": preset, "threads": _THREADS}
            return Format("mp4", "libx264", "yuv420p", options, H264.container_options)
        case "webm":
            crf, speed, deadline = _VP9[quality]
            options = {"crf": crf, "b": "0", "cpu-used": speed, "deadline": deadline, "threads": _THREADS}
            # bitexact: no random ids in the file
            return Format("webm", "libvpx-vp9", "yuv420p", {**options, "row-mt": "1"}, {"fflags": "+bitexact"})
        case "mov":
            options = {"profile": "4444", "vendor": "apl0", "bits_per_mb": _PRORES[quality], "threads": _THREADS}
            return Format("mov", "prores_ks", "yuv444p10le", options, H264.container_options)
        case "gif":
            raise ValueError("a GIF is made by generator.export.gif")
