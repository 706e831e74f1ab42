"""A checkpoint's download from the Hugging Face Hub: a process of its own, which can be ended at any moment."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROGRAM = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(1)), daemon=True).start()
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
import diffusers
getattr(diffusers, sys.argv[1]).download(sys.argv[2])
"""
"""Ends with whoever started it, even if that was killed: its standard input is closed then."""


def fetch(hub: Any, kind: str, model: str) -> None:
    """Download what a pipeline needs into the Hub's cache, where it is not there yet.

    In this process a download could not be ended: it runs in threads that the interpreter waits for before it ends.
    Failures are not told here: the load that follows meets them itself.

    Args:
        hub: the module `huggingface_hub`.
        kind: name of the pipeline's class.
        model: folder or Hub id.
    """
    is_id = re.fullmatch(r"[\w.-]+/[\w.-]+", model) and not Path(model).exists()
    if is_id and not hub.constants.HF_HUB_OFFLINE and not is_cached(hub, model):
        run([sys.executable, "-P", "-c", PROGRAM, kind, model])


def is_cached(hub: Any, model: str) -> bool:
    """Whether the cache seems to hold a pipeline whole. A wrong yes costs nothing but that `fetch` was not used."""
    index = hub.try_to_load_from_cache(model, "model_index.json")
    if not isinstance(index, str):
        return False
    folder = Path(index).parent
    if any((folder.parents[1] / "blobs").glob("*.incomplete")):
        return False
    parts = json.loads(Path(index).read_text(encoding="utf-8"))
    names = [name for name, part in parts.items() if isinstance(part, list) and part[0] is not None]
    return all(any((folder / name).glob("*")) for name in names)


def run(command: Sequence[str]) -> None:
    """Run a process to its end; it is killed where the waiting for it ends otherwise."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet) as process:  # noqa: S603 - ours
        try:
            while process.poll() is None:  # and no `wait`: in it no `HaltedError` would arrive
                time.sleep(0.05)
        finally:
            process.kill()
