"""What a config needs on this machine: checked, and said with the cure."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agent import thresholds
from agent.building import (
    BASE_URL,
    NIM_URL,
    OMNI_URL,
    build_critic,
    build_generator,
    build_reasoner,
    endpoints,
    foretold,
    rubric_file,
)
from agent.config import RunConfig
from agent.errors import RetakeError
from agent.http import http_client
from agent.request import exact
from agent.serving import machine, renderers
from agent.serving.endpoints import shared_by_turns
from agent.serving.launch import launch
from agent.serving.listening import address, found, listens
from critic.config import HybridConfig, SignalsConfig, VLMConfig
from critic.types import Critic
from generator.capabilities import capabilities
from generator.config import AnimaticConfig, DiffusersConfig, FalConfig, NIMConfig, VLLMOmniConfig
from generator.types import RenderSpec
from reasoner.chat.client import Chat
from reasoner.chat.config import EndpointConfig, ServeConfig
from reasoner.chat.types import ChatError, ServerDown
from reasoner.config import RulesConfig
from reasoner.types import Reasoner

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    what: str
    good: bool
    found: str
    cure: str = ""
    given: str = ""
    """What is still to be given with the run."""


def examine(config: RunConfig, console: Console | None = None) -> bool:
    """Check what a config needs, print a line a check, and return whether all is well."""
    console = console or Console()
    findings = []
    for finding in checks(config):
        findings.append(finding)
        mark = Text(f"{'ok' if finding.good else 'missing':9}", style="green" if finding.good else "red")
        console.print(mark + Text(f"{finding.what:12}{finding.found}"), soft_wrap=True)
        if not finding.good and finding.cure:
            console.print(Text(f"{'':21}{finding.cure}", style="bold"), soft_wrap=True)
    good = all(f.good for f in findings)
    given = ", ".join(f.given for f in findings if f.given)
    if given and good:
        console.print(f"All is well, once the run is given {given}.", soft_wrap=True)
    else:
        console.print("All is well." if good else "Mend what is missing above, then ask again.")
    return good


def checks(config: RunConfig) -> Iterator[Finding]:
    """Each check in turn, cheapest first."""
    yield _output(config.output.folder)
    yield _request(config)
    if isinstance(config.reasoner, RulesConfig):
        yield _part("reasoner", lambda: build_reasoner(config.reasoner))
    if isinstance(config.critic, SignalsConfig):
        yield _part("critic", lambda: build_critic(config.critic))
    yield from _threshold(config)
    yield from _servers(config)
    yield from asyncio.run(_generator(config))
    yield asyncio.run(_trial(config))


def _output(folder: Path) -> Finding:
    place = next(p for p in [folder.absolute(), *folder.absolute().parents] if p.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Finding("output.dir", False, f"{place} cannot be written: {error.strerror}", "choose another output.dir")
    free = shutil.disk_usage(place).free
    room = f"{folder} ({free / 1e9:,.1f} GB free)"
    if free < 500 * MEGABYTE:
        return Finding("output.dir", False, room, "free some space: a run keeps every clip")
    return Finding("output.dir", True, room)


def _request(config: RunConfig) -> Finding:
    # a config without a prompt is complete: the prompt comes by --prompt
    wish = config.request if config.request.prompt else config.request.model_copy(update={"prompt": "anything"})
    able = capabilities(config.generator)
    if wish.image is None and wish.video is None and not wish.controls and "text2video" not in able.modes:
        needs = "a control video (request.controls)" if able.modes == ("transfer",) else "an image (--image)"
        return Finding("request", True, f"{able.name} renders from more than a prompt", given=needs)
    try:
        request, _ = asyncio.run(exact(wish, able))
    except RetakeError as error:
        return Finding("request", False, str(error), "change the key named")
    spec = request.spec
    size = f"{spec.width}x{spec.height}, {spec.num_frames} frames at {spec.fps} fps ({spec.seconds:.1f} s)"
    return Finding("request", True, "; ".join([size, *request.notes]))


def _part(name: str, build: Callable[[], Reasoner | Critic]) -> Finding:
    try:
        return Finding(name, True, build().id)
    except ImportError as error:
        return Finding(
            name, False, str(error), "install Retake again into its own environment, as README's first line does"
        )


def _threshold(config: RunConfig) -> Iterator[Finding]:
    """What the threshold file is worth, and whether it is for this critic as far as no server is needed to tell."""
    try:
        stated = thresholds.stated(config.critic)
        if stated is None:
            return
        instrument, unknown = foretold(config.critic)
        made = thresholds.held(config.critic, stated, instrument, unknown)
    except RetakeError as error:
        yield Finding("threshold", False, str(error))
        return
    told = stated.threshold.sentence()
    if made.complaint:
        told = f"Uncalibrated, since {made.complaint}. What it says of its own: {told}"
    elif unknown:
        model = stated.threshold.instrument.model if stated.threshold.instrument else ""
        told += f" It is for {model}; whether that is what answers is seen when a run begins."
    yield Finding("threshold", True, told)


def _servers(config: RunConfig) -> Iterator[Finding]:
    """The servers that a config asks. None is started."""
    try:
        asked = endpoints(config)
    except RetakeError as error:
        yield Finding("config", False, str(error))
        return
    for part, endpoint in asked.items():
        if part == "critic" and endpoint == asked.get("reasoner"):
            yield Finding(part, True, "asks the reasoner's server")
        elif endpoint.serve is None or endpoint.base_url is not None:
            yield asyncio.run(_reached(part, endpoint, _origin(part, config)))
        else:
            running = asyncio.run(_running(part, endpoint, endpoint.serve))
            if running is not None and part == "reasoner" and shared_by_turns(config) is not None:
                running = Finding(part, False, running.found, renderers.STOP_IT)
            yield from _to_start(part, endpoint.serve, running)
    if isinstance(config.critic, VLMConfig | HybridConfig):
        yield _rubric(config.critic)


def _origin(part: str, config: RunConfig) -> str:
    """Who decided the address of a server that is not started here."""
    named = config.reasoner if part == "reasoner" else getattr(config.critic, "endpoint", None)
    if getattr(named, "base_url", None):
        return f"{'reasoner' if part == 'reasoner' else 'critic.endpoint'}.base_url"
    return f"the variable {BASE_URL}" if part == "reasoner" and os.environ.get(BASE_URL) else "the default"


async def _reached(part: str, endpoint: EndpointConfig, origin: str) -> Finding:
    key = os.environ.get(endpoint.api_key_env or "")
    try:
        async with http_client(backoff_seconds=0.1) as client:
            chat = Chat(client, endpoint, key)
            await chat.connect()
    except (ChatError, ValueError) as error:
        cure = "start that server, or name another by base_url" if isinstance(error, ServerDown) else ""
        return Finding(part, False, f"{error} (address from {origin})", cure)
    facts = [
        f"{chat.model} at {chat.url} (from {origin})",
        chat.version and f"version {chat.version}",
        chat.context and f"context {chat.context:,} tokens",
        f"key of {endpoint.api_key_env} accepted" if key else "no key needed",
    ]
    return Finding(part, True, "; ".join(f for f in facts if f))


async def _running(part: str, endpoint: EndpointConfig, serve: ServeConfig) -> Finding | None:
    """The server that listens already where one would be started."""
    if not await listens(serve.port):
        return None
    try:
        async with http_client(backoff_seconds=0.1) as client:
            model, version = await found(launch(serve), os.environ.get(endpoint.api_key_env or ""), client)
    except RetakeError as error:
        return Finding(part, False, str(error))
    return Finding(
        part, True, f"{model} runs already at {address(launch(serve))} (version {version or 'unknown'}): used as it is"
    )


def _to_start(part: str, serve: ServeConfig, running: Finding | None) -> Iterator[Finding]:
    """What the start of a server needs."""
    if running is not None:
        yield running
        return
    yield Finding(
        part, True, f"serve: vllm serve {serve.model} will be started at {address(launch(serve))} (first: minutes)"
    )
    for what, look in (("vllm", machine.command), ("GPU", machine.gpus), ("model", machine.model)):
        yield Finding(what, *look(serve))


async def _generator(config: RunConfig) -> list[Finding]:
    """What renders. Nothing is started, and no render is asked of it."""
    generator = config.generator
    key = os.environ.get(getattr(generator, "api_key_env", None) or "")
    looks: list[renderers.Named] = []
    async with http_client(repeat_posts=False, backoff_seconds=0.1) as client:
        match generator:
            case AnimaticConfig():
                pass
            case VLLMOmniConfig():
                urls = generator.endpoints or (OMNI_URL,)
                looks = [look async for look in renderers.omni(generator, urls, key, client)]
            case NIMConfig():
                looks = [look async for look in renderers.nim(generator.endpoints or (NIM_URL,), key, client)]
            case DiffusersConfig():
                looks = list(renderers.diffusers(generator))
            case FalConfig():
                looks = list(renderers.fal(generator))
    reasoner = getattr(config.reasoner, "serve", None)
    if isinstance(generator, VLLMOmniConfig) and generator.serve is not None and reasoner is not None:
        shared = renderers.together(reasoner, generator.serve)
        looks += [] if shared is None else [("GPU", shared)]
    return [Finding(what, *look) for what, look in looks]


def _rubric(critic: VLMConfig | HybridConfig) -> Finding:
    shown = f"at most {critic.max_frames} frames of a clip, {critic.fps:g} a second"
    if critic.rubric is None:
        return Finding("rubric", True, f"the model writes a checklist for each request; it sees {shown}")
    try:
        rubric_file(critic.rubric)
    except RetakeError as error:
        return Finding("rubric", False, str(error), "correct critic.rubric, or take it out")
    return Finding("rubric", True, f"{critic.rubric}; the model sees {shown}")


async def _trial(config: RunConfig) -> Finding:
    """Render and judge the smallest clip with the embedded parts: what no look at versions can prove.

    No other backend is tried: its server may have to be started first, its model loaded, its render paid for.
    """
    spec = RenderSpec(width=320, height=192, num_frames=5, fps=config.request.fps or 24)
    try:
        with tempfile.TemporaryDirectory() as folder:
            embedded_config = config.generator if isinstance(config.generator, AnimaticConfig) else AnimaticConfig()
            async with build_generator(embedded_config, lambda _: None) as generator:
                clip = await generator.render("A hill.", spec, seed=0, to=Path(folder) / "trial.mp4")
            # a critic that asks a server is not tried: the server may have to be started first
            measured = isinstance(config.critic, SignalsConfig | HybridConfig)
            embedded = config.critic if isinstance(config.critic, SignalsConfig) else SignalsConfig()
            critique = await build_critic(embedded).judge(clip.path, "A hill.", None) if measured else None
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return Finding(
            "trial clip", False, f"{type(error).__name__}: {error}", "install Retake again into its own environment"
        )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    judged = f", {critique.judge} judged it" if critique is not None else ""
    return Finding("trial clip", True, f"{clip.generator} rendered it{judged} ({cores} cores)")
