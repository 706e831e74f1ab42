"""Latencies: the data file whole and sourced, published figures met exactly, all between them by a stated rule."""

from itertools import pairwise

import pytest

from agent.errors import ConfigError
from agent.forecasting import known
from agent.forecasting.latencies import RenderRow, interpolated, latencies, passes, render_seconds
from generator.config import AnimaticConfig, DiffusersConfig, FalConfig, NIMConfig, VLLMOmniConfig
from generator.sizes import TIERS
from generator.types import RenderSpec


def spec(tier: int = 480, frames: int = 189, steps: int = 35, guidance: float = 6.0) -> RenderSpec:
    width, height = TIERS[tier]["16,9"]
    return RenderSpec(
        width=width, height=height, num_frames=frames, fps=24, num_inference_steps=steps, guidance_scale=guidance
    )


def rows(
    hardware: str = "H100 80GB",
    mode: str = "image2video",
    gpus: int = 1,
    model: str = "Cosmos3-Nano",
    engine: str = "vllm_omni",
) -> list[RenderRow]:
    facts = (model, hardware, mode, gpus, engine)
    return [r for r in latencies().renders if (r.model, r.hardware, r.mode, r.gpus, r.engine) == facts]


def test_every_row_has_a_source_an_engine_of_ours_and_stands_once() -> None:
    data = latencies()
    assert {r.source for r in (*data.renders, *data.replies, *data.critiques)} == set(data.sources)
    engines = {
        c.model_fields["backend"].default
        for c in (AnimaticConfig, VLLMOmniConfig, NIMConfig, DiffusersConfig, FalConfig)
    }
    assert {r.engine for r in data.renders} <= engines
    places = [(r.model, r.hardware, r.gpus, r.mode, r.tier, r.engine) for r in data.renders]
    assert len(set(places)) == len(places)
    assert data.hardware == ("RTX PRO 6000", "H100 80GB", "H200 141GB", "B200")
    assert [r.slowest for r in data.renders if r.slowest is not None and r.slowest < r.seconds] == []


@pytest.mark.parametrize(
    ("facts", "seconds"),
    [
        ({}, (7.37, 59.77, 205.97)),
        ({"mode": "text2video"}, (6.97, 58.17, 202.29)),
        ({"gpus": 8}, (3.97, 15.12, 41.51)),
        ({"hardware": "RTX PRO 6000"}, (11.04, 107.77, 375.01)),
        ({"hardware": "B200", "gpus": 4, "mode": "text2video"}, (2.43, 12.63, 35.29)),
        ({"model": "Cosmos3-Super", "hardware": "H200 141GB"}, (25.47, 220.70, 766.33)),
        ({"engine": "diffusers", "mode": "text2video"}, (9, 68, 240)),
    ],
)
def test_a_published_render_takes_what_is_published(facts: dict[str, object], seconds: tuple[float, ...]) -> None:
    for tier, published in zip(TIERS, seconds, strict=True):
        made = render_seconds(rows(**facts), spec(tier))  # type: ignore[arg-type]
        assert (made.expected, made.worst) == pytest.approx((published, published))


def test_more_frames_steps_and_pixels_never_take_less() -> None:
    for kind in (rows(), rows(gpus=8), rows(model="Cosmos3-Super", hardware="B200")):
        for grown in (
            [spec(frames=n) for n in range(25, 298, 16)],
            [spec(steps=n) for n in range(1, 100, 9)],
            [spec(tier, frames=97) for tier in TIERS],
        ):
            took = [render_seconds(kind, one).expected for one in grown]
            assert all(a < b for a, b in pairwise(took))


@pytest.mark.parametrize(
    ("at", "seconds"),
    [
        (10, 1.0),  # as published
        (5, 0.5),  # below the smallest: with the pixels
        (20, 2.0 * 2**0.5),  # between: the power 1.5 that goes through 10:1 and 40:8
        (40, 8.0),
        (160, 64.0),  # beyond: the last power goes on
    ],
)
def test_between_and_beyond_published_sizes(at: float, seconds: float) -> None:
    assert interpolated([(40, 8.0), (10, 1.0)], at) == pytest.approx(seconds)
    assert interpolated([(10, 2.0)], at) == pytest.approx(at / 5)  # one point tells no power


@pytest.mark.parametrize(
    ("steps", "guidance", "share"), [(35, 6.0, 1.0), (70, 6.0, 2.0), (28, 6.0, 0.8), (35, 1.0, 0.5)]
)
def test_steps_and_passes_count_in_proportion(steps: int, guidance: float, share: float) -> None:
    one = spec(steps=steps, guidance=guidance)
    assert passes(one) == pytest.approx(share)
    assert render_seconds(rows(), one).expected == pytest.approx(59.77 * share)


def test_the_embedded_renderer_takes_no_longer_for_more_steps() -> None:
    own = rows("one core of an AMD EPYC", "text2video", 0, "animatic", "animatic")
    assert render_seconds(own, spec(steps=5)) == render_seconds(own, spec(steps=50))


@pytest.mark.parametrize(
    ("name", "hardware"),
    [("h100", "H100 80GB"), ("H200", "H200 141GB"), ("rtx pro", "RTX PRO 6000"), ("RTX-PRO-6000", "RTX PRO 6000")],
)
def test_hardware_by_the_beginning_of_its_name(name: str, hardware: str) -> None:
    assert known(name) == hardware


@pytest.mark.parametrize("name", ["a100", "", "h", "H100 80GB SXM"])
def test_unknown_hardware_is_refused_with_the_known(name: str) -> None:
    with pytest.raises(ConfigError, match="H100 80GB, H200 141GB, B200"):
        known(name)
