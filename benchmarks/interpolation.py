"""Measures exports: frames by optical flow against held-out ones, and each format and quality.

python -m benchmarks.interpolation [--quick]: prints figures and writes docs/formats.md (--quick: neither all nor that).
"""

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Final, get_args

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from agent.bench.degrade import order, scenes
from generator.encode import ClipWriter
from generator.export.exporter import export
from generator.export.settings import GIF
from generator.export.source import as_rgb
from generator.export.types import Container, OutputForm, Quality
from generator.interpolate import CUT_FIT, CUT_MATCH, LEAP, Between, psnr, squared_error

PAGE: Final = Path(__file__).parent.parent / "docs" / "formats.md"
WIDTH, HEIGHT, FRAMES = 832, 480, 49
ENCODED = 25
"""Frames of the clips that formats are measured on."""
MOVES: Final = {
    "gentle": (scenes.Path(pan=0.12, zoom=1.05), 1.0),
    "lively": (scenes.Path(pan=0.4, tilt=0.1, zoom=1.2), 2.0),
    "fast": (scenes.Path(pan=0.9, zoom=1.3, roll=12), 4.0),
}
"""Of two seconds: the camera's path, and the pace of what moves in the scene."""
Clip = NDArray[np.uint8]

HEAD: Final = """\
# The video: formats, qualities, frame rates

Written by `python -m benchmarks.interpolation` in {seconds:.0f} s with Python {python}, PyAV {av} (FFmpeg's
libavcodec {libavcodec}), OpenCV {opencv}.

The candidates of a run stay as the backend delivered them: they are what was judged. When the run has ended, the
chosen one becomes `video.mp4`, `.webm`, `.mov` or `.gif`, beside `poster.jpg` (its first frame) and `thumbnail.jpg`
(the same, 320 pixels wide). A resumed run makes it again only if another clip was chosen, another form is asked for,
or a file is lost. An export that fails costs the run nothing: the clip stays the video, and a note says why.

```yaml
output:
  format: mp4          # mp4 | webm | mov | gif
  quality: null        # low | medium | high | maximum; null: copied where it can be, else high
  export_fps: null     # frames a second, up to eight times the clip's; null: the clip's own
  interpolation: none  # none: the nearest frame again | flow: new frames by optical flow
  sound: true          # keep the clip's sound
```

| format | video | sound | copied when `quality` is null |
|---|---|---|---|
| mp4 | H.264 High, 8-bit 4:2:0, index at the front | AAC, MP3, Opus … copied, else AAC | H.264, HEVC, AV1, VP9 |
| webm | VP9, 8-bit 4:2:0 | Opus, Vorbis copied, else Opus | VP8, VP9, AV1 |
| mov | ProRes 4444, 10-bit 4:4:4, index at the front | AAC, MP3, PCM … copied, else AAC | ProRes |
| gif | a palette of the clip's own | none: a note says so | never |

Sound that has to be encoded again: AAC at 192 kbit/s, Opus at 128 kbit/s; a note says so.

## Qualities

A clip of {frames} frames at {width}x{height}, encoded as H.264 at CRF 18 ({clip_kib:,.0f} KiB), exported: the mean
of {places} procedural scenes with sensor noise (`agent/bench/degrade/scenes.py`). PSNR is against the frames before any
encoding, so the clip's own {clip_psnr:.1f} dB are about as much as can be had. CPU time is over that of mp4 at
`high`, {base:.2f} s on this machine.

| format | quality | settings | KiB | Mbit/s | PSNR dB | CPU time |
|---|---|---|---|---|---|---|
"""

MIDDLE: Final = """
The same clip and form give the same bytes with the same library versions: encoders run with a fixed number of
threads, and x264 without macroblock-tree rate control, which in PyAV's wheel differs from run to run.

## Colours

Exports are BT.709 in limited range, and tagged so. A clip's own tags are believed. A clip without tags is taken as
BT.601: that is what FFmpeg writes of RGB frames where it is told nothing, as vLLM-Omni's muxer does. Players guess
what such a clip is, so a copy may look different in another player, and an export with a `quality` does not.
Primaries and transfer are not converted; what a clip states of them is kept. A copy stays as it is, tags and all.

A request's `video` and `controls` are turned upright and sent as BT.601 in limited range, and tagged so: readers that
ignore tags, as older OpenCV and PyAV do, take it for that too.

## Frame rates

Without `export_fps` every frame keeps its exact time, varying rates included. With it, frames come at a constant rate
and the video lasts as long as the clip, to half a frame. `interpolation: none` shows the nearest frame: downwards
some are left out, upwards some are repeated. `flow` makes the frames between: DIS optical flow at half size, both
neighbours warped along it, blended where the flows there and back disagree and where nothing moves. For a lower rate
it does what `none` does. No picture is made across a cut: the nearer frame is repeated. A cut is where the fine
structure of the frames, one carried onto the other, correlates by less than {match:g}, and that less the share of
places where the flows disagree is under {fit:g}. Where one of the frames is flat, as black or a plain card is, it is
no cut if they differ by at most {leap:g} levels (root mean square), so that slow fades are carried to their end.

A GIF counts in hundredths of a second. Its frames stand so that it lasts as long as the clip: at 24 fps for 4 or 5.
It has at most 50 frames a second, since browsers play faster ones slowly.

Every second frame of {frames} at {width}x{height} left out and made again (mean PSNR in dB; the frames are twice as
far apart as those of an export from 24 to 48 fps). `match` and `fit` are the least of all pairs of true neighbours.

| scene | move | repeated | blended | flow | CPU ms a frame | match | fit |
|---|---|---|---|---|---|---|---|
"""

CUTS: Final = """
{cuts} cuts between these scenes, and to a mirrored and upturned frame: {found} found; `match` at most
{most_match:.2f}, `fit` at most {most_fit:.2f}. {flat_cuts} cuts between these scenes, black, white, grey, navy and a
title card, in both directions: {flat_found} found. {moves:,} pairs of neighbours in moving clips: {false} taken for
cuts. {fades} pairs in fades of half a second to and from black and white: {false_fades} taken for cuts.

A run measures the same on its own clip and keeps it in `run.json` (`export.interpolation_psnr_db`, beside
`blend_psnr_db` and `repeat_psnr_db`): six frames are left out and made again. These are smooth procedural scenes:
hair, water, smoke, fast hands and anything that is hidden in one of the frames fare worse, and the figure of the clip
says how much.
"""


@dataclass(frozen=True)
class Held:
    """What came of frames that were left out."""

    scene: str
    move: str
    repeat: float
    blend: float
    flow: float
    milliseconds: float
    match: float
    fit: float
    pairs: int
    false_cuts: int


def filmed(place: scenes.Place, move: str, frames: int) -> Clip:
    """A procedural clip."""
    path, pace = MOVES[move]
    return scenes.clip(place, 1, frames=frames, width=WIDTH, height=HEIGHT, path=path, pace=pace)


def held_out(place: scenes.Place, move: str, frames: int) -> Held:
    """Leave every second frame out and make it again."""
    clip = filmed(place, move, frames)
    errors: dict[str, list[float]] = {"repeat": [], "blend": [], "flow": []}
    spent = []
    for before, real, after in zip(clip[:-2:2], clip[1:-1:2], clip[2::2], strict=True):
        begun = time.process_time()
        between = Between(before, after)
        made = between.at(0.5)
        spent.append(time.process_time() - begun)
        errors["flow"].append(squared_error(made, real))
        errors["blend"].append(squared_error(between.blend(0.5), real))
        errors["repeat"].append(squared_error(before, real))
    pairs = [Between(a, b) for a, b in zip(clip[:-1:3], clip[1::3], strict=False)]
    return Held(
        scene=place,
        move=move,
        **{name: psnr(values) for name, values in errors.items()},
        milliseconds=1000 * median(spent),
        match=min(p.match for p in pairs),
        fit=min(p.fit for p in pairs),
        pairs=len(pairs),
        false_cuts=sum(p.cut for p in pairs),
    )


def cuts() -> list[Between]:
    """Every ordered pair of different scenes, and each with itself turned around."""
    firsts = [scenes.clip(p, seed, frames=2, width=WIDTH, height=HEIGHT) for p in scenes.PLACES for seed in (1, 7)]
    pairs = [(a[0], b[1]) for a in firsts for b in firsts if a is not b]
    pairs += [(a[0], np.ascontiguousarray(order.cut(a, 1)[1])) for a in firsts]
    return [Between(a, b) for a, b in pairs]


def flat_cuts() -> list[Between]:
    """From every scene to each flat picture, between those, and all of it the other way round."""
    filled = {"black": (0, 0, 0), "white": (255, 255, 255), "grey": (90, 90, 90), "navy": (20, 20, 120)}
    cards = [np.full((HEIGHT, WIDTH, 3), colour, np.uint8) for colour in filled.values()]
    title = cards[0].copy()
    cv2.putText(title, "THE END", (WIDTH // 4, HEIGHT // 2), cv2.FONT_HERSHEY_SIMPLEX, 3, (240, 230, 200), 6)
    cards.append(title)
    firsts = [scenes.clip(p, 1, frames=1, width=WIDTH, height=HEIGHT)[0] for p in scenes.PLACES]
    pairs = [(a, b) for a in firsts for b in cards] + list(combinations(cards, 2))
    return [Between(*pair) for a, b in pairs for pair in ((a, b), (b, a))]


def fades(frames: int = 12) -> list[Between]:
    """Neighbours of moving scenes that fade to and from black and white."""
    found = []
    for place in scenes.PLACES:
        film = filmed(place, "lively", frames + 1)
        share = np.arange(frames + 1)[:, None, None, None] / frames
        for level in (0, 255):
            faded = np.rint(film * (1 - share) + level * share).astype(np.uint8)
            found += [Between(*pair) for a, b in pairwise(faded) for pair in ((a, b), (b, a))]
    return found


@dataclass(frozen=True)
class Written:
    """An export of one form: means over the scenes."""

    container: Container
    quality: Quality | None
    kib: float
    psnr: float
    seconds: float


def decoded(path: Path) -> Iterator[Clip]:
    """A clip's frames as RGB."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield as_rgb(frame)


def likeness(path: Path, real: Clip) -> float:
    """Mean PSNR in dB of a clip against frames; of a GIF, none."""
    return psnr([squared_error(a, b) for a, b in zip(decoded(path), real, strict=True)])


def qualities(folder: Path) -> tuple[float, float, list[Written]]:
    """KiB and PSNR of the clips, and what each format and quality makes of them."""
    films = {place: filmed(place, "gentle", ENCODED) for place in scenes.PLACES}
    for place, film in films.items():
        with ClipWriter(folder / f"{place}.mp4", WIDTH, HEIGHT, 24) as writer:
            for frame in film:
                writer.write(frame)
    own = fmean((folder / f"{p}.mp4").stat().st_size / 1024 for p in films)
    ceiling = fmean(likeness(folder / f"{p}.mp4", film) for p, film in films.items())
    found = []
    forms: list[tuple[Container, Quality | None]] = [("mp4", None)]
    forms += [(c, q) for c in get_args(Container) for q in get_args(Quality)]
    for container, quality in forms:
        sizes, near, spent = [], [], []
        for place, film in films.items():
            to = folder / f"video.{container}"
            form = OutputForm(format=container, quality=quality)
            begun = time.process_time()
            made = export(folder / f"{place}.mp4", to, form)
            spent.append(time.process_time() - begun)
            sizes.append(made.size_bytes / 1024)
            if container != "gif":
                near.append(likeness(to, film))
        found.append(Written(container, quality, fmean(sizes), fmean(near or [0.0]), fmean(spent)))
        print(
            f"{container:5}{quality or 'copied':9}{fmean(sizes):9.0f} KiB {fmean(near or [0]):6.1f} dB "
            f"{fmean(spent):6.2f} s",
            flush=True,
        )
    return own, ceiling, found


def settings(made: Written) -> str:
    """How a form is encoded, in words."""
    from generator.export.settings import movie_format  # noqa: PLC0415 - a name of its own here

    if made.quality is None:
        return "the clip's own packets"
    if made.container == "gif":
        width, fps, colours = GIF[made.quality]
        return f"at most {width} px, {fps} fps, {colours} colours"
    options = movie_format(made.container, made.quality).codec_options
    shown = {"crf": "CRF {}", "preset": "preset {}", "cpu-used": "cpu-used {}", "deadline": "deadline {}"}
    shown["bits_per_mb"] = "{} bits a macroblock"
    return ", ".join(text.format(options[key]) for key, text in shown.items() if key in options)


def main() -> int:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interpolation", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one scene, few frames, no page")
    quick = parser.parse_args().quick
    cv2.setNumThreads(1)
    begun = time.monotonic()
    held = []
    for place in scenes.PLACES[: 1 if quick else None]:
        for move in MOVES:
            held.append(held_out(place, move, 9 if quick else FRAMES))
            h = held[-1]
            print(
                f"{h.scene:8}{h.move:8} repeated {h.repeat:.1f}  blended {h.blend:.1f}  flow {h.flow:.1f} dB "
                f"{h.milliseconds:.0f} ms  match {h.match:.2f}  fit {h.fit:.2f}  false cuts {h.false_cuts}",
                flush=True,
            )
    breaks = cuts()
    flat = flat_cuts()
    print(f"cuts {sum(b.cut for b in breaks)} of {len(breaks)}, flat ones {sum(b.cut for b in flat)} of {len(flat)}")
    slow = [b.cut for b in fades()]
    print(f"fades taken for cuts {sum(slow)} of {len(slow)}", flush=True)
    if quick:
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        own, ceiling, written = qualities(Path(scratch))
    base = next(w.seconds for w in written if (w.container, w.quality) == ("mp4", "high"))
    seconds_of_clip = ENCODED / 24
    form_rows = [
        f"| {w.container} | {w.quality or 'null'} | {settings(w)} | {w.kib:,.0f} "
        f"| {w.kib * 8.192 / 1000 / seconds_of_clip:.2f} | "
        f"{f'{w.psnr:.1f}' if w.psnr else ''} | {w.seconds / base:.2f} |"
        for w in written
    ]
    held_rows = [
        f"| {h.scene} | {h.move} | {h.repeat:.1f} | {h.blend:.1f} | **{h.flow:.1f}** | {h.milliseconds:.0f} | "
        f"{h.match:.2f} | {h.fit:.2f} |"
        for h in held
    ]
    head = HEAD.format(
        seconds=time.monotonic() - begun,
        python=platform.python_version(),
        av=av.__version__,
        libavcodec=".".join(map(str, av.library_versions["libavcodec"])),
        opencv=cv2.__version__,
        frames=ENCODED,
        width=WIDTH,
        height=HEIGHT,
        clip_kib=own,
        clip_psnr=ceiling,
        places=len(scenes.PLACES),
        base=base,
    )
    middle = MIDDLE.format(match=CUT_MATCH, fit=CUT_FIT, leap=LEAP, frames=FRAMES, width=WIDTH, height=HEIGHT)
    end = CUTS.format(
        cuts=len(breaks),
        found=sum(b.cut for b in breaks),
        most_match=max(b.match for b in breaks),
        most_fit=max(b.fit for b in breaks),
        flat_cuts=len(flat),
        flat_found=sum(b.cut for b in flat),
        fades=len(slow),
        false_fades=sum(slow),
        moves=sum(h.pairs for h in held),
        false=sum(h.false_cuts for h in held),
    )
    PAGE.write_text(head + "\n".join(form_rows) + "\n" + middle + "\n".join(held_rows) + "\n" + end, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
