"""Who may put a file where: signed words in place of a table."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Final

TOKEN_SECONDS: Final = 3600
"""That a token of fal's CDN lasts; its client asks for the next one by itself."""
_MARK: Final = "retake-cdn."
"""What such a token begins with, so that it is not taken for a key."""


@dataclass(frozen=True)
class Passes:
    """Makes and checks them. The same after a restart, since the secret is kept."""

    secret: bytes

    def ticket(self, id: str) -> str:  # noqa: A002 - the upload's own word
        """Lets its holder send the file of one upload, without a key."""
        return self._signed("put", id)

    def fits(self, id: str, ticket: str) -> bool:  # noqa: A002 - as above
        """Whether a ticket is that upload's, in constant time."""
        return hmac.compare_digest(self.ticket(id).encode(), ticket.encode(errors="replace"))

    def token(self, owner: str) -> tuple[str, float]:
        """Lets its holder upload in the name of an owner, and until when, in seconds since 1970."""
        until = time.time() + TOKEN_SECONDS
        said = base64.urlsafe_b64encode(json.dumps([owner, until]).encode()).decode()
        return f"{_MARK}{said}.{self._signed('cdn', said)}", until

    def owner(self, token: str) -> str | None:
        """In whose name a token's holder uploads; None: it is none of ours, or its time is over."""
        said, dot, signed = token.removeprefix(_MARK).rpartition(".")
        if not (token.startswith(_MARK) and dot):
            return None
        if not hmac.compare_digest(self._signed("cdn", said).encode(), signed.encode(errors="replace")):
            return None
        owner, until = json.loads(base64.urlsafe_b64decode(said))
        return str(owner) if time.time() < until else None

    def _signed(self, purpose: str, words: str) -> str:
        signed = hmac.digest(self.secret, f"{purpose}\0{words}".encode(errors="replace"), hashlib.sha256)
        return base64.urlsafe_b64encode(signed[:24]).decode()
