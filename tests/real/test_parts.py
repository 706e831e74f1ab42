"""What the reasoner and the critic ask of a real server, through the public client."""

import base64
import itertools
import json
import math
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from agent.config import NEGATIVE_PROMPT
from critic.config import VLMConfig
from critic.types import Criterion, Rubric, WrittenRubric
from critic.vlm import VLM, Checklist, Pairwise, Viewer
from critic.vlm.show import sequence, takes_two, timing
from generator.types import RenderSpec
from reasoner.caption import MotionCaption, StructuredCaption
from reasoner.chat.client import Chat
from reasoner.chat.types import Message, Refused, Sampling, Text, Video
from reasoner.config import OpenAIConfig
from reasoner.openai import OpenAI
from reasoner.types import CaptionRequest, Revision
from tests.clips import write_clip
from tests.real.conftest import KEY, Server

PROMPT = "A red lighthouse over a bay at dusk, the camera pushes in"
SAMPLING = Sampling(max_tokens=4000)


class Questions:
    """Two questions, always the same."""

    id = "questions/1"
    rubric = Rubric(
        name="questions",
        version=1,
        criteria=(
            Criterion(name="lighthouse", title="Lighthouse", axis="adherence", definition="Is there a lighthouse?"),
            Criterion(
                name="steady",
                title="Steady",
                axis="quality",
                definition="Is the picture steady?",
                negation="Does the picture shake?",
            ),
        ),
    )

    async def write(self, prompt: str, first_frame: Path | None) -> WrittenRubric:
        return WrittenRubric(rubric=self.rubric, by=self.id)


@pytest.fixture
def first_frame(tmp_path: Path) -> Path:
    path = tmp_path / "first.png"
    Image.radial_gradient("L").resize((320, 192)).convert("RGB").save(path)
    return path


@pytest.fixture(params=["text", "image"])
def asked(request: pytest.FixtureRequest, first_frame: Path) -> CaptionRequest:
    return CaptionRequest(
        prompt=PROMPT,
        first_frame=first_frame if request.param == "image" else None,
        width=320,
        height=192,
        num_frames=61,
        fps=24,
        negative_prompt=NEGATIVE_PROMPT,
    )


@pytest.mark.parametrize("form", ["full", "image2video"])
async def test_upsample_is_schema_valid_or_a_fallback_said_aloud(chat: Chat, asked: CaptionRequest, form: Any) -> None:
    reasoner = OpenAI(OpenAIConfig(caption=form, sampling=SAMPLING), chat)
    caption = await reasoner.upsample(asked)
    assert caption.usage.calls >= 1
    assert caption.usage.completion_tokens > 0
    if caption.source == "raw":
        assert caption.prompt == PROMPT
        assert caption.notes
    elif form == "full":
        assert caption.structured is not None
        assert StructuredCaption.parse(caption.prompt) == caption.structured
        stamped = caption.structured.model_dump(include={"resolution", "aspect_ratio", "duration", "fps"})
        assert stamped == {"resolution": {"H": 192, "W": 320}, "aspect_ratio": "16,9", "duration": "2s", "fps": 24}
    else:
        assert isinstance(caption.structured, MotionCaption)
        assert caption.structured.text() == caption.prompt
        assert (caption.structured.duration, caption.structured.fps) == ("2s", 24)
        assert caption.negative_prompt is not None
        assert words(caption.negative_prompt) <= words(asked.negative_prompt), "words may only be taken out"


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


async def test_rewrite_edits_named_fields_or_says_that_none_is_left(chat: Chat, asked: CaptionRequest) -> None:
    reasoner = OpenAI(OpenAIConfig(sampling=SAMPLING), chat)
    first = await reasoner.upsample(asked)
    tried = Revision(
        caption=first,
        score=0.3,
        criteria={"camera": 0.2, "lighthouse": 0.4},
        floors={"camera": 0.3},
        feedback="0:01 the camera stands still",
    )
    caption = await reasoner.rewrite(asked, [tried], 0)
    assert caption.source == "rewrite"
    assert caption.diagnosis
    assert caption.usage.calls >= 1
    assert (caption.prompt == first.prompt) == caption.reseed
    assert {edit.criterion for edit in caption.edits} <= {"camera", "lighthouse"}


async def test_checklist_is_written_or_replaced_aloud(chat: Chat, first_frame: Path) -> None:
    written = await Checklist(chat).write(PROMPT, first_frame)
    assert len(written.rubric.criteria) >= 6
    assert written.usage.calls >= 1
    names = [criterion.name for criterion in written.rubric.criteria]
    assert len(set(names)) == len(names)
    assert written.rubric.name == "checklist" or written.notes, "the built-in questions stand in, and nobody says so"


async def test_critique_of_a_clip(chat: Chat, clip: Path) -> None:
    critique = await VLM(VLMConfig(), chat, Checklist(chat)).judge(clip, PROMPT, None)
    methods = {score.method for score in critique.scores}
    assert "logprobs" in methods
    assert methods <= {"logprobs", "inherited"}
    probabilities = {score.value for score in critique.scores if score.method == "logprobs"}
    assert len(probabilities) > 1, "another question has another answer"
    assert critique.usage.calls > len(probabilities)
    assert critique.feedback
    assert any("as one video with their times" in note for note in critique.notes), critique.notes


async def test_probabilities_are_those_of_a_direct_request(server: Server, clip: Path) -> None:
    """Read off the wire and asked again without our client: same tokens, same sum."""
    sent: list[bytes] = []

    async def keep(request: httpx.Request) -> None:
        sent.append(request.content)

    async with httpx.AsyncClient(event_hooks={"request": [keep]}, timeout=60) as client:
        chat = Chat(client, server.config, KEY)
        await chat.connect()
        critique = await VLM(VLMConfig(feedback=False), chat, Questions()).judge(clip, PROMPT, None)
    asked = [json.loads(body) for body in sent if b'"choice"' in body]
    url = next(
        part["video_url"]["url"]
        for message in asked[0]["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "video_url"
    )
    assert url.startswith("data:video/jpeg;base64,")
    yes: dict[str, float] = {}
    for body in asked:
        raw = {
            "model": server.config.model,
            "messages": body["messages"],
            "media_io_kwargs": body["media_io_kwargs"],
            "structured_outputs": {"choice": body["structured_outputs"]["choice"]},
            "temperature": 0,
            "max_tokens": 1,
            "logprobs": True,
            "top_logprobs": 20,
        }
        answer = direct(server, raw)
        top = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        mass = {"y": 0.0, "n": 0.0}
        for token in top:
            letters = token["token"].strip().lower()
            if letters and token["logprob"] > -9000 and ("yes".startswith(letters) or "no".startswith(letters)):
                mass[letters[0]] += math.exp(token["logprob"])
        words = str(body["messages"])
        question = next(q for q in ("lighthouse?", "steady?", "shake?") if q in words)
        yes[question] = mass["y"] / (mass["y"] + mass["n"])
    assert len(yes) == 3
    scores = {score.criterion: score.value for score in critique.scores}
    assert scores["lighthouse"] == pytest.approx(yes["lighthouse?"], abs=1e-6)
    assert scores["steady"] == pytest.approx((yes["steady?"] + 1 - yes["shake?"]) / 2, abs=1e-6)


async def test_a_pair_is_compared_in_both_orders_as_two_videos(server: Server, clip: Path, tmp_path: Path) -> None:
    """Read off the wire and asked again without our client, as above."""
    other = write_clip(tmp_path / "other.mp4", RenderSpec(width=256, height=192, num_frames=49, fps=24), seed=1).path
    sent: list[bytes] = []

    async def keep(request: httpx.Request) -> None:
        sent.append(request.content)

    async with httpx.AsyncClient(event_hooks={"request": [keep]}, timeout=60) as client:
        chat = Chat(client, server.config, KEY)
        await chat.connect()
        comparer = Pairwise(Viewer(VLMConfig(), chat))
        found = await comparer.compare(clip, other, PROMPT, None)
        turned = await comparer.compare(other, clip, PROMPT, None)
    print(f"P(first): {found.orders} {found.outcome}; turned round {turned.orders} {turned.outcome}; {found.notes}")
    assert (found.method, found.judge) == ("logprobs", comparer.id)
    assert found.notes[0].endswith("8 frames of 320x192 and 8 frames of 256x192, each as a video with its times.")
    assert turned.p_first == pytest.approx(1 - found.p_first, abs=1e-4)
    asked = [json.loads(body) for body in sent if b'"choice"' in body]
    assert len(asked) == 4
    first = next(part["video_url"]["url"] for part in shown(asked[0]))
    p_a = {}
    for body in asked[:2]:
        kept = {key: body[key] for key in ("messages", "media_io_kwargs", "structured_outputs")}
        raw = {"model": server.config.model, **kept, "temperature": 0, "max_tokens": 1}
        answer = direct(server, raw | {"logprobs": True, "top_logprobs": 20})
        top = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        p = {token["token"]: math.exp(token["logprob"]) for token in top if token["logprob"] > -9000}
        assert p.keys() == {"A", "B"}
        assert sum(p.values()) == pytest.approx(1, abs=1e-4)
        urls = [part["video_url"]["url"] for part in shown(body)]
        assert len(set(urls)) == 2
        p_a[urls[0] == first] = p["A"]
    assert sorted(p_a) == [False, True]
    wide_first = Image.open(BytesIO(base64.b64decode(first.partition("base64,")[2].split(",")[0]))).width == 320
    assert found.orders[0] == pytest.approx(p_a[wide_first], abs=1e-4)
    assert found.orders[1] == pytest.approx(1 - p_a[not wide_first], abs=1e-4)


async def test_both_videos_of_a_pair_get_their_times(chat: Chat) -> None:
    """One setting of a request goes to all its videos: huge times make the prompt longer by as much for each."""
    url = sequence([Image.new("RGB", (64, 64), (n * 30, 0, 0)) for n in range(8)])
    far = timing(24, [24_000 * n for n in range(8)], 24_000 * 8)

    async def tokens(count: int, io: dict[str, object] | None) -> int:
        message = Message(role="user", content=(*[Video(url=url, io=io)] * count, Text(text="Which is best?")))
        return (await chat.ask([message], sampling=Sampling.greedy(1))).usage.prompt_tokens

    one, two = [await tokens(count, far) - await tokens(count, None) for count in (1, 2)]
    assert one > 0
    assert two == 2 * one


async def test_pairs_of_other_lengths_and_with_a_first_frame(chat: Chat, clip: Path, first_frame: Path) -> None:
    shorter = write_clip(clip.with_name("short.mp4"), RenderSpec(width=320, height=192, num_frames=25, fps=24)).path
    found = await Pairwise(Viewer(VLMConfig(), chat)).compare(clip, shorter, PROMPT, first_frame)
    assert found.method == "logprobs"
    assert "since they differ in length or frame rate" in found.notes[0]


async def test_a_third_video_is_refused_as_we_expect_of_a_second_elsewhere(chat: Chat) -> None:
    """The server that we start takes two videos in a question; one that takes one says the same of the second."""
    taken, used = await takes_two(chat, "timed_frames")
    assert (taken, used.calls) == (True, 3)
    still = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    message = Message(role="user", content=(*[Video(url=sequence(still))] * 3, Text(text="Which is best?")))
    with pytest.raises(Refused) as refused:
        await chat.ask([message], sampling=Sampling.greedy(1))
    assert (refused.value.status, refused.value.param) == (400, "video")
    assert "At most 2 video(s) may be provided in one prompt" in str(refused.value)


async def test_second_critique_of_a_clip_hits_the_prefix_cache(server: Server, chat: Chat, clip: Path) -> None:
    critic = VLM(VLMConfig(feedback=False), chat, Questions())
    counts = [counters(server)]
    critiques = []
    for _ in range(2):
        critiques.append(await critic.judge(clip, PROMPT, None))
        counts.append(counters(server))
    rates = []
    for before, after in itertools.pairwise(counts):
        queries, hits = (after[name] - before[name] for name in ("queries", "hits"))
        rates.append(hits / queries)
    print(f"prefix cache: {rates[0]:.0%} of the first critique, {rates[1]:.0%} of the second")
    assert rates[1] > 0.8
    assert rates[1] > rates[0]
    own = critiques[1].usage
    assert own.cache_queries == counts[2]["queries"] - counts[1]["queries"], "ours are the server's own figures"
    assert own.cache_hits == counts[2]["hits"] - counts[1]["hits"]
    assert critiques[1].usage.cached_tokens > 0.8 * critiques[1].usage.prompt_tokens
    assert critiques[1].scores == critiques[0].scores


def shown(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The videos of a question."""
    return [part for part in body["messages"][-1]["content"] if part["type"] == "video_url"]


def direct(server: Server, body: dict[str, Any]) -> Any:
    """A chat completion, without our client."""
    headers = {"Authorization": f"Bearer {KEY}"}
    return httpx.post(f"{server.root}/v1/chat/completions", json=body, headers=headers, timeout=60).json()


def counters(server: Server) -> dict[str, float]:
    """The prefix cache's, read off the metrics page by hand."""
    page = httpx.get(f"{server.root}/metrics", timeout=60).text
    found = {}
    for name in ("queries", "hits"):
        lines = [line for line in page.splitlines() if line.startswith(f"vllm:prefix_cache_{name}_total")]
        found[name] = sum(float(line.rpartition(" ")[2]) for line in lines)
    return found
