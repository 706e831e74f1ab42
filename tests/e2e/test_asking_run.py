"""A whole run whose critic asks a server: its questions are kept with the run, its key is not."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent import refine_and_generate_async, resume_async
from agent.errors import ConfigError, ServingError
from agent.reading import load_config
from tests.seeing import seeing
from tests.wire import Wire

RUBRIC = """
name: mine
version: 3
criteria:
  - {name: boat, title: A boat, axis: adherence, question: "Is there a boat, as in {prompt}?"}
  - {name: steady, title: Steady, axis: physics, question: "Do things move as they should?"}
"""


def config(folder: Path, url: str, *more: str) -> Any:
    (folder / "mine.yaml").write_text(RUBRIC)
    file = folder / "config.yaml"
    file.write_text(
        "request: {prompt: A boat on a lake., size: 320x192, num_frames: 9, seed: 1}\n"
        f"critic: {{backend: vlm, rubric: mine.yaml, endpoint: {{base_url: '{url}', api_key_env: RETAKE_TEST_KEY}}}}\n"
        "budget: {max_iterations: 1, samples_per_iteration: 1}\n"
    )
    return load_config(file, more)


async def test_a_run_keeps_its_own_questions_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETAKE_TEST_KEY", "hush-hush")
    async with Wire(seeing()) as server:
        run = await refine_and_generate_async(config=config(tmp_path, server.url), out=tmp_path / "run")
        (tmp_path / "mine.yaml").write_text(RUBRIC.replace("boat", "kite"))
        settings = tmp_path / "run" / "config.yaml"
        settings.write_text(settings.read_text().replace("max_iterations: 1", "max_iterations: 2"))
        longer = await resume_async(tmp_path / "run")
    asked = [[score.criterion for score in c.critique.scores] for c in longer.candidates]
    assert asked == [["boat", "steady"]] * 2
    assert longer.candidates[0] == run.candidates[0]
    assert "Is there a boat, as in A boat on a lake." in longer.candidates[1].critique.scores[0].explanation
    for file in (p for p in (tmp_path / "run").rglob("*") if p.is_file()):
        assert b"hush-hush" not in file.read_bytes(), file
    result = json.loads((tmp_path / "run" / "run.json").read_text())["result"]
    judged = [c.critique.usage.calls for c in longer.candidates]
    assert result["ledger"]["steps"]["judge"]["requests"] == sum(judged) > 0


async def test_a_bad_rubric_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETAKE_TEST_KEY", "hush-hush")
    settings = config(tmp_path, "http://127.0.0.1:9")
    (tmp_path / "mine.yaml").write_text(RUBRIC.replace("physics", "fysics"))
    with pytest.raises(ConfigError, match=r"critic\.rubric: .*\(steady\)\.axis"):
        await refine_and_generate_async(config=settings, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.thorough
async def test_a_server_that_is_not_there_leaves_a_run_that_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETAKE_TEST_KEY", "hush-hush")
    async with Wire(seeing()) as server:
        url = server.url
    with pytest.raises(ServingError, match="reaching the critic"):
        await refine_and_generate_async(config=config(tmp_path, url), out=tmp_path / "run")
    assert (tmp_path / "run" / "run.json").exists()
