"""An untrusted image file as the first frame: decoded within limits, upright, in sRGB on white, cropped and resized."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from PIL import Image, ImageCms, JpegImagePlugin

from agent.errors import IntakeError

MAX_PIXELS = 40_000_000
MAX_SIDE = 16_384
MIN_SIDE = 16
MAX_RATIO = 8
"""Long side over short side."""

_SMALLER = "make it smaller first"
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP")
_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation (CIPA DC-008, 4.6.4). From 5 on, width and height change places."""


class FirstFrame(NamedTuple):
    """A first frame at exactly the size of the clip."""

    png: bytes
    """8-bit RGB, no metadata; the same input gives the same bytes with the same Pillow and zlib."""
    notes: list[str]
    """Sentences on what was done that the user may want to know: cropped, enlarged, one frame of several."""


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels as the image is meant to be seen, from its header alone.

    Raises:
        IntakeError: not an image, or outside the limits.
    """
    with _opened(data) as image:
        return _seen(image.size, _orientation(image))


def to_first_frame(data: bytes, width: int, height: int) -> FirstFrame:
    """Crop the image about its centre to the output's aspect, and resize it to exactly width x height.

    Of an animation the first frame is taken; what is transparent becomes white; an embedded colour profile is applied.

    Raises:
        IntakeError: not an image, outside the limits, damaged or cut short.
    """
    with _opened(data) as image:
        orientation = _orientation(image)
        notes = _notes(_seen(image.size, orientation), (width, height))
        if image.format != "MPO" and getattr(image, "is_animated", False):
            notes.append("The image is animated: its first frame is used.")
        stored = _fill(image, *_seen((width, height), orientation))
        rgb = _on_white(_to_srgb(_to_8_bit(stored), image.info.get("icc_profile")))
        upright = rgb.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else rgb
        buffer = io.BytesIO()
        upright.save(buffer, "PNG")
    return FirstFrame(buffer.getvalue(), notes)


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """The image within the limits, its pixels not yet decoded; whatever its decoder raises is an IntakeError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                _check_dimensions(*image.size)
                yield image
        except IntakeError:
            raise
        except Image.DecompressionBombError as error:
            raise IntakeError(
                f"request.image has far over {MAX_PIXELS // 10**6} megapixels; {_SMALLER}", "large"
            ) from error
        except Exception as error:  # decoders of hostile bytes raise nearly anything
            raise IntakeError(
                "request.image cannot be decoded: it is damaged or cut short; save or download it again, as JPEG or PNG"
            ) from error


def _check_dimensions(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 10**6
        raise IntakeError(f"request.image is {width}x{height} pixels, over {limit} megapixels; {_SMALLER}", "large")
    if min(width, height) < MIN_SIDE:
        raise IntakeError(
            f"request.image is {width}x{height} pixels; give one of at least {MIN_SIDE} on each side", "small"
        )
    if max(width, height) > MAX_SIDE:
        raise IntakeError(f"request.image is {width}x{height} pixels, over {MAX_SIDE} on a side; {_SMALLER}", "large")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise IntakeError(
            f"request.image is {width}x{height} pixels, longer than {MAX_RATIO}:1; crop it nearer to the clip's shape"
        )


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 if there is none or it cannot be read."""
    with suppress(Exception):  # a broken EXIF block is no reason to refuse the picture
        value = image.getexif().get(_EXIF_ORIENTATION)
        if value in _UPRIGHT:
            return int(value)
    return 1


def _seen(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Between stored and seen width and height, in either direction."""
    width, height = size
    return (height, width) if orientation >= 5 else (width, height)


def _notes(size: tuple[int, int], output: tuple[int, int]) -> list[str]:
    (width, height), (to_width, to_height) = size, output
    notes = []
    scale = min(width / to_width, height / to_height)
    lost = 1 - (to_width * scale) * (to_height * scale) / (width * height)
    if lost > 0.1:
        where = "left and right" if width * to_height > height * to_width else "top and bottom"
        notes.append(f"The image was cropped to {to_width}x{to_height}: {lost:.0%} of it was cut away, {where}.")
    if scale < 1:
        notes.append(f"The image ({width}x{height}) is smaller than {to_width}x{to_height} and was enlarged.")
    return notes


def _fill(image: Image.Image, width: int, height: int) -> Image.Image:
    """Decode, crop about the centre and resize in one step; one of the modes L, I;16, RGB, RGBA and CMYK."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        # libjpeg decodes at 1/2, 1/4 or 1/8: at twice the size needed the resize below has nothing to lose
        over = 2 / min(image.width / width, image.height / height)
        image.draft(None, (round(image.width * over), round(image.height * over)))
    if image.mode.startswith("I;16") or image.mode == "CMYK":
        mode = image.mode
    elif image.has_transparency_data:
        mode = "RGBA"
    else:
        mode = "L" if image.mode in {"1", "L"} else "RGB"
    # to convert to the mode it has would copy all of it
    pixels = image if image.mode == mode else image.convert(mode)
    scale = min(pixels.width / width, pixels.height / height)
    left = max(0.0, (pixels.width - width * scale) / 2)
    top = max(0.0, (pixels.height - height * scale) / 2)
    box = (left, top, pixels.width - left, pixels.height - top)
    return pixels.resize((width, height), Image.Resampling.LANCZOS, box)


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey, which Pillow's own conversion would clip at 255."""
    if not image.mode.startswith("I;16"):
        return image
    return image.point(lambda value: value * (1 / 257) + 0.5).convert("L")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Apply an embedded ICC profile; one that is damaged or of another colour model is passed over, as browsers do."""
    if not profile:
        return image
    with suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        model = source.profile.xcolor_space.strip()
        if image.mode.removesuffix("A") == {"GRAY": "L"}.get(model, model):
            mode = "RGBA" if image.mode == "RGBA" else "RGB"
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
            return converted or image
    return image


def _on_white(image: Image.Image) -> Image.Image:
    """A new RGB image, and so one without the metadata that Pillow carries along."""
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(image.convert("RGB"), mask=image.getchannel("A") if image.mode == "RGBA" else None)
    return canvas
