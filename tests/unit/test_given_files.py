"""Videos and controls of a request: kept in the run folder, sent to the server, and none may take their place."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from agent import refine_and_generate_async
from agent.api import resume_async
from agent.errors import ConfigError, RunFolderError
from generator.encode import ClipWriter
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
