"""A request from the wire as the config of a run: the model's own config, and over it what was asked."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from agent.config import DraftConfig, RunConfig
from agent.drafts import AUTO, AUTO_BUDGET
from agent.errors import ConfigError
from agent.reading import check
from agent.request import plain, possible
from agent.server.config import LimitsConfig, merged
from agent.server.types import Refused, RunRequest, refused
from critic.config import SignalsConfig
from generator.capabilities import capabilities

REQUEST: Final = (
    *("prompt", "negative_prompt", "size", "num_frames", "fps", "num_inference_steps", "guidance_scale", "flow_shift"),
    *("sound", "guardrails", "seed", "enable_prompt_expansion"),
)
MEDIA: Final = frozenset({"image", "video"})
BUDGET: Final = (
    *("max_iterations", "samples_per_iteration", "early_stop", "patience", "plateau", "plateau_iterations"),
    *("min_expected_gain", "speculate"),
)
SEARCH: Final = ("include_raw_prompt", "racing", "await_verdicts", "draft", "pairwise", "canaries")
CAPPED: Final = ("max_seconds", "max_renders", "max_gpu_seconds", "max_price_usd")
"""The lower of what is asked and what the model's config allows."""
OUTPUT: Final = ("format", "quality", "export_fps", "interpolation")
_KEY: Final = re.compile(r"(?:[^\s:]*: )?(request|budget|search|critic|output)\.(\w+)[:, ]")
_FIELD: Final = re.compile(r"\brequest\.(?=[a-z]\w*)")


def settings(base: RunConfig, request: RunRequest, inputs: Mapping[str, Path]) -> RunConfig:
    """The config of a job's run.

    Args:
        base: of the request's model.
        request: what was asked.
        inputs: files at hand, by what they are: image, video, control-edge, ….

    Raises:
        ConfigError: the two do not go together.
    """
    asked: dict[str, dict[str, Any]] = {
        # what the file asks for is its own: nobody's first frame but the caller's
        "request": {"image": None, "video": None, "controls": _controls(request, inputs), **_given(request, REQUEST)},
        "budget": {**_given(request, BUDGET), **_least(base, request)},
        "search": {name: None if value == "none" else value for name, value in _given(request, SEARCH).items()},
        "output": _given(request, OUTPUT),
    }
    if request.controls:  # what restyles a video has its length and rate, whatever the file says of others
        asked["request"] = {"num_frames": None, "fps": None, **asked["request"]}
    if request.keep_sound is not None:
        asked["output"]["sound"] = request.keep_sound
    for name in MEDIA & inputs.keys():
        asked["request"][name] = str(inputs[name])
    if request.accept_at is not None:
        asked["critic"] = {"accept_at": request.accept_at, "threshold_file": None}
    if not request.agentic:
        asked["budget"] |= {"max_iterations": 1, "samples_per_iteration": 1}
        asked["search"] |= {"draft": None, "pairwise": None, "canaries": None, "include_raw_prompt": False}
        if not isinstance(base.critic, SignalsConfig):
            # one clip is not chosen among others: it is measured, and no model is asked
            asked["critic"] = {"backend": "signals", "accept_at": None}
    data = base.model_dump(mode="json", exclude_unset=True)
    return check(merged(data, {name: keys for name, keys in asked.items() if keys}), "")


def checked(base: RunConfig, request: RunRequest, inputs: Mapping[str, Path], limits: LimitsConfig) -> None:
    """Refuse what cannot be run, as far as that can be told before its media are fetched.

    Raises:
        Refused: 422, with the field.
    """
    try:
        config = settings(base, request, inputs)
        able = capabilities(config.generator)
        # of media still to be fetched only that there are some matters here
        waiting = {"image": request.image_url, "video": request.video_url}
        given = {name: "at hand" for name, url in waiting.items() if url is not None}
        wish = config.request.model_copy(update=given)
        possible(wish, able)
        plain(wish, able, None)
    except ConfigError as error:
        raise unfit(error) from error
    captions, draft = config.budget.max_iterations, config.search.draft
    renders, what, where = captions * config.budget.samples_per_iteration, "", "samples_per_iteration"
    if isinstance(draft, DraftConfig):
        renders += min(captions, draft.promote) * draft.seeds
        what, where = " and draft.promote x draft.seeds", "draft"
    if config.budget.max_renders is not None:
        renders = min(renders, config.budget.max_renders)
    if renders > limits.max_renders_per_run:
        raise refused(
            422,
            "less_than_equal",
            f"max_iterations x samples_per_iteration{what}: {renders} renders, and this server makes at most "
            f"{limits.max_renders_per_run} for one request; lower them, or give max_renders",
            loc=(where,),
            le=limits.max_renders_per_run,
        )


def bounded(config: RunConfig, limits: LimitsConfig) -> RunConfig:
    """The config, whose drafts that come by themselves (search.draft: auto) stay within the renders of one request."""
    most = AUTO_BUDGET["max_iterations"] * AUTO_BUDGET["samples_per_iteration"] + AUTO.seeds
    cap = limits.max_renders_per_run
    if config.search.draft != "auto" or most <= cap or (config.budget.max_renders or most) <= cap:
        return config
    return config.model_copy(update={"budget": config.budget.model_copy(update={"max_renders": cap})})


def unfit(error: ConfigError) -> Refused:
    """A config's error as a refusal, in the words of whoever asked over the wire: no key of a file, no path."""
    message = str(error).splitlines()[0].removeprefix(": ")
    found = _KEY.match(message)
    loc = (found[2],) if found else ()
    if found:
        message = message[found.start(1) :].replace(f"{found[1]}.{found[2]}", found[2], 1)
    message = _FIELD.sub("", message)
    return refused(422, "value_error", message, loc=loc)


def _given(request: RunRequest, names: tuple[str, ...]) -> dict[str, Any]:
    given = {name: value for name in names if (value := getattr(request, name)) is not None}
    return {
        name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value for name, value in given.items()
    }


def _controls(request: RunRequest, inputs: Mapping[str, Path]) -> list[dict[str, Any]]:
    return [
        {
            "kind": control.kind,
            "weight": control.weight,
            "path": str(inputs.get(f"control-{control.kind}", "still to be fetched")),
        }
        for control in request.controls
    ]


def _least(base: RunConfig, request: RunRequest) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in CAPPED:
        limits = [value for value in (getattr(base.budget, name), getattr(request, name)) if value is not None]
        if limits:
            out[name] = min(limits)
    return out
