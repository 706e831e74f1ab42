"""A run as HTML: the template's environment, and what it is given."""

import shlex
from collections.abc import Callable
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from agent.course import tried
from agent.ledger import fallbacks, ledger
from agent.marked import Marked, marked
from agent.report import attribution, changes, charts, delivery, wording
from agent.report.assets import HERE, asset, policy
from agent.report.duels import final
from agent.report.groups import groups
from agent.report.strip import strip
from agent.report.tiers import foretold
from agent.report.trust import kind, trust
from agent.report.zones import zones
from agent.run import Run
from agent.stopping import sentence, verdicts
from agent.types import Iteration, StopReason
from agent.worth import threshold, uncalibrated
from critic.threshold import figure
from generator.types import Clip
from reasoner.caption import clock


def render(run: Run) -> str:
    """The whole page. Everything that came from a user, a model or a file is text in it, never markup."""
    style = asset("page.css") + _measures(run)
    people = marked(run)
    script = asset("page.js")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            run=run,
            running=run.ending is None,
            style=Markup(style),  # noqa: S704 - our own files and numbers
            script=Markup(script),  # noqa: S704 - our own file, no part of the run
            policy=policy(style, script),
            status=status(people),
            sentence=sentence(run),
            rules=verdicts(run),
            doing=doing(run),
            attributed=attribution.attributed(run),
            advice=advice(run),
            mark=f"retake mark {shlex.quote(run.folder.name)}",
            retry=f"retake run --resume {shlex.quote(run.folder.name)} --retry-failed",
            ledger=ledger(run),
            forecast=run.forecast,
            fallbacks={n: why for n, why in fallbacks(run).items() if run.iterations[n].promoted is None},
            drafts_made=sum(i.renders for i in run.iterations if i.tier == "draft"),
            promoted=len({i.promoted for i in run.iterations} - {None}),
            tried=tried(run),
            final=final(run),
            trust=trust(run),
            people=people,
            zones=zones(run),
            strip=strip(run),
            scales=charts.scales(run),
            deliveries=delivery.deliveries(run),
            media=_finder(run),
            first_frame=_first_frame(run),
            threshold=threshold(run),
            uncalibrated=uncalibrated(run),
            config=_text(run.folder / "config.yaml"),
            shown=_shown(run),
        )
    )


def status(people: Marked) -> str:
    """The run's state in a word or two."""
    run = people.run
    if run.ending is None:
        return "running"
    if run.best is None:
        return "failed" if run.ending.reason != "cancelled" else "interrupted"
    if run.accepted:
        return "accepted"
    if run.ending.reason == "cancelled":
        return "interrupted"
    if run.decision(run.best) == "undecided":
        return "undecided" if people.needs_human else "marked"
    return "finished" if run.accept_at is None else "not accepted"


LIMITS: dict[StopReason, str] = {
    "deadline": "raise budget.max_seconds",
    "iterations": "raise budget.max_iterations",
    "renders": "raise budget.max_renders",
    "gpu_seconds": "raise budget.max_gpu_seconds",
    "price": "raise budget.max_price_usd",
    "patience": "raise budget.patience",
    "plateau": "lower budget.plateau",
    "expected_gain": "lower budget.min_expected_gain",
}
"""What to do about the budget's key behind a reason to stop."""


def advice(run: Run) -> tuple[str, str] | None:
    """How to go on with a run that stopped short: words and a command. None where nothing is left to want."""
    if run.ending is None or run.accepted:
        return None
    resume = f"retake run --resume {shlex.quote(run.folder.name)}"
    reason = run.ending.reason
    if reason == "failed":
        return "When the cause is gone, from the folder above this one:", f"{resume} --retry-failed"
    if reason in LIMITS:
        return f"To go on, {LIMITS[reason]} in config.yaml, then from the folder above this one:", resume
    return "To go on, from the folder above this one:", resume


def doing(run: Run) -> str:
    """What a running run is at, as far as it was told."""
    number = len(run.iterations)
    if not number:
        return "Writing the first caption."
    waiting = [_waiting(i, n) for n, i in enumerate(run.iterations, 1) if i.missing]
    if waiting:
        return " ".join(waiting)
    return f"Iteration {number} is done; what comes next is being decided."


def _waiting(iteration: Iteration, number: int) -> str:
    noun = "draft" if iteration.tier == "draft" else "candidate" if iteration.promoted is None else "render"
    what = f"{iteration.renders} of {wording.count(len(iteration.seeds), noun)} done"
    of = "" if iteration.promoted is None else f", iteration {iteration.promoted + 1} rendered as asked"
    return f"Iteration {number}{of}: {what}."


def _shown(run: Run) -> int | None:
    """The iteration whose caption stands beside the clip: the chosen clip's, or the last one tried."""
    if run.best_iteration is not None:
        return run.best_iteration
    return len(run.iterations) - 1 if run.iterations else None


def _finder(run: Run) -> Callable[[Clip], delivery.Media]:
    @cache
    def find(path: Path) -> delivery.Media:
        return delivery.media(path, run.folder)

    return lambda clip: find(clip.path)


def _first_frame(run: Run) -> delivery.Media | None:
    frame = run.request.spec.first_frame
    return None if frame is None else delivery.media(frame, run.folder)


def _measures(run: Run) -> str:
    """The numbers that the style sheet needs of this run: attributes may not carry styles under the policy."""
    ratio = f"{run.request.spec.width}/{run.request.spec.height}"
    return f":root{{--ratio:{ratio};--iterations:{max(1, len(run.iterations))};--lane:{charts.LANE}px}}\n"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        score=wording.score,
        bound=figure,
        gain=wording.gain,
        seconds=wording.seconds,
        figure=wording.figure,
        words=wording.words,
        field=wording.field,
        method=wording.method,
        reason=wording.reason,
        number=wording.number,
        percent=wording.percent,
        clock=clock,
        step=wording.step,
        failed=wording.failed,
        verdict=wording.verdict,
        kind=kind,
    )
    environment.globals.update(
        count=wording.count,
        given_up=wording.given_up,
        span=wording.span,
        foreseen=wording.foreseen,
        foreseen_seconds=wording.foreseen_seconds,
        size=wording.size,
        origin=changes.origin,
        foretold=foretold,
        since_first=changes.since_first,
        shortened=changes.shortened,
        word_diff=changes.word_diff,
        negative=changes.negative,
        groups=groups,
        fields=changes.fields,
        lanes=charts.lanes,
        stretches=charts.stretches,
        LANE=charts.LANE,
        ROW=charts.ROW,
        duration=charts.duration,
        pairs=charts.pairs,
        spread=charts.spread,
        sure=attribution.sure,
        shares=charts.shares,
        relative=delivery.relative,
        made=delivery.made,
    )
    return environment
