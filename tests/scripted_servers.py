"""The servers behind `retake serve`, scripted, as one process that outlives it and counts what it was asked.

python -m tests.scripted_servers [--port N] [--seconds S] [--at-once K] [--sure P]

A vLLM-Omni (`tests.omni`) whose renders take S seconds, up to K side by side, and give small prepared clips, no two of
them the same bytes; and at the same address an OpenAI-compatible chat that writes captions, rewrites and checklists and
answers yes or no. Prints `ready URL`. GET /counts tells what became of every (prompt, seed), GET /waiting how many
renders are not over::

    with scripted(seconds=0.5) as servers:
        ...                                  # generator.endpoints: [servers.url], reasoner.base_url: servers.url
        counts = servers.counts()
        assert not counts.finished_twice and not counts.known_twice
"""

import argparse
import asyncio
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from tests.omni import MODEL, Film, Job, Omni, _encoded
from tests.replies import diagnosis, edit, filled, said, schema_of
from tests.wire import Answer, Heard, completion

COUNTS = "/counts"
WAITING = "/waiting"
MARK = re.compile(r"\bmark-[0-9a-z]+")
"""A word that callers put in a prompt, so that its captions differ from those of all others."""
FREE = b"free"
"""An atom of MP4 that players skip."""


@dataclass(frozen=True)
class Render:
    """What became of one (prompt, seed)."""

    prompt: str
    seed: int
    submits: int
    """How often it was submitted."""
    finished_twice: int
    """Of them, those after its clip had been handed over."""
    known_twice: int
    """Those after a job of it that the client knew: it had asked after it, and the job had not failed."""
    known: bool
    """The client has asked after its latest job."""

    @property
    def unknown_twice(self) -> int:
        """Those after a job whose id the client cannot have known: it was killed between submission and answer."""
        return self.submits - 1 - self.finished_twice - self.known_twice


@dataclass(frozen=True)
class Counts:
    """What was asked."""

    renders: tuple[Render, ...]
    chats: int
    deletes: int
    waiting: int
    """Jobs that are not over."""

    def _sum(self, name: str) -> int:
        return sum(getattr(render, name) for render in self.renders)

    @property
    def submits(self) -> int:
        """Of renders."""
        return self._sum("submits")

    @property
    def finished_twice(self) -> int:
        """Submits of renders whose clip had been handed over before."""
        return self._sum("finished_twice")

    @property
    def known_twice(self) -> int:
        """Submits of renders that the client knew to be in work."""
        return self._sum("known_twice")

    @property
    def unknown_twice(self) -> int:
        """Submits that nobody could know to be the second."""
        return self._sum("unknown_twice")


@dataclass
class _Known:
    """One (prompt, seed), as it is counted."""

    submits: int = 0
    finished_twice: int = 0
    known_twice: int = 0
    handed_over: bool = False
    asked_after: bool = False


@dataclass
class _Memo:
    """Prepared clips, by what they show."""

    clips: dict[Film, bytes] = field(default_factory=dict)

    def clip(self, job: Job, film: Film) -> bytes:
        """A clip of its own bytes, made of few that are encoded once."""
        if film not in self.clips:
            self.clips[film] = _encoded(Job("prepared", {}), film)
        tag = hashlib.sha256(job.text("prompt").encode() + job.text("seed").encode()).digest()
        return self.clips[film] + (8 + len(tag)).to_bytes(4, "big") + FREE + tag


class Scripted(Omni):
    """Both servers at one address.

    Args:
        seconds: a render takes.
        at_once: renders side by side; vLLM-Omni itself does one.
        sure: probability of yes; None: by what is asked.
    """

    def __init__(self, *, seconds: float, at_once: int = 1, sure: float | None = None, port: int = 0) -> None:
        super().__init__(seconds=seconds)
        self.reply = self._says
        self.port, self.at_once, self.sure = port, at_once, sure
        self.chatted = 0
        self._memo = _Memo()
        self._known: dict[tuple[str, int], _Known] = {}

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self.at_once):
                group.create_task(super()._work())

    async def _rendered(self, job: Job) -> bytes:
        return await asyncio.to_thread(self._memo.clip, job, self._film(job))

    def _known_of(self, job: Job) -> _Known:
        return self._known.setdefault((job.text("prompt"), int(job.text("seed", "-1"))), _Known())

    async def _answer(self, heard: Heard) -> Answer:
        self.heard.clear()  # it may be asked for hours
        self.chatted += heard.path.endswith("/chat/completions")
        if heard.path == COUNTS:
            return Answer(body=asdict(self.counts()))
        if heard.path == WAITING:
            return Answer(body={"waiting": self.waiting()})
        return await super()._answer(heard)

    def _submitted(self, heard: Heard) -> Answer:
        answer = super()._submitted(heard)
        if answer.status == 200:
            known = self._known_of(self.forms.pop())
            if known.handed_over:
                known.finished_twice += 1
            elif known.asked_after:
                known.known_twice += 1
            known.submits += 1
            known.asked_after = False
        return answer

    def _told(self, job: Job) -> Answer:
        self._known_of(job).asked_after = job.status != "failed"
        return super()._told(job)

    def _content(self, job: Job) -> Answer:
        answer = super()._content(job)
        self._known_of(job).handed_over |= answer.status == 200
        return answer

    def _says(self, body: dict[str, Any]) -> Answer:
        words = said(body)
        if "structured_outputs" in body:
            told = hashlib.sha256(json.dumps(body["messages"]).encode()).digest()[0] / 255
            sure = told if self.sure is None else self.sure
            return completion("Yes" if sure >= 0.5 else "No", first={"Yes": sure, "No": 1 - sure}, model=MODEL)
        schema = schema_of(body)
        mark = " ".join(sorted(set(MARK.findall(words)))[:1])
        if "verdict" in schema["properties"]:
            tag = hashlib.sha256(words.encode()).hexdigest()[:8]
            text = diagnosis(edit("cinematography.camera_motion", f"The camera pushes in slowly, take {tag}, {mark}."))
        elif "questions" in schema["properties"]:
            text = json.dumps(_checklist())
        else:
            text = json.dumps(filled(schema, f"A red kite rises over a beach, {mark}."))
        return completion(text, model=MODEL)

    def counts(self) -> Counts:
        """What it has been asked so far."""
        renders = tuple(
            Render(prompt, seed, known.submits, known.finished_twice, known.known_twice, known.asked_after)
            for (prompt, seed), known in tuple(self._known.items())
        )
        return Counts(renders, self.chatted, self.deletes, self.waiting())

    def waiting(self) -> int:
        """Renders that are not over."""
        return sum(job.status in ("queued", "in_progress") for job in tuple(self.jobs.values()))


def _checklist() -> dict[str, Any]:
    asked = [("red_kite", "Is there a red kite?", "Is the kite missing?")] + [
        (f"part_{'abcdefgh'[at]}", f"Does part {at} of the clip show a beach?", f"Is there no beach in part {at}?")
        for at in range(5)
    ]
    questions = [
        {"name": name, "question": yes, "negation": no, "axis": "adherence", "weight": 1, "depends_on": -1}
        for name, yes, no in asked
    ]
    return {"questions": questions}


@dataclass(frozen=True)
class Servers:
    """The process, seen from a test."""

    url: str
    process: "subprocess.Popen[str]"

    def counts(self) -> Counts:
        """What it has been asked so far."""
        told = httpx.get(f"{self.url}{COUNTS}", timeout=60, trust_env=False).json()
        return Counts(**told | {"renders": tuple(Render(**each) for each in told["renders"])})

    def waiting(self) -> int:
        """Renders that are not over."""
        waiting: int = httpx.get(f"{self.url}{WAITING}", timeout=60, trust_env=False).json()["waiting"]
        return waiting


@contextmanager
def scripted(*, seconds: float = 0.5, at_once: int = 4, sure: float | None = None) -> Iterator[Servers]:
    """The process, as long as the context lasts."""
    words = ["--seconds", str(seconds), "--at-once", str(at_once), *(() if sure is None else ("--sure", str(sure)))]
    command = [sys.executable, "-m", "tests.scripted_servers", "--with-parent", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("ready "), f"the scripted servers did not start: {line!r}"
            yield Servers(line.split()[1], process)
        finally:
            process.kill()


def wire_config(url: str, *, iterations: int = 1, samples: int = 1, critic: str = "vlm") -> dict[str, Any]:
    """Sections of a config file whose three parts ask the scripted servers, for small clips."""
    return {
        "request": {"prompt": "A red kite rises", "size": "320x192", "num_frames": 5, "num_inference_steps": 4},
        "reasoner": {"backend": "openai", "base_url": url},
        "generator": {"backend": "vllm_omni", "endpoints": [url]},
        "critic": {"backend": critic, **({"fps": 4.0, "feedback": False} if critic != "signals" else {})},
        "budget": {"max_iterations": iterations, "samples_per_iteration": samples},
        "search": {"draft": None, "pairwise": None},
    }


async def _serve(servers: Scripted, with_parent: bool) -> None:
    over = asyncio.Event()
    if with_parent:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), over.set)  # it is readable at its end alone
    async with servers:
        print(f"ready {servers.url}", flush=True)  # noqa: T201 - whoever started it reads it
        await over.wait()


def main() -> None:
    """As the module says."""
    parser = argparse.ArgumentParser(prog="python -m tests.scripted_servers")
    parser.add_argument("--port", type=int, default=0, help="where it listens; 0: wherever there is room")
    parser.add_argument("--seconds", type=float, default=0.5, help="a render takes")
    parser.add_argument("--at-once", type=int, default=4, help="renders side by side")
    parser.add_argument("--sure", type=float, default=None, help="probability of yes; left out: by what is asked")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    args = parser.parse_args()
    servers = Scripted(seconds=args.seconds, at_once=args.at_once, sure=args.sure, port=args.port)
    asyncio.run(_serve(servers, args.with_parent))


if __name__ == "__main__":
    main()
