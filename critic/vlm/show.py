"""How a clip is shown to a model: which frames, how large, in which form, and at which times."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from PIL import Image as Pictures

from critic import frames
from critic.types import JudgeError
from reasoner.chat.client import Chat
from reasoner.chat.config import VideoForm
from reasoner.chat.types import Image, Message, Refused, Sampling, ServerFailed, Text, Usage, Video, WrongModel

QUALITY: Final = 90
"""JPEG quality of the frames."""
UNTIMED: Final = 32
"""Frames that vLLM takes of a JPEG sequence without being told otherwise: it drops the rest in silence."""
_TIMES = "{:.2f}".format


@dataclass(frozen=True)
class Shown:
    """A clip as a model sees it."""

    parts: tuple[Text | Image | Video, ...]
    """Media first, then its times: the same bytes for every question, so that the server's cache serves them."""
    seconds: float
    """Length of the clip."""
    count: int
    """Frames shown."""
    size: tuple[int, int]
    """Width and height of the frames shown."""
    form: VideoForm


def show(path: Path, form: VideoForm, *, fps: float, most: int, long_side: int) -> Shown:
    """A clip's frames in the form that a server takes.

    Raises:
        JudgeError: not a video, or no two frames of it decode.
        OSError: the file cannot be read.
    """
    seconds, total = frames.length(path)
    stills = frames.sample(path, frame_count(seconds, fps, min(most, UNTIMED) if form == "frames" else most))
    if len(stills) < 2:
        raise JudgeError(f"{path.name} is not a clip: {len(stills)} of its frames decode, at least 2 are needed")
    pictures = [resized(picture, long_side) for _, picture in stills]
    times = [at for at, _ in stills]
    parts = (
        *_media(pictures, times, form, total / seconds if seconds else 24.0, total),
        Text(text=_note(times, seconds, form)),
    )
    return Shown(parts, seconds, len(stills), pictures[0].size, form)


def frame_count(seconds: float, fps: float, most: int) -> int:
    """Frames to show: even, since models of this family look at them in pairs and repeat an odd last one."""
    return max(2, min(most, round(seconds * fps)) // 2 * 2)


def resized(picture: frames.Picture, long_side: int) -> Pictures.Image:
    """A frame with at most `long_side` pixels on the long side; width and height even, as video codecs want them."""
    height, width = picture.shape[:2]
    scale = min(1.0, long_side / max(width, height))
    size = max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
    image = Pictures.fromarray(picture)
    return image if image.size == size else image.resize(size, Pictures.Resampling.LANCZOS)


def first_frame_part(path: Path, long_side: int) -> Image:
    """The user's first frame, sized as the clip's are.

    Raises:
        JudgeError: not an image.
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    try:
        with Pictures.open(io.BytesIO(data)) as opened:
            picture = np.asarray(opened.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Pictures.DecompressionBombError) as error:
        raise JudgeError(f"the first frame {path.name} is not an image") from error
    return Image(data=jpeg(resized(picture, long_side)))


def jpeg(image: Pictures.Image) -> bytes:
    """A JPEG file."""
    into = io.BytesIO()
    image.save(into, "JPEG", quality=QUALITY)
    return into.getvalue()


def _media(
    pictures: Sequence[Pictures.Image], times: Sequence[float], form: VideoForm, fps: float, total: int
) -> list[Text | Image | Video]:
    match form:
        case "timed_frames":
            at = [round(seconds * fps) for seconds in times]
            return [Video(url=sequence(pictures), io=timing(round(fps, 6), at, max(total, at[-1] + 1)))]
        case "frames":
            return [Video(url=sequence(pictures))]
        case "mp4":
            return [Video(url=mp4(pictures, (len(times) - 1) / times[-1] if times[-1] else fps))]
        case "images":
            parts: list[Text | Image | Video] = []
            for picture, seconds in zip(pictures, times, strict=True):
                parts += [Text(text=f"{_TIMES(seconds)} s:"), Image(data=jpeg(picture))]
            return parts


def timing(fps: float, at: Sequence[int], total: int) -> dict[str, object]:
    """What vLLM is told of a JPEG sequence: the frames' places in the clip, and that none of them is to be dropped."""
    return {"fps": fps, "frames_indices": list(at), "total_num_frames": total, "num_frames": -1}


def _note(times: Sequence[float], seconds: float, form: VideoForm) -> str:
    when = ", ".join(_TIMES(at) for at in times)
    words = f"The video lasts {_TIMES(seconds)} s. {len(times)} frames of it are shown, taken at {when} s."
    if form == "frames":
        words += (
            " The time stamps inside the video count one second for each frame: read them as these times instead, the "
            "first stamp as the first time and so on."
        )
    elif form == "images":
        words += " They are frames of one video in their order, each after its time, and not pictures by themselves."
    return f"{words}\n"


def sequence(pictures: Sequence[Pictures.Image]) -> str:
    """JPEG frames as one video part (vLLM's own form, see `reasoner.chat.types.Video`)."""
    return "data:video/jpeg;base64," + ",".join(base64.b64encode(jpeg(p)).decode() for p in pictures)


def mp4(pictures: Sequence[Pictures.Image], fps: float) -> str:
    """Frames as an H.264 clip of `fps` frames a second."""
    into = io.BytesIO()
    with av.open(into, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000), options={"crf": "16"})
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
    return "data:video/mp4;base64," + base64.b64encode(into.getvalue()).decode()


async def video_form(chat: Chat) -> tuple[VideoForm, Usage]:
    """The best form that a server takes, found out with eight plain frames, and what asking took.

    A server that honours a frame's time writes it into the prompt: huge times make it longer. One that looks at media
    at all counts more tokens than for the words alone, and one that uses all frames of an mp4 about as many as for the
    same frames by themselves, or four times as many as for two. One that counts no tokens is shown single pictures.

    Raises:
        ChatError: the server cannot be asked at all, or drops pictures and answers blindly.
    """
    pictures = _plain(8)
    url = sequence(pictures)
    plain, used = await _tokens(chat, Video(url=url))
    far = timing(24, [24_000 * n for n in range(8)], 24_000 * 8)
    timed, more = await _tokens(chat, Video(url=url, io=far)) if plain is not None else (None, Usage())
    used += more
    if plain is not None and timed is not None and timed > plain:
        return "timed_frames", used
    bare, more = await _tokens(chat)
    used += more
    if not bare:
        return "images", used
    frames = max(0, (plain or 0) - bare)
    whole, more = await _tokens(chat, Video(url=mp4(pictures, 4)))
    used += more
    clip = max(0, (whole or 0) - bare)
    if clip and frames:
        return ("mp4" if clip >= 0.9 * frames else "frames"), used
    if clip:
        two, more = await _tokens(chat, Video(url=mp4(pictures[:2], 4)))
        used += more
        if two is not None and clip > 3 * (two - bare):
            return "mp4", used
    if frames:
        return "frames", used
    seen, more = await _tokens(chat, Image(data=jpeg(pictures[0])))
    if seen is None or seen <= bare:
        raise WrongModel(
            f"{chat.model} at {chat.url} does not look at pictures: a question with one is no longer than without. "
            "Name a model that does, such as nvidia/Cosmos3-Nano, under critic.endpoint"
        )
    return "images", used + more


async def takes_two(chat: Chat, form: VideoForm) -> tuple[bool, Usage]:
    """Whether a server that takes a video in this form takes two in one question, and what asking took.

    One may drop the second in silence: two that are looked at count about twice the tokens of one.

    Raises:
        ChatError: the server cannot be asked at all.
    """
    video = Video(url=mp4(_plain(8), 4) if form == "mp4" else sequence(_plain(8)))
    (bare, used), (one, some), (two, more) = [await _tokens(chat, *[video] * count) for count in range(3)]
    if bare is None or one is None or two is None:
        return False, used + some + more
    return two - bare > 1.5 * (one - bare), used + some + more


def _plain(count: int) -> list[Pictures.Image]:
    return [Pictures.new("RGB", (256, 256), (n * 30, 128, 255 - n * 30)) for n in range(count)]


async def _tokens(chat: Chat, *media: Image | Video) -> tuple[int | None, Usage]:
    """Length in tokens of a prompt with these media; None: the server does not take it."""
    message = Message(role="user", content=(*media, Text(text="Answer Yes.")))
    try:
        reply = await chat.ask([message], sampling=Sampling.greedy(1))
    except (Refused, ServerFailed):  # servers answer media they do not know with either
        return None, Usage()
    return reply.usage.prompt_tokens, reply.usage
