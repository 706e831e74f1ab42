"""What this machine has for a model server: the command, the GPUs, the model's files."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agent.serving.command import find, omni_guardrails
from generator.config import ServeOmniConfig
from reasoner.chat.config import ServeConfig

_SECONDS = 20
MIB, GB = 1 << 20, 10**9
"""Bytes."""
_ASK_VERSION = "import importlib.metadata as m; print(m.version('vllm'))"
_ASK_OMNI = (
    "import importlib.metadata as m, importlib.util as u; "
    "print(m.version('vllm-omni')); print('there' if u.find_spec('cosmos_guardrail') else 'missing')"
)
_NEEDS_GB = (("super", 128), ("nano", 32))
"""GPU memory that a checkpoint's generator needs, by its name: NVIDIA's own figures."""


class Look(NamedTuple):
    """What was found, whether it will do, and the cure if not."""

    good: bool
    found: str
    cure: str = ""


def command(config: ServeConfig | ServeOmniConfig) -> Look:
    """The `vllm` command and its version, without loading it; of a renderer also vLLM-Omni's, and its guardrails."""
    path = find(config.executable)
    key = "reasoner.serve" if isinstance(config, ServeConfig) else "generator.serve"
    if path is None:
        cure = f"install vLLM (README, 'With a GPU') and activate its environment, or give its path as {key}.executable"
        return Look(good=False, found=f"there is no command {config.executable!r}", cure=cure)
    text = f"{path}, version {told}" if (told := version(path)) else str(path)
    return Look(good=True, found=text) if isinstance(config, ServeConfig) else _omni(config, path, text)


def _omni(config: ServeOmniConfig, path: Path, text: str) -> Look:
    interpreter = _interpreter(path)
    if not interpreter:
        return Look(good=True, found=text)  # a wrapper: what lies behind it is not known
    said = (_output([interpreter, "-I", "-c", _ASK_OMNI]) or "").split()
    if len(said) != 2:
        cure = (
            "pip install vllm-omni in its environment, of the same version, or give another as "
            "generator.serve.executable"
        )
        return Look(good=False, found=f"{text}, without vLLM-Omni", cure=cure)
    text = f"{text}, vLLM-Omni {said[0]}"
    if omni_guardrails(config) == "off":
        return Look(good=True, found=f"{text}, started without guardrails (generator.serve.extra_args)")
    if said[1] == "missing":
        cure = (
            "pip install cosmos-guardrail in its environment, accept the licence of nvidia/Cosmos-1.0-Guardrail at "
            "huggingface.co and export HF_TOKEN; or render without safety checks: put --no-guardrails into "
            "generator.serve.extra_args"
        )
        return Look(good=False, found=f"{text}, without the package cosmos-guardrail: it would not start", cure=cure)
    return Look(good=True, found=f"{text}, with guardrails (their weights are gated: nvidia/Cosmos-1.0-Guardrail)")


def version(path: Path) -> str:
    """The version of vLLM, "" where it is not known.

    Asked of the Python that the script names: `vllm --version` itself takes half a minute.
    """
    interpreter = _interpreter(path)
    said = _output([interpreter, "-I", "-c", _ASK_VERSION]) if interpreter else None
    return said.strip() if said else ""


def _interpreter(path: Path) -> str:
    """The Python that a script names in its first line; "" where it names none."""
    try:
        with path.open("rb") as file:
            first = file.readline(500).decode(errors="replace")
    except OSError:
        return ""
    interpreter = first.removeprefix("#!").strip()
    return interpreter if first.startswith("#!") and Path(interpreter).name.startswith("python") else ""


def gpus(config: ServeConfig | ServeOmniConfig) -> Look:
    """The GPUs that the server may see, and whether each has the memory free that it will take."""
    if isinstance(config, ServeConfig) and config.gpu_memory_utilization is None:
        return Look(
            good=True, found="not looked at: reasoner.serve.gpu_memory_utilization is null, as for a CPU server"
        )
    key = "reasoner.serve" if isinstance(config, ServeConfig) else "generator.serve"
    here = all_gpus()
    if not here:
        cure = "take a machine with one and its driver, or name a server elsewhere by base_url instead of serve"
        if isinstance(config, ServeOmniConfig):
            cure = "take a machine with one and its driver, or name servers elsewhere in generator.endpoints"
        return Look(good=False, found="nvidia-smi lists none", cure=cure)
    lacking = [str(n) for n in config.gpus or () if n not in here]
    if lacking:
        cure = f"choose among {', '.join(map(str, here))}"
        return Look(good=False, found=f"{key}.gpus names {', '.join(lacking)}, which is not here", cure=cure)
    seen = [here[n] for n in config.gpus or here]
    text = "; ".join(map(str, seen))
    return _chat_memory(config, seen, text) if isinstance(config, ServeConfig) else _omni_memory(config, seen, text)


class GPU(NamedTuple):
    """One that nvidia-smi lists; memory in MiB, infinite where it is not told."""

    number: int
    name: str
    free: float
    total: float

    def __str__(self) -> str:
        return f"{self.number}: {self.name}, {self.free / 1024:.0f} of {self.total / 1024:.0f} GiB free"


def all_gpus() -> dict[int, GPU]:
    """The GPUs of this machine, by number; none where nvidia-smi lists none."""
    fields = "--query-gpu=index,name,memory.free,memory.total"
    said = _output(["nvidia-smi", fields, "--format=csv,noheader,nounits"])
    rows = [row.split(", ") for row in (said or "").splitlines()]
    return {
        int(r[0]): GPU(int(r[0]), r[1], _number(r[2]), _number(r[3])) for r in rows if len(r) == 4 and r[0].isdigit()
    }


def _chat_memory(config: ServeConfig, seen: Sequence[GPU], text: str) -> Look:
    if config.tensor_parallel_size > len(seen):
        cure = "lower reasoner.serve.tensor_parallel_size"
        return Look(good=False, found=f"{text}; {config.tensor_parallel_size} are asked for", cure=cure)
    share = config.gpu_memory_utilization or 0.0
    if any(gpu.free < share * gpu.total for gpu in seen[: config.tensor_parallel_size]):
        cure = (
            "stop what holds the memory, choose other reasoner.serve.gpus, or lower "
            "reasoner.serve.gpu_memory_utilization"
        )
        return Look(good=False, found=f"{text}; a share of {share:g} is asked for", cure=cure)
    return Look(good=True, found=text)


def _omni_memory(config: ServeOmniConfig, seen: Sequence[GPU], text: str) -> Look:
    asked = config.tensor_parallel_size * config.cfg_parallel_size * config.ulysses_degree
    if asked > len(seen):
        cure = (
            "lower generator.serve.tensor_parallel_size, cfg_parallel_size or ulysses_degree: their product is the "
            "number of GPUs"
        )
        return Look(good=False, found=f"{text}; {asked} are asked for", cure=cure)
    need = needed_gb(config.model)
    if need is None or config.layerwise_offload:
        return Look(good=True, found=text)
    each = need / config.tensor_parallel_size  # only this one spreads the weights
    text = f"{text}; {Path(config.model).name} needs {need} GB ({each:g} on each of {asked}), says NVIDIA"
    if any(gpu.free * MIB < each * GB for gpu in seen[:asked]):
        cure = (
            "stop what holds the memory, spread the model (generator.serve.tensor_parallel_size), set "
            "generator.serve.layerwise_offload, or let it and the reasoner take turns (generator.serve.time_share)"
        )
        return Look(good=False, found=text, cure=cure)
    return Look(good=True, found=text)


def needed_gb(model: str) -> int | None:
    """GPU memory in GB that a Cosmos3 checkpoint needs to render, by its name; None: not known."""
    name = Path(model).name.lower()
    return next((gb for word, gb in _NEEDS_GB if "cosmos3" in name and word in name), None)


def model(config: ServeConfig | ServeOmniConfig) -> Look:
    """Whether the checkpoint is here, or what its download takes."""
    return checkpoint(
        config.model, "reasoner.serve.model" if isinstance(config, ServeConfig) else "generator.serve.model"
    )


def checkpoint(named: str, key: str) -> Look:
    """Whether a checkpoint is here, or what its download takes. `key`: what names it in the config."""
    folder = Path(named)
    if folder.is_dir():
        good = (folder / "config.json").is_file() or (folder / "model_index.json").is_file()
        return Look(good, str(folder), "" if good else "it has no config.json: give the checkpoint's own folder")
    if folder.is_absolute() or named.startswith(("./", "../", "~")) or named.count("/") > 1:
        return Look(good=False, found=f"{named}: no such folder", cure="give a folder or a Hugging Face id")
    home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    if any((cache / f"models--{named.replace('/', '--')}" / "snapshots").glob("*/*")):
        return Look(good=True, found=f"{named}, in the cache {cache}")
    if os.environ.get("HF_HUB_OFFLINE", "0") not in {"", "0"}:
        cure = f"unset HF_HUB_OFFLINE, or give the folder that `hf download {named}` made as {key}"
        return Look(good=False, found=f"{named} is not in the cache {cache}, and HF_HUB_OFFLINE is set", cure=cure)
    place = next(p for p in [cache.absolute(), *cache.absolute().parents] if p.exists())
    room = f"{shutil.disk_usage(place).free / 1e9:,.0f} GB free in {cache}"
    token = "HF_TOKEN is set" if os.environ.get("HF_TOKEN") else "logged in by a token file"
    if not os.environ.get("HF_TOKEN") and not (home / "token").is_file():
        token = "no HF_TOKEN: a gated model cannot be downloaded without"  # noqa: S105 - says that there is none
    return Look(good=True, found=f"{named}, to be downloaded at the first start ({room}; {token})")


def _output(words: list[str]) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - the user's own config names it
            words, capture_output=True, text=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _number(mib: str) -> float:
    return float(mib) if mib.replace(".", "", 1).isdigit() else float("inf")
