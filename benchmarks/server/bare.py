"""A bare FastAPI application in uvicorn: what the framework alone takes for the same load.

python -m benchmarks.server.bare --port N
"""

import argparse

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.responses import Response

STATUS = (
    b'{"status":"IN_PROGRESS","request_id":"019aa3c1-3f0e-7cc2-b4b5-3d5c1d8a0c11","logs":null,'
    b'"response_url":"http://127.0.0.1:8000/fal/queue/nvidia/cosmos-3-super/requests/019aa3c1-3f0e-7cc2-b4b5-3d5c1d8a0c11",'
    b'"status_url":"http://127.0.0.1:8000/fal/queue/nvidia/cosmos-3-super/requests/019aa3c1-3f0e-7cc2-b4b5-3d5c1d8a0c11/status",'
    b'"cancel_url":"http://127.0.0.1:8000/fal/queue/nvidia/cosmos-3-super/requests/019aa3c1-3f0e-7cc2-b4b5-3d5c1d8a0c11/cancel"}'
)
"""As many bytes as fal's own."""


class Asked(BaseModel):
    """A submit's body, its fields checked as FastAPI checks them."""

    prompt: str
    num_frames: int = 189
    enable_agentic_generation: bool = False


def application() -> FastAPI:
    """Two routes, nothing before and nothing behind them."""
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.get("/status/{name}")
    async def status(name: str) -> Response:
        del name
        return Response(STATUS, media_type="application/json")

    @app.post("/submit")
    async def submit(asked: Asked) -> dict[str, str]:
        return {"request_id": asked.prompt}

    return app


def main() -> None:
    """Serve it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server.bare")
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    uvicorn.run(  # idle connections are kept as long as by the server
        application(), host="127.0.0.1", port=args.port, log_level="warning", access_log=False, timeout_keep_alive=30
    )


if __name__ == "__main__":
    main()
