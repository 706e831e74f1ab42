"""A measurement's files: all of it for whoever looks closer, and the one that a run goes by."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from agent.api import versions
from agent.bench.drafting.types import Agreement, Landscape
from agent.errors import StorageError, boundary
from agent.files import write_atomically
from agent.forecasting.correlation import Measured, written

ALL: Final = "drafts.json"
MEASURED: Final = "draft_correlation.yaml"
BY: Final = "`retake bench drafts`; see docs/bench.md."


def measured(landscape: Landscape, found: Agreement, source: str) -> Measured | None:
    """The measurement as a run reads it; None: it has no interval."""
    kind, rank = landscape.kind, found.spearman
    if rank.value is None or rank.low is None or rank.high is None:
        return None
    return Measured(
        generator=kind.engine,
        draft=kind.draft,
        target=kind.target,
        steps=kind.steps,
        frames=kind.frames,
        value=rank.value,
        low=min(rank.low, rank.value),
        high=max(rank.high, rank.value),
        prompts=rank.n,
        captions=found.captions,
        source=source,
    )


def facts(landscape: Landscape, found: Agreement, words: Sequence[str], source: str) -> dict[str, Any]:
    """What `drafts.json` holds but for the pairs: figures with their intervals."""
    data = landscape.model_dump(mode="json", include={"kind", "failures", "left_out"})
    return {"command": source, **data, "figures": found.model_dump(mode="json"), "words": list(words)}


def write(folder: Path, landscape: Landscape, told: dict[str, Any], row: Measured | None) -> Path | None:
    """Write both files. Returns the path of the one that a run goes by; None: there is no interval to go by.

    Raises:
        StorageError: they cannot be written.
    """
    pairs = landscape.model_dump(mode="json", include={"prompts", "draft_seconds", "target_seconds"})
    with boundary(StorageError, f"writing {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / ALL, json.dumps({**told, "versions": versions(), **pairs}, indent=1))
        if row is None:
            (folder / MEASURED).unlink(missing_ok=True)
            return None
        write_atomically(folder / MEASURED, written([row], BY))
        return folder / MEASURED
