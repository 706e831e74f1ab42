"""Official clients, and scripts that use them as processes: each prints what it saw as one JSON object."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

HERE = Path(__file__).parent


def node_clients(cache: Path) -> Path:
    """A folder with the JavaScript clients of package.json and the scripts beside them.

    RETAKE_NODE_CLIENTS names one to keep them in; RETAKE_REQUIRE_NODE makes it an error that there is no Node.

    Args:
        cache: where they are kept otherwise.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        if os.environ.get("RETAKE_REQUIRE_NODE"):
            pytest.fail("RETAKE_REQUIRE_NODE is set, and there is no node or npm on the PATH")
        pytest.skip("needs Node 20 or newer with npm, for fal's JavaScript client")
    wanted = (HERE / "package.json").read_bytes()
    folder = Path(os.environ.get("RETAKE_NODE_CLIENTS") or cache) / hashlib.sha256(wanted).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not (folder / "installed").exists():
            (folder / "package.json").write_bytes(wanted)
            command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=250)
            (folder / "installed").touch()
        for script in HERE.glob("*.mjs"):
            if not (kept := folder / script.name).exists() or kept.read_bytes() != script.read_bytes():
                # as a whole: another worker's node may be reading it
                shutil.copy(script, aside := kept.with_suffix(".aside"))
                aside.replace(kept)
    return folder


def node(folder: Path, script: str, *arguments: str, seconds: float = 250) -> Any:
    """What a script says."""
    return _said(["node", script, *arguments], folder, {}, seconds)


def python(script: str, *arguments: str, environment: dict[str, str] | None = None, seconds: float = 250) -> Any:
    """What a script in Python says, in a process of its own."""
    return _said([sys.executable, str(HERE / script), *arguments], HERE, environment or {}, seconds)


def _said(command: list[str], folder: Path, environment: dict[str, str], seconds: float) -> Any:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "FAL_KEY": "any", **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, (
        f"{command} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    )
    return json.loads(done.stdout)
