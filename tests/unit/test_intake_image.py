"""Untrusted image bytes as first frames."""

import io
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from agent.errors import IntakeError
from agent.intake import image_size, to_first_frame

REPOSITORY = Path(__file__).parents[2]
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP")
SIZE = (96, 64)


def encoded(image: Image.Image, format_name: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def frame(data: bytes, size: tuple[int, int] = SIZE) -> np.ndarray[Any, np.dtype[np.int16]]:
    """The first frame's pixels, height x width x RGB."""
    image = Image.open(io.BytesIO(to_first_frame(data, *size).png))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", size)
    return np.asarray(image).astype(np.int16)


def plain(colour: tuple[int, ...] | int, mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    return Image.new(mode, size, colour)


def noise(size: tuple[int, int] = (256, 256), mode: str = "RGB") -> Image.Image:
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    return Image.fromarray(np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8))


def refusal(data: bytes) -> str:
    with pytest.raises(IntakeError) as caught:
        to_first_frame(data, *SIZE)
    message = str(caught.value)
    assert message.startswith("request.image")
    assert ";" in message, "a cure follows the finding"
    return message


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_keeps_its_colour_and_size(format_name: str) -> None:
    data = encoded(plain((200, 30, 40)), format_name)
    assert image_size(data) == SIZE
    assert np.abs(frame(data) - (200, 30, 40)).max() <= 3
    assert to_first_frame(data, *SIZE).notes == []


def test_the_frame_is_deterministic_and_carries_no_metadata() -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(noise(), "JPEG", exif=exif, icc_profile=profile, comment=b"secret", dpi=(72, 72))
    first, second = to_first_frame(data, 320, 192), to_first_frame(data, 320, 192)
    assert first == second
    chunks, at = [], 8
    while at < len(first.png):
        (length,) = struct.unpack(">I", first.png[at : at + 4])
        chunks.append(first.png[at + 4 : at + 8])
        at += 12 + length
    assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}


SEEN_AT = {1: "top left", 2: "top right", 3: "bottom right", 4: "bottom left"} | {
    5: "left top",
    6: "right top",
    7: "right bottom",
    8: "left bottom",
}
"""Where the stored first row and first column are seen, by EXIF orientation (CIPA DC-008, table 6)."""


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", SEEN_AT)
def test_exif_orientation_is_undone(orientation: int, format_name: str) -> None:
    seen = np.zeros((64, 96, 3), np.uint8)
    seen[:32, :48], seen[:32, 48:], seen[32:, :48] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    stored = seen[:, ::-1] if "right" in SEEN_AT[orientation] else seen
    stored = stored[::-1] if "bottom" in SEEN_AT[orientation] else stored
    stored = stored.transpose(1, 0, 2) if orientation >= 5 else stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format_name == "WEBP" else {} if format_name == "PNG" else {"quality": 95}
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), format_name, exif=exif, **options)
    assert image_size(data) == (96, 64)
    difference = np.abs(frame(data) - seen)
    assert difference.mean() < 8
    assert np.median(difference) < 3


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"MM\0*\xff\xff\xff\xff", b"garbage", b"II*\0\x08\0\0\0\x01\0\x12\x01", b"II*\0"])
def test_a_broken_exif_block_is_passed_over(exif: bytes, format_name: str) -> None:
    data = encoded(plain((9, 99, 199)), format_name, exif=b"Exif\0\0" + exif)
    assert image_size(data) == SIZE
    assert np.abs(frame(data) - (9, 99, 199)).max() <= 3


@pytest.mark.parametrize(
    ("image", "format_name", "options", "colour"),
    [
        (plain((200, 30, 40)).convert("CMYK"), "JPEG", {}, (200, 30, 40)),
        (plain(32896, "I;16"), "PNG", {}, (128, 128, 128)),
        (plain(65535, "I;16"), "PNG", {}, (255, 255, 255)),
        (plain((255, 0, 0, 128), "RGBA"), "PNG", {}, (255, 127, 127)),
        (plain((255, 0, 0, 128), "RGBA"), "WEBP", {"lossless": True}, (255, 127, 127)),
        (plain((255, 0, 0, 128), "RGBA"), "AVIF", {"quality": 95}, (255, 127, 127)),
        (plain((0, 0, 0, 0), "RGBA"), "PNG", {}, (255, 255, 255)),
        (plain((100, 128), "LA"), "PNG", {}, (177, 177, 177)),
        (plain(90, "L"), "JPEG", {}, (90, 90, 90)),
        (plain(1, "1"), "PNG", {}, (255, 255, 255)),
        (plain((10, 20, 30)).quantize(4), "PNG", {}, (10, 20, 30)),
        (plain((10, 20, 30)).quantize(4), "PNG", {"transparency": 0}, (255, 255, 255)),
        (plain((10, 20, 30)).quantize(4), "GIF", {"transparency": 0}, (255, 255, 255)),
        (plain((10, 20, 30)), "PNG", {"transparency": (10, 20, 30)}, (255, 255, 255)),
        (plain(7, "L"), "PNG", {"transparency": 7}, (255, 255, 255)),
    ],
)
def test_every_mode_becomes_srgb_on_white(
    image: Image.Image, format_name: str, options: dict[str, Any], colour: tuple[int, int, int]
) -> None:
    assert np.abs(frame(encoded(image, format_name, **options)) - colour).max() <= 3


def test_16_bit_colour_keeps_its_range() -> None:
    rows = b"".join(b"\0" + struct.pack(">3H", 65535, 32896, 0) * 96 for _ in range(64))
    assert np.abs(frame(png(96, 64, 16, 2, rows)) - (255, 128, 0)).max() <= 1


def test_16_bit_grey_keeps_its_gradient() -> None:
    ramp = np.tile(np.linspace(0, 65535, 96).astype(np.uint16), (64, 1))
    assert np.abs(frame(encoded(Image.fromarray(ramp)))[0, :, 0] - np.linspace(0, 255, 96)).max() <= 1


def swapped_profile() -> bytes:
    """SRGB with the red and the blue primary exchanged, so that a reader who applies it shows red as blue."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")


@pytest.mark.parametrize(
    ("mode", "format_name"), [("RGB", "PNG"), ("RGB", "JPEG"), ("RGB", "WEBP"), ("RGBA", "PNG"), ("P", "PNG")]
)
def test_a_colour_profile_is_applied(mode: str, format_name: str) -> None:
    image = plain((250, 0, 0)).quantize(4) if mode == "P" else plain((250, 0, 0)).convert(mode)
    red, green, blue = frame(encoded(image, format_name, icc_profile=swapped_profile()))[0, 0]
    assert blue > 240
    assert max(red, green) < 12


def test_transparency_survives_a_colour_profile() -> None:
    data = encoded(plain((250, 0, 0, 0), "RGBA"), icc_profile=swapped_profile())
    assert (frame(data) == 255).all()


def test_a_grey_picture_with_a_colour_profile_stays_grey() -> None:
    pixels = frame(
        encoded(plain(90, "L"), icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    )
    assert np.abs(pixels - 90).max() <= 1


@pytest.mark.parametrize("profile", [b"not a profile", swapped_profile()[:300], b"\0" * 4096])
def test_a_damaged_profile_is_passed_over(profile: bytes) -> None:
    assert np.abs(frame(encoded(plain((250, 0, 0)), icc_profile=profile)) - (250, 0, 0)).max() <= 1


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG", "AVIF"])
def test_the_first_frame_of_an_animation_is_taken(format_name: str) -> None:
    options = {"lossless": True} if format_name == "WEBP" else {}
    others = [plain((0, 0, 255)), plain((0, 255, 0))]
    data = encoded(plain((250, 10, 10)), format_name, save_all=True, append_images=others, duration=50, **options)
    assert np.abs(frame(data) - (250, 10, 10)).max() <= 5
    assert to_first_frame(data, *SIZE).notes == ["The image is animated: its first frame is used."]


def test_the_second_picture_of_a_camera_file_is_no_animation() -> None:
    data = encoded(plain((250, 10, 10)), "MPO", save_all=True, append_images=[plain((0, 0, 255))])
    assert np.abs(frame(data) - (250, 10, 10)).max() <= 5
    assert to_first_frame(data, *SIZE).notes == []


def test_the_crop_is_central_and_said_when_it_is_large() -> None:
    bands = Image.new("RGB", (300, 100), (0, 255, 0))
    bands.paste((255, 0, 0), (0, 0, 100, 100))
    bands.paste((0, 0, 255), (200, 0, 300, 100))
    assert np.abs(frame(encoded(bands), (96, 96))[:, 4:-4] - (0, 255, 0)).max() <= 1
    assert to_first_frame(encoded(bands), 96, 96).notes == [
        "The image was cropped to 96x96: 67% of it was cut away, left and right."
    ]
    turned = encoded(bands, exif=_turned(6))
    assert image_size(turned) == (100, 300)
    assert np.abs(frame(turned, (96, 96))[4:-4] - (0, 255, 0)).max() <= 1
    assert to_first_frame(turned, 96, 96).notes == [
        "The image was cropped to 96x96: 67% of it was cut away, top and bottom."
    ]


def _turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_a_small_crop_is_not_worth_a_note() -> None:
    assert to_first_frame(encoded(plain((1, 2, 3), size=(1000, 600))), 832, 480).notes == []


def test_a_small_image_is_enlarged_and_said() -> None:
    assert to_first_frame(encoded(plain((1, 2, 3), size=(32, 20))), 320, 200).notes == [
        "The image (32x20) is smaller than 320x200 and was enlarged."
    ]


@pytest.mark.thorough
def test_a_large_jpeg_loses_nothing_by_decoding_small() -> None:
    smooth = noise((60, 40)).resize((2400, 1600), Image.Resampling.BICUBIC)
    data = encoded(smooth, "JPEG", quality=95)
    decoded = encoded(Image.open(io.BytesIO(data)))
    assert np.abs(frame(data, (320, 192)) - frame(decoded, (320, 192))).mean() < 0.5


@pytest.mark.parametrize(
    ("size", "says"),
    [
        ((15, 64), "15x64 pixels; give one of at least 16"),
        ((1, 1), "at least 16"),
        ((900, 100), "longer than 8:1"),
        ((16_400, 2100), "over 16384 on a side"),
        ((8000, 5001), "8000x5001 pixels, over 40 megapixels"),
    ],
)
def test_sizes_outside_the_limits_are_refused(size: tuple[int, int], says: str) -> None:
    data = encoded(Image.new("1", size))
    assert says in refusal(data)
    with pytest.raises(IntakeError):
        image_size(data)


@pytest.mark.parametrize("format_name", [*FORMATS, "progressive JPEG"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_truncated_file_is_refused(format_name: str, share: float) -> None:
    data = encoded(noise(), format_name.removeprefix("progressive "), progressive=format_name.startswith("progressive"))
    assert "cut short" in refusal(data[: int(len(data) * share)])


def test_a_flipped_bit_is_refused_or_decoded_but_never_crashes() -> None:
    generator = np.random.default_rng(3)
    for format_name in FORMATS:
        whole = encoded(noise((64, 64)), format_name)
        for _ in range(40):
            data = bytearray(whole)
            for at in generator.integers(0, min(len(data), 400), 3):
                data[at] ^= 1 << int(generator.integers(0, 8))
            with suppress(IntakeError):
                assert len(to_first_frame(bytes(data), 32, 32).png) > 50


@pytest.mark.parametrize("data", [b"", b"x", b"\x89PNG\r\n\x1a\n", b"%PDF-1.7", b"II*\0" + bytes(100)])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    assert "cannot be decoded" in refusal(data)


def test_formats_that_pillow_knows_and_we_do_not_take_stay_shut() -> None:
    for format_name in ("TIFF", "PPM", "ICO", "TGA"):
        assert "cannot be decoded" in refusal(encoded(plain((1, 2, 3)), format_name))


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def bombs() -> dict[str, bytes]:
    """Small files that claim, and in the first case hold, a giant picture."""
    jpeg = bytearray(encoded(plain((1, 2, 3)), "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 65000, 65000)
    gif = bytearray(encoded(plain((1, 2, 3)), "GIF"))
    wide_frame = bytearray(gif)
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    at = wide_frame.index(b",\0\0\0\0")
    wide_frame[at + 5 : at + 9] = struct.pack("<HH", 65535, 65535)
    bmp = bytearray(encoded(plain((1, 2, 3)), "BMP"))
    bmp[18:26] = struct.pack("<ii", 60000, 60000)
    webp = bytearray(encoded(plain((1, 2, 3, 4), "RGBA"), "WEBP", exif=_turned(1)))
    assert webp[12:16] == b"VP8X"
    webp[24:30] = (16382).to_bytes(3, "little") * 2
    avif = encoded(plain((1, 2, 3)), "AVIF").replace(struct.pack(">II", *SIZE), struct.pack(">II", 30000, 30000))
    return {
        "png": png(20000, 20000, 1, 0, bytes(20000 * 2501)),
        "jpeg": bytes(jpeg),
        "gif": bytes(gif),
        "gif frame": bytes(wide_frame),
        "bmp": bytes(bmp),
        "webp": bytes(webp),
        "avif": avif,
    }


PEAK = """
import sys
from pathlib import Path
from agent.errors import IntakeError
from agent.intake.image import image_size, to_first_frame

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

small = Path(sys.argv[1]).read_bytes()
to_first_frame(small, 320, 192)
before = peak()
for path in sys.argv[2:]:
    for read in (image_size, lambda data: to_first_frame(data, 320, 192)):
        try:
            read(Path(path).read_bytes())
        except IntakeError as error:
            print(error)
        else:
            print("accepted", path)
print((peak() - before) // 1024)
"""


def test_decompression_bombs_are_refused_without_unpacking_them(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(encoded(noise((64, 64))))
    paths = []
    for name, data in bombs().items():
        assert len(data) < 100_000, name
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data)
    output = subprocess.run(
        [sys.executable, "-W", "error", "-c", PEAK, tmp_path / "small", *paths],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert int(output[-1]) < 40, "MiB"
    assert len(output) == 2 * len(paths) + 1
    for line in output[:-1]:
        assert line.startswith("request.image ")
        assert "megapixels" in line or "cannot be decoded" in line
    assert sum("megapixels" in line for line in output) >= 2 * (len(paths) - 2)
