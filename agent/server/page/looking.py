"""A run as the page shows it: a pure function of the run, and of where its files can be fetched."""

from collections.abc import Callable
from pathlib import Path

from agent.ledger import fallbacks, ledger
from agent.lines import forecast_line, standing
from agent.marked import marked
from agent.report import NAME as REPORT
from agent.report import changes
from agent.report.delivery import deliveries
from agent.report.page import doing, status
from agent.report.wording import field, step
from agent.run import Run
from agent.server.page.iterating import Finder, changed, iteration_view, poster_of
from agent.server.page.views import ChangeView, DifferenceView, FileView, IterationView, LedgerView, RunLook
from agent.stopping import sentence

Address = Callable[[str], str]
"""The address of a file, by its path within the run's folder."""


def look(run: Run, id: str, address: Address) -> RunLook:  # noqa: A002 - as a job has it
    """A run as the page shows it.

    Args:
        run: as it is now; its folder is looked at for files that are gone.
        id: of its job.
        address: where a file of its folder is fetched.
    """
    best, spec = run.best, run.request.spec
    running = run.ending is None
    files = _finder(run, address)
    took = ledger(run)
    report = run.folder / REPORT
    final, final_of, final_changes, final_fields = _final(run)
    return RunLook(
        id=id,
        prompt=run.request.prompt,
        first_frame=None if spec.first_frame is None else files(spec.first_frame),
        shape=(spec.width, spec.height),
        seed=run.request.seed,
        running=running,
        status=status(marked(run)),
        sentence=doing(run) if running else sentence(run),
        score=run.score,
        accept_at=run.accept_at,
        calibrated=run.calibrated,
        accepted=run.accepted,
        video=None if run.video is None else files(run.video),
        poster=None if best is None else files(poster_of(run, best)),
        chosen=None if best is None else ((run.best_iteration or 0) + 1, best.seed),
        draft=best is not None and run.is_draft(best),
        floors_hold=best is None or best.critique.floors_hold,
        final=final,
        final_of=final_of,
        changes=final_changes,
        fields=final_fields,
        iterations=_iterations(run, files),
        planned=run.budget.max_iterations,
        renders=run.renders,
        ledger=tuple(
            LedgerView(
                step=key, name=step(key), count=one.count, failed=one.failed, seconds=one.seconds, tokens=one.tokens
            )
            for key, one in took.steps.items()
        ),
        price_usd=took.price_usd,
        lost_seconds=took.lost_seconds,
        forecast=forecast_line(run.forecast) if run.forecast else "",
        standing=standing(run),
        differences=tuple(
            DifferenceView(clips=d.clips, rows=tuple((r.name, r.requested, r.effective) for r in d.rows if r.differs))
            for d in deliveries(run)
            if d.differs
        ),
        notes=run.notes,
        report=files(report),
        files=_files(run, files),
    )


def _finder(run: Run, address: Address) -> Finder:
    """Addresses of the files that are there and lie in the run's folder, whatever run.json names."""
    folder = run.folder.resolve()

    def find(path: Path) -> str | None:
        real = path.resolve()
        return address(real.relative_to(folder).as_posix()) if real.is_relative_to(folder) and real.is_file() else None

    return find


def _final(run: Run) -> tuple[str, str, tuple[ChangeView, ...], tuple[tuple[str, str], ...]]:
    """What to call the caption beside the clip, which it is, what changed up to it, and its fields."""
    shown = run.best_iteration if run.best_iteration is not None else len(run.iterations) - 1
    if shown < 0:
        return "", "", (), ()
    caption = run.iterations[shown].caption
    found = tuple(changed(change) for change in changes.since_first(run, shown))
    name = "Last prompt" if run.best is None else "Final prompt" if run.ending else "Best prompt so far"
    if found:
        count = f"{len(found)} field{'' if len(found) == 1 else 's'}"
        of = f"iteration {shown + 1}: {count} changed since the first caption"
    elif caption.source == "raw":
        of = "sent as written"
    else:
        of = "the first caption, unchanged" if shown and caption.source != "upsample" else "the first caption"
    return name, of, found, tuple((field(path), text) for path, text in changes.fields(caption).items())


def _iterations(run: Run, files: Finder) -> tuple[IterationView, ...]:
    fallen = fallbacks(run)
    return tuple(
        iteration_view(run, index, files, fallen.get(index, "") if one.promoted is None else "")
        for index, one in enumerate(run.iterations)
    )


def _files(run: Run, files: Finder) -> tuple[FileView, ...]:
    """Those to keep: the video as it was asked for, and the first frame."""
    wanted = (run.video if run.ending else None, run.request.spec.first_frame)
    return tuple(FileView(name=path.name, url=url) for path in wanted if path and (url := files(path)) is not None)
