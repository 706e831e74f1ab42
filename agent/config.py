"""RunConfig: everything in the one YAML file that a user edits."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from agent.intake import FetchRules
from agent.types import Budget, Canaries, Pairwise
from critic.config import CriticConfig, SignalsConfig
from generator.config import AnimaticConfig, GeneratorConfig
from generator.export.types import Container, Interpolation, OutputForm, Quality
from generator.types import ControlKind
from reasoner.config import ReasonerConfig, RulesConfig

NEGATIVE_PROMPT = (
    "The video captures a series of frames showing macroblocking artifacts, chromatic aberration, high-frequency "
    "noise, and rolling shutter distortion. It includes static with no motion, motion blur, over-saturation, "
    "shaky footage, low resolution, grainy texture, pixelated images, poorly lit areas, underexposed and "
    "overexposed scenes, poor color balance, washed out colors, choppy sequences, jerky movements, low frame "
    "rate, bit-depth compression artifacts, color banding, unnatural transitions, outdated special effects, fake "
    "elements, unconvincing visuals, poorly edited content, jump cuts, hard cut, visual noise, and flickering. It "
    "features moiré patterns, edge halos, and temporal aliasing. Furthermore, the content defies common sense, "
    "generating illogical scenarios, nonsensical entities, absurd character behaviors, and conceptual paradoxes "
    "that violate basic human reasoning and everyday reality. The video looks like a surreal or glitchy "
    "hallucination. Overall, the video is of poor quality."
)
"""NVIDIA's, as its post-trained image-to-video template and the hosted endpoint have it, verbatim."""

MAX_PROMPT = 20_000
"""Characters of a prompt, and of a negative one: NIM's limit. A hosted endpoint takes fewer (`prompt_limit`)."""


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class ControlConfig(_Section):
    """A video that steers a render, frame by frame."""

    kind: ControlKind
    """What it shows: edge (outlines), blur (NIM: vis), depth, seg (segments in colours)."""
    path: str
    """The video."""
    weight: float = Field(default=1.0, gt=0, le=1)
    """How strongly it steers."""


class RequestConfig(_Section):
    """What is asked for."""

    prompt: str = ""
    """What should happen in the video, in plain words or as a finished JSON caption."""
    image: str | None = None
    """The first frame: a path, an http(s) URL or a data URI. null: text-to-video."""
    negative_prompt: str = Field(default=NEGATIVE_PROMPT, max_length=MAX_PROMPT)
    """What the clip should not look like. "" disables it."""
    size: str = "auto"
    """auto, a preset (square_hd, square, portrait_4_3, portrait_16_9, landscape_4_3, landscape_16_9) or WxH; snapped to
    the nearest size that Cosmos3 was trained on. 256p, 480p, 720p: that tier, in the shape of the image or video that
    is given, else 16:9. auto: 832x480, or the 480p size nearest to the image's or video's shape."""
    num_frames: int | None = Field(default=None, ge=5)
    """Frames; moved to the nearest count that the model can make (Cosmos3: 4k+1, at most 397 at 256p, 297 at 480p, 197
    at 720p). null: as many as the video has that controls restyle, else the model's own, 189 for Cosmos3."""
    fps: int | None = Field(default=None, ge=1, le=60)
    """Frames per second. null: those of the video that controls restyle, else the model's own, 24 for Cosmos3."""
    num_inference_steps: int | None = Field(default=None, ge=1, le=200)
    """Denoising steps: more is slower and cleaner. null: the model's own, 35 for Cosmos3."""
    guidance_scale: float | None = Field(default=None, ge=0, le=20)
    """How closely the prompt is followed. null: the model's own, 6 for Cosmos3."""
    flow_shift: float | None = Field(default=None, gt=0, le=100)
    """Shift of the noise schedule towards high noise. null: the model's own; 10 is sent to vLLM-Omni."""
    video: str | None = None
    """A video to go on from, or, with controls, to restyle: a path. null: none."""
    controls: tuple[ControlConfig, ...] = Field(default=(), strict=False)
    """Control videos of a transfer render (Cosmos Transfer), at most one of a kind."""
    sound: bool = False
    """Let the model make sound as well, where it can."""
    guardrails: bool = True
    """Let the backend's safety checks act, where it has them. false: ask it to leave them out."""
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)
    """Seed of the first candidate; the others count up from it. null: drawn once and written down."""
    enable_prompt_expansion: bool = True
    """Let the reasoner write the caption that the model was trained on. false: your words go to the generator as they
    are."""
    image_fetch: FetchRules = FetchRules()
    """How an image URL may be fetched."""


class DraftConfig(_Section):
    """The cheap tier that captions are compared at, before the best of them is rendered as asked."""

    tier: Literal["256p", "480p", "720p"] = "256p"
    """Size of a draft, in the request's shape."""
    steps: int | None = Field(default=None, ge=1, le=200)
    """Denoising steps of a draft. null: as many as asked for."""
    frames: int | None = Field(default=None, ge=5)
    """Frames of a draft, of the clip's beginning. null: as many as asked for, as far as the tier allows."""
    promote: int = Field(default=1, ge=1, le=16)
    """Captions that are rendered as asked once the drafts are done, the best first, until one is accepted."""
    seeds: int = Field(default=1, ge=1, le=64)
    """Renders of each of them, one a seed."""
    min_correlation: float = Field(default=0.5, ge=-1, le=1)
    """Rank correlation of draft and final scores below which no drafts are made, where it has been measured for the
    generator. Where it has not, the drafts are made, and the run says that it was assumed."""


class SearchConfig(_Section):
    """How candidates are searched for."""

    racing: bool = True
    """Once a candidate is accepted and `budget.early_stop` is on, give up the renders of its iteration that still wait,
    and those that can be stopped: they are the cost that stopping early is to save. A server's running job ends and is
    judged. false: every seed of an iteration is rendered, so that the best of them is chosen."""
    await_verdicts: bool = True
    """With racing, and as long as a candidate may be accepted: an endpoint renders the next one only when its last clip
    is judged. What an accepted clip makes needless is then not begun, for the time that judging takes. false: endpoints
    never wait. Drafts never do."""
    include_raw_prompt: bool = False
    """Render and judge your own words before their expansion, on the same seeds, so that an expansion that hurts is
    seen. An iteration of its own, counted in the budget."""
    draft: DraftConfig | Literal["auto"] | None = "auto"
    """Compare captions by cheap drafts, and render the best one as asked: {tier: 256p, steps, frames, promote, seeds}.
    `budget.samples_per_iteration` are then drafts. null: every render is as asked. auto: drafts where they are measured
    to rank captions well for this generator (by you: draft_correlation; or docs/search-benchmark.md), save renders, and
    the budget names neither max_iterations nor samples_per_iteration, nor fewer max_renders than 6: 5 captions with one
    draft of 12 steps each, or of what you measured, then up to 4 renders of the best, until one is accepted."""
    draft_correlation: str | None = None
    """Your own measurement of how well drafts rank captions for your generator and critic: the file that `retake bench
    drafts` writes. It goes before the one that comes with Retake, for draft: auto and for min_correlation. null: none.
    """
    pairwise: Pairwise | None = Pairwise()
    """Choose among near-equal candidates by showing the critic's model two at a time, in both orders, beside your own
    words and first frame: {margin, most}. The critic `signals` has no model, and the score decides. null: the score
    decides always."""
    canaries: Canaries | None = None
    """Test the critic on doctored versions of the first clip (frozen, reversed, shuffled, another prompt, another first
    frame) before the run spends more than {beyond_gpu_seconds, beyond_price_usd}; one below least_auc is reported, and
    may not end the run early. null: never."""


class OutputConfig(_Section):
    """Where runs are kept, and in which form the chosen clip is handed over."""

    dir: str | None = None
    """Folder that holds one folder a run. null: `runs` in the current folder."""
    format: Container = "mp4"
    """mp4 (H.264), webm (VP9), mov (ProRes 4444) or gif. The candidates stay as they were rendered and judged."""
    quality: Quality | None = None
    """low, medium, high or maximum. null: the clip's own pictures are copied; where that cannot be, high."""
    export_fps: int | None = Field(default=None, ge=1, le=240)
    """Frames per second of the video, up to eight times the clip's. null: the clip's own; in a gif, the quality's."""
    interpolation: Interpolation = "none"
    """What export_fps adds. none: the nearest frame again; flow: new frames by optical flow, none across a cut."""
    sound: bool = True
    """Keep the clip's sound, where it has any. A gif has none."""

    @field_validator("interpolation")
    @classmethod
    def _flow_needs_a_rate(cls, value: Interpolation, info: ValidationInfo) -> Interpolation:
        if value == "flow" and info.data.get("export_fps", 0) is None:
            raise ValueError("flow makes frames for a higher rate; give output.export_fps, or set this to none")
        return value

    @property
    def folder(self) -> Path:
        """Where runs are made."""
        return Path(self.dir or "runs")

    @property
    def form(self) -> OutputForm:
        """What the chosen clip is made into."""
        return OutputForm(
            format=self.format,
            quality=self.quality,
            export_fps=self.export_fps,
            interpolation=self.interpolation,
            sound=self.sound,
        )


class RunConfig(_Section):
    """Everything a run needs to know."""

    request: RequestConfig = RequestConfig()
    reasoner: ReasonerConfig = RulesConfig()
    generator: GeneratorConfig = AnimaticConfig()
    critic: CriticConfig = SignalsConfig()
    budget: Budget = Budget()
    search: SearchConfig = SearchConfig()
    output: OutputConfig = OutputConfig()

    @model_validator(mode="before")
    @classmethod
    def _embedded_unless_named(cls, data: Any) -> Any:
        """A section that names no backend is about the embedded one."""
        if not isinstance(data, dict):
            return data
        embedded = {"reasoner": "rules", "generator": "animatic", "critic": "signals"}
        return {
            key: {"backend": embedded[key], **value} if key in embedded and isinstance(value, dict) else value
            for key, value in data.items()
        }

    @field_validator("search")
    @classmethod
    def _room_in_the_budget(cls, value: SearchConfig, info: ValidationInfo) -> SearchConfig:
        budget = info.data.get("budget")
        if not isinstance(budget, Budget):
            return value
        held = value.draft.seeds if isinstance(value.draft, DraftConfig) else 0  # auto makes none without room
        if budget.max_renders is not None and budget.max_renders <= held:
            raise ValueError(
                f"draft would make none: budget.max_renders is {budget.max_renders}, and a promotion alone takes "
                f"{held}; raise it, or give search.draft: null"
            )
        if value.include_raw_prompt and budget.max_iterations < 2:
            raise ValueError(
                "include_raw_prompt takes the first iteration, and its expansion the second: raise "
                "budget.max_iterations to 2 or more"
            )
        if (
            value.include_raw_prompt
            and budget.max_renders is not None
            and budget.max_renders - held <= budget.samples_per_iteration
        ):
            kept = f" and the {held} of a promotion" if held else ""
            raise ValueError(
                f"include_raw_prompt would take all renders: raise budget.max_renders above "
                f"budget.samples_per_iteration{kept}"
            )
        return value

    def to_yaml(self) -> str:
        """As a config file. Where a threshold file gives `critic.accept_at`, that file alone says it."""
        told = {"critic": {"accept_at"}} if self.critic.threshold_file is not None else None
        data = self.model_dump(mode="json", exclude=told)
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)
