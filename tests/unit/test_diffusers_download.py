"""Downloads of checkpoints: when one is started, and that it ends with whoever waits for it."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from generator.diffusers import download
from generator.diffusers.worker import HaltedError, Worker


@dataclass
class Hub:
    """What is used of `huggingface_hub`."""

    index: Path | None = None
    constants: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(HF_HUB_OFFLINE=False))
    asked: list[str] = field(default_factory=list)

    def try_to_load_from_cache(self, model: str, _name: str) -> str | None:
        self.asked.append(model)
        return None if self.index is None else str(self.index)


@pytest.fixture
def cached(tmp_path: Path) -> Hub:
    """Of a whole pipeline."""
    folder = tmp_path / "snapshots" / "abc"
    for part in ("vae", "transformer"):
        (folder / part).mkdir(parents=True)
        (folder / part / "config.json").write_text("{}")
    (tmp_path / "blobs").mkdir()
    index = folder / "model_index.json"
    parts = {"vae": ["diffusers", "X"], "transformer": ["diffusers", "Y"], "safety_checker": [None, None]}
    index.write_text(json.dumps({"_class_name": "P", "default_use_system_prompt": True, **parts}))
    return Hub(index)


def test_a_whole_pipeline_is_known_to_be_whole(cached: Hub, tmp_path: Path) -> None:
    assert download.is_cached(cached, "x/y")
    assert not download.is_cached(Hub(), "x/y")
    (tmp_path / "blobs" / "123.incomplete").touch()
    assert not download.is_cached(cached, "x/y")


def test_a_pipeline_whose_parts_are_missing_is_not_whole(cached: Hub) -> None:
    assert cached.index is not None
    (cached.index.parent / "vae" / "config.json").unlink()
    assert not download.is_cached(cached, "x/y")


def test_folders_and_an_offline_hub_are_never_asked(tmp_path: Path) -> None:
    hub = Hub()
    download.fetch(hub, "P", str(tmp_path))
    hub.constants.HF_HUB_OFFLINE = True
    download.fetch(hub, "P", "x/y")
    assert hub.asked == []


def test_a_download_is_killed_when_its_load_is_halted() -> None:
    worker, mine = Worker("w"), psutil.Process()
    before = set(mine.children())
    done = worker.submit(lambda: download.run([sys.executable, "-c", "import time; time.sleep(3600)"]))
    while not (started := set(mine.children()) - before):
        time.sleep(0.005)
    time.sleep(0.3)  # one halted while it is being started ends by its closed standard input, which this one ignores
    worker.halt()
    with pytest.raises(HaltedError):
        done.result(60)
    assert psutil.wait_procs(started, timeout=60)[1] == []
    worker.end()


def test_a_download_ends_when_its_starter_is_gone() -> None:
    waiting = download.PROGRAM.replace("import diffusers", "import time; print(1, flush=True); time.sleep(60)")
    with subprocess.Popen(
        [sys.executable, "-c", waiting, "P", "x/y"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdin is not None
            assert child.stdout.readline() == b"1\n"
            child.stdin.close()  # as the system does for one that was killed
            assert child.wait(60) == 1
        finally:
            child.kill()


def test_a_download_that_ends_by_itself_is_waited_for(tmp_path: Path) -> None:
    made = tmp_path / "made"
    download.run([sys.executable, "-c", f"open({str(made)!r}, 'w').close(); raise SystemExit(3)"])
    assert made.exists()
