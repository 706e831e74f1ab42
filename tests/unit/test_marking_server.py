"""The server of `retake mark`: who may ask, what is served, and what is taken."""

import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest

from agent import journal, marks
from agent.cli import main
from agent.errors import ConfigError
from agent.files import file_hash
from agent.marking.app import MAX_BODY, application
from agent.marking.catalogue import Catalogue
from agent.marking.pairs import proposed
from agent.marking.saving import Register
from agent.marking.server import listen, show
from agent.marking.shelf import Shelf, given
from agent.report import write_report
from agent.run import Run
from agent.types import Entrant
from tests import marked, runs

BASE = "http://127.0.0.1:8123"
TOKEN = "a-token-for-tests"  # noqa: S105 - of no server
ME = {"Origin": BASE}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("made") / "one run"
    run = marked.write(folder, first_frame=True)
    write_report(run)
    return run


@pytest.fixture
def run(made: Run, tmp_path: Path) -> Run:
    """A copy of it that a test may damage."""
    folder = shutil.copytree(made.folder, tmp_path / "runs" / made.folder.name)
    return journal.load(folder)


def served(*roots: Path, **options: Any) -> tuple[Any, Register]:
    catalogue = Catalogue(Shelf(given(map(str, roots))), **options)
    register = Register(catalogue)
    return application(catalogue, register, port=8123, token=TOKEN), register


def client(app: Any, *, base: str = BASE, cookie: str | None = TOKEN) -> httpx.AsyncClient:
    cookies = {} if cookie is None else {"retake-mark-8123": cookie}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base, cookies=cookies)


@pytest.fixture
async def page(run: Run) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that has opened the page."""
    async with client(served(run.folder)[0]) as opened:
        assert len((await opened.get("/api/runs")).json()["runs"]) == 1
        yield opened


def mark(run: Run, seed: int = 4100, **changes: object) -> dict[str, object]:
    clip = file_hash(run.clip_path(0, seed))
    first = {"iteration": 0, "seed": seed}
    return {"run": 0, "kind": "rating", "first": first, "first_sha256": clip, "label": 4, "rater": "Ann"} | changes


def compared(run: Run, left: int, right: int, label: float | None, **changes: object) -> dict[str, object]:
    second = {"second": {"iteration": 0, "seed": right}, "second_sha256": file_hash(run.clip_path(0, right))}
    return mark(run, left, kind="pair", label=label) | second | changes


# --- who may ask


async def test_nobody_is_let_in_without_the_token(run: Run) -> None:
    app, _ = served(run.folder)
    for cookie in (None, "", "wrong", "ÿ"):
        async with client(app, cookie=None) as stranger:
            headers = [] if cookie is None else [(b"Cookie", f"retake-mark-8123={cookie}".encode())]
            for path in ("/", "/api/runs", "/page.js", "/clips/0/0/4100", "/first-frame/0", "/nothing", "/?token=x"):
                reply = await stranger.get(path, headers=headers)
                assert reply.status_code == 403, path
                assert "retake mark" in reply.text
            reply = await stranger.post("/api/marks", json=mark(run), headers=[(b"Origin", BASE.encode()), *headers])
            assert reply.status_code == 403
    assert not (run.folder / marks.NAME).exists()


async def test_the_address_with_the_token_gives_a_cookie_that_lets_in(run: Run) -> None:
    async with client(served(run.folder)[0], cookie=None) as browser:
        reply = await browser.get(f"/?token={TOKEN}")
        assert reply.status_code == 200
        assert "HttpOnly; SameSite=Strict" in reply.headers["set-cookie"]
        assert (await browser.get("/api/runs")).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8123", "127.0.0.1.evil.example", "localhost:8123:1", ""]
)
async def test_a_name_that_is_not_this_machine_is_refused(page: httpx.AsyncClient, host: str) -> None:
    assert (await page.get("/api/runs", headers={"Host": host})).status_code == 403


async def test_a_tunnel_may_have_another_port(page: httpx.AsyncClient, run: Run) -> None:
    host = {"Host": "localhost:9000"}
    assert (await page.get("/api/runs", headers=host)).status_code == 200
    sent = await page.post("/api/marks", json=mark(run), headers=host | {"Origin": "http://localhost:9000"})
    assert sent.status_code == 200


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1:9999", "https://127.0.0.1:8123"]
)
async def test_marks_are_taken_from_the_own_page_only(page: httpx.AsyncClient, run: Run, origin: str | None) -> None:
    reply = await page.post("/api/marks", json=mark(run), headers={} if origin is None else {"Origin": origin})
    assert reply.status_code == 403
    assert not (run.folder / marks.NAME).exists()


async def test_every_answer_has_safe_headers_and_no_other_origin_is_allowed(page: httpx.AsyncClient) -> None:
    for path in ("/", "/api/runs", "/page.css", "/clips/0/0/4100", "/nothing"):
        headers = (await page.get(path, headers={"Origin": "http://evil.example"})).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert not [name for name in headers if name.startswith("access-control")]
    assert "<script>" not in (await page.get("/")).text


# --- what is served


async def test_the_first_frame_is_served(page: httpx.AsyncClient, run: Run) -> None:
    address = (await page.get("/api/runs")).json()["runs"][0]["first_frame"]
    shown = await page.get("/" + address)
    assert (shown.headers["content-type"], shown.content) == (
        "image/png",
        (run.folder / "first_frame.png").read_bytes(),
    )


async def test_a_clip_is_served_whole_and_in_parts(page: httpx.AsyncClient, run: Run) -> None:
    data = run.clip_path(0, 4101).read_bytes()
    whole = await page.get("/clips/0/0/4101")
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, data, "video/mp4")
    part = await page.get("/clips/0/0/4101", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, data[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(data)}"
    assert (await page.get("/clips/0/0/4101", headers={"Range": f"bytes={len(data)}-"})).status_code == 416


async def test_no_path_of_the_wire_becomes_a_file(page: httpx.AsyncClient) -> None:
    for path in (
        "/clips/0/0/9",
        "/clips/1/0/4100",
        "/clips/0/7/4100",
        "/clips/-1/0/4100",
        "/clips/0/0/" + "9" * 5000,
        "/clips/0/0/\uff14\uff11\uff10\uff10",
        "/clips/0/0/..%2f..%2frun.json",
        "/clips/0/../../run.json",
        "/first-frame/1",
        "/run.json",
        "/..%2frun.json",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/%00",
        "//etc/passwd",
    ):
        assert (await page.get(path)).status_code == 404, path


async def test_a_report_is_an_origin_of_its_own_that_its_own_address_opens(run: Run) -> None:
    app, _ = served(run.folder)
    async with client(app) as page:
        at = (await page.get("/api/runs")).json()["runs"][0]["report"]
    async with client(app, cookie=None) as opaque:
        shown = await opaque.get("/" + at)
        assert shown.text == (run.folder / "report.html").read_text(encoding="utf-8")
        assert "sandbox allow-scripts;" in shown.headers["content-security-policy"]
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        beside = "/" + at.removesuffix("report.html")
        clip = await opaque.get(beside + "clips/01-seed-4100.mp4", headers={"Range": "bytes=0-9"})
        assert clip.status_code == 206
        assert (await opaque.get(beside + "run.json")).headers["content-type"].startswith("text/plain")
        for name in (
            "",
            "marks.jsonl",
            ".lock",
            "posters/01-seed-4100.jpg",
            "..%2frun.json",
            "clips/%2e%2e/run.json",
            "%00",
        ):
            assert (await opaque.get(beside + name)).status_code == 404, name
        assert (await opaque.get("/report/guessed/0/report.html")).status_code == 403
        assert (await opaque.get("/api/runs")).status_code == 403


async def test_what_a_hostile_run_names_outside_its_folder_is_not_shown(run: Run, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_text("secret")
    (run.folder / "report.html").unlink()
    (run.folder / "report.html").symlink_to(secret)
    link = run.clip_path(0, 4101)
    link.unlink()
    link.symlink_to(secret)
    told = json.loads((run.folder / "run.json").read_text())
    told["iterations"][0]["candidates"][0]["clip"]["path"] = str(secret)
    told["request"]["spec"]["first_frame"] = "../../secret.mp4"
    (run.folder / "run.json").write_text(json.dumps(told))
    async with client(served(run.folder)[0]) as page:
        shown = (await page.get("/api/runs")).json()["runs"][0]
        assert (shown["report"], shown["first_frame"]) == (None, None)
        assert sorted(c["clip"] is not None for c in shown["candidates"]) == [False, False, True]
        for path in ("/clips/0/0/4100", "/clips/0/0/4101", "/first-frame/0"):
            assert (await page.get(path)).status_code == 404


async def test_blind_order_is_by_chance_the_same_each_time_and_tells_nothing(tmp_path: Path) -> None:
    run = marked.write(tmp_path / "many", [0.3 + 0.05 * n for n in range(12)])
    orders = []
    for blind in (True, True, False):
        async with client(served(run.folder, blind=blind)[0]) as page:
            view = (await page.get("/api/runs")).json()
            assert view["blind"] is blind
            orders.append([c["entrant"]["seed"] for c in view["runs"][0]["candidates"]])
    assert orders[0] == orders[1] != orders[2] == [c.seed for c in run.candidates]


async def test_new_runs_and_candidates_appear_and_a_damaged_run_is_told(run: Run) -> None:
    root = run.folder.parent
    async with client(served(root)[0]) as page:
        assert len((await page.get("/api/runs")).json()["runs"]) == 1
        marked.write(root / "a later one", (0.4,))
        marked.put(run.model_copy(update={"iterations": run.iterations * 2, "ending": None}))
        (root / "damaged").mkdir()
        (root / "damaged" / "run.json").write_text("{")
        shown = (await page.get("/api/runs")).json()["runs"]
    assert [(r["name"], len(r["candidates"]), r["running"]) for r in shown] == [
        ("one run", 6, True),
        ("a later one", 1, False),
        ("damaged", 0, False),
    ]
    assert "is damaged" in shown[2]["notes"][0]


async def test_a_folder_whose_name_is_no_text_is_shown(run: Run) -> None:
    strange = run.folder.rename(run.folder.parent / os.fsdecode(b"run-\xff"))
    async with client(served(strange)[0]) as page:
        assert (await page.get("/api/runs")).json()["runs"][0]["name"] == "run-?"
        (strange / "run.json").unlink()
        assert "is not a run folder" in (await page.get("/api/runs")).json()["runs"][0]["notes"][0]


def test_pairs_are_the_nearest_scores_of_a_tier_and_few(tmp_path: Path) -> None:
    run = marked.write(tmp_path / "run", (0.5, 0.9, 0.52, 0.86))
    found = proposed(run, lambda c: str(c.seed), 2)
    assert [{e.seed for e in pair} for pair in found] == [{4100, 4102}, {4101, 4103}]
    assert len(proposed(run, lambda c: str(c.seed))) == 6
    assert proposed(run, lambda c: "the same bytes") == []
    chosen = runs.chosen(tmp_path / "drafts")
    for pair in proposed(chosen, lambda c: f"{c.clip.path}", 100):
        tiers = {chosen.is_draft(c) for e in pair if (c := chosen.candidate(e))}
        assert len(tiers) == 1


# --- what is taken


async def test_a_mark_is_on_the_disk_and_shown_to_its_rater_alone(page: httpx.AsyncClient, run: Run) -> None:
    before = {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}
    for sent in (mark(run), mark(run, 4101, kind="verdict", label=0), compared(run, 4100, 4101, 0.5)):
        reply = await page.post("/api/marks", json=sent, headers=ME)
        assert (reply.status_code, reply.json()["saved"]) == (200, True)
    assert [m.label for m in marks.standing(run.folder)] == [4, 0, 0.5]
    assert {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file() and p.name != marks.NAME} == before
    for rater, rating, verdict, tie in (("Ann", 4, 0, 0.5), ("Bob", None, None, None)):
        shown = (await page.get("/api/runs", params={"rater": rater})).json()["runs"][0]
        by_seed = {c["entrant"]["seed"]: c for c in shown["candidates"]}
        assert (by_seed[4100]["rating"], by_seed[4101]["verdict"]) == (rating, verdict)
        pair = next(p for p in shown["pairs"] if {p["first"]["seed"], p["second"]["seed"]} == {4100, 4101})
        assert pair["label"] == tie
    assert (await page.post("/api/marks", json=mark(run, label=None), headers=ME)).status_code == 200
    assert len(marks.standing(run.folder)) == 2


async def test_a_pair_is_the_same_whichever_stood_on_the_left(page: httpx.AsyncClient, run: Run) -> None:
    for left, right, label in ((4100, 4101, 1), (4101, 4100, 1)):
        sent = await page.post("/api/marks", json=compared(run, left, right, label), headers=ME)
        assert sent.status_code == 200
    (stands,) = marks.standing(run.folder)
    assert (stands.first, stands.label) == (Entrant(iteration=0, seed=4100), 0)
    assert stands.clip_sha256 == file_hash(run.clip_path(0, 4100))


async def test_raters_and_tabs_lose_nothing_of_one_another(run: Run) -> None:
    one, other = served(run.folder)[0], served(run.folder)[0]
    async with client(one) as ann, client(other) as bob:
        await ann.get("/api/runs")
        await bob.get("/api/runs")
        for label in (1, 2, 3):
            await ann.post("/api/marks", json=mark(run, label=label), headers=ME)
            await bob.post("/api/marks", json=mark(run, label=6 - label, rater=" Bob\n\x1b "), headers=ME)
    assert [(m.rater, m.label) for m in marks.standing(run.folder)] == [("Ann", 3), ("Bob", 3)]
    assert len(list(marks.lines(run.folder))) == 6


async def test_a_wrong_mark_is_refused_in_words(page: httpx.AsyncClient, run: Run) -> None:
    wrong: tuple[tuple[int, dict[str, object]], ...] = (
        (404, {"run": 1}),
        (404, {"first": {"iteration": 0, "seed": 9}}),
        (404, {"first": {"iteration": 10**30, "seed": -1}}),
        (409, {"first_sha256": "0" * 64}),
        (422, {"first_sha256": "../x"}),
        (422, {"label": 6}),
        (422, {"label": 4, "kind": "likes"}),
        (422, {"kind": "pair"}),
        (422, {"run": -1}),
        (422, {"rater": "x" * 81}),
        (422, {"at": "2020-01-01"}),
        (413, {"rater": "x" * MAX_BODY}),
    )
    for status, changes in wrong:
        reply = await page.post("/api/marks", json=mark(run) | changes, headers=ME)
        assert reply.status_code == status, changes
        assert reply.json()["error"].strip()
    assert not (run.folder / marks.NAME).exists()


async def test_what_is_no_mark_at_all_is_refused_in_words(page: httpx.AsyncClient) -> None:
    for status, body, kind in (
        (422, b"", "application/json"),
        (422, b"null", "application/json"),
        (422, b"[" * 2000, "application/json"),
        (422, b'{"run": NaN}', "application/json"),
        (422, b'{"rater": "\\ud800"}', "application/json"),
        (422, b"\xff\xfe", "application/json; charset=x"),
        (415, b"{}", "text/plain"),
        (415, b"{}", ""),
    ):
        reply = await page.post("/api/marks", content=body, headers=ME | {"Content-Type": kind})
        assert (reply.status_code, bool(reply.json()["error"])) == (status, True), body


async def test_other_methods_and_long_names_are_refused(page: httpx.AsyncClient) -> None:
    assert (await page.put("/api/marks", headers=ME)).status_code == 405
    assert (await page.post("/api/runs", headers=ME)).status_code == 405
    assert (await page.get("/api/runs", params={"rater": "x" * 81})).status_code == 422


async def test_a_pair_of_one_candidate_is_refused(page: httpx.AsyncClient, run: Run) -> None:
    reply = await page.post("/api/marks", json=compared(run, 4100, 4100, 1), headers=ME)
    assert (reply.status_code, "one and the same" in reply.json()["error"]) == (422, True)


async def test_another_clip_in_its_place_has_no_mark(page: httpx.AsyncClient, run: Run) -> None:
    sent = mark(run)
    await page.post("/api/marks", json=sent, headers=ME)
    clip = run.clip_path(0, 4100)
    clip.write_bytes(run.clip_path(0, 4101).read_bytes() + b" ")
    assert (await page.post("/api/marks", json=sent, headers=ME)).status_code == 409
    shown = (await page.get("/api/runs", params={"rater": "Ann"})).json()["runs"][0]["candidates"]
    assert [c["rating"] for c in shown] == [None] * 3


async def test_a_disk_that_fails_is_told_and_the_mark_can_be_sent_again(page: httpx.AsyncClient, run: Run) -> None:
    if os.geteuid() == 0:  # root may write into anything, but into no folder in a file's place
        (run.folder / marks.NAME).mkdir()
    else:
        run.folder.chmod(0o500)
    reply = await page.post("/api/marks", json=mark(run), headers=ME)
    assert reply.status_code == 507
    assert "Saving the mark" in reply.json()["error"]
    run.folder.chmod(0o700)
    if (run.folder / marks.NAME).is_dir():
        assert "cannot be read" in (await page.get("/api/runs")).json()["runs"][0]["notes"][0]
        (run.folder / marks.NAME).rmdir()
    assert (await page.post("/api/marks", json=mark(run), headers=ME)).status_code == 200


async def test_a_run_folder_that_is_gone_is_told_and_the_mark_can_be_sent_again(
    page: httpx.AsyncClient, run: Run
) -> None:
    sent = mark(run)
    away = run.folder.rename(run.folder.with_name("away"))
    reply = await page.post("/api/marks", json=sent, headers=ME)
    assert (reply.status_code, "Bring it back" in reply.json()["error"]) == (503, True)
    away.rename(run.folder)
    run.clip_path(0, 4100).rename(run.folder / "aside")
    assert (await page.post("/api/marks", json=sent, headers=ME)).status_code == 503
    (run.folder / "aside").rename(run.clip_path(0, 4100))
    assert (await page.post("/api/marks", json=sent, headers=ME)).status_code == 200


async def test_what_is_no_mark_in_the_file_is_told_on_the_page(page: httpx.AsyncClient, run: Run) -> None:
    (run.folder / marks.NAME).write_text("my notes\n")
    assert "1 line is no mark in marks.jsonl" in (await page.get("/api/runs")).json()["runs"][0]["notes"][0]


async def test_marks_of_a_session_are_counted_as_they_stand(run: Run) -> None:
    app, register = served(run.folder)
    async with client(app) as page:
        await page.get("/api/runs")
        for label in (1, 5, None, 2):
            await page.post("/api/marks", json=mark(run, label=label), headers=ME)
        await page.post("/api/marks", json=mark(run, 4101, label=3), headers=ME)
        await page.post("/api/marks", json=mark(run, 4101, label=None), headers=ME)
    assert (register.made, register.folders) == (1, (run.folder,))


# --- the command's own words


def test_folders_are_named_once_and_what_is_no_run_is_refused(run: Run, tmp_path: Path) -> None:
    root = run.folder.parent
    assert given([str(run.folder), f"{root}/../runs/{run.folder.name}"]) == [run.folder.resolve()]
    assert Shelf(given([str(root), str(run.folder)])).look() == (run.folder.resolve(),)
    for wrong, why in ((tmp_path / "none", "is not there"), (run.folder / "clips", "holds no run")):
        with pytest.raises(ConfigError, match=why):
            given([str(wrong)])


def test_wrong_use_of_the_command_is_a_sentence(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with listen(0) as taken:
        port = str(taken.getsockname()[1])
        for arguments, why in (
            (["--port", port], "is taken"),
            (["--port", "70000"], "--port 70000: must be"),
            (["--rater", "x" * 81], "--rater: at most 80"),
            (["--pairs", "-1"], "--pairs -1: must be"),
        ):
            assert main(["mark", str(run.folder), "--no-browser", *arguments]) == 2
            assert why in capsys.readouterr().err
    assert main(["mark", str(run.folder), str(run.folder / "clips"), "--no-browser"]) == 2
    assert "clips: holds no run" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["mark", str(run.folder)]) == 2
    assert "pip install 'cosmos-retake[server]'" in capsys.readouterr().err


def test_the_browser_is_opened_only_where_there_is_one() -> None:
    opened: Queue[str] = Queue()
    assert not show("nowhere", {}, open_url=opened.put)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        assert show(BASE, {name: "x"}, open_url=opened.put)
        assert opened.get(timeout=60) == BASE
