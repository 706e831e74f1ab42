"""How a render can fail on vLLM-Omni, in words with a cure."""

import re

from generator.types import BackendError, BlockedError, RenderError

LONGEST = 300
"""Characters of a server's own message that are passed on."""

_CURES = (
    (
        r"without sound modules|do not support sound|sound generation is unsupported",
        "This checkpoint makes no sound: set sound to false, or serve one that does.",
    ),
    (
        r"text-to-video requests are unsupported",
        "This is a distilled checkpoint, which only goes on from an image: give a first frame, or serve the full one.",
    ),
    (
        r"requests are unsupported|Edge checkpoints do not support",
        "This checkpoint cannot do that: serve nvidia/Cosmos3-Nano or another that can.",
    ),
    (
        r"No video outputs found",
        "vLLM-Omni's scheduler fails with many steps at a high flow_shift: ask for at most 100 steps, or less shift.",
    ),
    (
        r"adapter_config\.json|[Ll]o[Rr][Aa]",
        "generator.lora.path is a folder as the server sees it, or a Hugging Face id: check it there.",
    ),
    (r"RIFE|flownet", "The server could not interpolate: set generator.rife to 0, or give it RIFE's weights."),
)
_BLOCKED = re.compile(r"\bblocked by\b.*\bguardrail", re.IGNORECASE | re.DOTALL)
"""The server's own words; a guardrail that cannot act is named in others."""
_MEMORY = re.compile(r"out of memory|OutOfMemory|CUBLAS_STATUS_ALLOC_FAILED", re.IGNORECASE)
_DEVICE = re.compile(r"CUDA error|CUDNN|CUBLAS|NCCL|device-side assert|illegal memory access", re.IGNORECASE)
_ENGINE = re.compile(r"Engine\w*Dead|EngineCore|Engine core|worker\S* died|orchestrator.*died", re.IGNORECASE)


class BusyError(Exception):
    """The server took nothing: not reachable, or full."""


class LostError(Exception):
    """A job that gives nothing as things stand, through no fault of its request.

    Args:
        why: in words.
        gone: it never will. Otherwise it may still, once its server is well again.
        stalled: whatever is sent behind it would wait.
    """

    def __init__(self, why: str, *, gone: bool = True, stalled: bool = False) -> None:
        super().__init__(why)
        self.gone, self.stalled = gone, stalled


class FaultError(BackendError):
    """A server cannot render this through a fault of its own: another one may.

    Args:
        message: in words with a cure.
        why: in short, for the pool.
    """

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message)
        self.why = why


class SilentError(Exception):
    """The server did not answer a question, or not with what it is asked for.

    Args:
        why: in words.
        dead: nobody listens there.
    """

    def __init__(self, why: str, *, dead: bool = False) -> None:
        super().__init__(why)
        self.dead = dead


def one_line(text: str) -> str:
    """A server's message, in one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def refusal(url: str, status: int, message: str) -> Exception:
    """The error for a submission that was answered with `status`."""
    said = one_line(message) or "nothing"
    if status in (401, 403):
        return unauthorized(url, status)
    if status in (429, 503):
        return BusyError(f"it takes no more jobs (HTTP {status})")
    if status in (404, 405):
        return FaultError(
            f"{url} renders no videos (HTTP {status}). Start it with vllm serve … --omni.", "it renders no videos"
        )
    if status in (502, 504, 408):
        return LostError(f"a gateway answered for it (HTTP {status})")
    if 400 <= status < 500:
        return _blocked(status, message) or RenderError(f"vLLM-Omni refused the render (HTTP {status}): {said}")
    return FaultError(
        f"{url} could not take the render (HTTP {status}): {said} Look at its log, or restart it.",
        f"it takes no render (HTTP {status})",
    )


def failure(url: str, code: int | str, message: str) -> Exception:
    """The error for a job that ended as failed, with its record's `code` and `message`."""
    said = one_line(message) or f"error {code}"
    if blocked := _blocked(code, message):
        return blocked
    if _MEMORY.search(message):
        return FaultError(
            f"{url} ran out of GPU memory: {said} Ask for fewer frames or a smaller size, or start it with "
            "--enable-layerwise-offload or on more GPUs; restart it if later renders fail too.",
            "it ran out of memory",
        )
    if _DEVICE.search(message):
        return FaultError(
            f"{url} failed on its GPU: {said} Restart it, and look at its log and at the GPU if that happens again.",
            "its GPU failed",
        )
    if "guardrail" in message.lower():
        return FaultError(
            f"The guardrails of {url} do not work: {said} Install cosmos-guardrail and its models in the server's "
            "environment, and start it again.",
            "its guardrails do not work",
        )
    if _ENGINE.search(f"{code} {message}"):
        return LostError(f"its engine died ({said})")
    cure = next((cure for pattern, cure in _CURES if re.search(pattern, message)), "")
    return RenderError(f"vLLM-Omni could not render it: {said}{f' {cure}' if cure else ''}")


def unauthorized(url: str, status: int) -> FaultError:
    """The error for a server that wants another key."""
    return FaultError(
        f"{url} refused the key (HTTP {status}). Name the environment variable that holds its key in "
        "generator.api_key_env.",
        f"it refused the key (HTTP {status})",
    )


def _blocked(code: int | str, message: str) -> BlockedError | None:
    if str(code) != "400" or not _BLOCKED.search(message):
        return None
    return BlockedError(
        f"The server's safety checks refused the prompt: {one_line(message)} Change the prompt. Who may switch the "
        "checks off does so with guardrails: false."
    )
