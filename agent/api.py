"""The composition root: a config becomes three parts, a controller and a run."""

import asyncio
import logging
import platform
import shlex
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from agent import drafts, export, forecasting, journal, thresholds
from agent.building import Parts, as_built, build, endpoints, foretold, known_price, rubric_file
from agent.choosing import Choosing
from agent.config import RunConfig
from agent.controller import Controller, Lost
from agent.course import affordable
from agent.errors import ConfigError, NoCandidateError, RunFolderError, ServingError
from agent.events import Emit, Event, RenderProgressed
from agent.files import file_hash
from agent.forecast import Forecast
from agent.journal import Journal
from agent.memory import Memory, RememberedComparer, RememberedCritic, RememberedGenerator, RememberedReasoner
from agent.racing import Racing
from agent.reading import check, expand, load_config
from agent.remote.run import refine
from agent.remote.server import Server
from agent.request import exact, placed, possible, resolved
from agent.resuming import again, changed, finished, reopened, under
from agent.run import Run
from agent.serving.endpoints import shared_by_turns
from agent.speculation import Speculation
from agent.stopping import sentence
from agent.thresholds import Stated
from critic.config import HybridConfig, VLMConfig
from critic.instrument import Instrument
from critic.types import Critic
from generator.capabilities import capabilities
from generator.types import Generator, Tell

log = logging.getLogger(__name__)


def refine_and_generate(
    prompt: str | None = None,
    image: str | Path | None = None,
    config: RunConfig | Mapping[str, Any] | str | Path | None = None,
    out: str | Path | None = None,
    on_event: Emit | None = None,
    *,
    server: str | None = None,
    api_key_env: str | None = None,
    server_model: str | None = None,
) -> Run:
    """Write a better prompt, render candidates, judge them, rewrite, choose: the whole loop, with a reason to stop.

    Args:
        prompt: What should happen in the video. None: the config's.
        image: The first frame: a path, an http(s) URL or a data URI. None: the config's, or text-to-video.
        config: A RunConfig, its content as a dict, a YAML file's path, or None for the embedded default (no GPU).
        out: The run's folder, new or empty. None: a new one in the config's `output.dir`.
        on_event: Called with each event while the run runs; see `agent.events`.
        server: Address of a `retake serve` that does the work, such as http://127.0.0.1:8000. The files come here.
        api_key_env: Name of the environment variable with its key. None: RETAKE_API_KEY, if that is set.
        server_model: One of the models that it offers. None: its default.

    Returns:
        The run: `.video`, `.score` in [0, 1], `.prompt`, `.stop_reason`, every candidate; `.folder` has its report.

    Raises:
        ConfigError, IntakeError: the wish is wrong; nothing was written.
        RunFolderError, StorageError: the folder is taken, or the disk failed.
        ServingError: a server that the config asks, or `server`, cannot be reached or started, or refuses.
        NoCandidateError: nothing could be rendered and judged; the folder says why.
    """
    work = refine_and_generate_async(
        prompt, image, config, out, on_event, server=server, api_key_env=api_key_env, server_model=server_model
    )
    return _run(work)


async def refine_and_generate_async(
    prompt: str | None = None,
    image: str | Path | None = None,
    config: RunConfig | Mapping[str, Any] | str | Path | None = None,
    out: str | Path | None = None,
    on_event: Emit | None = None,
    *,
    server: str | None = None,
    api_key_env: str | None = None,
    server_model: str | None = None,
) -> Run:
    """`refine_and_generate` for a running event loop. Cancelling it keeps what was done, and cancels it on a server."""
    match config:
        case RunConfig():
            settings = config
        case Mapping():
            settings = check(config)
        case _:
            settings = load_config(config)
    if server is not None:
        whom = Server.at(server, api_key_env, server_model)
        return await refine(whom, settings, prompt, image, out, None if on_event is None else _forgiving(on_event))
    if api_key_env is not None or server_model is not None:
        alone = "api_key_env" if server_model is None else "server_model"
        raise ConfigError(f"{alone}: goes with server, the address of a `retake serve`")
    settings = with_request(settings, prompt=prompt, image=None if image is None else str(image))
    endpoints(settings)  # a key that is missing is said before anything is written
    settings = thresholds.settled(settings)
    stated = _fitting(settings)
    request, given = await exact(settings.request, capabilities(settings.generator))
    request, given = await drafts.drafted(settings, request, given)
    settings = drafts.settled(settings, request)
    export.check(settings.output.form, request.spec.fps)

    now = journal.now()
    run_id = journal.new_id(request.prompt, now)
    folder = (expand(out, "--out") if out is not None else settings.output.folder / run_id).resolve()
    request = placed(request, folder)
    run = Run(
        id=folder.name,
        folder=folder,
        created_at=now,
        request=request,
        budget=settings.budget,
        accept_at=settings.critic.accept_at,
        expected_usd=known_price(settings.generator, request.spec),
        raw_first=settings.search.include_raw_prompt and request.expand,
        canaries=settings.search.canaries,
        versions=versions(),
    )
    _paid(run)
    wish = resolved(settings.request, request)
    critic = settings.critic
    if isinstance(critic, VLMConfig | HybridConfig) and critic.rubric is not None:
        given[journal.RUBRIC] = rubric_file(critic.rubric)
        critic = critic.model_copy(update={"rubric": journal.RUBRIC})
    if stated is not None:
        given[thresholds.NAME] = stated.data
        critic = critic.model_copy(update={"threshold_file": thresholds.NAME})
    journal.create(folder, settings.model_copy(update={"request": wish, "critic": critic}), run, given)
    with journal.only_writer(folder), _told_of(folder):
        return await _carry(settings, run, stated, on_event)


def _fitting(settings: RunConfig) -> Stated | None:
    """The config's threshold file, found fit for its critic as far as that can be told before a server is asked.

    Raises:
        ConfigError: it cannot be used, or is for another critic.
    """
    stated = thresholds.stated(settings.critic)
    if stated is not None:
        thresholds.held(settings.critic, stated, *foretold(settings.critic))
    return stated


def _met(run: Run, settings: RunConfig, stated: Stated | None, critic: Critic) -> Run:
    """A run whose threshold file was held against the critic that judges."""
    if stated is None:
        return run.model_copy(update={"calibration": None})
    try:
        calibration = thresholds.held(settings.critic, stated, Instrument.of(critic))
    except ConfigError as error:
        raise ConfigError(
            f"{error}. Nothing was rendered. The run has its own {thresholds.NAME} and {journal.CONFIG} to change; "
            f"then: retake run --resume {shlex.quote(str(run.folder))}"
        ) from None
    return run.model_copy(update={"calibration": calibration})


def _paid(run: Run) -> None:
    """Refuse a budget whose money leaves nothing for what its search is to compare.

    Raises:
        ConfigError: with the figures.
    """
    draft, each, held = run.request.draft, run.price.each or 0.0, run.price.held
    if draft is not None and affordable(run) < 1:
        raise ConfigError(
            f"search.draft: budget.max_price_usd pays for no draft (${each:.2f}) beside the promotion that it is for "
            f"(${held:.2f}); raise it, or give search.draft: null"
        )
    if run.raw_first and affordable(run) <= run.budget.samples_per_iteration:
        raise ConfigError(
            "search.include_raw_prompt: it would take all the renders that budget.max_price_usd pays for, and its "
            f"expansion none; raise it (a render costs ${each:.2f}), or lower budget.samples_per_iteration"
        )


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
    folder = expand(folder, "--resume").resolve()
    stored = journal.load(folder)
    settings = journal.load_settings(folder)
    if key := changed(stored, settings):
        raise ConfigError(
            f"{folder / journal.CONFIG}: {key} is not what this run was begun with, and its clips would be "
            f"overwritten; put it back, or begin a new run: retake run {shlex.quote(str(folder / journal.CONFIG))}"
        )
    memory = Memory(folder, _ignore)
    run = under(reopened(stored, keep=memory.intact, retry_failed=retry_failed), settings)
    export.check(settings.output.form, stored.request.spec.fps)
    if finished(stored, run) and thresholds.same(settings.critic, stored.calibration):
        return await _handed_over(_chosen(stored), settings, on_event)
    for name, digest in run.request.files.items():
        if not (folder / name).exists() or file_hash(folder / name) != digest:
            raise RunFolderError(f"{folder}: its {name} is gone or another; put it back, or begin a new run")
    lost = again(stored, run)
    stated = _fitting(settings)
    with journal.only_writer(folder), _told_of(folder):
        if journal.load(folder) != stored:
            raise RunFolderError(f"{folder}: another process went on with this run just now; ask again")
        memory.clean()
        if retry_failed:
            memory.forget_failures()
        return await _carry(settings, run, stated, on_event, lost)


async def _handed_over(run: Run, settings: RunConfig, on_event: Emit | None) -> Run:
    """A finished run, its video as the config now asks for it."""
    if export.current(run, settings.output.form):
        return run
    with journal.only_writer(run.folder):
        return await export.exported(run, settings.output.form, _emitter(Journal(run), on_event))


def _emitter(diary: Journal, on_event: Emit | None) -> Emit:
    """Tells an event to the journal first, and then to the caller."""
    listen = _forgiving(on_event) if on_event else _ignore

    def emit(event: Event) -> None:
        try:
            diary(event)
        finally:
            listen(event)

    return emit


async def _carry(settings: RunConfig, run: Run, stated: Stated | None, on_event: Emit | None, lost: Lost = ()) -> Run:
    diary = Journal(run)
    spent = diary.seconds_spent()
    emit = _emitter(diary, on_event)
    memory = Memory(run.folder, emit)
    controller: Controller | None = None

    def hear(event: Event) -> None:
        """What the parts tell while a run runs is the run's, too."""
        if controller is None:
            emit(event)
        else:
            controller.tell(event)

    async with build(settings, memory, hear) as parts:
        possible(settings.request, capabilities(as_built(settings.generator, parts.generator)))
        run = _met(run, settings, stated, parts.critic)  # only now is it known which model answers
        racing = raced(settings, parts.generator, lambda told: hear(RenderProgressed(progress=told)))
        controller = Controller(
            reasoner=RememberedReasoner(parts.reasoner, memory),
            # what is remembered is never given up: it costs nothing
            generator=RememberedGenerator(racing or parts.generator, memory),
            critic=RememberedCritic(parts.critic, memory),
            emit=emit,
            forecast=_forecast(settings, run, parts.generator.id),
            racing=racing,
            speculation=speculating(settings),
            choosing=chosen_by(settings, parts, memory),
        )
        run = _chosen(await controller.refine(run, seconds_spent=spent, lost=lost))
    return await export.exported(run, settings.output.form, emit)


@contextmanager
def _told_of(folder: Path) -> Iterator[None]:
    """A server that fails the run says where the run lies."""
    try:
        yield
    except ServingError as error:
        error.folder = folder
        raise


def _forecast(settings: RunConfig, run: Run, generator: str) -> Forecast | None:
    """What the run will take, by its own renders, else by earlier runs beside it, else by what is published.

    None: it has its forecast already. It is a service: whatever goes wrong with it costs the run nothing.
    """
    if run.forecast is not None:
        return None
    wanted = forecasting.wanted(settings, generator)
    try:
        seen = forecasting.own(run, wanted)
        if not seen.renders:
            seen = forecasting.history(run.folder.parent, wanted, leave_out=run.folder.name)
        return forecasting.forecast(settings, run.request, seen, generator=generator)
    except Exception:
        log.exception("no forecast could be made; the run goes on")
        return None


def raced(settings: RunConfig, generator: Generator, tell: Tell) -> Racing | None:
    """The generator, its renders given up as the config says; None where it wants every seed rendered."""
    if not settings.search.racing:
        return None
    stoppable = capabilities(settings.generator).cancel in {"between frames", "between steps"}
    slots: int | None = forecasting.planned(settings.generator).renderers
    if not settings.search.await_verdicts or shared_by_turns(settings) is not None:
        slots = None  # where servers take turns, a verdict costs two changes of turn: all are rendered, then all judged
    return Racing(generator, stoppable=stoppable, slots=slots, tell=tell)


def speculating(settings: RunConfig) -> Speculation | None:
    """What begins captions ahead on endpoints that would idle; None where the budget does not say so."""
    return Speculation(forecasting.planned(settings.generator).renderers) if settings.budget.speculate else None


def chosen_by(settings: RunConfig, parts: Parts, memory: Memory) -> Choosing | None:
    """What makes the final choice beside the scores; None: nothing does."""
    if settings.search.pairwise is None or parts.comparer is None:
        return None
    measuring = parts.measuring
    return Choosing(
        comparer=RememberedComparer(parts.comparer, memory),
        rules=settings.search.pairwise,
        measuring=None if measuring is None else RememberedCritic(measuring, memory),
    )


def _forgiving(listener: Emit) -> Emit:
    """A listener whose failure costs the run nothing, and is told once."""
    told = False

    def listen(event: Event) -> None:
        nonlocal told
        try:
            listener(event)
        except Exception:
            if not told:
                log.exception("on_event failed on %s; the run goes on, and further failures are not told", event.type)
            told = True

    return listen


def _chosen(run: Run) -> Run:
    if run.best is None:
        causes: dict[str, list[int]] = {}
        for failure in (f for i in run.iterations for f in i.failures):
            text = failure.message.replace(f" seed {failure.seed}: ", ": ", 1)  # once is enough
            causes.setdefault(text, []).append(failure.seed)
        lines = [f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}: {text}" for text, seeds in causes.items()]
        raise NoCandidateError(
            "\n".join([f"nothing could be rendered and judged. {sentence(run)}", *lines]), run.folder
        )
    return run


def with_request(config: RunConfig, **wishes: Any) -> RunConfig:
    """A config with keys of its request replaced and checked; a None leaves the key as it is.

    Raises:
        ConfigError: a value is wrong.
    """
    given = {key: value for key, value in wishes.items() if value is not None}
    if not given:
        return config
    checked = check({"request": {**config.request.model_dump(mode="json"), **given}})
    return config.model_copy(update={"request": checked.request})  # which keys of the others were named stays known


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
