"""What the page is shown: a run's view, what the form offers, and the page's parts over the real application."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import journal, report
from agent.run import Run
from agent.server.loading import load
from agent.server.page.looking import look
from agent.server.page.offering import model_form, offer
from agent.server.page.routes import SCRIPTS
from agent.server.page.views import RunLook
from agent.server.types import Caller
from tests import runs
from tests.pages import Page
from tests.serving import in_process

HOSTILE = "</script><img src=x onerror=alert(1)>"


def seen(run: Run) -> RunLook:
    return look(run, "job", lambda file: f"media/key/{file}")


@pytest.mark.thorough
def test_a_view_has_all_of_a_run_in_words_and_figures(tmp_path: Path) -> None:
    run = runs.good(tmp_path / "run")
    (run.folder / "posters").mkdir(exist_ok=True)
    for candidate in run.candidates:
        (run.folder / "posters" / f"{candidate.clip.path.stem}.jpg").touch()
    (run.folder / report.NAME).touch()
    view = seen(run)
    assert [len(one.candidates) + len(one.failures) for one in view.iterations] == [
        len(i.candidates) + len(i.failures) for i in run.iterations
    ]
    shown = [c for one in view.iterations for c in one.candidates]
    assert [c.score for c in shown] == [c.score for c in run.candidates]
    assert [c.chosen for c in shown].count(True) == 1
    assert all(c.clip == f"media/key/clips/{Path(c.clip).name}" for c in shown if c.clip)
    assert all(c.poster for c in shown)
    assert view.report == "media/key/report.html"
    rewritten = next(one for one in view.iterations if one.against is not None)
    kinds = {piece.kind for change in rewritten.changes for piece in change.pieces}
    assert "added" in kinds
    assert any(change.reasons for change in rewritten.changes)
    assert rewritten.gain
    assert len(rewritten.gain.seeds) >= 1
    assert view.accept_at == run.accept_at
    assert not view.calibrated
    assert sum(row.seconds for row in view.ledger) == pytest.approx(sum(run.seconds.values()))
    for view_of in shown:
        assert " " in view_of.lowest
        assert {c.name for c in view_of.criteria} == {c.name for c in shown[0].criteria}


@pytest.mark.parametrize("made", [runs.failed, runs.running, runs.promoted, runs.chosen, runs.asked, runs.compared])
def test_every_kind_of_run_has_a_view(tmp_path: Path, made: Callable[[Path], Run]) -> None:
    run = made(tmp_path / "run")
    view = seen(run)
    assert view.running == (run.ending is None)
    assert view.sentence
    assert RunLook.model_validate_json(view.model_dump_json()) == view
    assert sum(len(one.pending) for one in view.iterations) == run.pending
    assert [f.failed for one in view.iterations for f in one.failures].count(True) == sum(
        len(i.failures) for i in run.iterations
    )


def test_files_that_are_gone_or_lie_elsewhere_have_no_address(tmp_path: Path) -> None:
    run = runs.good(tmp_path / "run")
    first, second = run.candidates[:2]
    first.clip.path.unlink()
    second.clip.path.unlink()
    outside = tmp_path / "secret.mp4"
    outside.write_bytes(b"secret")
    second.clip.path.symlink_to(outside)
    shown = [c.clip for one in seen(run).iterations for c in one.candidates]
    assert shown[:2] == [None, None]
    assert all(shown[2:])


def test_the_form_offers_what_a_model_does_by_itself() -> None:
    settings = ["request.size=256x256", "request.num_frames=13", "budget.max_renders=3", "search.draft=null"]
    served = load(None, settings)
    name, config = next(iter(served.models.items()))
    form = model_form(name, config)
    assert form.image == "optional"
    assert form.defaults["size"] == "256x256"
    assert form.defaults["num_frames"] == 13
    assert form.defaults["max_renders"] == 3
    assert form.defaults["seed"] is None
    assert form.max_frames["256x256"] == 397
    assert form.drafts == ""
    drafted = load(None, ["request.size=1280x720", "search.draft={tier: 256p}"]).models[name]
    assert "drafts of 320x192" in model_form(name, drafted).drafts
    view = offer(served, Caller(owner="a", scopes=frozenset({"read"})), (form,))
    assert (view.may_run, view.may_upload, view.default_model) == (False, False, served.server.default_model)


async def test_the_page_and_its_parts_are_served(tmp_path: Path) -> None:
    async with in_process(tmp_path / "kept") as (client, _):
        page = await client.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "'unsafe-inline'" not in page.headers["content-security-policy"]
        read = Page(page.text)
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=", page.text)
        labels = {a.get("for") for a in read.all("label")}
        fields = [a for kind in ("input", "select", "textarea") for a in read.all(kind)]
        assert [a for a in fields if a["id"] not in labels and not a.get("aria-label")] == []
        parts = [a["href"] for a in read.all("link") if "/" in a["href"]] + [a["src"] for a in read.all("script")]
        assert {f"page/{name}" for name in SCRIPTS} <= set(parts)
        for name in parts:
            got = await client.get(f"/{name}")
            assert got.status_code == 200
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|localStorage", got.text
            )
        for wrong in ("/page/routes.py", "/page/page.html.j2", "/page/%2e%2e/app.py", "/page/", "/v1/page/runs/none"):
            assert (await client.get(wrong)).status_code == 404, wrong
        form = (await client.get("/v1/page/form")).json()
        assert {model["name"] for model in form["models"]} >= {form["default_model"]}


@pytest.mark.thorough
async def test_a_job_is_seen_once_its_run_is_on_the_disk(tmp_path: Path) -> None:
    async with in_process(tmp_path / "kept") as (client, context):
        made = await client.post("/v1/runs", json={"prompt": HOSTILE, "agentic": False})
        address = f"/v1/page/runs/{made.json()['id']}"
        job = context.desk.find(made.json()["id"], Caller())
        assert job
        assert (await client.get(address)).status_code in {200, 204}
        await context.desk.ended(job, timeout=60)
        got = await client.get(address)
        view = RunLook.model_validate_json(got.content)
        assert view.prompt == HOSTILE
        assert view.video
        assert (await client.get(view.video.removeprefix("."))).headers["content-type"] == "video/mp4"
        again = await client.get(address, headers={"If-None-Match": got.headers["etag"]})
        assert again.status_code == 304
        assert str(tmp_path) not in got.text
        assert json.loads((context.desk.folder(job) / journal.RUN).read_text())["request"]["prompt"] == HOSTILE
