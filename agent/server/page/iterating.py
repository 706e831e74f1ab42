"""An iteration as the page shows it: its clips side by side, what was said of them, what the rewrite changed."""

from collections.abc import Callable
from pathlib import Path

from agent.report import changes, charts
from agent.report.attribution import sure
from agent.report.delivery import made
from agent.report.groups import groups
from agent.report.posters import FOLDER as POSTERS
from agent.report.wording import failed, field, gain, given_up, method, reason, score, size, span, verdict, words
from agent.run import Run
from agent.server.page.views import (
    CandidateView,
    ChangeView,
    CriterionView,
    DefectView,
    FailureView,
    GainView,
    IterationView,
    PieceView,
)
from agent.types import Candidate, Iteration
from critic.types import Score

Finder = Callable[[Path], str | None]
"""The address of a file; None where there is none to fetch."""


def iteration_view(run: Run, index: int, files: Finder, fallback: str) -> IterationView:
    """One iteration of a run.

    Args:
        run: that it is of.
        index: from 0.
        files: where clips are fetched.
        fallback: why the user's own words stand in for its caption; "" where none had to.
    """
    iteration = run.iterations[index]
    caption, best = iteration.caption, iteration.best
    own = iteration.promoted is None or caption.reseed
    rewritten = iteration.promoted is None and caption.source == "rewrite" and not caption.reseed
    return IterationView(
        number=index + 1,
        origin=changes.origin(run, index),
        tier=iteration.tier,
        drafted=run.request.draft is not None,
        best=best.score if best else None,
        candidates=tuple(_candidate(run, iteration, c, files) for c in iteration.candidates),
        failures=_failures(iteration, files),
        pending=iteration.missing if run.ending is None else (),
        critique=best.critique.feedback if best else "",
        critique_of=best.seed if best else None,
        verdict=verdict(caption.verdict) if caption.verdict and own else "",
        diagnosis=caption.diagnosis if own and caption.diagnosis != fallback else "",
        against=iteration.parent + 1 if rewritten and iteration.parent is not None else None,
        changes=_rewrite(run, iteration) if rewritten else (),
        gain=_gain(run, iteration),
        fallback=fallback,
        caption=run.request.prompt_for(caption),
    )


def changed(change: changes.Change) -> ChangeView:
    """A caption field that differs, for people."""
    return ChangeView(
        path=change.field,
        name=field(change.field),
        pieces=tuple(PieceView(kind=p.kind, text=p.text) for p in changes.shortened(change.pieces)),
        reasons=tuple(dict.fromkeys(edit.reason for edit in change.edits)),
    )


def poster_of(run: Run, candidate: Candidate) -> Path:
    """Where the report keeps a still picture of a clip; it comes a little after the clip."""
    return run.folder / POSTERS / f"{candidate.clip.path.stem}.jpg"


def _rewrite(run: Run, iteration: Iteration) -> tuple[ChangeView, ...]:
    """Field by field against the caption that was rewritten."""
    if iteration.parent is None:
        return ()
    before = run.iterations[iteration.parent].caption
    return tuple(changed(c) for c in changes.changes(before, iteration.caption, iteration.caption.edits))


def _candidate(run: Run, iteration: Iteration, candidate: Candidate, files: Finder) -> CandidateView:
    critique = candidate.critique
    lowest = critique.lowest
    return CandidateView(
        seed=candidate.seed,
        clip=files(candidate.clip.path),
        poster=files(poster_of(run, candidate)),
        size=size(candidate.clip.effective),
        seconds=charts.duration(candidate),
        score=candidate.score,
        chosen=candidate is run.best,
        accepted=run.accepts(candidate),
        decision=run.decision(candidate),
        floors_hold=critique.floors_hold,
        lowest=f"{words(lowest.criterion)} {score(lowest.value)}",
        criteria=tuple(
            _criterion(one, fine=fine)
            for group in groups(candidate, iteration)
            for among, fine in ((group.shown, False), (group.fine, True))
            for one in among
        ),
        defects=tuple(
            DefectView(start=d.start, span=span(d.start, d.end), criterion=words(d.criterion), words=d.words)
            for d in critique.defects
        ),
        notes=critique.notes,
        made=made(candidate.clip),
    )


def _criterion(one: Score, *, fine: bool) -> CriterionView:
    return CriterionView(
        name=words(one.criterion),
        axis=words(one.axis),
        value=one.value,
        floor=one.floor,
        explanation=" ".join(filter(None, (one.explanation, reason(one.method)))),
        method=method(one.method),
        fine=fine,
    )


def _failures(iteration: Iteration, files: Finder) -> tuple[FailureView, ...]:
    failures = [
        FailureView(
            seed=one.seed,
            what=f"{failed(one.step)} failed",
            message=one.message,
            failed=True,
            clip=files(one.clip.path) if one.clip else None,
        )
        for one in iteration.failures
    ]
    given = [FailureView(seed=g.seed, what="Given up", message=given_up(g), failed=False) for g in iteration.given_up]
    return (*failures, *given)


def _gain(run: Run, iteration: Iteration) -> GainView | None:
    """What the prompt did on the same dice; None where that cannot be told."""
    if iteration.parent is None or iteration.promoted is not None:
        return None
    parent = run.iterations[iteration.parent]
    over = iteration.gain_over(parent)
    if over is None:
        return None
    return GainView(
        over=iteration.parent + 1,
        mean=gain(over.mean),
        seeds=tuple((p.seed, score(p.before), score(p.after), gain(p.gain)) for p in charts.pairs(iteration, parent)),
        words=sure(over),
    )
