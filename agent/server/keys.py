"""API keys: how they are made, where they are kept, and whose they are.

A key is 256 bits from the system's generator, so a file keeps its SHA-256 alone: there is nothing to guess that a slow
hash would have to protect, and a request must not cost what scrypt costs. A key is found by the beginning of that hash
and compared by all of it, in constant time: what a lookup's time could tell is about the hash of a guess.
"""

import hashlib
import ipaddress
import re
import secrets
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, get_args
from urllib.parse import urlsplit

from agent.errors import ConfigError
from agent.server.config import ServerConfig
from agent.server.types import ANYBODY, Caller, Scope

SCOPES: Final = frozenset(get_args(Scope))
USUAL: Final[frozenset[Scope]] = frozenset({"run", "read", "upload"})
"""Of a key that says nothing else: everything but looking at others' runs and at the metrics."""
SHORTEST: Final = 16
"""Characters of a key of one's own making."""
_PREFIX: Final = "rtk_"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_NAMED: Final = re.compile(rf"(?P<name>{_NAME.pattern})(?P<scopes>:[a-z+]*)?=(?P<key>.*[^=].*)", re.DOTALL)
_LINE: Final = re.compile(r"(?P<name>\S+)[ \t]+(?P<scopes>\S+)[ \t]+sha256:(?P<digest>[0-9a-fA-F]{64})")
_HEAD: Final = 4
"""Bytes of a hash that it is looked up by; the rest is compared in constant time."""
_MOST_BYTES: Final = 10 * 2**20
"""Of a key file: over 80,000 keys."""


class Keys:
    """The keys that this server knows, by their hash.

    Args:
        callers: who has the key with that SHA-256.
    """

    def __init__(self, callers: Mapping[bytes, Caller]) -> None:
        self._count = len(callers)
        self._by_head: dict[bytes, list[tuple[bytes, Caller]]] = {}
        self._rights = {(caller.owner, scope) for caller in callers.values() for scope in caller.scopes}
        for digest, caller in callers.items():
            self._by_head.setdefault(digest[:_HEAD], []).append((digest, caller))

    def __len__(self) -> int:
        return self._count

    def may(self, owner: str, scope: Scope) -> bool:
        """Whether any key of that name has a scope."""
        return (owner, scope) in self._rights

    def caller(self, key: str) -> Caller | None:
        """Whose key this is; None: nobody's.

        `name:key` is taken for the key of that name: fal's clients join an id and a secret so.
        """
        found = self._found(key)
        if found is None and ":" in key:
            name, _, secret = key.partition(":")
            named = self._found(secret)
            found = named if named is not None and named.owner == name else None
        return found

    def _found(self, key: str) -> Caller | None:
        digest = digest_of(key)
        for known, caller in self._by_head.get(digest[:_HEAD], ()):
            if secrets.compare_digest(known, digest):
                return caller
        return None


def digest_of(key: str) -> bytes:
    """SHA-256 of a key."""
    return hashlib.sha256(_bytes(key)).digest()


def new_key(name: str, scopes: Iterable[str] = USUAL) -> tuple[str, str]:
    """A key for a name, to be shown once, and its line for `server.api_key_file`.

    Raises:
        ConfigError: the name or a scope is none.
    """
    _check_name(name, "--new-key")
    word = "+".join(sorted(_scopes("+".join(scopes), "--new-key")))
    key = _PREFIX + secrets.token_urlsafe(32)
    return key, f"{name} {word} sha256:{digest_of(key).hex()}"


def required(config: ServerConfig, host: str, environ: Mapping[str, str]) -> Keys | None:
    """The keys that requests must carry one of; None: anybody may ask.

    Args:
        config: the server's.
        host: the address that it will listen on.
        environ: where `server.api_keys_env` is looked up.

    Raises:
        ConfigError: a key or the file cannot be used; or others than this machine's users could ask without a key, and
            `server.allow_anybody` does not say that they may.
    """
    callers: dict[bytes, Caller] = {}
    text = environ.get(config.api_keys_env, "")
    if text.strip():
        for number, entry in enumerate(_entries(text, config.api_keys_env), start=1):
            where = f"{config.api_keys_env}, key {number}"
            name, key, scopes = _named(entry, where)
            _put(callers, digest_of(key), name, scopes, where)
    if config.api_key_file is not None:
        _read(Path(config.api_key_file).expanduser(), callers)
    if callers:
        return Keys(callers)
    if config.api_key_file is not None:
        raise ConfigError(
            "server.api_key_file: it holds no key; write the line into it that `retake serve --new-key NAME` prints, "
            "or take api_key_file out"
        )
    why = _reach(config, host)
    if why and not config.allow_anybody:
        raise ConfigError(
            f"server: {why}, so requests must carry a key, and none is set: put one into {_variable(config)}, or name "
            "a file in server.api_key_file (`retake serve --new-key NAME` makes one). server.allow_anybody: true lets "
            "everybody in who can reach it"
        )
    return None


def _variable(config: ServerConfig) -> str:
    """The variable's name, unless that may be a pasted key."""
    name = config.api_keys_env
    return f"the environment variable {name}" if name == name.upper() else "the environment variable of api_keys_env"


@lru_cache(1024)  # asked at every request
def on_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return False


def _reach(config: ServerConfig, host: str) -> str:
    """Why others than this machine's users can reach the server; "": they cannot."""
    if not on_loopback(host):
        return f"others can reach it at {host or 'every address of this machine'}"
    if config.trusted_proxies:
        return "server.trusted_proxies says that it stands behind a proxy"
    if config.public_url is not None and not on_loopback(urlsplit(config.public_url).hostname or ""):
        return "server.public_url says that others reach it"
    return ""


def _entries(text: str, name: str) -> list[str]:
    entries = [entry.strip() for entry in text.split(",")]
    found = [entry for entry in entries if entry]
    if not found:
        raise ConfigError(f"{name}: it is set and holds no key; put keys into it, separated by commas, or unset it")
    return found


def _named(entry: str, where: str) -> tuple[str, str, frozenset[Scope]]:
    """(name, key, scopes) of `key`, `name=key` or `name:run+read=key`."""
    match = _NAMED.fullmatch(entry)
    key = match["key"].strip() if match else entry
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigError(f"{where}: it has characters that no header can carry")
    if len(key) < SHORTEST:
        raise ConfigError(
            f"{where}: it has fewer than {SHORTEST} characters and could be guessed; `retake serve --new-key NAME` "
            "makes one"
        )
    if match is None:  # told apart without telling the key
        return f"key-{digest_of(key).hex()[:8]}", key, USUAL
    return match["name"], key, _scopes(match["scopes"][1:], where) if match["scopes"] else USUAL


def _read(path: Path, callers: dict[bytes, Caller]) -> None:
    try:
        if path.stat().st_mode & 0o002:
            raise ConfigError("server.api_key_file: everybody on this machine may write to it; chmod o-w it")
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise ConfigError(f"server.api_key_file: {path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise ConfigError("server.api_key_file: it is no text") from None
    if len(data) > _MOST_BYTES:
        raise ConfigError(f"server.api_key_file: it is over {_MOST_BYTES // 2**20} MiB")
    for number, line in enumerate(text.splitlines(), start=1):
        said = line.partition("#")[0].strip()
        if not said:
            continue
        where = f"server.api_key_file, line {number}"
        match = _LINE.fullmatch(said)
        if match is None:  # never the line itself: it may be a key that was pasted
            raise ConfigError(
                f"{where}: it must look like `name run+read sha256:…`, as `retake serve --new-key NAME` prints it; "
                "keys themselves do not belong there"
            )
        _put(callers, bytes.fromhex(match["digest"]), match["name"], _scopes(match["scopes"], where), where)


def _put(callers: dict[bytes, Caller], digest: bytes, name: str, scopes: frozenset[Scope], where: str) -> None:
    _check_name(name, where)
    if digest in callers:
        raise ConfigError(f"{where}: the same key stands there twice")
    callers[digest] = Caller(owner=name, scopes=scopes)


def _scopes(text: str, where: str) -> frozenset[Scope]:
    words = frozenset(text.split("+"))
    if words == {"all"}:
        return SCOPES
    if wrong := sorted(words - SCOPES):
        raise ConfigError(f"{where}: {wrong[0][:20]!r} is no scope; take some of {'+'.join(sorted(SCOPES))}, or all")
    return frozenset(word for word in SCOPES if word in words)


def _check_name(name: str, where: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise ConfigError(f"{where}: a key's name has up to 64 letters, digits and . _ @ -, a letter or digit first")
    if name == ANYBODY:
        raise ConfigError(f"{where}: the name {ANYBODY!r} is of those who ask without a key; take another")


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
