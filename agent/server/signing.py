"""Signing what is sent to webhooks (Ed25519), and where receivers find the key."""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agent.server.context import context_of
from agent.server.keeping import kept

KEY: Final = "webhook-ed25519.key"
"""The private key's 32 bytes, for this user's eyes alone. Removed, the next start makes another."""
CACHE_SECONDS: Final = 24 * 3600
"""For which receivers may keep the key: fal's own limit."""

router = APIRouter(tags=["webhooks"])


@dataclass(frozen=True)
class Signer:
    """A key that signs."""

    key: Ed25519PrivateKey

    @classmethod
    def of(cls, folder: Path) -> "Signer":
        """The one kept in a folder, made at the first time.

        Raises:
            OSError: the folder cannot be used.
            ValueError: what is kept there is no key.
        """
        return cls(Ed25519PrivateKey.from_private_bytes(kept(folder / KEY, _new)))

    @property
    def jwk(self) -> dict[str, str]:
        """The public key (RFC 8037); `kid` is its thumbprint (RFC 7638)."""
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        named = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public)}
        canonical = json.dumps(named, sort_keys=True, separators=(",", ":")).encode()
        return {**named, "kid": _base64url(hashlib.sha256(canonical).digest()), "alg": "EdDSA", "use": "sig"}

    def headers(self, request_id: str, user_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """What a receiver checks a body by: fal's four headers.

        Signed are the four lines request id, user id, timestamp and SHA-256 of the body.

        Args:
            request_id: of the job.
            user_id: whose job it is.
            timestamp: of the sending, in seconds since 1970.
            body: exactly as it is sent.
        """
        lines = (request_id, user_id, str(timestamp), hashlib.sha256(body).hexdigest())
        return {
            "X-Fal-Webhook-Request-Id": request_id,
            "X-Fal-Webhook-User-Id": user_id,
            "X-Fal-Webhook-Timestamp": str(timestamp),
            "X-Fal-Webhook-Signature": self.key.sign("\n".join(lines).encode()).hex(),
        }


@router.get("/fal/rest/.well-known/jwks.json", response_class=JSONResponse)
async def jwks(request: Request) -> Response:
    """The public key that webhooks are signed with, for anybody."""
    return JSONResponse(
        {"keys": [context_of(request).signer.jwk]}, headers={"cache-control": f"public, max-age={CACHE_SECONDS}"}
    )


def _new() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes_raw()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
