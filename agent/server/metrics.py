"""What Prometheus reads at GET /v1/metrics, and the middleware that counts requests."""

import time
from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.server.types import Job, State

SECONDS: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
"""Buckets of what a run takes."""
QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600)
"""Buckets of what an answer takes."""
TENTHS: Final = tuple(n / 10 for n in range(1, 11))
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ELSEWHERE: Final = "unmatched"
"""The route of paths that nobody serves, whatever they are."""
Lacking = Callable[[], Mapping[str, object]]
"""What each model misses, by its name; nothing: it can work."""


class Metrics:
    """The server's figures, in a registry of their own. Every label is one of few values known beforehand.

    Args:
        version: of Retake.
    """

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        own = self.registry = CollectorRegistry()
        ProcessCollector(registry=own)
        Gauge("retake_build_info", "Always 1.", ["version"], registry=own).labels(version).set(1)
        self._runs = Counter("retake_runs", "Runs that came to a state.", ["dialect", "state"], registry=own)
        self._live = Gauge("retake_runs_now", "Runs that wait or run.", ["dialect", "state"], registry=own)
        self._waited = Histogram(
            "retake_queue_wait_seconds", "From a run's submission to its start.", ["dialect"], buckets=SECONDS,
            registry=own,
        )  # fmt: skip
        self._took = Histogram(
            "retake_run_seconds", "From a run's start to its end.", ["dialect", "state"], buckets=SECONDS, registry=own
        )
        self._scores = Histogram(
            "retake_score", "Score of the chosen video.", ["dialect"], buckets=TENTHS, registry=own
        )
        self._accepted = Counter("retake_runs_accepted", "Runs that the critic accepted.", ["dialect"], registry=own)
        self._renders = Counter("retake_renders", "Clips rendered, failed attempts too.", ["dialect"], registry=own)
        self._steps = Counter("retake_step_seconds", "Seconds of runs by step.", ["step"], registry=own)
        self._gpu = Counter("retake_gpu_seconds", "Seconds of the generator's time.", ["dialect"], registry=own)
        self._usd = Counter("retake_spend_usd", "US dollars that renders were billed.", ["dialect"], registry=own)
        self._ready = Gauge("retake_model_ready", "1: the model's backends are there.", ["model"], registry=own)
        self._lost = Counter(
            "retake_engine_lost", "Processes that carried runs and died, or were killed as they hung.", ["how"],
            registry=own,
        )  # fmt: skip
        self._requests = Counter(
            "retake_http_requests", "HTTP requests answered.", ["method", "route", "status"], registry=own
        )
        self._answers = Histogram(
            "retake_http_request_seconds", "From a request to the beginning of its answer.", ["method", "route"],
            buckets=QUICK, registry=own,
        )  # fmt: skip
        self._jobs: dict[str, State] = {}
        """The last state seen of every live job."""
        self._counted: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, job: Job) -> None:
        """Take note of a job whose state may be another than before: new, started, over. Told twice, it counts once."""
        before = self._jobs.get(job.id)
        if before == job.state:
            return
        if before is not None:
            self._live.labels(job.dialect, before).dec()
        if job.live:
            self._jobs[job.id] = job.state
            self._live.labels(job.dialect, job.state).inc()
        else:
            self._jobs.pop(job.id, None)
        self._runs.labels(job.dialect, job.state).inc()
        if job.state == "running" and job.started_at is not None:
            self._waited.labels(job.dialect).observe(max(0.0, (job.started_at - job.created_at).total_seconds()))
        if not job.live:
            self._over(job)

    def _over(self, job: Job) -> None:
        dialect, result = job.dialect, job.result
        if job.started_at is not None and job.ended_at is not None:
            seconds = max(0.0, (job.ended_at - job.started_at).total_seconds())
            self._took.labels(dialect, job.state).observe(seconds)
        if result is None:
            return
        self._renders.labels(dialect).inc(result.renders)
        self._gpu.labels(dialect).inc(result.gpu_seconds)
        for step, seconds in result.seconds.items():
            self._steps.labels(step).inc(max(0.0, seconds))
        if result.price_usd is not None:
            self._usd.labels(dialect).inc(result.price_usd)
        if result.score is not None:
            self._scores.labels(dialect).observe(result.score)
        if result.accepted:
            self._accepted.labels(dialect).inc()

    def lost(self, how: str) -> None:
        """Count an engine that is gone: died or hung."""
        self._lost.labels(how).inc()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an HTTP request."""
        key = (method if method in METHODS else "OTHER", route, status)
        found = self._counted.get(key)
        if found is None:  # a lookup by labels costs more than the counting
            found = self._counted[key] = (
                self._requests.labels(key[0], route, str(status)),
                self._answers.labels(key[0], route),
            )
        found[0].inc()
        found[1].observe(seconds)

    def text(self, accept: str, lacking: Mapping[str, object]) -> tuple[bytes, str]:
        """All figures as text, and its media type.

        Args:
            accept: the header of whoever asks.
            lacking: what each model misses, as far as it is known.
        """
        for model, lacks in lacking.items():
            self._ready.labels(model).set(0 if lacks else 1)
        encode, kind = choose_encoder(accept)
        return encode(self.registry), kind


class Counted:
    """Counts what the application answers, by the templates of its routes."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        seen = scope["retake.seen"] = {"status": 500, "seconds": 0.0, "route": ELSEWHERE}

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"], seen["seconds"] = message["status"], time.perf_counter() - begun
            await send(message)

        try:
            await self._app(scope, receive, counting)
        finally:
            route = getattr(scope.get("route"), "path", None) or seen["route"]
            seconds = seen["seconds"] or time.perf_counter() - begun
            self._metrics.answered(scope["method"], route, seen["status"], seconds)
