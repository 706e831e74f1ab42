"""Which file formats a first frame may have, told by the first bytes."""

from agent.errors import IntakeError

FORMATS = "JPEG, PNG, WebP, AVIF, GIF or BMP"

HEAD = 512
"""Bytes from a file's start that are enough to tell its format."""

_ACCEPTED = ((b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"GIF87a", "GIF"), (b"GIF89a", "GIF"))
_REFUSED = (
    (b"%PDF-", "a PDF document"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"8BPS", "a Photoshop file"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (b"\0\0\1\0", "an icon"),
    (b"\x1aE\xdf\xa3", "a video"),  # Matroska, WebM
    (b"FLV\1", "a video"),
    (b"\0\0\1\xba", "a video"),  # MPEG program stream
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"version https://git-lfs", "a Git LFS pointer"),
)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_QUICKTIME_ATOMS = (b"moov", b"mdat", b"wide")  # a QuickTime film may begin without `ftyp`
_BMP_HEADER_SIZES = {12, 40, 52, 56, 64, 108, 124}

_CURES = {
    "a HEIC image": "export it as JPEG or PNG",
    "an SVG drawing": "render it to PNG",
    "a PDF document": "export the page as PNG",
    "a video": "save one of its frames as PNG",
    "a web page": "give the link of the image file itself and not of the page that shows it",
    "a Git LFS pointer": "run `git lfs pull` first",
}


def check_format(head: bytes, name: str) -> None:
    """Let the accepted formats pass, whatever the file is called or the server declared.

    Args:
        head: the file's first `HEAD` bytes, or all of a shorter file.
        name: what the error calls the file.

    Raises:
        IntakeError: empty, or of another format; the message says which if that can be told.
    """
    if not head:
        raise IntakeError(f"request.image: {name} is empty; give a {FORMATS} file")
    found = recognise(head)
    if found not in {"JPEG", "PNG", "WebP", "AVIF", "GIF", "BMP"}:
        raise IntakeError(f"request.image: {name} is {found}; {_CURES.get(found, f'save it as {FORMATS}')}", "format")


def recognise(head: bytes) -> str:
    """The format's name, such as "PNG", or words for what else it is, such as "a PDF document"."""
    for magic, name in (*_ACCEPTED, *_REFUSED):
        if head.startswith(magic):
            return name
    if head.startswith(b"RIFF"):
        return {b"WEBP": "WebP", b"AVI ": "a video"}.get(head[8:12], "not an image")
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if head[4:8] == b"ftyp":
        return _recognise_isobmff(head)
    if head[4:8] in _QUICKTIME_ATOMS:
        return "a video"
    return _recognise_markup(head)


def _recognise_isobmff(head: bytes) -> str:
    """Tell AVIF, HEIC and MP4, which share one container, by the brands after `ftyp` (ISO/IEC 14496-12, 4.3)."""
    box = head[8 : min(int.from_bytes(head[:4], "big"), len(head))]
    major, compatible = box[:4], {box[at : at + 4] for at in range(8, len(box), 4)}
    if major in _AVIF_BRANDS or (major in {b"mif1", b"msf1"} and compatible & _AVIF_BRANDS):
        return "AVIF"
    if major in _HEIF_BRANDS:
        return "a HEIC image"
    return "a video"


def _recognise_markup(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<svg", b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in text:
        return "an SVG drawing"
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<script")):
        return "a web page"
    return "not an image"
