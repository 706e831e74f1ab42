"""`retake serve` as attacks find it: with two keys, a finished job of one of them, and a canary beside it."""

import base64
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from tests.gates import KEY, KEYS, OTHER, as_key
from tests.ports import free_port
from tests.serving import Process, serving

ANN, BOB = as_key(KEY), as_key(OTHER, "Bearer")
APP: Final = "/fal/queue/nvidia/cosmos-3-super"
I2V, T2V = f"{APP}/image-to-video", f"{APP}/text-to-video"
SMALL: Final = {"enable_agentic_generation": False, "num_frames": 13, "image_size": {"width": 256, "height": 256}}


class Victim:
    """The server with two keys, and a finished job of one of them."""

    def __init__(self, process: Process, canary: "Canary") -> None:
        self.process, self.canary = process, canary
        self.port = process.port
        self.client = httpx.Client(base_url=process.url, timeout=60, trust_env=False, follow_redirects=False)
        self.job, self.video = "", ""

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """As ann, unless other headers are given."""
        return self.client.request(method, path, **{"headers": ANN, **more})

    def submit(self, path: str = T2V, **fields: Any) -> str:
        reply = self.ask("POST", path, json={"prompt": "a kite", **SMALL, **fields})
        assert reply.status_code == 200, reply.text
        return str(reply.json()["request_id"])

    def ended(self, id: str) -> httpx.Response:  # noqa: A002 - its name on the wire
        until = time.monotonic() + 100
        while self.ask("GET", f"{APP}/requests/{id}/status").json()["status"] != "COMPLETED":
            assert time.monotonic() < until
            time.sleep(0.05)
        return self.ask("GET", f"{APP}/requests/{id}")

    def take_back(self, body: bytes) -> None:
        """What was taken after all is not rendered. `body`: of the answer that took it."""
        try:
            told = json.loads(body)
        except ValueError:
            return
        if not isinstance(told, dict):
            return
        if "request_id" in told:
            self.ask("PUT", f"{APP}/requests/{told['request_id']}/cancel")
        elif str(told.get("id", "")).startswith("video"):
            self.ask("DELETE", f"/v1/videos/{told['id']}")
        elif "id" in told:
            self.ask("POST", f"/v1/runs/{told['id']}/cancel")

    def memory(self, *, engine: bool = True) -> float:
        """Bytes of the server, and of its engine, which may be about another test's work just now."""
        server = self._server()
        found = 0.0
        for process in (server, *(server.children(recursive=True) if engine else ())):
            with suppress(psutil.NoSuchProcess):  # a child that ends meanwhile
                found += process.memory_info().rss
        return found

    def worked(self) -> float:
        """Seconds that the server's own process has had of a processor."""
        times = self._server().cpu_times()
        return float(times.user + times.system)

    def _server(self) -> psutil.Process:
        assert self.process.process is not None
        return psutil.Process(self.process.process.pid)


class Canary:
    """A server on this machine that nobody may be led to: it counts who comes."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", free_port()))  # nobody is given it by chance
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                wire, _ = self._socket.accept()
            except OSError:
                return
            with wire:
                wire.settimeout(1)
                try:
                    self.heard.append(wire.recv(1000))
                except OSError:
                    self.heard.append(b"")

    def close(self) -> None:
        self._socket.close()


@contextmanager
def victim(folder: Path) -> Iterator[Victim]:
    """A server to be attacked."""
    canary = Canary()
    limits = ("server.limits.max_running=2", "server.limits.requests_per_second=null")
    sizes = ("server.limits.max_body_bytes=2000000", "server.limits.max_upload_bytes=4000000")
    keys = {"RETAKE_API_KEYS": KEYS.replace(":read", "")}
    with serving(folder, *limits, *sizes, environment=keys, verbose=True, port=0) as process:
        server = Victim(process, canary)
        server.job = server.submit()
        server.video = server.ended(server.job).json()["video"]["url"].removeprefix(process.url)
        yield server
        server.client.close()
    canary.close()


def png(width: int, height: int) -> bytes:
    """A PNG of one colour: a bit a pixel, and as many as asked for, in next to no bytes."""
    row = b"\0" + bytes((width + 7) // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    facts = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", facts) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def data_uri(data: bytes, kind: str = "image/png") -> str:
    """A file as clients put it into a request."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
