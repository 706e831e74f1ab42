"""What the pictures of docs/search-benchmark.md share."""

from collections.abc import Sequence

STYLE = """
    text { fill: #1f2328 } .small { font-size: 12.5px; fill: #57606a } .head { font-weight: 600 }
    .bg { fill: #ffffff } .panel { fill: #f6f8fa; stroke: #d0d7de } .grid { stroke: #d0d7de; stroke-width: 1 }
    .goal { stroke: #cf222e; stroke-width: 1.4; stroke-dasharray: 5 4; fill: none }
    .line { fill: none; stroke-width: 2 } .bar { stroke-width: 2 }
    .c0 { stroke: #57606a; fill: #57606a } .c1 { stroke: #0969da; fill: #0969da }
    .c2 { stroke: #bc4c00; fill: #bc4c00 } .c3 { stroke: #1a7f37; fill: #1a7f37 }
    .c4 { stroke: #8250df; fill: #8250df } .c5 { stroke: #bf3989; fill: #bf3989 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .small { fill: #9da7b3 } .bg { fill: #0d1117 }
      .panel { fill: #161b22; stroke: #30363d } .grid { stroke: #30363d } .goal { stroke: #ff7b72 }
      .c0 { stroke: #9da7b3; fill: #9da7b3 } .c1 { stroke: #58a6ff; fill: #58a6ff }
      .c2 { stroke: #f0883e; fill: #f0883e } .c3 { stroke: #56d364; fill: #56d364 }
      .c4 { stroke: #bc8cff; fill: #bc8cff } .c5 { stroke: #f778ba; fill: #f778ba }
    }
    .line { fill: none !important } .open { fill: none !important; stroke-width: 1.6 }"""


def picture(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    """A whole SVG file."""
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif"',
        f'  font-size="15" role="img" aria-label="{label}">',
        f"  <style>{STYLE}\n  </style>",
        f'  <rect class="bg" width="{width}" height="{height}"/>',
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def text(x: float, y: float, words: str, anchor: str = "", kind: str = "small") -> str:
    """A line of words. `anchor`: start where none is given."""
    where = f' text-anchor="{anchor}"' if anchor else ""
    escaped = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'  <text class="{kind}" x="{x:.1f}" y="{y:.1f}"{where}>{escaped}</text>'


def panel(left: float, top: float, width: float, height: float) -> str:
    """A panel's ground."""
    return f'  <rect class="panel" x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}"/>'


def steps(points: Sequence[tuple[float, float]], kind: str) -> str:
    """A line that keeps its height until the next point."""
    (x, y), *later = points
    path = f"M{x:.1f} {y:.1f}" + "".join(f"H{a:.1f}V{b:.1f}" for a, b in later)
    return f'  <path class="line {kind}" d="{path}"/>'


def line(points: Sequence[tuple[float, float]], kind: str) -> str:
    """A line from point to point."""
    return f'  <path class="line {kind}" d="M' + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + '"/>'


def dot(x: float, y: float, kind: str, *, empty: bool = False, size: float = 4) -> str:
    """A point; `empty`: its outline only."""
    return f'  <circle class="{kind}{" open" if empty else ""}" cx="{x:.1f}" cy="{y:.1f}" r="{size:g}"/>'
