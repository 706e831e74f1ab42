"""The page of benchmarks.diffusers says what was measured."""

import argparse
from pathlib import Path

from benchmarks.diffusers import PAGE, Side, page
from generator.types import RenderSpec

SPEC = RenderSpec(width=192, height=128, num_frames=25, fps=24, num_inference_steps=4)


def arguments(*, tiny: bool) -> argparse.Namespace:
    shown = ["--tiny"] if tiny else ["--model", "Cosmos3-Nano"]
    return argparse.Namespace(tiny=tiny, model=Path("models/Cosmos3-Nano"), clips=4, rounds=2, shown=shown)


def test_the_ratio_is_the_median_of_the_rounds_and_the_bound_leaves_the_last_clips_encoding() -> None:
    bare = [Side(10.0, 900, None, 9.0, 2.0), Side(20.0, 950, None, 9.5, 4.0)]
    ours = [Side(9.0, 1000, None, 9.2), Side(16.0, 990, None, 9.4)]
    text = page(arguments(tiny=True), SPEC, bare, ours, "a CPU")
    assert "ours / bare: 0.85" in text
    assert "0.90, 0.80" in text
    assert "20.0%" in text
    assert "so 0.85 is the best" in text  # a fifth of the time, but for one clip of four
    assert "| ours | 12.50 s (9.00-16.00) | 3.12 s | 9.30 s | 1000 MiB | - |" in text
    assert "On a CPU there is no device to keep busy" in text


def test_on_a_gpu_idle_time_is_shown_and_no_path_of_the_machine() -> None:
    sides = [Side(10.0, 900, 0.25, 1.0, 2.0), Side(10.0, 900, 0.35, 1.0, 2.0)]
    text = page(arguments(tiny=False), SPEC, sides, sides, "a GPU")
    assert "| 900 MiB | 30% |" in text
    assert "models/" not in text
    assert "no device to keep busy" not in text


def test_the_written_page_names_a_command_that_the_benchmark_takes_and_no_path() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "`python -m benchmarks.diffusers --tiny" in text
    assert "Wall ratio ours / bare" in text
    assert "/tmp" not in text
    assert "/home" not in text
