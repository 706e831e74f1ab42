"""All routes of the dialect."""

from fastapi import APIRouter

from agent.server.nim import about, errors, health, infer

router = APIRouter()
for part in (infer, health, about):
    router.include_router(part.router)

__all__ = ["errors", "router"]
