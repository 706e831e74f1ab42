"""Uploads by fal's Python client, as a process: every way it has. Prints what it saw as one JSON object.

python fal_uploads.py BASE FILE
"""

import asyncio
import json
import logging
import sys
from pathlib import Path

import fal_client
import fal_client.client as names
import httpx


def main(base: str, file: str) -> dict[str, object]:
    """Upload FILE each way, and fetch it again."""
    names.REST_URL, names.CDN_URL = f"{base}/fal/rest", f"{base}/fal/cdn"
    data = Path(file).read_bytes()
    urls = {
        "fal_v3": fal_client.upload(data, "image/png", "a b.png", fallback_repository=[]),
        "fal": fal_client.upload(data, "image/png", "a b.png", repository="fal", fallback_repository=[]),
        "kept_a_minute": fal_client.upload(
            data, "image/png", fallback_repository=[], lifecycle=fal_client.StorageSettings(expires_in="immediate")
        ),
        "file": fal_client.upload_file(file, fallback_repository=[]),  # type: ignore[arg-type]
        "async": asyncio.run(fal_client.upload_async(data, "image/png", fallback_repository=[])),
    }
    refused = ""
    names.MULTIPART_THRESHOLD = 1 << 40
    try:
        fal_client.upload(bytes(100_000_001), "image/png", fallback_repository=[])
    except Exception as error:  # noqa: BLE001 - whatever the client makes of it is the finding
        refused = f"{type(error).__name__}: {error}"
    names.MULTIPART_THRESHOLD, names.MULTIPART_CHUNK_SIZE = 1000, 4000
    urls["parts"] = fal_client.upload(data, "image/png", "big.png", fallback_repository=[])
    urls["file_in_parts"] = fal_client.upload_file(file, fallback_repository=[])  # type: ignore[arg-type]
    urls["async_parts"] = asyncio.run(fal_client.upload_async(data, "image/png", fallback_repository=[]))
    same = {way: httpx.get(url, timeout=60).content == data for way, url in urls.items()}
    return {"urls": urls, "same": same, "refused": refused}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    print(json.dumps(main(sys.argv[1], sys.argv[2])))  # noqa: T201 - what it is for
