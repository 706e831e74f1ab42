"""NIM's dialect: POST /v1/infer as the Cosmos3 NIMs and the older ones take it, and what a NIM tells of itself."""

from agent.server.nim.routes import router

__all__ = ["router"]
