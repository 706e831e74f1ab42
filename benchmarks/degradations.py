"""Controlled degradations of a clip at five severities, one for each criterion of the critic `signals`."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from critic.frames import Footage, Picture, close_up_step, small_size, tiles

Video = NDArray[np.uint8]
"""(n, height, width, 3) RGB."""

SEVERITIES = (1, 2, 3, 4, 5)


def footage(video: Video, fps: float = 24.0) -> Footage:
    """What `critic.frames.read` would give for these frames, without a codec between."""
    n, height, width = video.shape[:3]
    size = small_size(width, height)
    small = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in video]).astype(np.uint8)
    at = tuple(range(0, n, close_up_step(fps)))
    near = np.stack([tiles(np.asarray(cv2.cvtColor(video[i], cv2.COLOR_RGB2GRAY), np.uint8)) for i in at])
    return Footage(small, video[0], near, at, np.arange(n) / fps)


def encode(video: Video, path: Path, *, fps: float = 24.0, codec: str = "libx264", **options: str) -> Path:
    """Write frames as H.264 at CRF 18 (vLLM-Omni's), or as `codec` with `options`."""
    settings: dict[str, Any] = {}
    if codec == "libx264":
        settings = {"crf": "18", "preset": "veryfast", "x264-params": "mbtree=0"}  # with it, x264 is not reproducible
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(path, "w") as container:
        stream = cast("VideoStream", container.add_stream(codec, rate=rate, options={**settings, **options}))
        stream.height, stream.width = video.shape[1:3]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for frame in video:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def decode(path: Path) -> Video:
    """All frames of a file."""
    with av.open(path) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)]).astype(np.uint8)


def _each(change: Callable[[NDArray[np.float32], int], NDArray[Any]], video: Video) -> Video:
    return np.stack(
        [np.clip(change(f.astype(np.float32), i) + 0.5, 0, 255).astype(np.uint8) for i, f in enumerate(video)]
    )


def frozen(video: Video, severity: int) -> Video:
    """The clip stands still for 25 to 95 % of its length, from a third on."""
    n = len(video)
    pairs = round((n - 1) * (0.25, 0.35, 0.5, 0.7, 0.95)[severity - 1])
    start = min(n // 3, n - 1 - pairs)
    out = video.copy()
    out[start : start + pairs + 1] = video[start]
    return out


def duplicated(video: Video, severity: int) -> Video:
    """Every 10th to every 2nd frame is shown again in the next one's place, as when a lower rate is padded."""
    step = (10, 7, 5, 3, 2)[severity - 1]
    out = video.copy()
    out[step::step] = video[step - 1 : -1 : step][: len(out[step::step])]
    return out


def cut(video: Video, severity: int) -> Video:
    """The clip is broken into `severity` + 1 pieces, every second one mirrored and turned upside down."""
    out = video.copy()
    for piece in np.array_split(np.arange(len(video)), severity + 1)[1::2]:
        out[piece] = video[piece][:, ::-1, ::-1]
    return out


def blackened(video: Video, severity: int) -> Video:
    """4 to 60 % of the frames, in the middle, are black."""
    n = len(video)
    length = max(1, round(n * (0.04, 0.1, 0.2, 0.4, 0.6)[severity - 1]))
    out = video.copy()
    out[(n - length) // 2 : (n - length) // 2 + length] = 6
    return out


def flickering(video: Video, severity: int) -> Video:
    """Brightness jumps at random from frame to frame by 1 to 12 %."""
    dice = np.random.default_rng(5)
    gains = 1 + (0.015, 0.025, 0.04, 0.07, 0.12)[severity - 1] * dice.standard_normal(len(video))
    return _each(lambda f, i: f * gains[i], video)


def shaken(video: Video, severity: int) -> Video:
    """The frame jumps at random by .15 to 2 % of the diagonal."""
    height, width = video.shape[1:3]
    reach = np.hypot(height, width) * (0.0015, 0.003, 0.006, 0.012, 0.02)[severity - 1]
    jumps = np.random.default_rng(6).standard_normal((len(video), 2)) * reach
    return _each(lambda f, i: _shift(f, jumps[i]), video)


def warped(video: Video, severity: int) -> Video:
    """The picture swims: a smooth random displacement field of .15 to 1.6 % of the height, new every few frames."""
    height, width = video.shape[1:3]
    dice = np.random.default_rng(7)
    reach = height * (0.0015, 0.003, 0.006, 0.01, 0.016)[severity - 1]
    knots = dice.standard_normal((len(video) // 2 + 2, 2, 5, 8)).astype(np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)

    def change(frame: NDArray[np.float32], i: int) -> NDArray[Any]:
        mix = (i % 2) / 2
        field = (1 - mix) * knots[i // 2] + mix * knots[i // 2 + 1]
        dx, dy = (cv2.resize(f, (width, height), interpolation=cv2.INTER_CUBIC) * reach for f in field)
        return cv2.remap(frame, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    return _each(change, video)


def blurred(video: Video, severity: int) -> Video:
    """Gaussian blur with a sigma of .35 to 2 % of the height."""
    sigma = video.shape[1] * (0.005, 0.0075, 0.011, 0.016, 0.024)[severity - 1]
    return _each(lambda f, _: cv2.GaussianBlur(f, (0, 0), sigma), video)


def noisy(video: Video, severity: int) -> Video:
    """Independent Gaussian noise with a sigma of 4 to 30 levels."""
    dice = np.random.default_rng(8)
    sigma = (4.0, 7.0, 11.0, 18.0, 30.0)[severity - 1]
    return _each(lambda f, _: f + sigma * dice.standard_normal(f.shape, np.float32), video)


def _part(video: Video) -> slice:
    """15 % of the frames, from a third on."""
    start = len(video) // 3
    return slice(start, start + round(len(video) * 0.15))


def noisy_in_part(video: Video, severity: int) -> Video:
    """15 % of the frames are `noisy`."""
    out = video.copy()
    out[_part(video)] = noisy(video[_part(video)], severity)
    return out


def blurred_in_part(video: Video, severity: int) -> Video:
    """15 % of the frames are `blurred`."""
    out = video.copy()
    out[_part(video)] = blurred(video[_part(video)], severity)
    return out


def static_burst(video: Video, severity: int) -> Video:
    """The static of a lost signal is mixed into 15 % of the frames, to 10 to 100 %."""
    share = (0.1, 0.2, 0.35, 0.6, 1.0)[severity - 1]
    dice = np.random.default_rng(9)
    out = video.copy()
    out[_part(video)] = _each(lambda f, _: f * (1 - share) + share * dice.integers(0, 256, f.shape), out[_part(video)])
    return out


def shuffled(video: Video, severity: int) -> Video:
    """A stretch of 15 to 100 % of the frames, in the middle, is in random order."""
    n = len(video)
    length = round(n * (0.15, 0.25, 0.4, 0.7, 1.0)[severity - 1])
    start = (n - length) // 2
    out = video.copy()
    out[start : start + length] = video[start + np.random.default_rng(10).permutation(length)]
    return out


def blocky(video: Video, severity: int) -> Video:
    """Blocks of 8x8 pixels lose their detail: 15 to 90 % of the way to their mean and slopes."""
    share = (0.15, 0.3, 0.45, 0.65, 0.9)[severity - 1]

    def change(frame: NDArray[np.float32], _: int) -> NDArray[Any]:
        height, width = frame.shape[:2]
        flat = cv2.resize(frame, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
        return frame * (1 - share) + share * cv2.resize(flat, (width, height), interpolation=cv2.INTER_NEAREST)

    return _each(change, video)


def blocky_codec(video: Video, severity: int) -> Video:
    """Motion JPEG, whose 8x8 blocks nothing smooths, at quantiser 8 to 31."""
    quantiser = str((8, 12, 17, 23, 31)[severity - 1])
    with TemporaryDirectory() as folder:
        return decode(encode(video, Path(folder, "blocky.mkv"), codec="mjpeg", qmin=quantiser, qmax=quantiser))


def banded(video: Video, severity: int) -> Video:
    """Smooth parts are quantised to steps of 2 to 14 levels, as by a coarse codec."""
    step = (2, 4, 6, 9, 14)[severity - 1]

    def change(frame: NDArray[np.float32], _: int) -> NDArray[Any]:
        smooth = cv2.GaussianBlur(frame, (0, 0), 2)
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        detail = np.sqrt(cv2.blur((grey - cv2.GaussianBlur(grey, (0, 0), 4)) ** 2, (9, 9)))
        mask = np.clip(3 - detail / 3, 0, 1)[..., None]
        return frame + mask * (np.round(smooth / step) * step - frame)

    return _each(change, video)


def underexposed(video: Video, severity: int) -> Video:
    """Light falls to 45 to 10 %."""
    gain = (0.45, 0.35, 0.26, 0.18, 0.1)[severity - 1]
    return _each(lambda f, _: f * gain, video)


def overexposed(video: Video, severity: int) -> Video:
    """Light grows to 1.5 to 4 times and clips."""
    gain = (1.5, 1.8, 2.2, 2.8, 4.0)[severity - 1]
    return _each(lambda f, _: f * gain, video)


def oversaturated(video: Video, severity: int) -> Video:
    """Distances from grey grow 1.6 to 6 times."""
    gain = (1.6, 2.1, 2.8, 4.0, 6.0)[severity - 1]

    def change(frame: NDArray[np.float32], _: int) -> NDArray[Any]:
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None]
        return grey + (frame - grey) * gain

    return _each(change, video)


def first_shifted(picture: Picture, severity: int) -> Picture:
    """The image moved by 2 to 25 % of the width."""
    share = (0.02, 0.04, 0.08, 0.15, 0.25)[severity - 1]
    return np.roll(picture, round(picture.shape[1] * share), 1)


def first_zoomed(picture: Picture, severity: int) -> Picture:
    """The image enlarged 1.05 to 1.8 times about its centre."""
    height, width = picture.shape[:2]
    zoom = cv2.getRotationMatrix2D((width / 2, height / 2), 0, (1.05, 1.1, 1.2, 1.4, 1.8)[severity - 1])
    return np.asarray(cv2.warpAffine(picture, zoom, (width, height), borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def first_mixed(picture: Picture, severity: int) -> Picture:
    """The image turned upside down, mixed in to 20 to 100 %: another picture with the same colours."""
    share = (0.2, 0.4, 0.6, 0.8, 1.0)[severity - 1]
    return np.asarray(picture * (1 - share) + picture[::-1, ::-1] * share + 0.5, np.uint8)


def _shift(frame: NDArray[np.float32], jump: NDArray[np.float64]) -> NDArray[Any]:
    place = np.array([[1, 0, jump[0]], [0, 1, jump[1]]], np.float32)
    return cv2.warpAffine(frame, place, (frame.shape[1], frame.shape[0]), borderMode=cv2.BORDER_REFLECT_101)


DEGRADATIONS: Mapping[str, tuple[Callable[[Video, int], Video], ...]] = {
    "frozen": (frozen,),
    "duplicates": (duplicated,),
    "cuts": (cut, shuffled),
    "black": (blackened,),
    "flicker": (flickering,),
    "shake": (shaken,),
    "warping": (warped,),
    "blur": (blurred, blurred_in_part),
    "noise": (noisy, noisy_in_part, static_burst),
    "blockiness": (blocky, blocky_codec),
    "banding": (banded,),
    "exposure": (underexposed, overexposed),
    "saturation": (oversaturated,),
}
"""By criterion. Not here: `motion` (a slower scene), `camera` (a shorter move), `first_frame` (another image)."""
