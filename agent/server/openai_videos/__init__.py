"""The OpenAI Videos dialect: `/v1/videos` and `/v1/models`, for the openai clients' `videos` and everything alike."""

from agent.server.openai_videos.routes import router

__all__ = ["router"]
