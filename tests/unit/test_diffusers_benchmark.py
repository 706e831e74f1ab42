"""The page of benchmarks.diffusers says what was measured."""

import argparse
from pathlib import Path

from benchmarks.diffusers_page import PAGE, Side, page
from generator.types import RenderSpec

SPEC = RenderSpec(width=192, height=128, num_frames=25, fps=24, num_inference_steps=4)


def arguments(*shown: str, tiny: bool = False, model: Path | None = None) -> argparse.Namespace:
    return argparse.Namespace(tiny=tiny, model=model, clips=4, rounds=2, shown=list(shown))


def test_the_ratio_is_the_median_of_the_rounds_and_the_bound_leaves_the_last_clips_encoding() -> None:
    bare = [Side(10.0, 900, False, None, 9.0, 2.0), Side(20.0, 900, False, None, 9.5, 4.0)]
    ours = [Side(9.0, 1000, False, None, 9.2), Side(16.0, 1000, False, None, 9.4)]
    text = page(arguments("--tiny", tiny=True), SPEC, bare, ours, "a CPU")
    assert "ours / bare: 0.85" in text
    assert "0.90, 0.80" in text
    assert "20.0%" in text
    assert "so 0.85 is the best" in text  # a fifth of the time, but for one clip of four
    assert "| ours | 12.50 s (9.00-16.00) | 3.12 s | 9.30 s | 1000 MiB | - |" in text
    assert "peak memory (a process of its own)" in text
    assert "On a CPU there is no device to keep busy" in text


def test_on_a_gpu_idle_time_is_shown_and_no_path_of_the_machine() -> None:
    sides = [Side(10.0, 900, True, 0.25, 1.0, 2.0), Side(10.0, 900, True, 0.35, 1.0, 2.0)]
    given = arguments("--model", "Cosmos3-Nano", model=Path("models/Cosmos3-Nano"))
    text = page(given, SPEC, sides, sides, "a GPU")
    assert "| 900 MiB | 30% |" in text
    assert "models/" not in text
    assert "peak memory (the GPU's tensors)" in text
    assert "no device to keep busy" not in text
    assert "not known" not in text


def test_a_gpu_without_nvml_is_still_a_gpu() -> None:
    sides = [Side(10.0, 900, True, None, 1.0, 2.0), Side(10.0, 900, True, None, 1.0, 2.0)]
    text = page(arguments("--random-nano"), SPEC, sides, sides, "a GPU")
    assert "| 900 MiB | not known |" in text
    assert "Install nvidia-ml-py" in text
    assert "peak memory (the GPU's tensors)" in text
    assert "On a CPU" not in text
    assert "from Cosmos3-Nano's real size with random weights;" in text


def test_the_written_page_names_a_command_that_the_benchmark_takes_and_no_path() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "`python -m benchmarks.diffusers --tiny" in text
    assert "Wall ratio ours / bare" in text
    assert "peak memory (a process of its own)" in text
    assert "/tmp" not in text
    assert "/home" not in text
