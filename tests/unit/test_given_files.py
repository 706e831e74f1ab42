"""Videos and controls of a request: upright and in true colours, kept in the run folder, sent to the server, and none
may take their place."""

import itertools
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml

from agent import refine_and_generate_async
from agent.api import resume_async
from agent.errors import ConfigError, RunFolderError
from agent.intake import to_control, to_source
from generator.encode import BT709, LIMITED_RANGE, ClipWriter
from generator.export.source import BT601
from generator.types import RenderSpec
from tests.movies import CARD, card, patches, pictures, turned, write_movie
from tests.omni import Omni


def film(path: Path, shade: int) -> str:
    with ClipWriter(path, 320, 192, 24) as writer:
        for number in range(12):
            writer.write(np.full((192, 320, 3), shade + 5 * number, np.uint8))
    return str(path)


def wish(server: Omni, **request: Any) -> dict[str, Any]:
    size = {"prompt": "a boat", "size": "320x192", "num_frames": 9, "num_inference_steps": 4, "seed": 3}
    return {
        "request": {**size, **request},
        "generator": {"backend": "vllm_omni", "endpoints": [server.url]},
        "budget": {"max_iterations": 1, "samples_per_iteration": 1},
    }


async def test_a_source_video_is_kept_and_sent(tmp_path: Path) -> None:
    source = film(tmp_path / "mine.mp4", 40)
    async with Omni() as server:
        run = await refine_and_generate_async(config=wish(server, video=source), out=tmp_path / "run")
        sent = next(h.body for h in server.heard if h.method == "POST")
        kept = tmp_path / "run/source.mp4"
        assert run.request.spec.source_video == kept
        assert kept.read_bytes() in sent
        config = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
        assert config["request"]["video"] == "source.mp4"
        Path(source).unlink()
        again = await resume_async(tmp_path / "run")
        assert again.candidates == run.candidates
        assert server.submits == 1


async def test_another_video_is_another_request(tmp_path: Path) -> None:
    edges = film(tmp_path / "edges.mp4", 40)
    controls = [{"kind": "edge", "path": edges, "weight": 0.5}]
    async with Omni() as server:
        await refine_and_generate_async(config=wish(server, controls=controls), out=tmp_path / "run")
        path = tmp_path / "run/config.yaml"
        text = path.read_text()
        assert "control-edge.mp4" in text
        path.write_text(text.replace("weight: 0.5", "weight: 0.9"))
        with pytest.raises(ConfigError, match=r"request\.controls is not what this run was begun with"):
            await resume_async(tmp_path / "run")
        path.write_text(text.replace("max_iterations: 1", "max_iterations: 2"))
        film(tmp_path / "run/control-edge.mp4", 90)
        with pytest.raises(RunFolderError, match=r"its control-edge\.mp4 is gone or another"):
            await resume_async(tmp_path / "run")
        assert server.submits == 1


def size(width: int, height: int) -> RenderSpec:
    return RenderSpec(width=width, height=height, num_frames=5, fps=24)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize(
    "made",
    [
        {},
        {"matrix": BT709, "tags": {"colorspace": BT709}},
        {"matrix": BT709, "tags": {"colorspace": BT709, "color_range": 2}, "full": True},
        {"matrix": 9, "tags": {"colorspace": 9}},
        {"pixel_format": "yuvj420p"},
        {"pixel_format": "yuv420p10le", "matrix": BT709, "tags": {"colorspace": BT709}},
    ],
    ids=["untagged", "bt709", "bt709 full", "bt2020", "yuvj", "ten bits"],
)
def test_a_given_video_keeps_its_colours(tmp_path: Path, made: dict[str, Any], scale: int) -> None:
    clip = write_movie(tmp_path / "mine.mp4", [card(96 * scale, 64 * scale)] * 6, **made)
    sent = tmp_path / "sent.mp4"
    for data, _ in (to_source(str(clip), size(96, 64), False), to_control(str(clip), "blur", size(96, 64))):
        sent.write_bytes(data)
        assert np.abs(patches(pictures(sent)[0]) - CARD).max() <= 5
        assert np.abs(patches(pictures(sent, matrix=BT601)[0]) - CARD).max() <= 5  # a reader that ignores tags
        with av.open(str(sent)) as file:
            context = file.streams.video[0].codec_context
            assert (context.colorspace, context.color_range) == (BT601, LIMITED_RANGE)
            assert (context.color_primaries, context.color_trc) == (BT709, BT709)


WAYS = [(*ways[0], *ways[1]) for n in (1, -1) for m in (1, -1) for ways in itertools.permutations(((n, 0), (0, m)))]


@pytest.mark.parametrize("ways", WAYS)
def test_a_given_video_is_taken_as_it_is_shown(tmp_path: Path, ways: tuple[int, int, int, int]) -> None:
    stored = np.zeros((64, 96, 3), np.uint8)
    marks = {(0, 0): (220, 30, 30), (0, 1): (30, 200, 40), (1, 0): (40, 60, 210), (1, 1): (230, 220, 200)}
    shown = {}
    across, down, row_across, row_down = ways
    for (y, x), colour in marks.items():
        stored[32 * y : 32 * y + 32, 48 * x : 48 * x + 48] = colour
        right, below = 2 * x - 1, 2 * y - 1  # of the middle
        shown[right * down + below * row_down > 0, right * across + below * row_across > 0] = colour
    width, height = (64, 96) if down else (96, 64)
    clip = turned(write_movie(tmp_path / "mine.mp4", [stored] * 6), *ways)
    for scale in (1, 2):
        wide, high = width * scale, height * scale
        data, notes = to_source(str(clip), size(wide, high), False)
        (tmp_path / "sent.mp4").write_bytes(data)
        picture = pictures(tmp_path / "sent.mp4")[0]
        assert picture.shape == (high, wide, 3)
        for (lower, righter), colour in shown.items():
            corner = picture[high * (3 if lower else 1) // 4, wide * (3 if righter else 1) // 4].astype(int)
            assert np.abs(corner - colour).max() <= 5
        assert bool(notes) is (scale == 2)
        assert all(f" of {width}x{height} was scaled" in note for note in notes)
