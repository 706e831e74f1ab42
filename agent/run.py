"""A run: a request, its iterations so far, and in the end why it stopped."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from agent.forecast import Forecast
from agent.spending import Cost, prices, seconds
from agent.types import Budget, Candidate, Ending, Export, Failure, GivenUp, Iteration, Request, Step, StopReason
from generator.types import Clip
from reasoner.types import Caption, Revision


class Run(BaseModel):
    """A request, its iterations so far, and in the end why it stopped. Immutable: each `with_…` returns the next."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    folder: Path = Field(exclude=True, default=Path())
    """Where the run lives. Not written: a folder can be moved."""
    created_at: datetime
    request: Request
    budget: Budget
    accept_at: float | None = Field(default=None, ge=0, le=1)
    """Score at which a candidate is accepted, if every floor holds. None: never."""
    raw_first: bool = False
    """The first iteration is the user's own words, beside which the second, their expansion, is judged."""
    iterations: tuple[Iteration, ...] = ()
    ending: Ending | None = None
    export: Export | None = None
    """The last one made, maybe of a clip that has been outdone since."""
    export_failure: str = ""
    """Why the chosen clip could not be exported."""
    lost_seconds: float = Field(default=0.0, ge=0)
    """Seconds of the generator's time that went into renders nobody could use: cancelled while they ran, or lost."""
    forecast: Forecast | None = None
    """What it was expected to take before its first render."""
    lost_usd: float = Field(default=0.0, ge=0)
    """US dollars that are billed for those, or may be."""
    expected_usd: float | None = Field(default=None, ge=0)
    """What a render is known to cost beforehand. None: not known, or nothing is billed."""
    versions: dict[str, str] = {}
    """Of Retake, Python and what decides the pixels."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All of them, in order."""
        return tuple(c for i in self.iterations for c in i.candidates)

    @property
    def best(self) -> Candidate | None:
        """The chosen candidate: an accepted one before all others, then the highest score, then the earliest."""
        return max(self.candidates, key=lambda c: (self.accepts(c), c.score), default=None)

    @property
    def best_iteration(self) -> int | None:
        """Index of the iteration that the chosen candidate came from."""
        best = self.best
        return next((n for n, i in enumerate(self.iterations) if best in i.candidates), None) if best else None

    @property
    def champion(self) -> int:
        """Index of the iteration with the best caption.

        A later one takes its place only with a mean gain above 0 on the same seeds. An interval that contains 0 does
        not keep it out: with few seeds hardly any would get in, and the report says that it may be chance.
        """
        champion = 0
        for index, iteration in enumerate(self.iterations):
            gain = iteration.gain_over(self.iterations[champion])
            if gain is not None and gain.mean > 0:
                champion = index
        return champion

    @property
    def expands_next(self) -> bool:
        """Whether the next caption is the prompt, expanded."""
        return self.request.expand and len(self.iterations) == int(self.raw_first)

    @property
    def renders(self) -> int:
        """Renders made, failed ones included."""
        return sum(i.renders for i in self.iterations)

    @property
    def price(self) -> Cost:
        """US dollars for renders, failed and lost ones included, where it is known."""
        return Cost.of(prices(self.iterations), lost=self.lost_usd, expected=self.expected_usd)

    @property
    def gpu(self) -> Cost:
        """Seconds of the generator at work, side by side added up, those that were lost included."""
        return Cost.of(seconds(self.iterations), lost=self.lost_seconds)

    @property
    def affordable(self) -> float:
        """Renders that the budget still pays for: a whole number from 0, or infinity."""
        budget = self.budget
        renders = math.inf if budget.max_renders is None else max(0, budget.max_renders - self.renders)
        return min(renders, self.price.pays_for(budget.max_price_usd), self.gpu.pays_for(budget.max_gpu_seconds))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not done quite as asked, in sentences, by whom it concerns: request, captions, clips. Each once."""
        captions = [note for i in self.iterations for note in i.caption.notes]
        clips = [note for c in self.candidates for note in c.clip.notes]
        exports = list(self.export.notes) if self.export and self.exported else []
        if self.export_failure:
            exports.append(f"{self.export_failure} The video is the clip as it was rendered.")
        return tuple(dict.fromkeys([*self.request.notes, *captions, *clips, *exports]))

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the run stopped; None while it runs."""
        return self.ending.reason if self.ending else None

    @property
    def video(self) -> Path | None:
        """The chosen clip as it was exported; as it was rendered, where it was not."""
        if self.export and self.exported:
            return self.export.path
        return self.best.clip.path if self.best else None

    @property
    def exported(self) -> bool:
        """Whether the export is of the chosen clip."""
        return self.export is not None and self.best is not None and self.export.clip == self.best.clip.path

    @property
    def score(self) -> float | None:
        """The chosen clip's overall score in [0, 1]."""
        return self.best.score if self.best else None

    @property
    def prompt(self) -> str | None:
        """The text that the chosen clip was rendered from."""
        index = self.best_iteration
        return None if index is None else self.request.prompt_for(self.iterations[index].caption)

    @property
    def accepted(self) -> bool:
        """Whether the chosen clip reached `accept_at` with every floor held."""
        return self.best is not None and self.accepts(self.best)

    @property
    def settled(self) -> bool:
        """Whether an accepted candidate makes every further render needless."""
        return self.budget.early_stop and self.accepted

    @property
    def seconds(self) -> dict[Step, float]:
        """Seconds by step, parallel work added up, remembered steps included. Renders without their queues."""
        return {
            "caption": sum(i.caption.seconds for i in self.iterations),
            "render": sum(seconds(self.iterations)),
            "judge": sum(c.critique.seconds for c in self.candidates),
        }

    def accepts(self, candidate: Candidate) -> bool:
        """Whether a candidate reaches `accept_at` with every floor held."""
        return self.accept_at is not None and candidate.score >= self.accept_at and candidate.critique.floors_hold

    def next_seeds(self, caption: Caption) -> tuple[int, ...]:
        """The seeds for `caption`: the same in every iteration, or a better score could be the dice's doing.

        Only a caption that is tried again unchanged gets fresh ones. Never more than the budget still pays for.
        """
        count = self.budget.samples_per_iteration
        fresh = 1 + sum(i.caption.reseed for i in self.iterations) if caption.reseed else 0
        return tuple(self.request.seed + fresh * count + n for n in range(int(min(count, self.affordable))))

    def clip_path(self, iteration: int, seed: int) -> Path:
        """Where the clip of a seed is rendered to."""
        return self.folder / "clips" / f"{iteration + 1:02d}-seed-{seed}.mp4"

    def history(self) -> Sequence[Revision]:
        """What a rewriter is told: each caption with its scores, words and paired gain."""
        return [self._revision(i) for i in self.iterations]

    def _revision(self, iteration: Iteration) -> Revision:
        best = iteration.best
        if best is None:
            raise ValueError("an iteration without a judged clip has no history")
        gain = None if iteration.parent is None else iteration.gain_over(self.iterations[iteration.parent])
        names = [s.criterion for s in best.critique.scores]
        by_name: dict[str, list[float]] = {name: [] for name in names}
        for candidate in iteration.candidates:
            for score in candidate.critique.scores:
                by_name.setdefault(score.criterion, []).append(score.value)
        return Revision(
            caption=iteration.caption,
            score=fmean(c.score for c in iteration.candidates),
            criteria={name: fmean(values) for name, values in by_name.items()},
            floors={s.criterion: s.floor for s in best.critique.scores},
            feedback=best.critique.feedback,
            parent=iteration.parent,
            gain=None if gain is None else gain.mean,
        )

    def with_caption(self, caption: Caption, seeds: Sequence[int]) -> Self:
        """This run with a new iteration begun."""
        parent = self.champion if self.iterations else None
        return self._with(iterations=(*self.iterations, Iteration(caption=caption, parent=parent, seeds=tuple(seeds))))

    def with_candidate(self, candidate: Candidate, iteration: int = -1) -> Self:
        """This run with one more judged clip; in its last iteration if none is given."""
        return self._with_iteration(iteration, self.iterations[iteration].with_candidate(candidate))

    def with_failure(self, failure: Failure, iteration: int = -1) -> Self:
        """This run with one more failed attempt; in its last iteration if none is given."""
        return self._with_iteration(iteration, self.iterations[iteration].with_failure(failure))

    def with_given_up(self, given_up: GivenUp, iteration: int = -1) -> Self:
        """This run with one more seed given up, and what was lost by it; in its last iteration if none is given."""
        run = self._with_iteration(iteration, self.iterations[iteration].with_given_up(given_up))
        return run.with_lost(given_up.seconds)

    def with_lost(self, seconds: float, usd: float = 0.0) -> Self:
        """This run with more of the generator's time, and maybe money, gone for nothing."""
        return self._with(lost_seconds=round(self.lost_seconds + seconds, 3), lost_usd=round(self.lost_usd + usd, 4))

    def reopened(self, *, keep: Callable[[Clip], bool], retry_failed: bool) -> Self:
        """This run without its ending, without the candidates whose clips `keep` denies, and maybe without failures.

        What is rendered again was paid for once already, and stays spent.
        """
        iterations, lost = [], []
        for i in self.iterations:
            gone = tuple(c for c in i.candidates if not keep(c.clip))
            failed = i.failures if retry_failed else ()
            kept = tuple(c for c in i.candidates if c not in gone)
            iterations.append(i.model_copy(update={"candidates": kept, "failures": () if failed else i.failures}))
            anew = tuple(f for f in failed if f.clip is None or not keep(f.clip))
            lost.append(i.model_copy(update={"candidates": gone, "failures": anew}))
        run = self._with(iterations=tuple(iterations), ending=None, export_failure="")
        return run.with_lost(sum(seconds(lost)), sum(prices(lost)))

    def with_forecast(self, forecast: Forecast) -> Self:
        """This run with what it is expected to take."""
        return self._with(forecast=forecast)

    def stopped(self, ending: Ending) -> Self:
        """This run at its end."""
        return self._with(ending=ending)

    def with_export(self, export: Export) -> Self:
        """This run with its chosen clip exported."""
        return self._with(export=export, export_failure="")

    def without_export(self, why: str) -> Self:
        """This run with a chosen clip that could not be exported."""
        return self._with(export=None, export_failure=why)

    def within(self, budget: Budget, accept_at: float | None) -> Self:
        """This run under another budget.

        If it is not settled, the seeds that were given up are to be rendered, and a last iteration that the old one cut
        short gets more, both as far as the new one pays for it.
        """
        same = (budget, accept_at) == (self.budget, self.accept_at)
        run = self._with(budget=budget, accept_at=accept_at, forecast=self.forecast if same else None)
        if not run.iterations or run.settled:
            return run
        left, iterations = max(0, run.affordable - sum(len(i.missing) for i in run.iterations)), []
        for iteration in run.iterations:
            back = int(min(left, len(iteration.given_up)))
            iterations.append(iteration.model_copy(update={"given_up": iteration.given_up[back:]}))
            left -= back
        run = run.model_copy(update={"iterations": tuple(iterations)})
        if budget == self.budget:
            return run
        last = iterations[-1]
        more = int(min(budget.samples_per_iteration - len(last.seeds), left))
        seeds = (*last.seeds, *(last.seeds[-1] + 1 + n for n in range(more)))
        longer = last.model_copy(update={"seeds": seeds})
        return run.model_copy(update={"iterations": (*iterations[:-1], longer)})

    def _with_iteration(self, index: int, iteration: Iteration) -> Self:
        iterations = list(self.iterations)
        iterations[index] = iteration
        return self._with(iterations=tuple(iterations))

    def _with(self, **changes: object) -> Self:
        return self.model_copy(update=changes)

    def __repr__(self) -> str:
        """One line: a run holds thousands of figures."""
        score = "no score" if self.score is None else f"score {self.score:.3f}"
        what = f"{self.stop_reason or 'running'}, {score}, {len(self.iterations)} iterations, {self.renders} renders"
        return f"<Run {self.id}: {what}>"
