"""What this machine has for a model server: the command, the GPUs, the model's files."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from agent.serving.command import find
from reasoner.chat.config import ServeConfig

_SECONDS = 20
_ASK_VERSION = "import importlib.metadata as m; print(m.version('vllm'))"


class Look(NamedTuple):
    """What was found, whether it will do, and the cure if not."""

    good: bool
    found: str
    cure: str = ""


def command(config: ServeConfig) -> Look:
    """The `vllm` command and its version, without loading it."""
    path = find(config)
    if path is None:
        cure = "install vLLM (README, 'With a GPU') and activate its environment, or give its path as serve.executable"
        return Look(good=False, found=f"there is no command {config.executable!r}", cure=cure)
    return Look(good=True, found=f"{path}, version {told}" if (told := version(path)) else str(path))


def version(path: Path) -> str:
    """The version of vLLM, "" where it is not known.

    Asked of the Python that the script names: `vllm --version` itself takes half a minute.
    """
    try:
        with path.open("rb") as file:
            first = file.readline(500).decode(errors="replace")
    except OSError:
        return ""
    interpreter = first.removeprefix("#!").strip()
    if not first.startswith("#!") or not Path(interpreter).name.startswith("python"):
        return ""
    said = _output([interpreter, "-I", "-c", _ASK_VERSION])
    return said.strip() if said else ""


def gpus(config: ServeConfig) -> Look:
    """The GPUs that the server may see, and whether each has the memory free that it will take."""
    if config.gpu_memory_utilization is None:
        return Look(good=True, found="not looked at: serve.gpu_memory_utilization is null, as for a CPU server")
    fields = "--query-gpu=index,name,memory.free,memory.total"
    said = _output(["nvidia-smi", fields, "--format=csv,noheader,nounits"])
    rows = [row.split(", ") for row in (said or "").splitlines()]
    here = {int(row[0]): row for row in rows if len(row) == 4 and row[0].isdigit()}
    if not here:
        cure = "take a machine with one and its driver, or name a server elsewhere by base_url instead of serve"
        return Look(good=False, found="nvidia-smi lists none", cure=cure)
    lacking = [str(n) for n in config.gpus or () if n not in here]
    if lacking:
        cure = f"choose among {', '.join(map(str, here))}"
        return Look(good=False, found=f"serve.gpus names {', '.join(lacking)}, which is not here", cure=cure)
    seen = [here[n] for n in config.gpus or here]
    text = "; ".join(f"{n}: {name}, {_gib(free)} of {_gib(total)} GiB free" for n, name, free, total in seen)
    if config.tensor_parallel_size > len(seen):
        cure = "lower serve.tensor_parallel_size"
        return Look(good=False, found=f"{text}; {config.tensor_parallel_size} are asked for", cure=cure)
    share = config.gpu_memory_utilization
    if any(_number(free) < share * _number(total) for _, _, free, total in seen[: config.tensor_parallel_size]):
        cure = "stop what holds the memory, choose other serve.gpus, or lower serve.gpu_memory_utilization"
        return Look(good=False, found=f"{text}; a share of {share:g} is asked for", cure=cure)
    return Look(good=True, found=text)


def model(config: ServeConfig) -> Look:
    """Whether the checkpoint is here, or what its download takes."""
    folder = Path(config.model)
    if folder.is_dir():
        good = (folder / "config.json").is_file() or (folder / "model_index.json").is_file()
        return Look(good, str(folder), "" if good else "it has no config.json: give the checkpoint's own folder")
    if folder.is_absolute() or config.model.startswith(("./", "../", "~")) or config.model.count("/") > 1:
        return Look(good=False, found=f"{config.model}: no such folder", cure="give a folder or a Hugging Face id")
    home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    if any((cache / f"models--{config.model.replace('/', '--')}" / "snapshots").glob("*/*")):
        return Look(good=True, found=f"{config.model}, in the cache {cache}")
    if os.environ.get("HF_HUB_OFFLINE", "0") not in {"", "0"}:
        cure = f"unset HF_HUB_OFFLINE, or give the folder that `hf download {config.model}` made as serve.model"
        return Look(
            good=False, found=f"{config.model} is not in the cache {cache}, and HF_HUB_OFFLINE is set", cure=cure
        )
    place = next(p for p in [cache.absolute(), *cache.absolute().parents] if p.exists())
    room = f"{shutil.disk_usage(place).free / 1e9:,.0f} GB free in {cache}"
    token = "HF_TOKEN is set" if os.environ.get("HF_TOKEN") else "logged in by a token file"
    if not os.environ.get("HF_TOKEN") and not (home / "token").is_file():
        token = "no HF_TOKEN: a gated model cannot be downloaded without"  # noqa: S105 - says that there is none
    return Look(good=True, found=f"{config.model}, to be downloaded at the first start ({room}; {token})")


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


def _gib(mib: str) -> str:
    return f"{_number(mib) / 1024:.0f}"
