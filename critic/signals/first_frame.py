"""The signal of image-to-video: whether the clip starts from the given image."""

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from critic.frames import Picture
from critic.signals.curves import score
from critic.signals.reading import Finding, Reading, Span
from critic.types import JudgeError

_LONG_SIDE = 448
"""Pixels at which corners are matched."""
_SETTLED = 0.25
"""Seconds after which a clip that falls away from its image has done so."""


class Match(NamedTuple):
    """How an image lies in a frame."""

    matched: float | None
    """Share of ORB corners that one similarity carries from image to frame, 0 to 1; None when both are too plain."""
    shift: float
    """Mean distance that the similarity moves the picture's corners, as a share of the diagonal."""
    likeness: float
    """SSIM of the two, softened and carried onto one another, -1 to 1."""


def load(path: Path) -> Picture:
    """The image as RGB.

    Raises:
        JudgeError: not an image.
        OSError: the file cannot be read.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as error:
        raise JudgeError(f"the first frame {path.name} is not an image") from error


def compare(image: Picture, frame: Picture) -> Match:
    """Measure how `image` lies in `frame`; the image is brought to the frame's size first."""
    height, width = frame.shape[:2]
    scale = _LONG_SIDE / max(height, width)
    size = round(width * scale), round(height * scale)
    a, b = (_grey(picture, size) for picture in (image, frame))
    matched, place = _orb(a, b)
    corners = np.array([[0, 0, 1], [size[0], 0, 1], [0, size[1], 1], [size[0], size[1], 1]], np.float64)
    moved = np.linalg.norm(corners @ place.T - corners[:, :2], axis=1).mean() / np.hypot(*size)
    carried = cv2.warpAffine(a, place, size, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones_like(a), place, size) > 0
    return Match(matched, float(moved), _ssim(carried.astype(np.float32), b.astype(np.float32), inside))


def drift(reading: Reading) -> tuple[float, float]:
    """How far light or colour have moved from frame 0 after a quarter to a half of a second, and seconds of the most.

    In levels of the channel that moved most: the median over 8x8 blocks, which subjects that move do not sway, of the
    mean over that time, which flicker does not.
    """
    times, small = reading.footage.times, reading.footage.small
    after = np.flatnonzero((times >= _SETTLED) & (times <= 2 * _SETTLED))
    after = after if len(after) else np.array([min(1, len(times) - 1)])
    size = small.shape[2] // 8, max(1, small.shape[1] // 8)
    start, *later = (
        cv2.resize(small[i], size, interpolation=cv2.INTER_AREA).astype(np.float32) for i in [0, *after.tolist()]
    )
    moved = np.median(np.mean(later, axis=0) - start, axis=(0, 1))
    return float(moved[np.argmax(np.abs(moved))]), float(times[after[-1]])


def first_frame(reading: Reading, image: Picture, wishes: frozenset[str] = frozenset()) -> Finding:
    """Shift of the image in the clip's first frame, as a share of the diagonal, 0 where it is exact.

    The score is the product of four: the share of ORB corners (Rublee et al. 2011) that one similarity explains, that
    similarity's shift, the SSIM (Wang et al. 2004) once it is undone, and the `drift` of light and colour in the first
    half second, by which generators leave the image once it is shown. SSIM alone would fall at any defect of the
    clip; it decides alone, more strictly, where image and frame are too plain for corners.
    """
    match = compare(image, reading.footage.first)
    if match.matched is None:
        value = score("first_frame: likeness when plain", match.likeness)
    else:
        value = score("first_frame: shift", match.shift) * score("first_frame: likeness", match.likeness)
        value *= score("first_frame: matched", match.matched)
    levels, until = drift(reading)
    held = score("first_frame: drift", abs(levels), wishes)
    if value >= 0.85:
        words = f"the clip starts from the image (likeness {match.likeness:.2f})"
    elif match.matched is not None and match.matched < 0.1:
        words = f"the clip does not start from the image (likeness {match.likeness:.2f})"
    else:
        words = f"the first frame moves the image by {match.shift:.1%} of the diagonal (likeness {match.likeness:.2f})"
    wrong: tuple[Span, ...] = (Span(0.0, 0.0, "the first frame differs from the image"),) if value < 0.6 else ()
    if held < 0.9:
        words += f", but its light or colour moves by {levels:+.0f} levels in the first half second"
        wrong += (Span(0.0, until, "light or colour drifts from the image"),)
    advice = "start from the given image, unchanged in framing, content and light"
    return Finding(match.shift, value * held, words, advice + (", and keep its light" if held < 0.9 else ""), wrong)


def _grey(picture: Picture, size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(
        cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY), np.uint8
    )


def _orb(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> tuple[float | None, NDArray[np.float64]]:
    """Share of `a`'s corners that one similarity carries into `b`, and that similarity (2, 3)."""
    same = np.array([[1, 0, 0], [0, 1, 0]], np.float64)
    orb = cv2.ORB.create(800, fastThreshold=5)
    ours, our_words = orb.detectAndCompute(a, None)
    theirs, their_words = orb.detectAndCompute(b, None)
    if len(ours) < 30 or len(theirs) < 30:
        plain = max(len(ours), len(theirs)) < 60
        return (None if plain else 0.0), same
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(our_words, their_words)
    if len(pairs) < 8:
        return 0.0, same
    p = np.array([ours[pair.queryIdx].pt for pair in pairs], np.float32)
    q = np.array([theirs[pair.trainIdx].pt for pair in pairs], np.float32)
    place: Any
    inliers: Any
    place, inliers = cv2.estimateAffinePartial2D(p, q, method=cv2.RANSAC, ransacReprojThreshold=3, maxIters=2000)
    found = 0.0 if inliers is None else float(inliers.sum()) / min(len(ours), len(theirs))
    return (found, place) if place is not None and found >= 0.05 else (found, same)


def _ssim(a: NDArray[np.float32], b: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    """Mean SSIM over `inside`, of pictures softened a little so that noise and coding do not count."""

    def mean(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(x, (11, 11), 1.5), np.float32)

    a, b = mean(a), mean(b)

    ma, mb = mean(a), mean(b)
    va, vb, covariance = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    index = ((2 * ma * mb + 6.5025) * (2 * covariance + 58.5225)) / ((ma * ma + mb * mb + 6.5025) * (va + vb + 58.5225))
    return float(index[inside].mean()) if inside.any() else 0.0
