"""The safety checker: prompt and given pictures looked at before anything is rendered, and what was done told.

Three look, each where the config and the request let it: a word list, the reasoner where it is a model, and the
backend's own guardrails while it renders.
"""

import asyncio
import io
import math
import os
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from PIL import Image as Pictures

from agent.building import endpoints
from agent.config import RunConfig
from agent.http import http_client
from agent.intake import image_size, to_first_frame
from agent.server.config import SafetyConfig
from agent.server.types import Problem, RunRequest, Safety, refused
from agent.server.wordlist import words
from agent.serving.endpoints import shared_by_turns
from generator.capabilities import capabilities
from reasoner.chat.client import Chat
from reasoner.chat.config import EndpointConfig
from reasoner.chat.objects import Unreadable, read_object
from reasoner.chat.types import ChatError, Image, Message, Sampling, Text
from reasoner.config import OpenAIConfig

SECONDS: Final = 60.0
"""For the reasoner to be reached and to answer, a second question included."""
CATEGORIES: Final = {
    "minors": "sexual content involving minors",
    "sexual_violence": "sexual violence",
    "gore": "graphic gore",
    "weapons": "instructions for weapons of mass harm",
    "self_harm": "self-harm",
}
"""What the reasoner calls what it refuses, and what users are told."""
VERDICTS: Final = ("allow", "refuse")
_SIDE: Final = 768
_TOKENS: Final = 200
_TRIES: Final = 2
_SIGNS: Final = "========"
_OFF: Final = "This server does not let requests switch the safety checker off: it looked all the same."


class _Unavailable(Exception):  # noqa: N818 - what is raised is that it is not there
    """The reasoner gave no verdict. The message says why, and names no address."""


def checks(request: RunRequest, rules: SafetyConfig) -> bool:
    """Whether a request is checked."""
    return request.safety_checker or not rules.may_switch_off


def guardrails(request: RunRequest, rules: SafetyConfig) -> bool | None:
    """Whether the backend shall be asked for its own checks. None: as the model's config has it."""
    if not checks(request, rules):
        return False if request.guardrails is None else request.guardrails
    return request.guardrails if rules.may_switch_off else request.guardrails or None


async def checked(
    request: RunRequest, settings: RunConfig, rules: SafetyConfig, image: bytes | None, video: str | None = None
) -> Safety:
    """Look at a request before it is run.

    Args:
        request: what was asked.
        settings: the config of its run: which reasoner and which backend.
        rules: the server's.
        image: the first frame's file as it came; None: there is none.
        video: path of the video to go on from or to restyle, of which the first, middle and last frame are shown.

    Returns:
        What was done. `refused`: it must not be run; see `refusal`.

    Raises:
        Refused: 503, the reasoner must be asked (`reasoner: always`) and gave no verdict.
        IntakeError: the image or the video cannot be decoded.
        ConfigError: the word list cannot be read.
    """
    asked = request.safety_checker
    if not checks(request, rules):
        return Safety(requested=False, effective="off")
    looked = ["words"] if rules.words else []
    notes = [] if asked else [_OFF]

    def told(effective: Literal["passed", "unavailable", "refused"]) -> Safety:
        return Safety(requested=asked, effective=effective, checks=tuple(looked), note=" ".join(notes))

    found = words(rules.word_file).category(request.prompt) if rules.words else None
    if found is not None:
        notes.append(f"The prompt was refused by the safety checker: {found}.")
        return told("refused")
    missing = False
    shown = "video" if video is not None else "" if image is None else "picture"
    if rules.reasoner != "never":
        try:
            found = await _verdict(request.prompt, settings, image, video)
        except _Unavailable as error:
            notes.append(_without_reasoner(error, rules, shown))
            missing = not isinstance(error, _NoModel)
        else:
            looked.append("reasoner")
            if found is not None:
                what = f"The prompt or the {shown}" if shown else "The prompt"
                notes.append(f"{what} was refused by the safety checker: {CATEGORIES[found]}.")
                return told("refused")
    if rules.backend and settings.request.guardrails and capabilities(settings.generator).guardrails != "none":
        looked.append("backend")
    if not looked:
        notes.append("Nothing is configured that could look.")
    return told("unavailable" if missing or not looked else "passed")


def refusal(safety: Safety) -> Problem:
    """What a request is told that was refused."""
    return Problem(
        status=422,
        type="content_policy_violation",
        message=f"{safety.note} Ask for something else, or say it in other words.",
        loc=("prompt",),
        context={"safety": safety.model_dump(mode="json")},
    )


def after(safety: Safety, acted: str) -> Safety:
    """What is told once a clip is there: whether the backend's checks acted is known by then.

    Args:
        safety: what was found before.
        acted: on, off, none or unknown, as the backend said it.
    """
    others = tuple(name for name in safety.checks if name != "backend")
    if acted == "on":
        return safety.model_copy(update={"checks": (*others, "backend")})
    if acted in {"off", "none"} and "backend" in safety.checks:
        gone = {"checks": others} if others else {"checks": (), "effective": "unavailable"}
        return safety.model_copy(update=gone)
    return safety


class _NoModel(_Unavailable):
    """There is none to ask, by config."""


def _without_reasoner(error: _Unavailable, rules: SafetyConfig, shown: str) -> str:
    """What is told where the reasoner was not asked, if the server does without it."""
    if rules.reasoner == "always":
        why = f"the safety checker could not look at the request: {error}; try again later"
        raise refused(503, "downstream_service_unavailable", why, retry_after=30) from error
    return f"The reasoner was not asked: {error}." + (f" Nobody looked at the {shown}." if shown else "")


async def _verdict(prompt: str, settings: RunConfig, image: bytes | None, video: str | None) -> str | None:
    """The category that the reasoner refuses a request for; None: it allows it."""
    endpoint = _endpoint(settings)
    pictures = [] if image is None else [await asyncio.to_thread(_shown, image)]
    if video is not None:
        from agent.intake import stills  # noqa: PLC0415 - most requests have no video, and loading its decoder takes long

        pictures += [Image(data=still) for still in await asyncio.to_thread(stills, video, _SIDE)]
    try:
        async with asyncio.timeout(SECONDS), http_client() as client:
            chat = Chat(client, endpoint, os.environ.get(endpoint.api_key_env or ""))
            await chat.connect()
            return await _asked(chat, question(prompt, *pictures))
    except TimeoutError:
        raise _Unavailable(f"it gave no answer within {SECONDS:g} s") from None
    except (ChatError, ValueError) as error:
        raise _Unavailable("it could not be asked") from error


async def _asked(chat: Chat, message: Message) -> str | None:
    why = ""
    for _ in range(_TRIES):
        reply = await chat.ask([message], sampling=Sampling.greedy(_TOKENS), schema=schema())
        try:
            found = read_object(reply.text)
        except Unreadable as error:
            why = str(error)
            continue
        verdict, category = found.get("verdict"), found.get("category")
        if verdict == "allow":
            return None
        if verdict == "refuse" and category in CATEGORIES:
            return str(category)
        why = "holds no verdict"
    raise _Unavailable(f"its answer {why}")


def question(prompt: str, *pictures: Image) -> Message:
    """What the reasoner is asked."""
    text = (files("agent.server") / "safety_question.txt").read_text(encoding="utf-8")
    # what would end the user's part is taken out of it
    said = Text(text=text.replace("{prompt}", prompt.replace(_SIGNS, "")).rstrip("\n"))
    return Message(role="user", content=(*pictures, said))


@cache
def schema() -> dict[str, object]:
    """What its answer is bound to."""
    fields = {
        "verdict": {"type": "string", "enum": list(VERDICTS)},
        "category": {"type": "string", "enum": ["none", *CATEGORIES]},
    }
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _endpoint(settings: RunConfig) -> EndpointConfig:
    if not isinstance(settings.reasoner, OpenAIConfig):
        raise _NoModel(f"the reasoner {settings.reasoner.backend} is no model")
    if shared_by_turns(settings) is not None:
        raise _Unavailable("its server takes turns with the generator's and runs only within a run")
    endpoint = endpoints(settings)["reasoner"]
    if endpoint.serve is None:
        return endpoint
    url = f"http://127.0.0.1:{endpoint.serve.port}"  # started by the engine, and kept
    return endpoint.model_copy(update={"base_url": url, "serve": None})


def _shown(data: bytes) -> Image:
    """The whole picture, uncropped, at most _SIDE pixels long.

    Raises:
        IntakeError: it cannot be decoded.
    """
    width, height = image_size(data)
    scale = min(1.0, _SIDE / max(width, height))
    frame = to_first_frame(data, max(1, math.floor(width * scale)), max(1, math.floor(height * scale)))
    buffer = io.BytesIO()
    with Pictures.open(io.BytesIO(frame.png)) as picture:
        picture.convert("RGB").save(buffer, "JPEG", quality=90)
    return Image(data=buffer.getvalue())
