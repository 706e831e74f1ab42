"""Degradations of the picture: what shakes, swims, blurs, or is added by sensors and codecs."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.bench.degrade.video import Video, decode, each, encode, part, shifted


def shaken(video: Video, severity: int) -> Video:
    """The frame jumps at random by .15 to 2 % of the diagonal."""
    height, width = video.shape[1:3]
    reach = np.hypot(height, width) * (0.0015, 0.003, 0.006, 0.012, 0.02)[severity - 1]
    jumps = np.random.default_rng(6).standard_normal((len(video), 2)) * reach
    return each(lambda f, i: shifted(f, jumps[i]), video)


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

    return each(change, video)


def blurred(video: Video, severity: int) -> Video:
    """Gaussian blur with a sigma of .5 to 2.4 % of the height."""
    sigma = video.shape[1] * (0.005, 0.0075, 0.011, 0.016, 0.024)[severity - 1]
    return each(lambda f, _: cv2.GaussianBlur(f, (0, 0), sigma), video)


def noisy(video: Video, severity: int) -> Video:
    """Independent Gaussian noise with a sigma of 4 to 30 levels."""
    dice = np.random.default_rng(8)
    sigma = (4.0, 7.0, 11.0, 18.0, 30.0)[severity - 1]
    return each(lambda f, _: f + sigma * dice.standard_normal(f.shape, np.float32), video)


def noisy_in_part(video: Video, severity: int) -> Video:
    """15 % of the frames are `noisy`."""
    out = video.copy()
    out[part(video)] = noisy(video[part(video)], severity)
    return out


def blurred_in_part(video: Video, severity: int) -> Video:
    """15 % of the frames are `blurred`."""
    out = video.copy()
    out[part(video)] = blurred(video[part(video)], severity)
    return out


def static_burst(video: Video, severity: int) -> Video:
    """The static of a lost signal is mixed into 15 % of the frames, to 10 to 100 %."""
    share = (0.1, 0.2, 0.35, 0.6, 1.0)[severity - 1]
    dice = np.random.default_rng(9)
    out = video.copy()
    out[part(video)] = each(lambda f, _: f * (1 - share) + share * dice.integers(0, 256, f.shape), out[part(video)])
    return out


def blocky(video: Video, severity: int) -> Video:
    """Blocks of 8x8 pixels lose their detail: 15 to 90 % of the way to their mean."""
    share = (0.15, 0.3, 0.45, 0.65, 0.9)[severity - 1]

    def change(frame: NDArray[np.float32], _: int) -> NDArray[Any]:
        height, width = frame.shape[:2]
        flat = cv2.resize(frame, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
        return frame * (1 - share) + share * cv2.resize(flat, (width, height), interpolation=cv2.INTER_NEAREST)

    return each(change, video)


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

    return each(change, video)


def upscaled(video: Video, severity: int) -> Video:
    """The picture of 1.5 to 6 times fewer pixels a side, enlarged again."""
    factor = (1.5, 2.0, 3.0, 4.0, 6.0)[severity - 1]
    height, width = video.shape[1:3]
    size = max(2, round(width / factor)), max(2, round(height / factor))

    def change(frame: NDArray[np.float32], _: int) -> NDArray[Any]:
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)

    return each(change, video)
