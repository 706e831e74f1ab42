"""Pairs from runs that made drafts and rendered several captions as asked: few, and for nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agent import journal
from agent.bench.drafting.kinds import kind_of, seconds
from agent.bench.drafting.scene import pairs_of
from agent.bench.drafting.types import Kind, Landscape, PromptPairs
from agent.config import RunConfig
from agent.errors import RunFolderError
from agent.reading import expand
from agent.run import Run


class _Useful(NamedTuple):
    """A run with two captions or more that were rendered as asked."""

    run: Run
    kind: Kind
    pairs: PromptPairs


def folders(given: Sequence[str]) -> list[Path]:
    """Runs' folders, and those in a folder of runs, each once.

    Raises:
        RunFolderError: there is no run.
    """
    found: dict[Path, None] = {}
    for name in given:
        path = expand(name, "--runs").resolve()
        inner = journal.runs_in(path)
        if not inner and path.is_dir():
            raise RunFolderError(f"{path}: is no run's folder and holds none")
        found |= dict.fromkeys(inner or [path])
    return list(found)


def from_runs(places: Sequence[Path]) -> tuple[Landscape | None, tuple[str, ...]]:
    """What finished runs say, and what is to be said of them, in sentences.

    Only runs of one kind can be put together: that of which there are most.

    Returns:
        None: no run rendered two captions as asked.

    Raises:
        RunFolderError, ConfigError: a run cannot be read.
    """
    useful, words = list[_Useful](), list[str]()
    without, unfinished = 0, 0
    for place in places:
        run = journal.load(place)
        unfinished += run.ending is None
        found = None if run.ending is None else _useful(run, journal.load_settings(place))
        without += run.ending is not None and found is None
        useful += [found] if found else []
    if unfinished:
        words.append(f"{unfinished} of {len(places)} runs are not finished.")
    if without:
        words.append(
            f"{without} of {len(places)} runs did not render two captions both as drafts and as asked: "
            "search.draft.promote says how many are."
        )
    if not useful:
        return None, tuple(words)
    kinds = [one.kind for one in useful]
    kind = max(dict.fromkeys(kinds), key=kinds.count)
    kept = [one for one in useful if one.kind == kind]
    if len(kept) < len(useful):
        words.append(f"{len(useful) - len(kept)} runs are of another kind, such as another size or critic.")
    words.append(
        "A run renders its best drafts as asked and no others: among captions that are alike, drafts rank worse than "
        "among all."
    )
    runs = [one.run for one in kept]
    left_out = [line for run in runs for line in pairs_of(run)[1]]
    return Landscape(
        kind=kind,
        prompts=tuple(one.pairs for one in kept),
        draft_seconds=seconds(runs, "draft"),
        target_seconds=seconds(runs, "target"),
        failures=sum(len(iteration.failures) for run in runs for iteration in run.iterations),
        left_out=tuple(left_out),
    ), tuple(words)


def _useful(run: Run, settings: RunConfig) -> _Useful | None:
    if run.request.draft is None:
        return None
    pairs, _ = pairs_of(run)
    if len(pairs.captions) < 2:
        return None
    first = run.candidates[0]
    ids = {"generator": first.clip.generator, "critic": first.critique.judge}
    return _Useful(run, kind_of(settings, run.request, **ids, reasoner=run.iterations[0].caption.reasoner), pairs)
