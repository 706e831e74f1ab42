"""Our own API and its client with the server as a process: killed, cancelled, asked by curl as the page has it."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from agent import refine_and_generate, refine_and_generate_async
from agent.errors import ServingError
from agent.events import CandidateReady, Event, RunStarted, ServerReady, ServerWaiting
from agent.files import file_hash
from agent.reading import load_config
from agent.server.config import ServerConfig
from agent.server.loading import load
from tests.e2e.process import command, environment, retake, wait_for
from tests.serving import Process, serving

pytestmark = pytest.mark.thorough
ROOT = Path(__file__).parents[2]
SERVER_YAML, QUICKSTART = ROOT / "configs" / "server.yaml", ROOT / "configs" / "quickstart.yaml"
PROMPT = "A red ball rolls over grass."


def wish(iterations: int = 2) -> dict[str, Any]:
    """A run that no accepted clip ends early."""
    return {
        "request": {"seed": 5, "size": "256x256", "num_frames": 13},
        "budget": {"max_iterations": iterations, "samples_per_iteration": 2, "early_stop": False},
        "search": {"draft": None},
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    keys = {"RETAKE_API_KEYS": "one=key-of-one-000000,two:run+read+upload=key-of-two-000000"}
    with serving(tmp_path_factory.mktemp("served") / "runs", environment=keys) as process:
        yield process


def test_a_followed_run_survives_the_death_of_its_server(tmp_path: Path) -> None:
    with serving(tmp_path / "server") as process:
        events: list[Event] = []
        restarts: list[threading.Thread] = []

        def restart() -> None:
            time.sleep(0.5)
            process.start()

        def hear(event: Event) -> None:
            events.append(event)
            if isinstance(event, CandidateReady) and not restarts:
                process.kill()  # at once: the run goes on meanwhile
                restarts.append(threading.Thread(target=restart))
                restarts[0].start()

        run = refine_and_generate(PROMPT, config=wish(3), out=tmp_path / "killed", on_event=hear, server=process.url)
        restarts[0].join()
        assert sum(isinstance(event, RunStarted) for event in events) == 2
        assert any(isinstance(event, ServerWaiting) and "lost" in event.line for event in events)
        assert sum(isinstance(event, ServerReady) and event.part == "server" for event in events) == 2
        assert len(httpx.get(f"{process.url}/v1/runs", timeout=60).json()["data"]) == 1
    undisturbed = refine_and_generate(PROMPT, config=wish(3), out=tmp_path / "here")
    assert run.video == tmp_path / "killed" / "video.mp4"
    assert (run.score, run.prompt, run.renders) == (undisturbed.score, undisturbed.prompt, undisturbed.renders)
    for here, there in zip(undisturbed.candidates, run.candidates, strict=True):
        assert (here.seed, here.score, file_hash(here.clip.path)) == (
            there.seed,
            there.score,
            file_hash(there.clip.path),
        )
    assert undisturbed.video is not None
    assert file_hash(run.video) == file_hash(undisturbed.video)


def test_the_command_line_at_a_server_is_the_command_line_here(server: Process, tmp_path: Path) -> None:
    os.environ["RETAKE_API_KEY"] = "key-of-one-000000"
    try:
        small = ["-s", "request.num_frames=13", "-s", "budget.max_iterations=1", "--server", server.url]
        done = retake("run", QUICKSTART, *small, "--out", tmp_path / "a", "--json")
        facts = json.loads(done.out)
        assert (done.code, done.err, facts["run_dir"]) == (0, "", str(tmp_path / "a"))
        assert Path(facts["video"]).exists()
        told = retake("run", QUICKSTART, *small, cwd=tmp_path)
        assert told.code == 0
        assert f"server: cosmos-3-super at {server.url}" in told.out
        assert "Iteration 1 of 1" in told.out
        (folder,) = (tmp_path / "runs").iterdir()
        assert f"video    {folder}/video.mp4" in told.out
        wrong = retake("run", "--prompt", "x", *small, "-s", "generator.backend=fal")
        assert (wrong.code, "generator.backend: the server decides that" in wrong.err) == (2, True)
        other = retake("run", "--prompt", "x", *small, "--server-model", "none")
        assert (other.code, "model: 'none' is none of this server's" in other.err) == (2, True)
    finally:
        del os.environ["RETAKE_API_KEY"]
    locked = retake("run", "--prompt", "x", *small)
    assert (locked.code, "RETAKE_API_KEY" in locked.err) == (1, True)


def test_ctrl_c_cancels_on_the_server_and_keeps_what_was_done(server: Process, tmp_path: Path) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    named = environment() | {"MY_KEY": "key-of-one-000000"}
    arguments = ["run", "--prompt", PROMPT, "--server", server.url, "--server-key-env", "MY_KEY", "--out", str(out)]
    budget = ["-s", "budget.max_iterations=20", "-s", "budget.samples_per_iteration=2", "-s", "budget.early_stop=false"]
    with log.open("wb") as file:
        process = subprocess.Popen(command(*arguments, *budget), env=named, stdout=file, stderr=file)
    wait_for(log, "elapsed", process)
    process.send_signal(signal.SIGINT)
    assert process.wait(100) == 130, log.read_text()
    assert "It was cancelled on" in log.read_text()
    assert (out / "run.json").exists()
    assert (out / "clips").exists()
    headers = {"Authorization": "Bearer key-of-one-000000"}
    ends_cancelled(server, headers)


def ends_cancelled(server: Process, headers: dict[str, str]) -> None:
    """The newest run of a key: it was taken back, and is cancelled as soon as its engine lets it."""
    until = time.monotonic() + 100
    while True:
        newest = httpx.get(f"{server.url}/v1/runs?limit=1", headers=headers, timeout=60).json()["data"][0]
        if not newest["cancelling"]:
            break
        assert time.monotonic() < until
        time.sleep(0.05)
    assert newest["state"] == "cancelled"


def test_a_key_sees_its_own_runs_alone(server: Process) -> None:
    one, two = ({"Authorization": f"Bearer key-of-{name}-000000"} for name in ("one", "two"))
    with httpx.Client(base_url=server.url, timeout=60) as client:
        made = client.post("/v1/runs", json={"prompt": PROMPT, "max_renders": 1}, headers=two)
        assert made.status_code == 201
        id_ = made.json()["id"]
        above = client.post("/v1/runs", json={"prompt": PROMPT, "priority": 1}, headers=two)
        assert (above.status_code, above.json()["error"]["field"]) == (403, "priority")
        mine = client.post("/v1/runs", json={"prompt": PROMPT, "max_renders": 1}, headers=one).json()["id"]
        for path in ("", "/events", "/run", "/files", "/files/run.json", "/report", "/clips/0/0"):
            assert client.get(f"/v1/runs/{mine}{path}", headers=two).status_code == 404, path
            assert client.get(f"/v1/runs/{mine}{path}").status_code == 401, path
        assert client.post(f"/v1/runs/{mine}/cancel", headers=two).status_code == 404
        assert client.delete(f"/v1/runs/{mine}", headers=two).status_code == 404
        listed = [run["id"] for run in client.get("/v1/runs?limit=100", headers=two).json()["data"]]
        assert id_ in listed
        assert mine not in listed
        for run, key in ((mine, one), (id_, two)):
            client.delete(f"/v1/runs/{run}", headers=key)


async def test_an_image_of_this_machine_goes_along_and_is_the_first_frame(
    server: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    from agent.remote import media

    monkeypatch.setenv("RETAKE_API_KEY", "key-of-two-000000")
    Image.effect_mandelbrot((512, 512), (-2, -1.5, 1, 1.5), 40).convert("RGB").save(tmp_path / "first.png")
    hashes = set()
    for inline in (media.INLINE, 16):  # in the request; as an upload
        monkeypatch.setattr(media, "INLINE", inline)
        config = wish(1) | {"budget": {"max_iterations": 1, "samples_per_iteration": 1}}
        run = await refine_and_generate_async(
            PROMPT, tmp_path / "first.png", config, tmp_path / str(inline), server=server.url
        )
        assert run.request.spec.first_frame == run.folder / "first_frame.png"
        hashes.add(file_hash(run.folder / "first_frame.png"))
    here = await refine_and_generate_async(PROMPT, tmp_path / "first.png", config, tmp_path / "here")
    assert hashes == {file_hash(here.folder / "first_frame.png")}


async def test_whoever_awaits_it_and_is_cancelled_cancels_it_there(
    server: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETAKE_API_KEY", "key-of-two-000000")
    begun = asyncio.Event()
    work = refine_and_generate_async(
        PROMPT, config=wish(20), out=tmp_path / "out", on_event=lambda _: begun.set(), server=server.url
    )
    task = asyncio.create_task(work)
    await asyncio.wait_for(begun.wait(), 100)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(ends_cancelled, server, {"Authorization": "Bearer key-of-two-000000"})


def test_a_server_that_is_not_there_is_told_soon(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(ServingError, match=r"cannot be reached .*; is it running there \(retake serve\)\?"):
        refine_and_generate("x", out=tmp_path / "out", server="http://127.0.0.1:9")
    assert time.monotonic() - begun < 30
    assert not (tmp_path / "out").exists()


def test_the_pages_examples_run_as_they_stand_there(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    ours = page.partition("## Our own API\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```bash\n(.*?)^```", ours, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 7
    with serving(tmp_path / "server", quick=False) as process:
        script = "\n".join(["set -e -o pipefail", *(f"echo '--- {n}'\n{block}" for n, block in enumerate(blocks))])
        script = script.replace("http://127.0.0.1:8000", process.url)
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=250, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    parts = [part.partition("\n")[2].strip() for part in re.split(r"^--- ", done.stdout, flags=re.MULTILINE)[1:]]
    said = parts[2]
    assert f"says `{said}`" in ours
    assert "event: run_started" in parts[3]
    assert parts[3].endswith("event: end")
    assert parts[4].splitlines()[:2] == ["id: 4", "id: 5"]
    assert '"state": "completed"' in parts[5]
    for name in ("video.mp4", "clip.mp4"):
        assert (tmp_path / name).read_bytes()[4:8] == b"ftyp"
    assert "<html" in (tmp_path / "report.html").read_text()[:500]
    assert "run.json" in parts[6]
    assert parts[7].splitlines()[-2:] == ["completed", "true"]


def test_the_servers_config_answers_every_dialect_on_a_bare_machine(tmp_path: Path) -> None:
    shutil.copy(SERVER_YAML, tmp_path / "server.yaml")
    (tmp_path / "cwd").mkdir()
    with serving(tmp_path / "runs", quick=False, config=str(tmp_path / "server.yaml")) as process:
        small = {"prompt": PROMPT, "num_frames": 13, "size": "256x256", "max_iterations": 1, "samples_per_iteration": 1}
        with httpx.Client(base_url=process.url, timeout=250) as client:
            submitted = client.post("/v1/runs", json=small).json()
            fal = client.post("/fal/queue/nvidia/cosmos-3-super/text-to-video", json={"prompt": PROMPT})
            video = client.post("/v1/videos", json={"prompt": PROMPT, "model": "sora-2", "seconds": "4"})
            assert (fal.status_code, video.status_code) == (200, 200)
            for id_ in (fal.json()["request_id"], video.json()["id"]):  # they ask for eight seconds of 480p
                assert client.post(f"/v1/runs/{id_}/cancel").status_code in {200, 202}
            nim = client.post(
                "/v1/infer", json={"prompt": PROMPT, "num_output_frames": 25, "resolution": "256", "steps": 4}
            )
            assert nim.json()["b64_video"]
            for path in ("/", "/openapi.json", "/v1/models", "/v1/health/ready", "/fal/rest/.well-known/jwks.json"):
                assert client.get(path).status_code == 200, path
            last = client.get(f"/v1/runs/{submitted['id']}/events").text
            assert '"state": "completed"' in last.splitlines()[-2]
            assert {run["dialect"] for run in client.get("/v1/runs").json()["data"]} == {"runs", "fal", "openai", "nim"}
    one = ["-s", "request.num_frames=13", "-s", "budget.max_iterations=1", "-s", "budget.samples_per_iteration=1"]
    done = retake("run", tmp_path / "server.yaml", *one, "--json", "--out", tmp_path / "alone")
    assert (done.code, Path(json.loads(done.out)["video"]).exists()) == (0, True)


def test_the_servers_config_names_every_key_as_it_is_by_default(tmp_path: Path) -> None:
    text = SERVER_YAML.read_text(encoding="utf-8")
    served = load(SERVER_YAML)
    assert served.server == ServerConfig()
    assert all(model is served.base for model in served.models.values())
    quick = load_config(QUICKSTART)
    seedless = quick.request.model_copy(update={"seed": None})
    assert served.base.model_copy(update={"output": quick.output}) == quick.model_copy(update={"request": seedless})
    written = yaml.safe_load(text)["server"]

    def complete(section: Any, found: dict[str, Any]) -> None:
        assert found.keys() == type(section).model_fields.keys()
        for key in type(section).model_fields:
            if isinstance(inner := getattr(section, key), type(served.server.limits).__mro__[1]):
                complete(inner, found[key])

    complete(served.server, written)
    # what is commented out is a config as well
    lines = [re.sub(r"^(\s+)# (?=(?:generator|reasoner|critic): \{)", r"\1", line) for line in text.splitlines()]
    assert sum(line != old for line, old in zip(lines, text.splitlines(), strict=True)) == 6
    (tmp_path / "gpus.yaml").write_text("\n".join(lines))
    backends = {name: model.generator.backend for name, model in load(tmp_path / "gpus.yaml").models.items()}
    assert backends == {
        "cosmos-3-super": "vllm_omni",
        "cosmos-3-nano": "nim",
        "cosmos-predict-2.5": "diffusers",
        "cogvideox-5b": "diffusers",
    }
