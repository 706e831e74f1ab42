"""What `--json` says of a run."""

from pathlib import Path

from agent.cli import summary
from agent.types import Canaries
from tests import runs


def test_a_script_learns_what_decided_and_whether_the_critic_is_trusted(tmp_path: Path) -> None:
    run = runs.chosen(tmp_path / "run")
    assert run.choice is not None
    assert run.self_test is not None
    told = summary(run)
    assert (told["tier"], told["choice"], told["critic_auc"]) == ("target", run.choice.by, run.self_test.auc)
    assert told["critic_trusted"]
    assert 0 < told["drafts"] == sum(run.is_draft(c) for c in run.candidates) < told["renders"]
    failed = run.model_copy(update={"canaries": Canaries(least_auc=1.0)})
    assert not summary(failed)["critic_trusted"]


def test_a_script_learns_that_the_video_is_a_draft(tmp_path: Path) -> None:
    run = runs.chosen(tmp_path / "run")
    drafts = tuple(i for i in run.iterations if i.tier == "draft")
    told = summary(run.model_copy(update={"iterations": drafts, "choice": None, "duels": ()}))
    assert (told["tier"], told["choice"]) == ("draft", None)
    assert told["drafts"] == told["renders"]


def test_without_a_clip_there_is_no_tier(tmp_path: Path) -> None:
    told = summary(runs.chosen(tmp_path / "run").model_copy(update={"iterations": (), "choice": None, "duels": ()}))
    assert (told["video"], told["tier"]) == (None, None)
