"""A run: a request, its iterations so far, and in the end why it stopped."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from agent.calibration import Calibration, Decision
from agent.forecast import Forecast
from agent.spending import Cost, prices, seconds
from agent.types import (
    Budget,
    Canaries,
    Candidate,
    Choice,
    Duel,
    Ending,
    Entrant,
    Export,
    Failure,
    GivenUp,
    Iteration,
    Request,
    Step,
    StopReason,
    Tier,
)
from critic.canaries.types import SelfTest
from critic.threshold import Threshold
from reasoner.types import Caption


def clip_name(iteration: int, seed: int) -> str:
    """The file in `clips` that a seed is rendered to. `iteration`: counted from 0."""
    return f"{iteration + 1:02d}-seed-{seed}.mp4"


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
    calibration: Calibration | None = None
    """The threshold file that `accept_at` came from. None: there is none, or the run has not met its critic yet."""
    raw_first: bool = False
    """The first iteration is the user's own words, beside which the second, their expansion, is judged."""
    canaries: Canaries | None = None
    """When the critic is tested. None: never."""
    self_test: SelfTest | None = None
    """What came of it."""
    tested: Entrant | None = None
    """The candidate that it was tested on."""
    self_test_failure: str = ""
    """Why it could not be made."""
    iterations: tuple[Iteration, ...] = ()
    duels: tuple[Duel, ...] = ()
    """Near-equal candidates held against one another at the end."""
    choice: Choice | None = None
    """The final choice, where there was more than the score to go by."""
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
        """The chosen candidate: by the final choice, and before it is made by `rank`, the earliest among equals."""
        if self.choice is not None and (chosen := self.candidate(self.choice.chosen)) is not None:
            return chosen
        return max(self.candidates, key=self.rank, default=None)

    def rank(self, candidate: Candidate) -> tuple[bool, bool, float]:
        """What it is chosen by, as far as scores go: no draft if there is another, an accepted one first, the score."""
        return not self.is_draft(candidate), self.accepts(candidate), candidate.score

    @property
    def entrants(self) -> dict[Entrant, Candidate]:
        """All candidates by their places, in order."""
        return {Entrant(iteration=n, seed=c.seed): c for n, i in enumerate(self.iterations) for c in i.candidates}

    def place_of(self, candidate: Candidate) -> Entrant | None:
        """The place of a candidate of this run; None if it is none."""
        return next((place for place, found in self.entrants.items() if found is candidate), None)

    def candidate(self, entrant: Entrant) -> Candidate | None:
        """The candidate at a place of the run; None if there is none."""
        return self.entrants.get(entrant)

    @property
    def best_iteration(self) -> int | None:
        """Index of the iteration that the chosen candidate came from."""
        best = self.best
        return next((n for n, i in enumerate(self.iterations) if best in i.candidates), None) if best else None

    @property
    def explored(self) -> tuple[int, ...]:
        """Indices of the iterations that captions are compared by: the drafts, or all where there are none."""
        tier: Tier = "draft" if self.request.draft else "target"
        return tuple(n for n, i in enumerate(self.iterations) if i.tier == tier)

    @property
    def leader(self) -> int:
        """Index of the iteration whose caption is best among those compared.

        A later one takes its place only with a mean gain above 0 on the same seeds. An interval that contains 0 does
        not keep it out: with few seeds hardly any would get in, and the report says that it may be chance.
        """
        leader, *later = [n for n in self.explored if self.iterations[n].candidates] or (0,)
        for index in later:
            gain = self.iterations[index].gain_over(self.iterations[leader])
            if gain is not None and gain.mean > 0:
                leader = index
        return leader

    @property
    def renders(self) -> int:
        """Renders made, failed ones included."""
        return sum(i.renders for i in self.iterations)

    @property
    def pending(self) -> int:
        """Seeds that are rendered or judged, or wait for it: nothing has come of them yet."""
        return 0 if self.ending is not None else sum(len(i.missing) for i in self.iterations)

    @property
    def price(self) -> Cost:
        """US dollars for renders, failed and lost ones included, where it is known; of one more that is compared."""
        draft = self.request.draft
        expected = (None if draft is None else draft.price_usd, self.expected_usd)
        return Cost.over(
            prices, self.iterations, draft, lost=self.lost_usd, running=self.ending is None, expected=expected
        )

    @property
    def gpu(self) -> Cost:
        """Seconds of the generator at work, side by side added up, those lost included; of one more as in `price`."""
        return Cost.over(
            seconds, self.iterations, self.request.draft, lost=self.lost_seconds, running=self.ending is None
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not done quite as asked, in sentences, by whom it concerns: request, threshold, captions, clips.

        Each once.
        """
        complaint = self.calibration.complaint if self.calibration else ""
        threshold = [f"The threshold is uncalibrated: {complaint}."] if complaint else []
        captions = [note for i in self.iterations for note in i.caption.notes]
        clips = [note for c in self.candidates for note in c.clip.notes]
        if self.best is not None and self.is_draft(self.best) and self.ending is not None:
            clips.append("The clip is a draft: none was rendered as asked.")
        exports = list(self.export.notes) if self.export and self.exported else []
        if self.export_failure:
            exports.append(f"{self.export_failure} The video is the clip as it was rendered.")
        return tuple(dict.fromkeys([*self.request.notes, *threshold, *captions, *clips, *exports]))

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
        return self.budget.early_stop and self.accepted and self.trusted

    @property
    def trusted(self) -> bool:
        """Whether the critic may end the run early: it passed its test, or needs none yet."""
        if self.canaries is None:
            return True
        if self.self_test is None:
            return not (self.self_test_failure or self.canaries.exceeded(self.gpu.spent, self.price.spent))
        return self.self_test.passed(self.canaries.least_auc)

    @property
    def failed_test(self) -> bool:
        """Whether the critic was tested and did not pass."""
        test, rules = self.self_test, self.canaries
        return test is not None and rules is not None and not test.passed(rules.least_auc)

    @property
    def evidence(self) -> Threshold | None:
        """The threshold file, where what it says holds here: of this very critic, which failed no self-test."""
        known = self.calibration
        if known is None or known.differs or known.threshold.threshold != self.accept_at or self.failed_test:
            return None
        return known.threshold

    @property
    def calibrated(self) -> bool:
        """Whether people's labels stand behind `accept_at`."""
        return self.evidence is not None

    def decision(self, candidate: Candidate) -> Decision | None:
        """What the critic says of a candidate, as far as people stand behind it.

        None: nothing, as of a draft (a threshold is about clips as asked), or where the threshold is uncalibrated.
        """
        evidence = self.evidence
        if evidence is None or self.is_draft(candidate):
            return None
        if self.accepts(candidate):
            return "accepted"
        below = evidence.reject_below
        return "rejected" if below is not None and candidate.score < below else "undecided"

    @property
    def seconds(self) -> dict[Step, float]:
        """Seconds by step, parallel work added up, remembered steps included. Renders without their queues."""
        return {
            "caption": sum(i.caption.seconds for i in self.iterations),
            "render": sum(seconds(self.iterations)),
            "judge": sum(c.critique.seconds for c in self.candidates),
            "compare": sum(d.comparison.seconds for d in self.duels),
            "test": 0.0 if self.self_test is None else self.self_test.seconds,
        }

    def accepts(self, candidate: Candidate) -> bool:
        """Whether a candidate reaches `accept_at` with every floor held. A draft is none to accept."""
        return self.reaches(candidate) and not self.is_draft(candidate)

    def reaches(self, candidate: Candidate) -> bool:
        """Whether a candidate, or a draft, reaches `accept_at` with every floor held."""
        return self.accept_at is not None and candidate.score >= self.accept_at and candidate.critique.floors_hold

    def is_draft(self, candidate: Candidate) -> bool:
        """Whether a candidate is cheaper than what was asked for."""
        return self.request.tier_of(candidate.clip.spec) == "draft"

    def clip_path(self, iteration: int, seed: int) -> Path:
        """Where the clip of a seed is rendered to."""
        return self.folder / "clips" / clip_name(iteration, seed)

    def with_caption(
        self,
        caption: Caption,
        seeds: Sequence[int],
        tier: Tier = "target",
        promoted: int | None = None,
        parent: int | None = None,
    ) -> Self:
        """This run with a new iteration begun. `parent`: whose caption was rewritten; None: the leader's."""
        if parent is None and self.iterations:
            parent = self.leader
        iteration = Iteration(
            caption=caption,
            parent=parent,
            tier=tier,
            promoted=promoted,
            seeds=tuple(seeds),
        )
        return self._with(iterations=(*self.iterations, iteration))

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

    def with_test(self, test: SelfTest, of: Entrant) -> Self:
        """This run with its critic tested on a candidate."""
        return self._heeding(self_test=test, tested=of, self_test_failure="")

    def without_test(self, why: str) -> Self:
        """This run with a critic that could not be tested."""
        return self._heeding(self_test=None, tested=None, self_test_failure=why)

    def with_duel(self, duel: Duel) -> Self:
        """This run with two candidates held against one another."""
        return self._with(duels=(*self.duels, duel))

    def with_choice(self, choice: Choice) -> Self:
        """This run with its final choice."""
        return self._with(choice=choice)

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

    def _heeding(self, **test: object) -> Self:
        """With a test: what was given up on the word of a critic that is not to be trusted is rendered after all."""
        run = self._with(**test)
        if run.trusted:
            return run
        anew = tuple(i.model_copy(update={"given_up": ()}) for i in run.iterations)
        return run.model_copy(update={"iterations": anew})

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
