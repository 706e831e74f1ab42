"""The table of docs/backends.md: every backend beside what it can do."""

from collections.abc import Callable, Iterable

from generator.capabilities import Capabilities, Range, capabilities
from generator.config import AnimaticConfig, DiffusersConfig, FalConfig, NIMConfig, VLLMOmniConfig
from generator.sizes import MAX_FRAMES, SIZES
from generator.types import Mode

CONFIGS = (
    AnimaticConfig(),
    VLLMOmniConfig(),
    NIMConfig(dialect="v1"),
    NIMConfig(dialect="v2"),
    NIMConfig(dialect="predict"),
    NIMConfig(dialect="transfer"),
    DiffusersConfig(family="cosmos3"),
    DiffusersConfig(family="cosmos3_distilled"),
    DiffusersConfig(family="predict2.5"),
    DiffusersConfig(family="cogvideox"),
    FalConfig(model="nvidia/cosmos-3-super/image-to-video"),
    FalConfig(model="fal-ai/cosmos-predict-2.5/text-to-video"),
    FalConfig(model="fal-ai/cosmos-predict-2.5/image-to-video"),
    FalConfig(model="fal-ai/cogvideox-5b/image-to-video"),
)
"""One of each kind of generator."""
_MODES: dict[Mode, str] = {
    "text2video": "from text",
    "image2video": "from an image",
    "video2video": "going on from a video",
    "transfer": "steered by control videos",
}


def table() -> str:
    """All backends as two Markdown tables: what a clip can be, and how a render behaves."""
    able = [capabilities(config) for config in CONFIGS]
    clip: dict[str, Callable[[Capabilities], str]] = {
        "backend": lambda c: f"`{c.name}`",
        "clips": lambda c: ", ".join(words for mode, words in _MODES.items() if mode in c.modes),
        "sizes": _sizes,
        "frames (default)": lambda c: f"{_range(c.frames)}, {c.frame_step}k+1 ({c.default_frames})",
        "fps (default)": lambda c: f"{_range(c.fps)} ({c.default_fps})",
        "steps (default)": lambda c: f"{_range(c.steps)} ({c.default_steps})",
        "guidance (default)": lambda c: f"{_range(c.guidance)} ({c.default_guidance:g})",
        "flow_shift (default)": _shift,
        "sound": lambda c: _yes(c.sound),
        "caption": _caption,
    }
    render: dict[str, Callable[[Capabilities], str]] = {
        "backend": lambda c: f"`{c.name}`",
        "progress told": lambda c: c.progress,
        "a render stops when cancelled": lambda c: c.cancel,
        "guardrails": lambda c: c.guardrails,
        "same request and seed": lambda c: c.same_seed,
        "price of a render": lambda c: c.price,
    }
    tiers = ", ".join(f"{frames} at {tier}p" for tier, frames in MAX_FRAMES.items())
    longest = f"Of Cosmos3's sizes, a clip has at most {tiers}."
    return "\n".join([*_rows(clip, able), "", longest, "", *_rows(render, able)]) + "\n"


def _rows(columns: dict[str, Callable[[Capabilities], str]], able: Iterable[Capabilities]) -> list[str]:
    head = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return head + [f"| {' | '.join(cell(one) for cell in columns.values())} |" for one in able]


def _sizes(able: Capabilities) -> str:
    if able.sizes == SIZES:
        return "Cosmos3's 15 (256p to 720p)"
    return ", ".join(f"{size.width}x{size.height}" for size in able.sizes)


def _shift(able: Capabilities) -> str:
    if not able.flow_shift:
        return "no"
    return "yes (the model's)" if able.default_flow_shift is None else f"yes ({able.default_flow_shift:g})"


def _range(span: Range) -> str:
    return f"{span.least:g}" if span.least == span.most else f"{span.least:g}-{span.most:g}"


def _caption(able: Capabilities) -> str:
    if not able.json_caption:
        return "prose"
    return f"structured up to {able.prompt_limit:,} characters, else prose" if able.prompt_limit else "structured"


def _yes(can: bool) -> str:
    return "yes" if can else "no"
