"""The command line and the environment of `vllm serve`."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from agent.errors import ServingError
from reasoner.chat.config import ServeConfig

HOST = "127.0.0.1"

_FLAGS = (
    ("--enable-prefix-caching",),
    ("--enable-prompt-tokens-details",),
    # without the second key, greedy JSON can loop on newlines
    ("--structured-outputs-config", '{"backend":"xgrammar","disable_any_whitespace":true}'),
    # the default keeps the first 32 frames of a clip, and does not say so
    ("--media-io-kwargs", '{"video":{"num_frames":-1}}'),
    ("--limit-mm-per-prompt", '{"image":40,"video":1}'),
    # sampling comes with each request, not from the checkpoint
    ("--generation-config", "vllm"),
)
_SHORT = {"-tp": "--tensor-parallel-size"}
_TRUST = "--trust-request-mm-kwargs"
_OWN = {
    "--host": "it is always the loopback address; a server elsewhere is named by base_url",
    "--port": "set serve.port",
    "--model": "set serve.model",
    "--uds": "set serve.port",
    "--config": "its file could set what must not stand here: write its arguments as items of serve.extra_args",
    "--hf-token": "export HF_TOKEN instead: a config is kept in every run folder",
    "--api-key": "put the key into an environment variable and name that in api_key_env",
}
"""Arguments that would hide the server from us, or put a key where every user of the machine can read it."""


def find(config: ServeConfig) -> Path | None:
    """The executable's own path; None where there is none."""
    found = shutil.which(Path(config.executable).expanduser())
    return Path(found).absolute() if found else None


def arguments(config: ServeConfig, executable: Path, version: str = "") -> list[str]:
    """The command line.

    Args:
        config: what is started.
        executable: the command.
        version: of vLLM; "" where it is not known.

    Raises:
        ServingError: an extra argument is one that Retake sets itself.
    """
    theirs = {_flag(word) for word in config.extra_args if word.startswith("-")}
    for flag, cure in _OWN.items():
        if flag in theirs:
            raise ServingError(f"serve.extra_args: {flag} cannot stand there; {cure}")
    ours = [
        ("--served-model-name", config.served_model_name),
        ("--tensor-parallel-size", config.tensor_parallel_size if config.tensor_parallel_size > 1 else None),
        ("--gpu-memory-utilization", config.gpu_memory_utilization),
        ("--max-model-len", config.max_model_len),
    ]
    # 0.32 and newer refuse a request's own times of frames without it; 0.30 does not know it and would not start
    flags = (*_FLAGS, (_TRUST,)) if _release(version) >= (0, 32) else _FLAGS
    words = [str(executable), "serve", config.model, "--host", HOST, "--port", str(config.port)]
    for flag, *value in [*((f, str(v)) for f, v in ours if v is not None), *flags]:
        if flag not in theirs:
            words += [flag, *value]
    return [*words, *config.extra_args]


def _release(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _flag(word: str) -> str:
    """The argument a word names, in the one spelling: vLLM takes `--a_b=1`, `--a-b.key 1` and `--no-a-b` too."""
    name = word.partition("=")[0].partition(".")[0].replace("_", "-")
    return _SHORT.get(name, name).replace("--no-", "--", 1)


def environment(config: ServeConfig, key: str | None, executable: Path) -> Mapping[str, str]:
    """This process's environment, and what the server needs beside it. Its key is the config's, or none."""
    inherited = {name: value for name, value in os.environ.items() if name != "VLLM_API_KEY"}
    # kernels are compiled with the `ninja` that lies beside `vllm`
    path = os.pathsep.join([str(executable.parent), os.environ.get("PATH", os.defpath)])
    added = {"PATH": path, "VLLM_NO_USAGE_STATS": "1", "PYTHONUNBUFFERED": "1"}
    if key is not None:
        added["VLLM_API_KEY"] = key
    if config.gpus is not None:
        added["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, config.gpus))
    return inherited | added
