"""Guardrails of the real pipelines: they act or the render fails, and what they did is recorded."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from generator.types import BackendError, BlockedError
from tests.real.in_process.conftest import Open, spec

PROMPT = "A red sailboat on the sea at sunset."
CHECKED = ["cosmos3", "cosmos3_distilled", "cosmos25"]


@pytest.fixture
def checker() -> Iterator[type]:
    """The stand-in's class, as it was afterwards."""
    import cosmos_guardrail

    kind: type = cosmos_guardrail.CosmosSafetyChecker
    yield kind
    kind.video = "pass"  # type: ignore[attr-defined]  # of the stand-in
    kind.asked.clear()  # type: ignore[attr-defined]  # of the stand-in


@pytest.mark.parametrize("model", CHECKED)
async def test_they_are_asked_when_they_are_on_and_only_then(
    model: str, opened: Open, checker: type, tmp_path: Path
) -> None:
    """Off first, then on, then off, in one loaded pipeline."""
    clips = []
    async with opened(model) as backend:
        for name, on in (("a", False), ("b", True), ("c", False)):
            to = tmp_path / f"{name}.mp4"
            clips.append(await backend.render(PROMPT, spec(model, guardrails=on), seed=1, to=to))
            assert checker.asked == ([] if name == "a" else ["text", "video"])  # type: ignore[attr-defined]
    assert [clip.rendering.guardrails for clip in clips] == ["off", "on", "off"]
    assert clips[0].path.read_bytes() == clips[2].path.read_bytes()
    if model != "cosmos25":  # which itself cuts the frames it has checked to whole numbers
        assert clips[0].path.read_bytes() == clips[1].path.read_bytes(), "what passes the checks is not changed by them"


@pytest.mark.parametrize("model", CHECKED)
async def test_what_they_refuse_is_blocked_and_the_pipeline_goes_on(
    model: str, opened: Open, checker: type, tmp_path: Path
) -> None:
    asked = spec(model, guardrails=True)
    async with opened(model) as backend:
        with pytest.raises(BlockedError, match="refused the prompt"):
            await backend.render("A forbidden thing.", asked, seed=1, to=tmp_path / "a.mp4")
        checker.video = "refuse"  # type: ignore[attr-defined]
        with pytest.raises(BlockedError, match="refused the rendered video"):
            await backend.render(PROMPT, asked, seed=1, to=tmp_path / "a.mp4")
        checker.video = "blur"  # type: ignore[attr-defined]
        clip = await backend.render(PROMPT, asked, seed=1, to=tmp_path / "a.mp4")
    assert "changed frames" in clip.notes[0]


async def test_a_pipeline_that_passes_the_checks_over_is_found_out(opened: Open, checker: type, tmp_path: Path) -> None:
    """Diffusers asks only objects of the class it imported, and passes over any other without a word."""
    import cosmos_guardrail

    class Other:
        to, check_text_safety, check_video_safety = (
            checker.to, checker.check_text_safety, checker.check_video_safety,  # type: ignore[attr-defined]
        )  # fmt: skip
        asked, video = checker.asked, "pass"  # type: ignore[attr-defined]

    cosmos_guardrail.CosmosSafetyChecker = Other
    try:
        async with opened("cosmos3") as backend:
            with pytest.raises(BackendError, match="did not check the prompt; the clip is thrown away"):
                await backend.render(PROMPT, spec("cosmos3", guardrails=True), seed=1, to=tmp_path / "a.mp4")
    finally:
        cosmos_guardrail.CosmosSafetyChecker = checker
    assert list(tmp_path.iterdir()) == []


ASK = """
import asyncio, sys
from pathlib import Path
from generator.config import DiffusersConfig
from generator.diffusers import Diffusers
from generator.types import BackendError
from tests.real.in_process.conftest import spec
sys.path = [path for path in sys.path if not path.endswith("in_process/packages")]

async def main():
    for model in ("cosmos3", "cosmos3_distilled", "cosmos25"):
        backend = Diffusers(DiffusersConfig(model=str(Path(sys.argv[1]) / model), local_files_only=True))
        try:
            await backend.render("A cat.", spec(model, guardrails=True), seed=1, to=Path(sys.argv[2]) / "a.mp4")
        except BackendError as error:
            print(model, error)
        await backend.close()

asyncio.run(main())
"""


def test_without_the_package_they_fail_closed(models: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(models), str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=True, env=os.environ | {"PYTHONPATH": "."},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == CHECKED
    assert all("pip install cosmos_guardrail" in line for line in lines)
    assert list(tmp_path.iterdir()) == []
