"""A vLLM-Omni video server's double that speaks HTTP on the loopback and behaves as vLLM-Omni 0.30 was seen to.

Jobs run one at a time, first come first served; DELETE drops one that waits and only forgets one that runs; a failed
job's GET answers with the failure's own code; a restart forgets every job; sizes are floored to 16 and frames rounded
up to 4k+1 without a word. Runs in the test's event loop or, like `tests.wire.Wire`, in a thread of its own::

    async with Omni() as server, connected(server) as omni:
        server.hold()                      # renders begin, and go on until release(); hold(after=2): two end before
        await omni.render(...)
    with Omni() as server:                 # for tests of processes
        subprocess.run([..., server.url])
    assert (server.submits, server.begun, server.deletes) == (2, 1, 1)
"""

import asyncio
import hashlib
import io
import itertools
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Self, cast

import av
import numpy as np
from PIL import Image

from agent.http import http_client
from generator.config import VLLMOmniConfig
from generator.sizes import TIERS, snap
from generator.types import Generator, Tell
from generator.vllm_omni import Limits, VLLMOmni
from tests.wire import Answer, Heard, Wire, error

MODEL = "tiny-cosmos3"
JOBS = "/v1/videos"
HINTS = ("edge", "blur", "depth", "seg", "wsm")
QUICK = Limits(
    ask=10.0, silent=0.2, away=0.15, submit=10.0, download=10.0, cleanup=2.0, shortest_pause=0.005, longest_pause=0.02,
    queue_look=0.01, patience=2.0, first_probe=0.01,
)  # fmt: skip
"""Time limits for tests."""


@dataclass
class Part:
    """One field of a form."""

    content: bytes
    file_name: str | None = None


@dataclass
class Job:
    """One job, as the server keeps it."""

    id: str
    form: Mapping[str, Part]
    status: str = "queued"
    created_at: int = 0
    error: tuple[int | str, str] | None = None
    clip: bytes = b""
    known: bool = True
    """False once it was deleted."""

    def text(self, name: str, default: str = "") -> str:
        """A field of the form."""
        part = self.form.get(name)
        return default if part is None else part.content.decode()

    @property
    def extra(self) -> dict[str, Any]:
        """Its `extra_params`."""
        return cast("dict[str, Any]", json.loads(self.text("extra_params", "{}")))


@dataclass(frozen=True)
class Film:
    """What is rendered."""

    width: int
    height: int
    frames: int
    fps: float
    audio: bool = False


@dataclass
class Wrong:
    """How the delivered clip lies; see `Omni.wrong`."""

    frames: int = 0
    width: int = 0
    fps: float = 0
    content: bytes | None = None


@dataclass
class Faults:
    """What goes wrong, each once unless said otherwise."""

    answers: deque[Answer] = field(default_factory=deque)
    """To the next submissions, instead of taking them."""
    failures: deque[tuple[int | str, str]] = field(default_factory=deque)
    """Code and message that the next renders end with."""
    downloads: deque[Answer] = field(default_factory=deque)
    """To the next downloads."""
    silent: bool = False
    """Questions after jobs are not answered until it is set back, and deletions that come meanwhile never."""
    submissions: asyncio.Event | None = None
    """What the answers to submissions wait for, once they have been taken."""


class Omni(Wire):
    """The server.

    Args:
        model: as it is served; also what `tests.wire` tells at /v1/models.
        key: asked for on /v1/*.
        guardrails: it was started with its safety checks; they refuse prompts with the word "forbidden".
        sound: its checkpoint makes sound.
        rife: it interpolates frames (0.30 does not for Cosmos3).
        seconds: a render takes at least so long.
    """

    def __init__(
        self, model: str = MODEL, *, key: str | None = None, guardrails: bool = False, sound: bool = False,
        rife: bool = False, seconds: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(key=key)
        self.served = {model: "/models/tiny"}
        self.guardrails, self.sound, self.rife, self.seconds = guardrails, sound, rife, seconds
        self.jobs: dict[str, Job] = {}
        self.forms: list[Job] = []
        """Every accepted submission, forgotten ones too."""
        self.submits = self.begun = self.deletes = 0
        """Submissions accepted, renders begun, jobs deleted."""
        self.wrong = Wrong()
        self.faults = Faults()
        self._ids = itertools.count(1)
        self._waiting: deque[Job] = deque()
        self._more, self._go = asyncio.Event(), asyncio.Event()
        self._held, self._passing = False, 0
        self._engine: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._loop = asyncio.get_running_loop()
        self._more, self._go = asyncio.Event(), asyncio.Event()
        if not self._held:
            self._go.set()
        self._engine = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *failure: object) -> None:
        assert self._engine is not None
        self._engine.cancel()
        await asyncio.gather(self._engine, return_exceptions=True)
        await super().__aexit__(*failure)

    def hold(self, after: int = 0) -> None:
        """Let no render end from now on; `after`: so many that begin from now on still end."""
        self._held, self._passing = True, after
        self._call(self._go.clear)

    def release(self) -> None:
        """Let them end again."""
        self._held, self._passing = False, 0
        self._call(self._go.set)

    def _call(self, change: Callable[[], None]) -> None:
        """From whatever thread a test runs in."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(change)

    async def die(self) -> None:
        """Stop listening, drop every connection, and lose every job."""
        await self.__aexit__()
        self.forget()

    async def hide(self) -> None:
        """Be out of reach, while its jobs live on."""
        assert self._server is not None
        self._server.close()
        for connection in tuple(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def show(self) -> None:
        """Be within reach again, on the same port."""
        await Wire.__aenter__(self)

    async def rise(self) -> None:
        """Listen again, on the same port."""
        await self.__aenter__()

    def forget(self) -> None:
        """Lose every job, as a restart does."""
        for job in self.jobs.values():
            job.known = False
        self.jobs.clear()
        self._waiting.clear()

    def running(self) -> list[Job]:
        """Jobs in progress that are known."""
        return [job for job in self.jobs.values() if job.status == "in_progress"]

    async def _work(self) -> None:
        while True:
            self._more.clear()
            if not self._waiting:
                await self._more.wait()
                continue
            job = self._waiting.popleft()
            if not job.known:
                continue
            job.status = "in_progress"
            self.begun += 1
            await asyncio.sleep(self.seconds)
            if self._passing:
                self._passing -= 1
            else:
                await self._go.wait()
            try:
                job.clip = await self._rendered(job)
                job.status = "completed"
            except Failure as failure:
                job.status, job.error = "failed", failure.args

    async def _rendered(self, job: Job) -> bytes:
        film = self._film(job)
        if self.wrong.content is not None:
            return self.wrong.content
        wrong = Film(
            film.width + self.wrong.width, film.height, film.frames + self.wrong.frames, film.fps + self.wrong.fps
        )
        return await asyncio.to_thread(_encoded, job, wrong)

    def _film(self, job: Job) -> Film:
        """Raises what the pipeline does."""
        extra = job.extra
        if self.guardrails and extra.get("guardrails", True) and "forbidden" in job.text("prompt"):
            raise Failure(400, "Input was blocked by Cosmos3 guardrails.")
        if self.faults.failures:
            raise Failure(*self.faults.failures.popleft())
        hints = [name for name in HINTS if name in extra]
        if "control_guidance" in extra and not hints:
            raise Failure(500, "Cosmos3 transfer options were provided, but no transfer hint was selected.")
        if job.text("generate_sound") == "true" and not self.sound:
            raise Failure(500, "Cosmos3 sound generation was requested, but the transformer was initialized without "
                               "sound modules.")  # fmt: skip
        if int(job.text("num_inference_steps", "35")) >= 120 and float(job.text("flow_shift", "10")) >= 10:
            raise Failure(500, "No video outputs found in generation result.")
        width, height = (int(side) // 16 * 16 for side in job.text("size", "1280x720").split("x"))
        if min(width, height) < 16:
            raise Failure(500, "max(): Expected reduction dim to be specified for input.numel() == 0.")
        frames, fps = -(-(int(job.text("num_frames", "1")) - 1) // 4) * 4 + 1, float(job.text("fps", "24"))
        if hints:
            control = _opened(job.form["control_reference"].content)
            width, height = _bucket(control.width, control.height, int(extra.get("resolution", 720)))
            frames = min(int(job.text("num_frames", "1")), control.frames)
        if self.rife and job.text("enable_frame_interpolation") == "true":
            times = 2 ** int(job.text("frame_interpolation_exp", "1"))
            frames, fps = (frames - 1) * times + 1, fps * times
        return Film(width, height, frames, fps)

    async def _answer(self, heard: Heard) -> Answer:
        path = heard.path.partition("?")[0]
        if not path.startswith(JOBS) or path in self.paths:
            return await super()._answer(heard)
        if self.key and heard.headers.get("authorization") != f"Bearer {self.key}":
            return Answer(401, {"error": "Unauthorized"})
        if heard.method == "POST":
            answer = self._submitted(heard) if path == JOBS else Answer(405, {"detail": "Method Not Allowed"})
            return replace(answer, after=self.faults.submissions)
        while self.faults.silent:
            await (asyncio.sleep(0.005) if heard.method == "GET" else asyncio.Event().wait())
        return self._listed(heard.path) if path == JOBS else self._of_one(heard, path)

    def _of_one(self, heard: Heard, path: str) -> Answer:
        name, _, rest = path.removeprefix(f"{JOBS}/").partition("/")
        job = self.jobs.get(name)
        if job is None:
            return error(404, f"Video {name} not found")
        if heard.method == "DELETE":
            del self.jobs[name]
            job.known = False
            self.deletes += 1
            return Answer(body={"id": name, "deleted": True, "object": "video.deleted"})
        return self._content(job) if rest else self._told(job)

    def _submitted(self, heard: Heard) -> Answer:
        if self.faults.answers:
            return self.faults.answers.popleft()
        if not heard.headers.get("content-type", "").startswith("multipart/form-data"):
            return error(400, "1 validation error:\n  {'type': 'missing', 'loc': 'body.prompt'}", param="body.prompt")
        job = Job(f"video_gen_{next(self._ids):032x}", dict(_parts(heard)), created_at=int(time.time()))
        if not job.text("prompt"):
            return error(400, "1 validation error:\n  {'type': 'missing', 'loc': 'body.prompt'}", param="body.prompt")
        if not 1 <= int(job.text("num_inference_steps", "35")) <= 200:
            return error(400, "1 validation error:\n  {'type': 'less_than_equal', 'loc': 'body.num_inference_steps'}")
        asked, name = job.text("model"), next(iter(self.served))
        if asked and asked != name:
            return error(400, f"Model mismatch: request specifies '{asked}' but server is running '{name}'.")
        self.jobs[job.id] = job
        self.forms.append(job)
        self._waiting.append(job)
        self._more.set()
        self.submits += 1
        return Answer(body=self._record(job))

    def _told(self, job: Job) -> Answer:
        status = 200
        if job.error is not None:
            status = job.error[0] if isinstance(job.error[0], int) else 500
        return Answer(status, self._record(job))

    def _content(self, job: Job) -> Answer:
        if self.faults.downloads:
            return self.faults.downloads.popleft()
        if job.status == "failed":
            return error(422, "Video generation failed")
        if job.status != "completed":
            return error(404, "Generation is still in-progress")
        return Answer(body=job.clip, headers={"Content-Type": "video/mp4"})

    def _listed(self, path: str) -> Answer:
        newest = "order=desc" in path
        data = [self._record(job) for job in self.jobs.values()]
        return Answer(body={"object": "list", "data": data[::-1] if newest else data, "has_more": False})

    def _record(self, job: Job) -> dict[str, Any]:
        code = None if job.error is None else {"code": job.error[0], "message": job.error[1]}
        return {
            "id": job.id, "object": "video", "model": next(iter(self.served)), "prompt": job.text("prompt"),
            "status": job.status, "progress": 100 if job.status == "completed" else 0, "created_at": job.created_at,
            "size": job.text("size") or None, "seconds": "4", "error": code, "inference_time_s": None,
        }  # fmt: skip


class Failure(Exception):  # noqa: N818 - code and message of a failed job
    """A render that failed."""

    args: tuple[int | str, str]


def _parts(heard: Heard) -> Iterator[tuple[str, Part]]:
    boundary = b"--" + heard.headers["content-type"].partition("boundary=")[2].encode()
    for piece in heard.body.split(boundary)[1:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        said = dict(word.partition("=")[::2] for word in head.decode().split("\r\n")[0].split("; ")[1:])
        names = {key: value.strip('"') for key, value in said.items()}
        yield names["name"], Part(content.removesuffix(b"\r\n"), names.get("filename"))


def _opened(content: bytes) -> Film:
    with av.open(io.BytesIO(content), "r") as container:
        stream = container.streams.video[0]
        frames = sum(1 for packet in container.demux(stream) if packet.size)
        return Film(stream.codec_context.width, stream.codec_context.height, frames, float(stream.average_rate or 0))


def _bucket(width: int, height: int, tier: int) -> tuple[int, int]:
    return TIERS[tier][snap(width, height).aspect]


def _encoded(job: Job, film: Film) -> bytes:
    """In memory: the file that the client writes is the one that a full disk shall stop."""
    told = json.dumps([(name, hashlib.sha256(part.content).hexdigest()) for name, part in sorted(job.form.items())])
    dice = np.random.default_rng(int.from_bytes(hashlib.sha256(told.encode()).digest()[:8], "big"))
    ground = dice.integers(0, 256, (film.height, film.width, 3), np.uint8)
    first = job.form.get("input_reference")
    if first is not None and (first.file_name or "").endswith(".png"):
        picture = Image.open(io.BytesIO(first.content)).convert("RGB").resize((film.width, film.height))
        ground = np.asarray(picture)  # stretched, as the server does
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        # as the server's: ultrafast, no index at the front; the same bytes each time
        options = {"crf": "30", "preset": "ultrafast", "threads": "1", "x264-params": "mbtree=0"}
        rate = Fraction(film.fps).limit_denominator(1000)
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = film.width, film.height, "yuv420p"
        for number in range(film.frames):
            frame = av.VideoFrame.from_ndarray(np.roll(ground, number, axis=1), format="rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


@asynccontextmanager
async def connected(
    *servers: Omni,
    key: str | None = None,
    tell: Tell = lambda _progress: None,
    limits: Limits = QUICK,
    guardrails: Any = "unknown",
    **config: Any,
) -> AsyncIterator[VLLMOmni]:
    """The backend, connected to the servers, with the time limits of tests."""
    urls = [server.url for server in servers]
    async with http_client(repeat_posts=False, backoff_seconds=0.001) as client:
        settings = VLLMOmniConfig(endpoints=tuple(urls), **config)
        omni = VLLMOmni(settings, client, urls, key, tell, guardrails=guardrails, limits=limits)
        await omni.connect()
        try:
            yield omni
        finally:
            await omni.close()


@asynccontextmanager
async def generator(tell: Tell = lambda _progress: None) -> AsyncIterator[Generator]:
    """For the contract suite: the backend against a server of its own."""
    async with Omni() as server, connected(server, tell=tell) as omni:
        yield omni


async def until(true: Any) -> None:
    """Wait for a condition of a double, at most a minute."""
    with suppress(TimeoutError):
        async with asyncio.timeout(60):
            while not true():
                await asyncio.sleep(0.002)
    assert true(), "it never came"
