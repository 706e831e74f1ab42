"""What a request with drafts holds against what, and how long its clips took."""

from collections.abc import Sequence

from agent.bench.drafting.types import Kind
from agent.config import RunConfig
from agent.drafts import tier
from agent.forecasting import planned
from agent.run import Run
from agent.spending import worked
from agent.types import Request, Tier
from generator.capabilities import capabilities
from generator.types import RenderSpec


def kind_of(config: RunConfig, request: Request, *, generator: str, critic: str, reasoner: str) -> Kind:
    """What a request with drafts holds against what."""
    if request.draft is None:
        raise ValueError("a request without drafts")
    able, draft, target = capabilities(config.generator), request.draft.spec, request.spec
    return Kind(
        engine=planned(config.generator).engine,
        generator=generator,
        critic=critic,
        reasoner=reasoner,
        draft=tier(draft, able),
        target=tier(target, able),
        draft_spec=told(draft),
        target_spec=told(target),
        steps=round(draft.num_inference_steps / target.num_inference_steps, 4),
        frames=round(draft.num_frames / target.num_frames, 4),
    )


def seconds(runs: Sequence[Run], of: Tier) -> tuple[float, ...]:
    """Seconds of the generator at work on each clip of a tier."""
    iterations = [iteration for run in runs for iteration in run.iterations if iteration.tier == of]
    return tuple(round(worked(c.clip), 4) for iteration in iterations for c in iteration.candidates)


def told(spec: RenderSpec) -> str:
    """Size, frames and steps in words."""
    return f"{spec.width}x{spec.height}, {spec.num_frames} frames, {spec.num_inference_steps} steps"
