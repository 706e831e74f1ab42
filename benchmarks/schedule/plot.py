"""The picture of docs/schedule-benchmark.md."""

import math
from collections.abc import Sequence

from benchmarks.schedule.measure import Measured

WIDTH, HEIGHT, TOP, BOTTOM = 1100, 370, 76, 296
LEFT, GAP, PANEL = 64, 18, 240
FLOOR, CEILING = 1e-4, 10.0
"""Share of time above the shortest schedule at the foot and the head of a panel."""
GOAL = 0.01

STYLE = """
    text { fill: #1f2328 } .small { font-size: 12.5px; fill: #57606a } .head { font-weight: 600 }
    .bg { fill: #ffffff } .panel { fill: #f6f8fa; stroke: #d0d7de } .grid { stroke: #d0d7de; stroke-width: 1 }
    .goal { stroke: #cf222e; stroke-width: 1.4; stroke-dasharray: 5 4 }
    .full { fill: #0969da } .scaled { fill: none; stroke: #8c959f; stroke-width: 1.3 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .small { fill: #9da7b3 } .bg { fill: #0d1117 }
      .panel { fill: #161b22; stroke: #30363d } .grid { stroke: #30363d }
      .goal { stroke: #ff7b72 } .full { fill: #58a6ff } .scaled { stroke: #8b949e }
    }"""


def plot(rows: Sequence[Measured]) -> str:
    """Time above the shortest schedule for every setting, as SVG: at full latencies, and as measured when scaled."""
    endpoints = sorted({row.setting.endpoints for row in rows})
    named = ", ".join(map(str, endpoints))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif"',
        '  font-size="15" role="img" aria-label="Time above the shortest schedule by number of candidates, for',
        f'  {named} endpoints: at full latencies, and as measured at scaled latencies.">',
        f"  <style>{STYLE}\n  </style>",
        f'  <rect class="bg" width="{WIDTH}" height="{HEIGHT}"/>',
        f'  <text class="head" x="{LEFT}" y="28">Time above the shortest schedule</text>',
        *_key(LEFT + 330, "full", "at full latencies"),
        *_key(LEFT + 470, "scaled", f"as measured, at {rows[0].scale:g} of the latencies"),
    ]
    for column, count in enumerate(endpoints):
        here = [row for row in rows if row.setting.endpoints == count]
        parts += _panel(LEFT + column * (PANEL + GAP), count, here, scaled_axis=column == 0)
    parts += [
        _words(LEFT, BOTTOM + 42, "Candidates a caption; for each, from left to right, runs of 1 to 4 iterations.", ""),
        _words(LEFT, BOTTOM + 60, "Share of the shortest schedule, on a logarithmic scale; the goal is dashed.", ""),
        "</svg>",
        "",
    ]
    return "\n".join(parts)


def _panel(left: int, endpoints: int, rows: Sequence[Measured], *, scaled_axis: bool) -> list[str]:
    parts = [
        f'  <rect class="panel" x="{left}" y="{TOP}" width="{PANEL}" height="{BOTTOM - TOP}"/>',
        f'  <text x="{left}" y="{TOP - 10}">{endpoints} endpoint{"s" if endpoints > 1 else ""}</text>',
    ]
    for power in range(round(math.log10(FLOOR)), round(math.log10(CEILING)) + 1):
        y = _y(10.0**power)
        parts.append(f'  <path class="grid" d="M{left} {y:.1f}H{left + PANEL}"/>')
        if scaled_axis:
            parts.append(_words(left - 6, y + 4, f"{10.0**power:.5f}".rstrip("0").rstrip("."), "end"))
    parts.append(f'  <path class="goal" d="M{left} {_y(GOAL):.1f}H{left + PANEL}"/>')
    most = max(row.setting.candidates for row in rows)
    step = PANEL / (most + 1)
    parts += [_words(left + n * step, BOTTOM + 18, str(n), "middle") for n in range(1, most + 1)]
    for row in rows:
        x = left + (row.setting.candidates + (row.setting.iterations - 2.5) * 0.16) * step
        for kind, ratio in (("scaled", row.scaled_ratio), ("full", row.ratio)):
            parts.append(f'  <circle class="{kind}" cx="{x:.1f}" cy="{_y(ratio - 1):.1f}" r="2.6"/>')
    return parts


def _key(x: int, kind: str, words: str) -> list[str]:
    return [f'  <circle class="{kind}" cx="{x}" cy="23" r="4"/>', _words(x + 10, 27, words, "")]


def _words(x: float, y: float, words: str, anchor: str) -> str:
    where = f' text-anchor="{anchor}"' if anchor else ""
    return f'  <text class="small" x="{x:.1f}" y="{y:.1f}"{where}>{words}</text>'


def _y(share: float) -> float:
    at, low, high = (math.log10(each) for each in (min(CEILING, max(FLOOR, share)), FLOOR, CEILING))
    return BOTTOM - (BOTTOM - TOP) * (at - low) / (high - low)
