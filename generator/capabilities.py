"""What each backend can do: read before a request is made exact, and printed as the table of docs/backends.md."""

import json
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from generator.config import AnimaticConfig, DiffusersConfig, FalConfig, GeneratorConfig, NIMConfig, VLLMOmniConfig
from generator.sizes import MAX_FRAMES, SIZES, Size
from generator.types import Mode

Family = Literal["cosmos3", "cosmos3_distilled", "predict2.5", "cogvideox"]


class Range(NamedTuple):
    """Both ends included."""

    least: float
    most: float


class Capabilities(BaseModel):
    """What a backend can do, and what it does where nothing is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Backend and, where it matters, model."""
    modes: tuple[Mode, ...]
    sizes: tuple[Size, ...] = SIZES
    default_size: tuple[int, int] = (832, 480)
    frames: Range = Range(5, max(MAX_FRAMES.values()))
    """Frames of a clip; the longest also depends on the size (`longest`)."""
    frame_step: int = 4
    """Frame counts are a multiple of this, plus 1."""
    default_frames: int = 189
    fps: Range = Range(1, 60)
    default_fps: int = 24
    steps: Range = Range(1, 100)
    default_steps: int = 35
    guidance: Range = Range(0, 20)
    default_guidance: float = 6.0
    json_caption: bool = True
    """Whether the model was trained on the structured caption. False: the reasoner writes prose."""
    prompt_limit: int | None = None
    """Characters that a prompt may have. None: no limit that a caption comes near."""
    flow_shift: bool = False
    """Whether the shift can be set."""
    default_flow_shift: float | None = None
    """None: the server's or the checkpoint's own."""
    sound: bool = False
    """Whether a model with sound can make it."""
    progress: Literal["every step", "queue only", "none"] = "none"
    cancel: Literal["between frames", "between steps", "while queued", "none"] = "none"
    """When a render that nobody waits for any more really stops."""
    guardrails: Literal["switchable", "server's", "none"] = "none"
    """Whether there are safety checks, and whether a request can switch them off. server's: its operator decides."""
    same_seed: Literal["same bytes", "same frames", "not promised"] = "not promised"
    """What the same request with the same seed gives again, on the same machine and versions."""
    price: str = "none"
    """What a render costs, in words."""

    def longest(self, size: Size) -> int:
        """Most frames of a size."""
        return min(int(self.frames.most), MAX_FRAMES.get(size.tier, int(self.frames.most)))


_COSMOS3: tuple[Mode, ...] = ("text2video", "image2video", "video2video")
_PREDICT_SIZE = Size(1280, 704, 720, "16,9")
_COG_SIZE = Size(720, 480, 480, "3,2")


def capabilities(config: GeneratorConfig) -> Capabilities:
    """What the backend of a config can do. Loads no backend and asks no server."""
    match config:
        case AnimaticConfig():
            return Capabilities(
                name="animatic",
                modes=("text2video", "image2video"),
                steps=Range(1, 200),
                cancel="between frames",
                same_seed="same bytes",
            )
        case VLLMOmniConfig():
            return Capabilities(
                name="vllm_omni",
                modes=(*_COSMOS3, "transfer"),
                flow_shift=True,
                default_flow_shift=10.0,
                sound=True,
                progress="queue only",
                cancel="while queued",
                guardrails="switchable",
                same_seed="same bytes",
            )
        case NIMConfig(dialect=dialect):
            return _nim(dialect)
        case DiffusersConfig():
            return _diffusers(family(config))
        case FalConfig(model=model):
            return _fal(model)


def family(config: DiffusersConfig) -> Family:
    """The kind of pipeline that a checkpoint holds: as configured, read from its folder, or told by its name."""
    if config.family != "auto":
        return config.family
    folder = Path(config.model).expanduser()
    try:
        named = str(json.loads((folder / "model_index.json").read_text(encoding="utf-8"))["_class_name"])
    except (OSError, ValueError, KeyError, TypeError):
        named = config.model
    named = named.lower()
    if "cog" in named:
        return "cogvideox"
    if "2_5" in named or "2.5" in named or "predict2" in named:
        return "predict2.5"
    return "cosmos3_distilled" if _distilled(folder) else "cosmos3"


def _distilled(folder: Path) -> bool:
    """Whether the scheduler is the fixed one of a distilled checkpoint, as vLLM-Omni recognises it."""
    try:
        found = json.loads((folder / "scheduler/scheduler_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return (
        isinstance(found, dict)
        and found.get("_class_name") == "FlowMatchEulerDiscreteScheduler"
        and isinstance(found.get("fixed_step_sampler_config"), dict)
    )


def _nim(dialect: str) -> Capabilities:
    modes: tuple[Mode, ...] = ("text2video", "image2video")
    if dialect in {"auto", "v2", "predict"}:
        modes = (*modes, "video2video")
    if dialect == "transfer":
        modes = ("transfer",)
    elif dialect == "auto":
        modes = (*modes, "transfer")
    older = dialect in {"predict", "transfer"}
    return Capabilities(
        name="nim" if dialect == "auto" else f"nim ({dialect})",
        modes=modes,
        sizes=(_PREDICT_SIZE,) if dialect == "predict" else SIZES,
        default_size=(1280, 704) if dialect == "predict" else (832, 480),
        frames=Range(25, 397),
        default_frames=121 if older else 189,
        guidance=Range(1, 7) if not older else Range(0, 20),
        flow_shift=not older,
        json_caption=not older,
        guardrails="server's",
    )


def _diffusers(kind: Family) -> Capabilities:
    common = {"progress": "every step", "cancel": "between steps", "same_seed": "same bytes"}
    match kind:
        case "cosmos3":
            more = {"modes": _COSMOS3, "flow_shift": True, "sound": True, "guardrails": "switchable"}
        case "cosmos3_distilled":
            more = {
                "modes": ("text2video", "image2video"),
                "steps": Range(4, 4),
                "default_steps": 4,
                "guidance": Range(1, 1),
                "default_guidance": 1.0,
                "guardrails": "switchable",
                "progress": "none",
                "cancel": "none",
            }
        case "predict2.5":
            more = {
                "modes": _COSMOS3,
                "sizes": (_PREDICT_SIZE,),
                "default_size": (1280, 704),
                "frames": Range(5, 93),
                "default_frames": 93,
                "default_fps": 16,
                "default_steps": 36,
                "default_guidance": 7.0,
                "json_caption": False,
                "guardrails": "switchable",
            }
        case "cogvideox":
            more = {
                "modes": ("image2video",),
                "sizes": (_COG_SIZE,),
                "default_size": (720, 480),
                "frames": Range(9, 49),
                "frame_step": 8,
                "default_frames": 49,
                "default_fps": 8,
                "default_steps": 50,
                "json_caption": False,
            }
    return Capabilities.model_validate({"name": f"diffusers ({kind})", **common, **more})


def _fal(model: str) -> Capabilities:
    hosted = {"name": f"fal ({model})", "progress": "queue only", "cancel": "while queued", "steps": Range(1, 50)}
    match model:
        case "nvidia/cosmos-3-super/image-to-video":
            more = {
                "modes": ("image2video",),
                "frames": Range(5, 189),
                "fps": Range(4, 60),
                "default_steps": 28,
                "prompt_limit": 4096,
                "guardrails": "switchable",
                "price": "$0.05 a second of video, rounded up",
            }
        case "fal-ai/cogvideox-5b/image-to-video":
            more = {
                "modes": ("image2video",),
                "sizes": (_COG_SIZE,),
                "default_size": (720, 480),
                "frames": Range(49, 49),
                "default_frames": 49,
                "default_fps": 8,
                "fps": Range(4, 32),
                "default_steps": 50,
                "default_guidance": 7.0,
                "json_caption": False,
                "guardrails": "server's",
                "price": "not published on its page: set generator.price_usd",
            }
        case _:
            more = {
                "modes": ("text2video",) if model.endswith("text-to-video") else ("image2video",),
                "sizes": (_PREDICT_SIZE,),
                "default_size": (1280, 704),
                "frames": Range(9, 93),
                "default_frames": 93,
                "fps": Range(16, 16),
                "default_fps": 16,
                "guidance": Range(1, 20),
                "default_guidance": 7.0,
                "json_caption": False,
                "guardrails": "server's",
                "price": "$0.20 a video",
            }
    return Capabilities.model_validate({**hosted, **more})
