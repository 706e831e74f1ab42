"""The critic's self-test: its versions of a clip, what it swaps, and which critics pass."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from benchmarks.quickstart import PROMPTS
from critic.canaries import doctor, swaps
from critic.canaries.self_test import self_test
from critic.canaries.types import LEAST_AUC, Canary, CanaryKind, SelfTest
from critic.config import SignalsConfig, VLMConfig
from critic.signals import Signals
from critic.signals.words import wishes_of
from critic.types import Critique, JudgeError
from critic.vlm import VLM, Checklist
from generator.animatic import Animatic
from generator.config import AnimaticConfig
from generator.types import RenderSpec
from reasoner.camera import requested_moves
from reasoner.chat.types import Usage
from tests.clips import write_clip
from tests.movies import Picture, card, patches, pictures, write_movie
from tests.parts import make_critique
from tests.seeing import chat_with
from tests.seeing import seeing as seeing_model
from tests.wire import Wire

COUNT = 12
PROMPT = "A boat crosses a bay. The camera pans left."


def level(number: int) -> int:
    return 20 + 18 * (number % COUNT)


def numbered(count: int = COUNT, width: int = 96, height: int = 64) -> list[Picture]:
    """Frames that tell their number by how light they are."""
    return [np.full((height, width, 3), level(number), np.uint8) for number in range(count)]


def numbers(path: Path) -> list[int]:
    return [round((float(picture.mean()) - level(0)) / 18) for picture in pictures(path)]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_movie(tmp_path / "clip.mp4", numbered())


def version(clip: Path, kind: doctor.Version, held: int = doctor.HELD) -> Path:
    to = clip.with_name(f"{kind}.mp4")
    doctor.write(clip, kind, to, held=held)
    return to


def test_versions_are_the_clips_own_frames_in_another_order(clip: Path) -> None:
    assert numbers(version(clip, "control")) == list(range(COUNT))
    assert numbers(version(clip, "frozen")) == [0] * COUNT
    assert numbers(version(clip, "reversed")) == list(range(COUNT))[::-1]
    shuffled = numbers(version(clip, "shuffled"))
    assert sorted(shuffled) == list(range(COUNT))
    steps = np.abs(np.diff(shuffled))
    assert steps.mean() > 2


@pytest.mark.parametrize("count", [2, 5, 61, 189])
def test_a_shuffle_is_neither_the_clip_nor_its_reverse(count: int) -> None:
    order = doctor.order("shuffled", count)
    assert sorted(order) == list(range(count))
    assert count == 2 or order not in (list(range(count)), list(range(count))[::-1])


@pytest.mark.parametrize("kind", ["control", "frozen", "reversed", "shuffled"])
def test_a_version_has_the_clips_form_and_the_same_bytes_each_time(tmp_path: Path, kind: doctor.Version) -> None:
    dice = np.random.default_rng(3)
    clip = write_movie(tmp_path / "clip.mp4", [dice.integers(0, 256, (64, 96, 3), np.uint8) for _ in range(9)], fps=10)
    made = version(clip, kind)
    with av.open(str(made)) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 0)
        found = (stream.width, stream.height, rate, stream.frames, stream.codec_context.name)
    assert found == (96, 64, 10.0, 9, "h264")
    first = made.read_bytes()
    assert version(clip, kind).read_bytes() == first
    assert version(clip, kind, held=3 * 96 * 64 * 3 // 2).read_bytes() == first  # three frames at a time


def test_every_version_is_encoded_alike(clip: Path) -> None:
    forms = set()
    for kind in ("control", "frozen", "reversed", "shuffled"):
        with av.open(str(version(clip, kind))) as container:
            context = container.streams.video[0].codec_context
            forms.add((context.profile, context.pix_fmt, context.colorspace, context.color_range, container.duration))
    assert len(forms) == 1


@pytest.mark.parametrize("full", [False, True])
def test_colours_survive(tmp_path: Path, full: bool) -> None:
    clip = write_movie(tmp_path / "clip.mp4", [card()] * 3, full=full, tags={"color_range": 2 if full else 1})
    before, after = pictures(clip)[0], pictures(version(clip, "control"))[0]
    if full:  # `pictures` reads every file as limited range
        before = card()
    assert np.abs(patches(after) - patches(before)).max() <= 4


def test_a_clip_that_breaks_off_cannot_be_doctored(tmp_path: Path) -> None:
    whole = version(write_movie(tmp_path / "clip.mp4", numbered()), "shuffled").read_bytes()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole[: len(whole) * 7 // 8])
    with pytest.raises(JudgeError, match="broken"):
        doctor.write(broken, "reversed", tmp_path / "to.mp4")
    assert not (tmp_path / "to.mp4").exists()


MOVES = [
    f"The camera {words}." for words in ("pans left, then pushes in", "is handheld", "rolls clockwise", "is static")
]


@pytest.mark.parametrize("prompt", [PROMPT, "", "A chef chops onions in a kitchen.", *MOVES, *PROMPTS])
def test_the_other_prompt_shares_the_camera_and_no_other_word(prompt: str) -> None:
    other = swaps.other_prompt(prompt)
    scene = other.partition(". ")[0].lower().replace(",", "").split()
    assert not {word for word in prompt.lower().replace(".", "").split() if len(word) > 3} & set(scene)
    assert requested_moves(other) == requested_moves(prompt)


@pytest.mark.parametrize("scene", swaps.SCENES)
def test_scenes_ask_for_nothing_that_is_measured(scene: str) -> None:
    assert not wishes_of(scene)
    assert not requested_moves(scene)


@pytest.mark.parametrize(
    "given",
    [
        np.full((64, 96, 3), 127, np.uint8),
        np.zeros((64, 96, 3), np.uint8),
        np.random.default_rng(1).integers(0, 256, (50, 120, 3), np.uint8),
        swaps.pattern(64, 96),
    ],
)
def test_the_other_picture_is_far_from_any(tmp_path: Path, given: Picture) -> None:
    Image.fromarray(given).save(tmp_path / "given.png")
    swaps.other_picture(tmp_path / "given.png", tmp_path / "other")
    with Image.open(tmp_path / "other") as opened:
        other = np.asarray(opened.convert("RGB")).astype(float)
    assert other.shape == given.shape
    assert np.abs(other - given).mean() >= 112


class Judge:
    """Judges by a function of what it is shown, and says what that was."""

    id = "scripted/1"

    def __init__(self, overall: Callable[[Path, str, Path | None], float]) -> None:
        self._overall, self.asked = overall, list[tuple[str, str, str | None]]()

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        assert clip.exists()
        self.asked.append((clip.name, prompt, first_frame.name if first_frame else None))
        await asyncio.sleep(0)
        critique = make_critique(self._overall(clip, prompt, first_frame))
        return critique.model_copy(update={"usage": Usage(calls=2)})


def seeing(clip: Path, prompt: str, first_frame: Path | None) -> float:
    right = prompt == PROMPT and numbers(clip) == list(range(COUNT))
    return 0.9 if right and (first_frame is None or first_frame.name == "given.png") else 0.3


def length(clip: Path, prompt: str, first_frame: Path | None) -> float:
    return min(1.0, len(pictures(clip)) / 20)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.fromarray(numbered(1)[0]).save(tmp_path / "given.png")
    return tmp_path / "given.png"


async def test_a_critic_that_sees_all_passes_and_leaves_nothing(clip: Path, image: Path, tmp_path: Path) -> None:
    judge = Judge(seeing)
    test = await self_test(judge, clip, PROMPT, image, tmp_path / "canaries")
    assert test.auc == 1.0
    assert test.conclusive
    assert test.control == 0.9
    assert [c.kind for c in test.canaries] == [
        "frozen",
        "reversed",
        "shuffled",
        "prompt_swapped",
        "first_frame_swapped",
    ]
    assert test.usage.calls == 12
    assert test.critic == "scripted/1"
    assert test.blind == ()
    assert "passed" in test.sentence(LEAST_AUC)
    assert "told 5 of 5" in test.sentence(LEAST_AUC)
    assert not (tmp_path / "canaries").exists()
    names = {name for name, _, _ in judge.asked} | {name for _, _, name in judge.asked if name != "given.png" and name}
    assert all(name.startswith(".") and name.endswith(".part") for name in names)  # what a run's memory clears away


@pytest.mark.parametrize("overall", [length, lambda clip, prompt, first_frame: 0.8])
async def test_a_critic_that_sees_nothing_fails(
    clip: Path, tmp_path: Path, overall: Callable[[Path, str, Path | None], float]
) -> None:
    test = await self_test(Judge(overall), clip, PROMPT, None, tmp_path / "canaries")
    assert test.auc == 0.5
    assert test.blind == ("frozen", "reversed", "shuffled", "prompt_swapped")
    assert not test.passed(LEAST_AUC)
    assert test.sentence(LEAST_AUC) == (
        "The critic scripted/1 failed its self-test (AUC 0.50, 0.80 is asked): it told 0 of 4 doctored versions from "
        "the clip itself; it did not tell a standstill, a clip played backwards, frames in random order or a prompt "
        "of something else."
    )


async def test_a_clip_that_is_too_bad_decides_little(clip: Path, tmp_path: Path) -> None:
    judge = Judge(lambda *shown: seeing(*shown) / 50)
    test = await self_test(judge, clip, PROMPT, None, tmp_path / "canaries")
    assert test.auc == 0.5
    assert not test.conclusive
    assert "The clip itself scored 0.02: too little" in test.sentence(LEAST_AUC)


async def test_a_version_that_cannot_be_judged_tells_nothing(clip: Path, tmp_path: Path) -> None:
    def stumbling(clip: Path, prompt: str, first_frame: Path | None) -> float:
        if "control" not in clip.name:
            raise JudgeError(f"no answer about {clip.name}")
        return seeing(clip, prompt, first_frame)

    test = await self_test(Judge(stumbling), clip, PROMPT, None, tmp_path / "canaries")
    assert [c.kind for c in test.canaries] == ["prompt_swapped"]
    assert set(test.unjudged) == {"frozen", "reversed", "shuffled"}
    assert test.auc == (1 + 3 * 0.5) / 4
    assert "could not judge a standstill" in test.sentence(LEAST_AUC)
    assert SelfTest.model_validate_json(test.model_dump_json()) == test


async def test_nothing_is_asked_where_the_control_cannot_be_judged(clip: Path, tmp_path: Path) -> None:
    def never(clip: Path, prompt: str, first_frame: Path | None) -> float:
        raise JudgeError("no answer")

    judge = Judge(never)
    with pytest.raises(JudgeError, match="no answer"):
        await self_test(judge, clip, PROMPT, None, tmp_path / "canaries")
    assert len(judge.asked) == 1
    assert not (tmp_path / "canaries").exists()


async def test_a_server_that_fails_is_no_verdict(clip: Path, tmp_path: Path) -> None:
    def failing(clip: Path, prompt: str, first_frame: Path | None) -> float:
        if "shuffled" in clip.name:
            raise ConnectionError("gone")
        return 0.8

    with pytest.raises(ConnectionError, match="gone"):
        await self_test(Judge(failing), clip, PROMPT, None, tmp_path / "canaries")
    assert not (tmp_path / "canaries").exists()


@pytest.mark.thorough
async def test_a_model_that_always_answers_alike_fails_and_all_it_took_is_counted(clip: Path, tmp_path: Path) -> None:
    async with Wire(seeing_model()) as server, chat_with(server) as chat:
        critic = VLM(VLMConfig(feedback=False), chat, Checklist(chat))
        test = await self_test(critic, clip, PROMPT, None, tmp_path / "canaries")
    assert test.auc == 0.5
    assert test.usage.calls == len(server.chats)
    checklists = [body for body in server.chats if "questions" in json.dumps(body.get("response_format"))]
    assert len(checklists) == 2  # for the request and for the other prompt


async def test_a_first_frame_that_is_none_is_said(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "given.png").write_text("no picture")
    with pytest.raises(JudgeError, match=r"given\.png is not an image"):
        await self_test(Judge(length), clip, PROMPT, tmp_path / "given.png", tmp_path / "canaries")
    assert not (tmp_path / "canaries").exists()


async def test_the_versions_are_kept_where_asked(clip: Path, image: Path, tmp_path: Path) -> None:
    await self_test(Judge(length), clip, PROMPT, image, tmp_path / "canaries", keep=True)
    names = ["control.mp4", "first_frame.png", "frozen.mp4", "reversed.mp4", "shuffled.mp4"]
    assert sorted(path.name for path in (tmp_path / "canaries").iterdir()) == names
    assert numbers(tmp_path / "canaries" / "reversed.mp4") == list(range(COUNT))[::-1]


async def test_cancelled_it_stops_making_and_leaves_nothing(tmp_path: Path) -> None:
    clip = write_movie(tmp_path / "clip.mp4", numbered(48, 640, 384))
    folder = tmp_path / "canaries"
    task = asyncio.create_task(self_test(Judge(length), clip, PROMPT, None, folder))
    while not list(folder.glob(".*.mp4.part")):
        await asyncio.sleep(0.002)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(6000):
        if not folder.exists() or not list(folder.iterdir()):
            break
        await asyncio.sleep(0.01)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path != clip]


@pytest.mark.parametrize(
    ("score", "outcome"), [(0.5, "told"), (0.7799, "told"), (0.7801, "tied"), (0.8199, "tied"), (0.83, "missed")]
)
def test_scores_close_together_are_a_tie(score: float, outcome: str) -> None:
    assert Canary.of("frozen", score, 0.8).outcome == outcome


def test_ties_count_half() -> None:
    kinds: list[tuple[CanaryKind, float]] = [
        ("frozen", 0.1),
        ("reversed", 0.8),
        ("shuffled", 0.1),
        ("prompt_swapped", 1),
    ]
    test = SelfTest.of([Canary.of(kind, score, 0.8) for kind, score in kinds], critic="c", control=0.8, seconds=1)
    assert test.auc == 0.625


async def test_measured_signals_tell_time_and_are_blind_to_content(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", RenderSpec(width=160, height=96, num_frames=9, fps=24)).path
    prompt = "A lighthouse at noon. The camera pushes in."
    test = await self_test(Signals(SignalsConfig()), clip, prompt, None, tmp_path / "canaries")
    assert [c.outcome for c in test.canaries] == ["told", "told", "told", "tied"]
    assert test.blind == ("prompt_swapped",)
    assert test.conclusive


@pytest.mark.thorough
@pytest.mark.parametrize(("camera", "blind"), [(" The camera pans right.", ()), ("", ("reversed",))])
async def test_without_a_camera_move_measured_signals_know_no_arrow_of_time(
    tmp_path: Path, camera: str, blind: tuple[CanaryKind, ...]
) -> None:
    prompt = "A lighthouse on a cliff above the sea." + camera
    spec = RenderSpec(width=320, height=192, num_frames=61, fps=24)
    clip = await Animatic(AnimaticConfig()).render(prompt, spec, seed=1, to=tmp_path / "clip.mp4")
    test = await self_test(Signals(SignalsConfig()), clip.path, prompt, None, tmp_path / "canaries")
    assert test.blind == (*blind, "prompt_swapped")
