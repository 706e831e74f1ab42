"""What Prometheus reads: figures of jobs and of HTTP requests, under labels of few values."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message, Receive, Scope, Send

from agent.server.metrics import Counted, Metrics
from agent.server.types import Job, Result, RunRequest

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def job(**keys: Any) -> Job:
    facts = {
        "id": "one", "owner": "ann", "dialect": "fal", "endpoint": "e", "created_at": NOW, "media_key": "k",
        "request": RunRequest(model="m", prompt="p"), **keys,
    }  # fmt: skip
    return Job.model_validate(facts)


def result(**keys: Any) -> Result:
    facts = {
        "video": None, "seed": 1, "prompt": "p", "score": 0.85, "accept_at": 0.8, "accepted": True,
        "calibrated": False, "stop_reason": "accepted", "stop_sentence": "", "iterations": 1, "renders": 3,
        "shots": (), "seconds": {"render": 4.5, "judge": 0.5}, "gpu_seconds": 4.5, "price_usd": 0.4, **keys,
    }  # fmt: skip
    return Result.model_validate(facts)


def samples(metrics: Metrics, lacking: dict[str, object] | None = None) -> dict[tuple[str, str], float]:
    """Values by a sample's name and its labels' values."""
    content, kind = metrics.text("", lacking or {})
    assert kind.startswith("text/plain")
    return {
        (sample.name, "/".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(content.decode())
        for sample in family.samples
    }


def test_a_job_from_its_submission_to_its_end() -> None:
    metrics = Metrics("1.2.3")
    queued = job()
    running = job(state="running", started_at=NOW + timedelta(seconds=3))
    over = job(
        state="completed", started_at=NOW + timedelta(seconds=3), ended_at=NOW + timedelta(seconds=10), result=result()
    )
    metrics.observe(queued)
    assert samples(metrics)["retake_runs_now", "fal/queued"] == 1
    metrics.observe(running)
    metrics.observe(running)  # told twice
    found = samples(metrics)
    assert found["retake_runs_now", "fal/queued"] == 0
    assert found["retake_runs_now", "fal/running"] == 1
    assert found["retake_runs_total", "fal/running"] == 1
    metrics.observe(over)
    found = samples(metrics, {"m": (), "n": ("a lack",)})
    expected = {
        ("retake_build_info", "1.2.3"): 1,
        ("retake_runs_now", "fal/running"): 0,
        ("retake_runs_total", "fal/completed"): 1,
        ("retake_queue_wait_seconds_sum", "fal"): 3,
        ("retake_run_seconds_sum", "fal/completed"): 7,
        ("retake_renders_total", "fal"): 3,
        ("retake_score_sum", "fal"): 0.85,
        ("retake_score_bucket", "fal/0.8"): 0,
        ("retake_score_bucket", "fal/0.9"): 1,
        ("retake_runs_accepted_total", "fal"): 1,
        ("retake_step_seconds_total", "render"): 4.5,
        ("retake_gpu_seconds_total", "fal"): 4.5,
        ("retake_spend_usd_total", "fal"): 0.4,
        ("retake_model_ready", "m"): 1,
        ("retake_model_ready", "n"): 0,
    }
    assert {key: found[key] for key in expected} == expected


def test_a_job_that_is_taken_out_of_the_queue_and_one_without_a_score() -> None:
    metrics = Metrics("1")
    metrics.observe(job())
    metrics.observe(job(state="cancelled", ended_at=NOW))
    metrics.observe(job(id="two", state="running", started_at=NOW))  # begun before this server was
    metrics.observe(job(id="two", state="failed", started_at=NOW, ended_at=NOW, result=result(score=None, renders=0)))
    found = samples(metrics)
    assert found["retake_runs_total", "fal/cancelled"] == found["retake_runs_total", "fal/failed"] == 1
    assert found["retake_runs_now", "fal/queued"] == found["retake_runs_now", "fal/running"] == 0
    assert ("retake_score_count", "fal") not in found


async def test_requests_are_counted_by_their_routes_template(tmp_path: Path) -> None:
    class Route:
        path = "/v1/runs/{id}"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/v1/runs/"):
            scope["route"] = Route()
        if scope["path"] == "/broken":
            raise RuntimeError
        await send({"type": "http.response.start", "status": 404 if scope["path"] == "/a" else 200, "headers": []})

    async def ignore(message: Message) -> None:
        del message

    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    metrics = Metrics("1")
    counted = Counted(app, metrics)
    for method, path in [*(("GET", f"/v1/runs/{n}") for n in range(50)), ("BREW", "/a"), ("X\n", "/a"), ("GET", "/a")]:
        await counted({"type": "http", "method": method, "path": path}, nothing, ignore)
    with pytest.raises(RuntimeError):
        await counted({"type": "http", "method": "GET", "path": "/broken"}, nothing, ignore)
    found = {key: value for key, value in samples(metrics).items() if key[0] == "retake_http_requests_total"}
    assert found == {
        ("retake_http_requests_total", "GET//v1/runs/{id}/200"): 50,
        ("retake_http_requests_total", "OTHER/unmatched/404"): 2,
        ("retake_http_requests_total", "GET/unmatched/404"): 1,
        ("retake_http_requests_total", "GET/unmatched/500"): 1,
    }
