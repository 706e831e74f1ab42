"""The composition root: a config becomes three parts, a controller and a run."""

import asyncio
import logging
import platform
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from agent import journal
from agent.config import RunConfig, check, load_config
from agent.controller import Controller
from agent.errors import NoCandidateError
from agent.events import Emit, Event
from agent.journal import Journal
from agent.memory import Memory, RememberedCritic, RememberedGenerator, RememberedReasoner
from agent.report import write_report
from agent.request import exact, resolved
from agent.stopping import sentence
from agent.types import Run
from critic.config import CriticConfig, SignalsConfig
from critic.types import Critic
from generator.config import AnimaticConfig, GeneratorConfig
from generator.types import Generator
from reasoner.config import ReasonerConfig, RulesConfig
from reasoner.types import Reasoner

log = logging.getLogger(__name__)


def refine_and_generate(
    prompt: str | None = None,
    image: str | Path | None = None,
    config: RunConfig | str | Path | None = None,
    out: str | Path | None = None,
    on_event: Emit | None = None,
) -> Run:
    """Write a better prompt, render candidates, judge them, rewrite, choose: the whole loop, with a reason to stop.

    Args:
        prompt: What should happen in the video. None: the config's.
        image: The first frame: a path, an http(s) URL or a data URI. None: the config's, or text-to-video.
        config: A RunConfig, a YAML file's path, or None for the embedded default (no GPU, no weights).
        out: The run's folder, new or empty. None: a new one in the config's `output.dir`.
        on_event: Called with each event while the run runs; see `agent.events`.

    Returns:
        The run: `.video`, `.score` in [0, 1], `.prompt`, `.stop_reason`, every candidate; `.folder` has its report.

    Raises:
        ConfigError, IntakeError: the wish is wrong; nothing was written.
        RunFolderError, StorageError: the folder is taken, or the disk failed.
        NoCandidateError: nothing could be rendered and judged; the folder says why.
    """
    return _run(refine_and_generate_async(prompt, image, config, out, on_event))


async def refine_and_generate_async(
    prompt: str | None = None,
    image: str | Path | None = None,
    config: RunConfig | str | Path | None = None,
    out: str | Path | None = None,
    on_event: Emit | None = None,
) -> Run:
    """`refine_and_generate` for a running event loop. Cancelling it keeps what was done."""
    settings = config if isinstance(config, RunConfig) else load_config(config)
    settings = with_request(settings, prompt=prompt, image=None if image is None else str(image))
    request, frame = await exact(settings.request)

    now = journal.now()
    run_id = journal.new_id(request.prompt, now)
    folder = Path(out).expanduser() if out is not None else Path(settings.output.dir) / run_id
    folder = folder.resolve()
    if frame is not None:
        request = request.model_copy(
            update={"spec": request.spec.model_copy(update={"first_frame": folder / journal.FRAME})}
        )
    run = Run(
        id=folder.name,
        folder=folder,
        created_at=now,
        request=request,
        budget=settings.budget,
        accept_at=settings.critic.accept_at,
        versions=versions(),
    )
    wish = resolved(settings.request, request, run.request.spec.first_frame)
    journal.create(folder, settings.model_copy(update={"request": wish}), run, frame)
    with journal.only_writer(folder):
        return await _carry(settings, run, on_event)


def resume(folder: str | Path, on_event: Emit | None = None, *, retry_failed: bool = False) -> Run:
    """Go on with a run from its folder: what is done is read back, what is not is done.

    A finished run is returned as it is, unless its config.yaml now allows more.

    Args:
        folder: The run's folder.
        on_event: As in `refine_and_generate`.
        retry_failed: Try again what failed for good.

    Raises:
        RunFolderError: the folder holds no run, or another process works on it.
        ConfigError, StorageError, NoCandidateError: as in `refine_and_generate`.
    """
    return _run(resume_async(folder, on_event, retry_failed=retry_failed))


async def resume_async(folder: str | Path, on_event: Emit | None = None, *, retry_failed: bool = False) -> Run:
    """`resume` for a running event loop."""
    folder = Path(folder).expanduser().resolve()
    stored = journal.load(folder)
    settings = load_config(folder / journal.CONFIG)
    asked, _ = await exact(settings.request)
    frame = stored.request.spec.first_frame
    request = asked.model_copy(
        update={"notes": stored.request.notes, "spec": asked.spec.model_copy(update={"first_frame": frame})}
    )
    run = Run(
        id=stored.id,
        folder=folder,
        created_at=stored.created_at,
        request=request,
        budget=settings.budget,
        accept_at=settings.critic.accept_at,
        versions=stored.versions,
    )
    with journal.only_writer(folder):
        forgotten = Memory(folder, _ignore).forget_failures() if retry_failed else 0
        if not forgotten and _finished(stored, run):
            write_report(stored)
            return _chosen(stored)
        return await _carry(settings, run, on_event)


def _finished(stored: Run, run: Run) -> bool:
    asked_alike = (stored.request, stored.budget, stored.accept_at) == (run.request, run.budget, run.accept_at)
    return asked_alike and stored.stop_reason in {"accepted", "iterations", "budget", "deadline"}


async def _carry(settings: RunConfig, run: Run, on_event: Emit | None) -> Run:
    diary = Journal(run)
    spent = diary.seconds_spent()

    def emit(event: Event) -> None:
        try:
            diary(event)
        finally:
            if on_event is not None:
                _announce(on_event, event)

    memory = Memory(run.folder, emit)
    async with AsyncExitStack() as stack:
        controller = Controller(
            reasoner=RememberedReasoner(await stack.enter_async_context(build_reasoner(settings.reasoner)), memory),
            generator=RememberedGenerator(await stack.enter_async_context(build_generator(settings.generator)), memory),
            critic=RememberedCritic(await stack.enter_async_context(build_critic(settings.critic)), memory),
            emit=emit,
        )
        return _chosen(await controller.refine(run, seconds_spent=spent))


def _announce(listener: Emit, event: Event) -> None:
    try:
        listener(event)
    except Exception:
        log.exception("a listener failed on %s; the run goes on", event.type)


def _chosen(run: Run) -> Run:
    if run.best is None:
        causes = [f"{f.step}, seed {f.seed}: {f.message}" for i in run.iterations for f in i.failures]
        raise NoCandidateError(
            "\n".join([f"nothing could be rendered and judged. {sentence(run)}", *causes]), run.folder
        )
    return run


@asynccontextmanager
async def build_reasoner(config: ReasonerConfig) -> AsyncIterator[Reasoner]:
    """The reasoner that a config names, for as long as the context lasts."""
    match config:
        case RulesConfig():
            from reasoner.rules import Rules  # noqa: PLC0415 - a backend is imported by those who use it

            yield Rules(config)


@asynccontextmanager
async def build_generator(config: GeneratorConfig) -> AsyncIterator[Generator]:
    """The generator that a config names, for as long as the context lasts."""
    match config:
        case AnimaticConfig():
            from generator.animatic import Animatic  # noqa: PLC0415

            yield Animatic(config)


@asynccontextmanager
async def build_critic(config: CriticConfig) -> AsyncIterator[Critic]:
    """The critic that a config names, for as long as the context lasts."""
    match config:
        case SignalsConfig():
            from critic.signals import Signals  # noqa: PLC0415

            yield Signals(config)


def with_request(config: RunConfig, **wishes: Any) -> RunConfig:
    """A config with keys of its request replaced and checked; a None leaves the key as it is.

    Raises:
        ConfigError: a value is wrong.
    """
    given = {key: value for key, value in wishes.items() if value is not None}
    if not given:
        return config
    data = config.model_dump(mode="json")
    data["request"].update(given)
    return check(data)


def versions() -> dict[str, str]:
    """Of Retake, Python and the libraries that decide the pixels."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in ("cosmos-retake", "av", "numpy", "opencv-python-headless", "pillow"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def _run(work: Coroutine[Any, Any, Run]) -> Run:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    work.close()
    raise RuntimeError(
        "an event loop is running here (a notebook or a server): await refine_and_generate_async(...) instead"
    )


def _ignore(event: Event) -> None:
    del event
