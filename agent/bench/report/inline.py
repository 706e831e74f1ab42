"""A drawing's SVG as a part of the page: its colours are the page's own, by day and by night."""

import re
from typing import Final
from xml.etree import ElementTree as ET

from agent.bench.report.canvas import COLOURS

_NAMES: Final = {hexadecimal: name for name, hexadecimal in COLOURS.items()}
_LEFT_OUT: Final = {"metadata", "style", "title"}
_KEPT: Final = {
    "clip-path", "fill", "fill-opacity", "font-size", "font-weight", "opacity", "stroke", "stroke-dasharray",
    "stroke-dashoffset", "stroke-linecap", "stroke-linejoin", "stroke-opacity", "stroke-width", "text-anchor",
}  # fmt: skip
"""Of the declarations in `style` attributes, which the page's policy does not apply; as attributes they hold. The font
is the page's."""
_REFERENCE: Final = re.compile(r"(?:href=\"|url\()#([^\")]+)")
_FONT: Final = re.compile(r"font: (?:(?P<weight>bold|\d+) )?(?P<size>[\d.]+)px")


def inline(svg: str, key: str, label: str) -> str:
    """The SVG as markup for an HTML page.

    Args:
        svg: as `canvas.save` returned it: our own drawing.
        key: put before its ids, which must be unlike those of every other drawing in the page.
        label: what it shows, for those who do not see it.
    """
    root = ET.fromstring(svg)  # noqa: S314 - our own drawing, written a moment ago
    _bare(root)
    named = set(_REFERENCE.findall(svg))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        if element.get("id") not in named:
            element.attrib.pop("id", None)
        _attributes(element, key)
    box = root.get("viewBox", "")
    root.attrib = {"viewBox": box, "class": "drawing", "role": "img", "aria-label": label}
    return ET.tostring(root, encoding="unicode", short_empty_elements=False)


def _bare(element: ET.Element) -> None:
    for child in list(element):
        if child.tag.rpartition("}")[2] in _LEFT_OUT:
            element.remove(child)
        else:
            _bare(child)
    element.text = (element.text or "").strip() or None
    element.tail = None


def _attributes(element: ET.Element, key: str) -> None:
    found = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    found |= _declared(found.pop("style", ""))
    if "id" in found:
        found["id"] = f"{key}-{found['id']}"
    for name, value in found.items():
        found[name] = value.replace("url(#", f"url(#{key}-")
    if "href" in found:
        found["href"] = found["href"].replace("#", f"#{key}-")
    known = {name: _NAMES[found[name].lower()] for name in ("fill", "stroke") if found.get(name, "").lower() in _NAMES}
    for name in known:
        del found[name]
    if known:
        found["class"] = " ".join(f"{name}-{colour}" for name, colour in known.items())
    element.attrib = found


def _declared(style: str) -> dict[str, str]:
    """A style's declarations as attributes."""
    pairs = (part.partition(":") for part in style.split(";"))
    found = {name.strip(): value.strip() for name, _, value in pairs if name.strip() in _KEPT}
    if font := _FONT.search(style):
        found["font-size"] = font["size"]
        if font["weight"]:
            found["font-weight"] = font["weight"]
    return found
