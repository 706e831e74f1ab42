"""The servers' own environment and the tiny models, built once and kept between runs."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

RECIPE = Path(__file__).parent / "environment"
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "TORCHDYNAMO_DISABLE": "1",  # else the first request for probabilities compiles for 25 s
}


@dataclass(frozen=True)
class Provided:
    """What the servers run from."""

    venv: Path
    models: Path
    """Folder of the tiny models: `reasoner`, and the pipelines `cosmos3`, `cosmos3_sound`, `cosmos3_distilled`,
    `cosmos25` and `cogvideox`."""
    cache: Path
    """Where vLLM keeps what it finds out, so that later starts are quicker."""

    @property
    def reasoner(self) -> Path:
        """Folder of the tiny reasoner."""
        return self.models / "reasoner"

    @property
    def python(self) -> Path:
        """The interpreter, which has torch and Diffusers."""
        return self.venv / "bin" / "python"

    @property
    def vllm(self) -> Path:
        """The command."""
        return self.venv / "bin" / "vllm"

    def variables(self) -> dict[str, str]:
        """Environment variables of a server process."""
        kept = {"VLLM_CACHE_ROOT": str(self.cache), "TORCHINDUCTOR_CACHE_DIR": str(self.cache / "inductor")}
        return QUIET | kept


def provide() -> Provided:
    """The environment, from the cache or built: about two minutes and 4 GB.

    `RETAKE_REAL_CACHE` names the folder it is kept in; `RETAKE_REAL_VENV` an environment to use as it is.
    """
    root = Path(os.environ.get("RETAKE_REAL_CACHE") or _cache_home() / "retake-real")
    given = os.environ.get("RETAKE_REAL_VENV")
    root.mkdir(parents=True, exist_ok=True)
    makers = sorted(RECIPE.glob("make_tiny_*.py"))
    venv_key = "given" if given else _key(path for path in RECIPE.rglob("*") if path not in makers)
    with FileLock(root / "lock"):
        venv = Path(given) if given else _kept(root / f"venv-{venv_key}", _build_venv, _vllm_answers) / "venv"
        model_key = _key(makers, venv_key)
        models = _kept(root / f"models-{model_key}", lambda folder: _build_models(folder, venv), _models_there)
    return Provided(venv, models, root / f"vllm-{venv_key}")


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _key(files: Iterable[Path], *more: str) -> str:
    digest = hashlib.sha256("\n".join([sys.version, *more]).encode())
    for file in sorted(files):
        if file.is_file() and file.suffix != ".pyc":
            digest.update(str(file.relative_to(RECIPE)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _kept(name: Path, build: Callable[[Path], None], is_good: Callable[[Path], bool]) -> Path:
    """The folder that `name` links to, built where it is not there or no good.

    An environment cannot be moved, so a finished one is named by a link: no half-built folder ever has the name.
    """
    if name.is_symlink() and name.exists() and is_good(name):
        return name
    if name.is_symlink():
        shutil.rmtree(name.resolve(), ignore_errors=True)
        name.unlink()
    folder = Path(tempfile.mkdtemp(prefix=f"{name.name}.", dir=name.parent))
    try:
        build(folder)
        if not is_good(folder):
            raise RuntimeError(f"what was built in {folder} does not work")  # noqa: TRY301 - cleared away below
        name.symlink_to(folder.name)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return name


def _build_venv(folder: Path) -> None:
    recipe = folder / "recipe"  # copied: pip builds the plug-in where it lies
    shutil.copytree(RECIPE, recipe, ignore=shutil.ignore_patterns("__pycache__"))
    _run([str(recipe / "setup.sh"), str(folder / "venv"), sys.executable], folder / "setup.log", 1200)


def _vllm_answers(folder: Path) -> bool:
    """Light: `vllm --version` itself imports for ten seconds."""
    python = folder / "venv/bin/python"
    asked = (
        "import torch, importlib.metadata as m, importlib.util as u; print(m.version('vllm'), u.find_spec('vllm').name)"
    )
    if not (python.exists() and (folder / "venv/bin/vllm").exists()):
        return False
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode == 0 and done.stdout.startswith("0.30.0") and "vllm" in done.stdout


def _build_models(folder: Path, venv: Path) -> None:
    for maker, made in (("reasoner", folder / "reasoner"), ("pipelines", folder)):
        command = [str(venv / "bin/python"), str(RECIPE / f"make_tiny_{maker}.py"), str(made)]
        _run(command, folder / f"{maker}.log", 300)


def _models_there(folder: Path) -> bool:
    return (folder / "reasoner/generation_config.json").exists() and (folder / "cogvideox/model_index.json").exists()


def _run(command: list[str], log: Path, seconds: float) -> None:
    with log.open("wb") as file:
        done = subprocess.run(
            command, stdout=file, stderr=subprocess.STDOUT, env=os.environ | QUIET, timeout=seconds, check=False
        )
    if done.returncode:
        raise RuntimeError(f"{Path(command[-2]).name} failed:\n{log.read_text(errors='replace')[-4000:]}")
