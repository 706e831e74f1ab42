"""A run on a server followed to its end, and told as the events of one that lies here."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
from pydantic import TypeAdapter, ValidationError

from agent.errors import ServingError
from agent.events import Emit, Event, RunStarted, ServerReady, ServerWaiting
from agent.remote.answers import AGAIN, Told, read, refusal
from agent.remote.server import STREAMING, Link
from agent.remote.sse import Message, messages

log = logging.getLogger(__name__)

PART: Final = "server"
"""Who is waited for while a run is in the server's queue, as events name it."""
_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Event)
Hear = Callable[[Message, Told | None], None]
"""A message of the stream, and the run as the server tells it, where the message is that."""
LOST: Final = "lost"
"""Type of the message that is no server's: the stream broke, for the reason that is its data."""


async def follow(link: Link, id: str, hear: Hear | None = None) -> Told:  # noqa: A002 - the API's own word
    """Follow a run to its end, over dropped connections and restarts of the server.

    Args:
        link: to the server.
        id: the run's.
        hear: called with each message, once. None: nobody listens.

    Returns:
        The run, over.

    Raises:
        ServingError: the server is gone for good, or does not know the run any more.
    """
    hear = hear or _ignore
    last, url = 0, f"{link.server.url}/v1/runs/{id}/events"
    while True:
        headers = {**link.headers, "accept": "text/event-stream", "last-event-id": str(last)}
        try:
            async with link.client.stream("GET", url, headers=headers, timeout=STREAMING) as response:
                if response.status_code != 200:
                    await response.aread()
                    if response.status_code not in AGAIN:
                        raise refusal(response, link.server.url, link.server.key_env)
                    why = f"HTTP {response.status_code}"
                else:
                    why = "the connection ended"
                    async for message in messages(response.aiter_bytes()):
                        link.heard()
                        told = read(Told, message.data, link.server.url) if message.type in {"state", "end"} else None
                        hear(message, told)
                        if told is not None and message.type == "end":
                            return told
                        last = message.id or last
        except (httpx.TransportError, ValueError) as error:
            why = str(error) or type(error).__name__
        hear(Message(LOST, why, None), None)
        try:
            await link.wait(why)
        except ServingError as error:
            raise ServingError(f"{error} The run goes on once it is back: {link.server.url}/v1/runs/{id}") from error


class Listener:
    """Tells a caller what the stream tells, as events of a run that lies here.

    Args:
        url: of the server.
        folder: where the run will lie.
        on_event: the caller's. None: nobody listens.
    """

    def __init__(self, url: str, folder: Path, on_event: Emit | None) -> None:
        self._url = url
        self._folder = folder
        self._emit = on_event
        self._since: float | None = time.monotonic()
        """When the wait for the server began. None: it is not waited for."""
        self._model = ""

    def __call__(self, message: Message, told: Told | None) -> None:
        """Hear a message."""
        if self._emit is None:
            return
        if message.type == LOST:
            self._waits(f"the connection was lost ({message.data})")
        elif told is not None:
            self._model = told.model
            if told.state == "queued":
                self._waits(f"{told.position} before it in its queue" if told.position else "next in its queue")
            elif told.live:
                self._ready()
        else:
            self._ready()
            self._tell(message)

    def _waits(self, line: str) -> None:
        self._since = self._since or time.monotonic()
        if self._emit is not None:
            self._emit(ServerWaiting(part=PART, seconds=round(time.monotonic() - self._since, 1), line=line))

    def _ready(self) -> None:
        if self._since is not None and self._emit is not None:
            waited = round(time.monotonic() - self._since, 1)
            self._since = None
            told = {"part": PART, "url": self._url, "model": self._model, "seconds": waited, "reused": waited < 1}
            self._emit(ServerReady.model_validate(told))

    def _tell(self, message: Message) -> None:
        try:
            event = _EVENT.validate_json(message.data, context={"folder": self._folder})
        except ValidationError:
            log.debug("an event that this version does not know was passed over: %s", message.type)
            return
        if isinstance(event, RunStarted):  # where it lies is not written down with it
            event = event.model_copy(update={"run": event.run.model_copy(update={"folder": self._folder})})
        if self._emit is not None:
            self._emit(event)


def _ignore(message: Message, told: Told | None) -> None:
    del message, told
