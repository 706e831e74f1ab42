"""Addresses of a job's files: what is sent, how, and all that is not."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from agent.report import write_report
from agent.server.media import media_url
from tests import marked
from tests.storing import BASE, ME, job, plainly, stored

VIDEO = bytes(range(256)) * 40
HIDDEN = "http://10.1.2.3:8091"
SECRETS = ("config.yaml", "run.json", "events.jsonl", ".lock", "memory/render-1.json", "clips/.01-seed-1.mp4.job")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's folder with the run of job j1, and of another that is not asked for."""
    folder = tmp_path_factory.mktemp("served")
    run = marked.write(folder / "j1", first_frame=True)
    for name in SECRETS:
        (run.folder / name).parent.mkdir(exist_ok=True)
        if name != "run.json":
            (run.folder / name).write_text(f"generator: {{endpoints: [{HIDDEN}/v1]}}\nfolder: {folder}\n")
    write_report(run)
    (run.folder / "video.mp4").write_bytes(VIDEO)
    (run.folder / "clips" / "evil.html").write_text("<script>alert(1)</script>")
    (run.folder / "clips" / "inner.mp4").symlink_to(run.folder / "config.yaml")
    (run.folder / "clips" / "outer.mp4").symlink_to("/etc/passwd")
    (run.folder / "clips" / "folder.mp4").mkdir()
    (folder / "video.mp4").write_bytes(b"of nobody")
    return folder


@pytest.fixture
async def client(made: Path) -> AsyncIterator[httpx.AsyncClient]:
    overrides = f"models={{m: {{aliases: [cosmos-3-super], generator: {{backend: vllm_omni, endpoints: [{HIDDEN}]}}}}}}"
    async with stored(made, overrides, "default_model=m") as (client, _, store):
        if store.get("j1") is None:
            store.add(job("j1"))
        yield client


def address(file: str) -> str:
    return media_url(BASE, job("j1"), file)


async def test_a_video_is_sent_whole_in_ranges_and_not_again(client: httpx.AsyncClient) -> None:
    whole = await client.get(address("video.mp4"))
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, VIDEO, "video/mp4")
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["referrer-policy"] == "no-referrer"
    assert whole.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "sandbox" in whole.headers["content-security-policy"]

    head = await client.head(address("video.mp4"))
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(VIDEO)))
    part = await client.get(address("video.mp4"), headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, VIDEO[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(VIDEO)}"
    end = await client.get(address("video.mp4"), headers={"Range": "bytes=-5"})
    assert end.content == VIDEO[-5:]
    beyond = await client.get(address("video.mp4"), headers={"Range": f"bytes={len(VIDEO)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(VIDEO)}")
    assert beyond.json()["error"]["message"] == "the file has no such range"
    for unit in ("items=0-1", "x", "bytes=9-3", "bytes=", "bytes=1-x", "bytes=0-1,7-5"):
        assert (await client.get(address("video.mp4"), headers={"Range": unit})).content == VIDEO

    etag = whole.headers["etag"]
    same = await client.get(address("video.mp4"), headers={"If-None-Match": f'"other", W/{etag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    changed = await client.get(address("video.mp4"), headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (changed.status_code, len(changed.content)) == (200, len(VIDEO))


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("clips/01-seed-4100.mp4", "video/mp4"),
        ("first_frame.png", "image/png"),
        ("report.html", "text/html; charset=utf-8"),
    ],
)
async def test_what_else_is_sent(client: httpx.AsyncClient, file: str, kind: str) -> None:
    answer = await client.get(address(file))
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.content


NOWHERE = [
    *SECRETS,
    *("", "clips", "clips/", "clips/evil.html", "clips/inner.mp4", "clips/outer.mp4", "clips/folder.mp4"),
    *("../video.mp4", "..%2fvideo.mp4", "%2e%2e/video.mp4", "clips/../config.yaml", "clips/..%2f..%2fvideo.mp4"),
    *("clips/%252e%252e/config.yaml", "%2fetc%2fpasswd", "/etc/passwd", "video.mp4%00", "./video.mp4"),
    *("clips%5c..%5cvideo.mp4", "clips//01-seed-4100.mp4", "video.mp4/", "VIDEO.MP4", "clips/%2e01.mp4", "nothing.mp4"),
    *("~/x", "video.%ff%fe", "clips/" + "a" * 5000 + ".mp4", "%c0%ae%c0%ae/video.mp4", "video.mp4;x", "/"),
]


async def test_nothing_else_is_sent_and_all_of_it_looks_alike(client: httpx.AsyncClient) -> None:
    targets = [f"/media/key-of-j1/{name}" for name in NOWHERE]
    targets += ["/media/key-of-j2/video.mp4", "/media/%2e%2e%2f%00'--/video.mp4"]
    answers = {target: await plainly(client, target) for target in targets}
    assert {target: status for target, (status, _) in answers.items() if status != 404} == {}
    assert len({body for _, body in answers.values()}) == 1


async def test_the_report_is_sent_without_what_is_the_operators(client: httpx.AsyncClient, made: Path) -> None:
    on_disk = (made / "j1" / "report.html").read_text()
    assert HIDDEN in on_disk, "the page that lies on the disk has the config"
    sent = await client.get(address("report.html"))
    assert HIDDEN not in sent.text
    assert str(made) not in sent.text
    assert "config.yaml" not in sent.text
    assert 'src="clips/01-seed-4101.mp4"' in sent.text
    assert sent.text.endswith("</html>\n") == on_disk.endswith("</html>\n")
    assert "sandbox allow-scripts" in sent.headers["content-security-policy"]
    again = await client.get(address("report.html"), headers={"If-None-Match": sent.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_forgotten_jobs_files_are_gone(tmp_path: Path) -> None:
    async with stored(tmp_path) as (client, context, store):
        store.add(job("j1"))
        (tmp_path / "j1").mkdir()
        (tmp_path / "j1" / "video.mp4").write_bytes(VIDEO)
        assert (await client.get(address("video.mp4"))).status_code == 200
        assert await context.desk.delete("j1", ME) == "over"
        assert (await client.get(address("video.mp4"))).status_code == 404
