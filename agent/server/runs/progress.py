"""How far a job has come and what it has cost so far, as the view of a run has them."""

from collections import OrderedDict
from typing import Any, Final

from agent.forecast import Bounds
from agent.forecast import Forecast as Expected
from agent.run import Run
from agent.server.desk import Desk
from agent.server.types import Job

Standing = tuple[dict[str, Any], dict[str, Any]]
"""`progress` and `cost`."""
NOTHING: Final[Standing] = (
    {"done": 0.0, "iterations": 0, "renders": 0, "score": None, "forecast": None},
    {"gpu_seconds": 0.0, "price_usd": None},
)
KEPT: Final = 256
"""Runs whose standing is remembered: a run is polled far more often than it changes."""


class Standings:
    """The standing of each job, worked out anew only where its run has gone on."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[Run, Standing]] = OrderedDict()

    def of(self, job: Job, desk: Desk) -> Standing:
        """The job's standing."""
        if not job.live:
            return ended(job)
        run = desk.run(job) if job.started_at is not None else None
        if run is None:
            return NOTHING
        known = self._known.get(job.id)
        if known is None or known[0] is not run:
            known = self._known[job.id] = run, _standing(run, desk.progress(job))
            self._known.move_to_end(job.id)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return known[1]


def ended(job: Job) -> Standing:
    """The standing of a job that is over, by what is kept of it."""
    progress, cost = NOTHING
    done = 1.0 if job.state == "completed" else 0.0
    if job.result is None:
        return progress | {"done": done}, cost
    result = job.result
    told = {"done": done, "iterations": result.iterations, "renders": result.renders, "score": result.score}
    return progress | told, {"gpu_seconds": result.gpu_seconds, "price_usd": result.price_usd}


def _standing(run: Run, done: float) -> Standing:
    progress = {
        "done": round(done, 4),
        "iterations": len(run.iterations),
        "renders": run.renders,
        "score": run.score,
        "forecast": None if run.forecast is None else _forecast(run.forecast),
    }
    return progress, {"gpu_seconds": round(run.gpu.spent, 3), "price_usd": run.price.spent or None}


def _forecast(made: Expected) -> dict[str, Any]:
    wall = made.wall
    return {
        "renders": _pair(made.steps["render"].count if "render" in made.steps else None),
        "seconds": None if wall is None else [wall[0].expected, wall[1].worst],
        "price_usd": _pair(made.price_usd),
    }


def _pair(bounds: Bounds | None) -> list[float] | None:
    return None if bounds is None else [bounds.expected, bounds.worst]
