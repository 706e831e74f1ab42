import pytest

from generator.sizes import PRESETS, SIZES, grid, parse, snap


def test_every_trained_size_snaps_to_itself() -> None:
    assert [snap(size.width, size.height) for size in SIZES] == list(SIZES)


@pytest.mark.parametrize(
    ("wish", "trained"),
    [
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (720, 1280)),
        ((1024, 576), (832, 480)),
        ((576, 1024), (480, 832)),
        ((1024, 768), (1104, 832)),
        ((512, 512), (640, 640)),
        ((300, 180), (320, 192)),
        ((1, 1), (256, 256)),
        ((8000, 1000), (1280, 720)),
    ],
)
def test_a_wish_snaps_to_the_nearest_aspect_then_tier(wish: tuple[int, int], trained: tuple[int, int]) -> None:
    size = snap(*wish)
    assert (size.width, size.height) == trained


@pytest.mark.parametrize(
    ("frames", "snapped"), [(1, 5), (5, 5), (6, 5), (8, 9), (61, 61), (189, 189), (190, 189), (192, 193)]
)
def test_frames_lie_on_the_4k_plus_1_grid(frames: int, snapped: int) -> None:
    assert grid(frames) == snapped


@pytest.mark.parametrize(
    ("text", "size"), [("832x480", (832, 480)), (" 832 X 480 ", (832, 480)), ("832*480", (832, 480)), *PRESETS.items()]
)
def test_a_size_is_read_from_a_preset_or_wxh(text: str, size: tuple[int, int]) -> None:
    assert parse(text) == size


@pytest.mark.parametrize("text", ["", "x", "832", "832x", "-1x5", "0x480", "8.5x4", "huge", "832x480x3"])
def test_anything_else_is_refused_with_the_presets(text: str) -> None:
    with pytest.raises(ValueError, match="square_hd"):
        parse(text)
