"""What the critic `signals` measures: sixteen criteria with their weights and floors."""

from typing import Final

from critic.types import Axis, Criterion, Rubric


def _criterion(
    name: str, title: str, axis: Axis, definition: str, unit: str, *, weight: float = 1.0, floor: float = 0.0
) -> Criterion:
    return Criterion(name=name, title=title, axis=axis, definition=definition, unit=unit, weight=weight, floor=floor)


RUBRIC: Final = Rubric(
    name="signals",
    version=1,
    criteria=(
        _criterion(
            "camera",
            "Camera move",
            "adherence",
            "The least of the camera moves that the prompt asks for, as a share of a clear one, from corners tracked "
            "over the clip and a robust similarity.",
            "of a clear move",
            weight=8,
            floor=0.4,
        ),
        _criterion(
            "first_frame",
            "First frame",
            "first_frame",
            "How far the given image is shifted in the first frame, by matched ORB corners, with its SSIM once "
            "undone and the drift of light and colour in the first half second.",
            "of the diagonal",
            weight=4,
            floor=0.5,
        ),
        _criterion(
            "motion",
            "Amount of motion",
            "motion",
            "Mean speed of the fastest twentieth of the picture by dense optical flow.",
            "% of the diagonal per second",
            weight=2,
            floor=0.1,
        ),
        _criterion(
            "frozen",
            "Never frozen",
            "motion",
            "Longest stretch of a sixth of a second or more in which frames do not differ, as a share of the clip.",
            "of the clip",
            weight=1.5,
            floor=0.5,
        ),
        _criterion(
            "duplicates",
            "No repeated frames",
            "motion",
            "Share of frames that repeat the one before, outside frozen stretches.",
            "of the frames",
            weight=1,
            floor=0.4,
        ),
        _criterion(
            "cuts",
            "One shot",
            "consistency",
            "Number of pairs of frames whose correlation along the optical flow falls out of line, and of frames that "
            "leap away from two neighbours that are alike.",
            "cuts",
            weight=1,
            floor=0.6,
        ),
        _criterion(
            "black",
            "Never black",
            "quality",
            "Share of frames whose 95th percentile of luma is under 20.",
            "of the frames",
            weight=1,
            floor=0.6,
        ),
        _criterion(
            "flicker",
            "Steady light",
            "consistency",
            "Root mean square of the jumps of brightness along the optical flow, around its smooth course.",
            "levels",
            weight=2.5,
            floor=0.4,
        ),
        _criterion(
            "shake",
            "Steady camera",
            "motion",
            "Root mean square of the jumps of the picture's centre around its smooth course.",
            "thousandths of the diagonal",
            weight=2,
            floor=0.3,
        ),
        _criterion(
            "warping",
            "Stable shapes",
            "consistency",
            "Median acceleration of tracked corners that no similarity of the picture explains.",
            "thousandths of the diagonal",
            weight=2.5,
            floor=0.4,
        ),
        _criterion(
            "blur",
            "Sharpness",
            "quality",
            "Width of the sharper edges: contrast around an edge over its steepest slope, at full size, in the worst "
            "half second.",
            "pixels",
            weight=2,
            floor=0.5,
        ),
        _criterion(
            "noise",
            "No noise",
            "quality",
            "Standard deviation of noise in the smoothest part of the picture, at full size, in the worst half second "
            "(Immerkaer).",
            "levels",
            weight=2,
            floor=0.4,
        ),
        _criterion(
            "blockiness",
            "No blocks",
            "quality",
            "Mean height of the luma steps that recur every 8 pixels, at full size, in the worst half second.",
            "levels",
            weight=1.5,
            floor=0.3,
        ),
        _criterion(
            "banding",
            "No bands",
            "quality",
            "Share of the picture that is plateaus with steps between, times the steepness of the steps, at full size, "
            "in the worst half second.",
            "index",
            weight=1,
            floor=0.1,
        ),
        _criterion(
            "exposure",
            "Exposure",
            "quality",
            "Mean luma, and the share of the picture clipped to white.",
            "levels",
            weight=2,
            floor=0.3,
        ),
        _criterion(
            "saturation",
            "Natural colour",
            "quality",
            "Share of the picture in nearly pure colour.",
            "of the picture",
            weight=1,
            floor=0.2,
        ),
    ),
)
