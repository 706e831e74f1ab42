"""fal's double: its queue and its files over HTTP on the loopback, for the real `fal_client`.

It answers as fal does where nothing else is said: a submission is queued for `queued` polls, at work for `running`
more, then completed with a real mp4 of what the input asks for, the same for the same prompt and seed. Other behaviour
is scripted, and what it heard is kept::

    async with FalDouble(queued=2) as server:              # fal_client's addresses point here until it is left
        generator = Fal(FalConfig(), KEY)
        server.script("submit", Answer(429, {...}))        # the next submissions, in order
        server.script("status", DROP)                      # the next polls
        server.script("result", refusal(422, [...]))       # the next results; "cancel", "file" likewise
        server.output["seed"] = 7                          # over what is in the output
        server.jobs                                        # every request taken: input, polls, cancelled
"""

import asyncio
import io
import uuid
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal, Self, cast
from urllib.parse import urlsplit

import av
import fal_client.client
import numpy as np

from generator.config import FalConfig
from generator.encode import H264
from generator.fal import Fal
from generator.fal.types import Pace
from generator.types import Generator, Tell
from tests.wire import Answer, Heard, Wire

KEY = "11112222-aaaa:secretsecretsecret"
T2V: Literal["fal-ai/cosmos-predict-2.5/text-to-video"] = "fal-ai/cosmos-predict-2.5/text-to-video"
QUICK = Pace(first_poll=0.002, longest_poll=0.01, first_pause=0.002, patience=1, cancel=20)
HASTY = replace(QUICK, cancel=0.2)
"""For withdrawals that nobody answers."""
ADDRESSES = ("QUEUE_URL_FORMAT", "RUN_URL_FORMAT", "REST_URL", "CDN_URL")
"""Constants of `fal_client.client` that it reads at each call: the way in that needs neither TLS nor its settings."""
Route = Literal["submit", "status", "result", "cancel", "file"]


def refusal(status: int, detail: str | list[dict[str, Any]], kind: str | None = None, **headers: str) -> Answer:
    """An error as fal words it: a list is a model's, flat words with a type are fal's own."""
    told = {"X-Fal-Error-Type": kind} if kind else {}
    body = {"detail": detail, **({"error_type": kind} if kind else {})}
    return Answer(status, body, {**told, **headers})


@dataclass
class Job:
    """One request that was taken."""

    model: str
    input: dict[str, Any]
    polls: int = 0
    cancelled: bool = False
    content: bytes = b""


@dataclass
class FalDouble(Wire):
    """The double; see the module's docstring."""

    queued: int = 0
    """Polls that find a request in the queue; a negative number: it stays there."""
    running: int = 1
    """Polls that find it at work; a negative number: for ever."""
    error: tuple[str, str] | None = None
    """What a completed request failed with: words and type."""
    metrics: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    """Over what is in the output. A value of None takes it out."""
    file: dict[str, Any] = field(default_factory=dict)
    """Over what the file holds: width, height, frames, fps."""
    jobs: dict[str, Job] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._answers: defaultdict[Route, deque[Answer]] = defaultdict(deque)
        self._kept: dict[str, str] = {}

    def script(self, route: Route, *answers: Answer) -> None:  # type: ignore[override]  # other routes than chat
        self._answers[route].extend(answers)

    @property
    def submissions(self) -> list[Heard]:
        return [heard for heard in self.heard if heard.method == "POST"]

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        module = fal_client.client
        self._kept = {
            name: getattr(module, name) for name in ("QUEUE_URL_FORMAT", "RUN_URL_FORMAT", "REST_URL", "CDN_URL")
        }
        module.QUEUE_URL_FORMAT, module.RUN_URL_FORMAT = f"{self.url}/fal/queue/", f"{self.url}/fal/run/"
        module.REST_URL, module.CDN_URL = f"{self.url}/fal/rest", f"{self.url}/fal/cdn"
        return self

    async def __aexit__(self, *failure: object) -> None:
        for name, value in self._kept.items():
            setattr(fal_client.client, name, value)
        await super().__aexit__(*failure)

    async def _answer(self, heard: Heard) -> Answer:
        path = urlsplit(heard.path).path
        if path.startswith("/files/"):
            name = path.removeprefix("/files/").removesuffix(".mp4")
            film = Answer(body=self.jobs[name].content, headers={"Content-Type": "video/mp4"})
            return self._scripted_or("file") or film
        if heard.headers.get("authorization") != f"Key {KEY}":
            return refusal(401, "Authentication failed: invalid key credentials")
        app, _, request = path.removeprefix("/fal/queue/").partition("/requests/")
        if heard.method == "POST":
            return self._scripted_or("submit") or self._taken(app, heard.json)
        name, _, what = request.partition("/")
        job = self.jobs.get(name)
        # an id is asked for by owner and alias alone
        if job is None or "/".join(job.model.split("/")[:2]) != app:
            return refusal(404, "Request not found")
        return await self._of(name, job, what)

    async def _of(self, name: str, job: Job, what: str) -> Answer:
        match what:
            case "cancel":
                return self._scripted_or("cancel") or self._cancelled(job)
            case "status":
                return self._scripted_or("status") or self._status(name, job)
        return self._scripted_or("result") or await self._result(name, job)

    def _scripted_or(self, route: Route) -> Answer | None:
        return self._answers[route].popleft() if self._answers[route] else None

    def _taken(self, model: str, asked: dict[str, Any]) -> Answer:
        name = str(uuid.uuid4())
        self.jobs[name] = Job(model, asked)
        return Answer(body={"status": "IN_QUEUE", "queue_position": 0, **self._addresses(name, model)})

    def _addresses(self, name: str, model: str) -> dict[str, str]:
        base = f"{self.url}/fal/queue/{'/'.join(model.split('/')[:2])}/requests/{name}"
        urls = {"response_url": base, "status_url": f"{base}/status", "cancel_url": f"{base}/cancel"}
        return {"request_id": name, **urls}

    def _stage(self, job: Job) -> str:
        if job.cancelled:
            return "COMPLETED"
        if self.queued < 0 or job.polls <= self.queued:
            return "IN_QUEUE"
        return "IN_PROGRESS" if self.running < 0 or job.polls <= self.queued + self.running else "COMPLETED"

    def _status(self, name: str, job: Job) -> Answer:
        job.polls += 1
        told: dict[str, Any] = {"status": self._stage(job), **self._addresses(name, job.model)}
        if told["status"] == "IN_QUEUE":
            return Answer(202, {**told, "queue_position": 3})
        if told["status"] == "IN_PROGRESS":
            return Answer(202, {**told, "logs": None})
        error = ("Request was cancelled", "client_cancelled") if job.cancelled else self.error
        failed = {"error": error[0], "error_type": error[1]} if error else {}
        return Answer(200, {**told, "logs": None, "metrics": self.metrics, **failed})

    def _cancelled(self, job: Job) -> Answer:
        stage = self._stage(job)
        if stage == "COMPLETED":
            return Answer(400, {"status": "ALREADY_COMPLETED"})
        job.cancelled = True
        if stage == "IN_QUEUE":
            return Answer(200, {"status": "OK"})
        return Answer(202, {"status": "CANCELLATION_REQUESTED"})

    async def _result(self, name: str, job: Job) -> Answer:
        asked = job.input
        size = asked.get("image_size") or asked.get("video_size") or {"width": 1280, "height": 704}
        film = {
            "width": size["width"],
            "height": size["height"],
            "frames": asked.get("num_frames", 49),
            "fps": asked.get("fps") or asked.get("export_fps") or 16,
            **self.file,
        }
        job.content = await asyncio.to_thread(video, asked["prompt"], asked["seed"], **film)
        said = {
            "video": {"url": f"{self.url}/files/{name}.mp4", "content_type": "video/mp4"},
            "seed": asked["seed"],
            **self.output,
        }
        body = {key: value for key, value in said.items() if value is not None}
        return Answer(body=body, headers={"X-Fal-Request-Id": name})


def video(prompt: str, seed: int, *, width: int, height: int, frames: int, fps: int) -> bytes:
    """An mp4 of exactly that, of noise that prompt and seed decide. Made in memory: a test may forbid large files."""
    dice = np.random.default_rng([seed, *prompt.encode()])
    still = np.kron(dice.integers(0, 255, (8, 16, 3)), np.ones((-(-height // 8), -(-width // 16), 1)))
    picture = still[:height, :width].astype(np.uint8)
    file = io.BytesIO()
    with av.open(file, "w", format=H264.container) as container:
        stream = cast(
            "av.VideoStream", container.add_stream(H264.codec, rate=Fraction(fps), options=H264.codec_options)
        )
        stream.width, stream.height, stream.pix_fmt = width, height, H264.pixel_format
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, index, axis=1), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


@asynccontextmanager
async def generator(tell: Tell = lambda _progress: None) -> AsyncIterator[Generator]:
    """A working generator against the running double: text-to-video of 1280x704 at 16 fps, 9 to 93 frames (4k+1)."""
    async with FalDouble() as _, open_fal(FalConfig(model=T2V), tell=tell) as fal:
        yield fal


@asynccontextmanager
async def open_fal(config: FalConfig, *, pace: Pace = QUICK, **more: Any) -> AsyncIterator[Fal]:
    """A generator of the running double's, closed again."""
    fal = Fal(config, KEY, pace=pace, **more)
    try:
        yield fal
    finally:
        await fal.close()
