"""What a webhook is told of a job: what its client would be answered."""

from agent.server import fal
from agent.server.agentic import agentic
from agent.server.places import Places
from agent.server.runs.progress import ended
from agent.server.runs.view import view
from agent.server.types import Job


def payload(places: Places, job: Job) -> tuple[int, object]:
    """The end of a job as (HTTP status, body).

    fal's output or error; of our own API its view; of others the state and the `agentic` object.

    Args:
        places: where run folders lie.
        job: that is over.
    """
    if job.dialect == "fal":
        told = fal.outcome(job, job.base_url, places.run(job.id))
        return told.status, told.body
    problem = job.problem
    status = 200 if problem is None else problem.status
    if job.dialect == "runs":
        return status, view(job, ended(job), 0, job.base_url)
    error = None if problem is None else {"type": problem.type, "message": problem.message}
    return status, {"id": job.id, "state": job.state, "error": error, "agentic": agentic(job, job.base_url)}
