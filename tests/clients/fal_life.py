"""The whole life of requests by fal's Python client, as a process. Prints what it saw as one JSON object.

python fal_life.py [BASE [short]]: with BASE its addresses are set to http; without, or with "", they are what the
environment makes them. short: one request, synchronously.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import fal_client
import fal_client.client as wire

TEXT = "nvidia/cosmos-3-super/text-to-video"
SMALL = {
    "prompt": "A red ball rolls over a wooden table",
    "num_frames": 13,
    "image_size": {"width": 256, "height": 256},
}
AGENTIC = {**SMALL, "seed": 7, "enable_agentic_generation": True, "agentic_max_iterations": 1}
LONG = {**SMALL, "num_frames": 189, "image_size": "landscape_16_9"}


def failing(work: Callable[[], object]) -> dict[str, Any]:
    """What a call raises."""
    try:
        work()
    except fal_client.client.FalClientHTTPError as error:
        return {"status": error.status_code, "message": error.message, "error_type": error.error_type}
    return {}


def whole_life() -> dict[str, Any]:
    """By the synchronous client."""
    said: dict[str, Any] = {}
    updates: list[dict[str, Any]] = []

    def hear(update: fal_client.Status) -> None:
        lines = [line["message"] for line in getattr(update, "logs", None) or []]
        updates.append({"status": type(update).__name__, "lines": lines, "metrics": getattr(update, "metrics", None)})

    said["subscribed"] = fal_client.subscribe(TEXT, AGENTIC, with_logs=True, on_queue_update=hear)
    said["updates"] = updates
    if len(sys.argv) > 2:
        return said
    said["run"] = fal_client.run(TEXT, {**SMALL, "sync_mode": True})
    said["run"]["video"]["url"] = said["run"]["video"]["url"][:40]
    said["invalid"] = failing(lambda: fal_client.submit(TEXT, {**SMALL, "num_frames": 1000}))
    said["foreign"] = failing(lambda: fal_client.run("fal-ai/flux/dev", {"prompt": "x"}))
    said["late"] = failing(lambda: fal_client.run(TEXT, SMALL, headers={"X-Fal-Request-Timeout": "0"}))
    handle = fal_client.submit(TEXT, LONG, priority="low", start_timeout=600)
    handle.cancel()
    said["gone"] = failing(handle.get)
    last = handle.status(with_logs=True)
    said["cancelled"] = {"status": type(last).__name__, **vars(last)}
    said["twice"] = failing(handle.cancel)
    said["unknown"] = failing(lambda: fal_client.status(TEXT, "00000000-0000-0000-0000-000000000000"))
    return said


async def asynchronously() -> dict[str, Any]:
    """By the asynchronous client, which follows no redirect."""
    handle = await fal_client.submit_async(TEXT, SMALL)
    out: dict[str, Any] = await handle.get()
    return out


def main() -> None:
    """All of it."""
    if len(sys.argv) > 1 and sys.argv[1]:
        base = sys.argv[1]
        wire.RUN_URL_FORMAT, wire.QUEUE_URL_FORMAT = f"{base}/fal/run/", f"{base}/fal/queue/"
        wire.REST_URL, wire.CDN_URL = f"{base}/fal/rest", f"{base}/fal/cdn"
    said = whole_life()
    if len(sys.argv) <= 2:
        said["asynchronous"] = asyncio.run(asynchronously())
    print(json.dumps(said))  # noqa: T201 - a process that is asked to


if __name__ == "__main__":
    main()
