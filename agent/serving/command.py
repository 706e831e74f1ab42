"""The command lines of `vllm serve` and `vllm serve --omni`, and their environment."""

import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from agent.errors import ServingError
from generator.config import ServeOmniConfig
from reasoner.chat.config import ServeConfig

HOST = "127.0.0.1"

_FLAGS = (
    ("--enable-prefix-caching",),
    ("--enable-prompt-tokens-details",),
    # without the second key, greedy JSON can loop on newlines
    ("--structured-outputs-config", '{"backend":"xgrammar","disable_any_whitespace":true}'),
    # the default keeps the first 32 frames of a clip, and does not say so
    ("--media-io-kwargs", '{"video":{"num_frames":-1}}'),
    # two clips are compared in one question
    ("--limit-mm-per-prompt", '{"image":40,"video":2}'),
    # sampling comes with each request, not from the checkpoint
    ("--generation-config", "vllm"),
)
_SHORT = {"-tp": "--tensor-parallel-size"}
_TRUST = "--trust-request-mm-kwargs"
_OWN = {
    "--host": "it is always the loopback address; a server elsewhere is named by {elsewhere}",
    "--port": "set {key}.port",
    "--model": "set {key}.model",
    "--uds": "set {key}.port",
    "--config": "its file could set what must not stand here: write its arguments as items of {key}.extra_args",
    "--hf-token": "export HF_TOKEN instead: a config is kept in every run folder",
    "--api-key": "put the key into an environment variable and name that in {secret}",
}
"""Arguments that would hide the server from us, or put a key where every user of the machine can read it."""
_OWN_OMNI = _OWN | {
    "--omni": "it is always there",
    "--api-server-count": "its jobs live in one process, and another would not know them",
}
_PIPELINE = "Cosmos3OmniDiffusersPipeline"
_INIT_SECONDS = 1800
"""What the server waits for its own stages: its default of 600 s is too short for a checkpoint that is downloaded."""
_DECIDES_GUARDRAILS = {
    *("--deploy-config", "--stage-overrides", "--model-config", "--default-sampling-params", "--strategy-config"),
    *("--custom-pipeline-args", "--model-class-name"),
}
"""Arguments whose content can switch the safety checks off."""
_TO_BE_WRITTEN_OUT = {*_OWN_OMNI, *_DECIDES_GUARDRAILS, "--guardrails"}


def find(executable: str) -> Path | None:
    """The executable's own path; None where there is none."""
    found = shutil.which(Path(executable).expanduser())
    return Path(found).absolute() if found else None


def arguments(config: ServeConfig, executable: Path, version: str = "") -> list[str]:
    """The command line of `vllm serve`.

    Args:
        config: what is started.
        executable: the command.
        version: of vLLM; "" where it is not known.

    Raises:
        ServingError: an extra argument is one that Retake sets itself.
    """
    key, secret = "reasoner.serve", "api_key_env"
    own = {f: cure.format(key=key, elsewhere="base_url", secret=secret) for f, cure in _OWN.items()}
    ours = [
        ("--served-model-name", config.served_model_name),
        ("--tensor-parallel-size", _several(config.tensor_parallel_size)),
        ("--gpu-memory-utilization", config.gpu_memory_utilization),
        ("--max-model-len", config.max_model_len),
    ]
    # 0.32 and newer refuse a request's own times of frames without it; 0.30 does not know it and would not start
    flags = (*_FLAGS, (_TRUST,)) if _release(version) >= (0, 32) else _FLAGS
    return _line(config, executable, key, own, [*((f, str(v)) for f, v in ours if v is not None), *flags])


def omni_arguments(config: ServeOmniConfig, executable: Path) -> list[str]:
    """The command line of `vllm serve --omni`.

    Raises:
        ServingError: an extra argument is one that Retake sets itself.
    """
    key = "generator.serve"
    secret = "generator.api_key_env"  # noqa: S105 - where it goes
    own = {f: cure.format(key=key, elsewhere="generator.endpoints", secret=secret) for f, cure in _OWN_OMNI.items()}
    flags: list[Sequence[str]] = [("--model-class-name", _PIPELINE)]
    for flag, value in (
        ("--served-model-name", config.served_model_name),
        ("--tensor-parallel-size", _several(config.tensor_parallel_size)),
        ("--cfg-parallel-size", _several(config.cfg_parallel_size)),
        ("--ulysses-degree", _several(config.ulysses_degree)),
    ):
        if value is not None:
            flags.append((flag, str(value)))
    if config.layerwise_offload:
        flags.append(("--enable-layerwise-offload",))
    flags.append(("--init-timeout", str(_INIT_SECONDS)))
    words = _line(config, executable, key, own, flags)
    return [*words[:3], "--omni", *words[3:]]


def omni_guardrails(config: ServeOmniConfig) -> Literal["on", "off", "unknown"]:
    """Whether the server of a config is started with its safety checks."""
    if "--no-guardrails" in {word.replace("_", "-") for word in config.extra_args}:
        return "off"
    return "unknown" if _named(config.extra_args) & _DECIDES_GUARDRAILS else "on"


def _line(
    config: ServeConfig | ServeOmniConfig,
    executable: Path,
    key: str,
    own: Mapping[str, str],
    flags: Iterable[Sequence[str]],
) -> list[str]:
    theirs = _named(config.extra_args)
    for flag, cure in own.items():
        if flag in theirs:
            raise ServingError(f"{key}.extra_args: {flag} cannot stand there; {cure}")
    for short in theirs:
        for flag in sorted(_TO_BE_WRITTEN_OUT - theirs):
            if flag.startswith(short):  # vLLM takes it for the whole one
                raise ServingError(
                    f"{key}.extra_args: {short} may be short for {flag}; write out the one that is meant"
                )
    words = [str(executable), "serve", config.model, "--host", HOST, "--port", str(config.port)]
    for flag, *value in flags:
        if flag not in theirs:
            words += [flag, *value]
    return [*words, *config.extra_args]


def _several(gpus: int) -> int | None:
    return gpus if gpus > 1 else None


def _release(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _named(words: Iterable[str]) -> set[str]:
    return {_flag(word) for word in words if word.startswith("-")}


def _flag(word: str) -> str:
    """The argument a word names, in the one spelling: vLLM takes `--a_b=1`, `--a-b.key 1` and `--no-a-b` too."""
    name = word.partition("=")[0].partition(".")[0].replace("_", "-")
    return _SHORT.get(name, name).replace("--no-", "--", 1)


def environment(gpus: Sequence[int] | None, key: str | None, executable: Path) -> Mapping[str, str]:
    """This process's environment, and what the server needs beside it. Its key is the one given, or none."""
    inherited = {name: value for name, value in os.environ.items() if name != "VLLM_API_KEY"}
    # kernels are compiled with the `ninja` that lies beside `vllm`
    path = os.pathsep.join([str(executable.parent), os.environ.get("PATH", os.defpath)])
    added = {"PATH": path, "VLLM_NO_USAGE_STATS": "1", "PYTHONUNBUFFERED": "1"}
    if key is not None:
        added["VLLM_API_KEY"] = key
    if gpus is not None:
        added["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, gpus))
    return inherited | added
