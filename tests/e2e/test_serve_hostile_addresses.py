"""Attacks by addresses: paths that climb, ids that are none or another's, and URLs that lead inward."""

import time

import pytest

from tests.e2e.victim import ANN, APP, BOB, I2V, SMALL, T2V, Victim, png
from tests.raw_http import answer, head, statuses

pytestmark = pytest.mark.thorough

# --- addresses

CLIMBS = [
    "../run.json", "..%2frun.json", "%2e%2e/%2e%2e/.server/jobs.sqlite", "..%252f..%252fetc/passwd", "....//run.json",
    "/etc/passwd", "//etc/passwd", "%2fetc%2fpasswd", "..\\run.json", "..%5crun.json", "%c0%ae%c0%ae/run.json",
    ".", "..", "%2e", "", "run.json", "config.yaml", "events.jsonl", "clips", "clips/", "clips/../run.json",
    "clips/..%2frun.json", "memory", ".lock", "video.mp4/", "video.mp4%00.png", "video.mp4%0a", "%00", "VIDEO.MP4",
    "video.mp4;.png", "clips/%2e%2e/video.mp4", "\u202evideo.mp4", "a" * 5000, "~", "~root", "CON", "file:///etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("climb", CLIMBS, ids=lambda climb: repr(climb)[:30])
def test_no_path_leads_out_of_what_is_shown(victim: Victim, climb: str) -> None:
    key = victim.video.split("/")[2]
    for base in (f"/media/{key}/", "/media/", "/uploads/", "/fal/cdn/files/", "/page/", f"/media/{key}/../{key}/"):
        path = (base + climb).encode("utf-8").decode("latin-1").replace(" ", "%20").replace("\r", "")
        found = answer(victim.port, head("GET", path, [("Connection", "close"), *ANN.items()]))
        status = int(found.split(b" ")[1])
        assert status in {400, 401, 403, 404, 414}, (base, climb, status)
        assert b"root:" not in found
        assert b"SQLite" not in found


def test_the_video_itself_is_shown(victim: Victim) -> None:
    found = victim.ask("GET", victim.video, headers={})
    assert found.status_code == 200
    assert found.content[4:8] == b"ftyp"
    assert found.headers["x-content-type-options"] == "nosniff"


ODD_IDS = [
    "' OR 1=1 --", "1;DROP TABLE jobs", '" OR ""="', "%00", "%27", "..", "../..", "..%2f..", "*", "%", "%%", "null",
    "0", "-1", "1e999", "\u202e", "\U0001f600", "%ed%a0%80", "%ff", "a" * 3000, "${jndi:ldap://x}", "{{7*7}}", "<b>",
    "%0d%0aX-Injected:%201", "{id}", "requests", "status",
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_IDS, ids=lambda odd: repr(odd)[:30])
def test_an_odd_id_is_one_that_is_not_there(victim: Victim, odd: str) -> None:
    for method, path in (
        ("GET", f"{APP}/requests/{odd}/status"),
        ("GET", f"{APP}/requests/{odd}"),
        ("PUT", f"{APP}/requests/{odd}/cancel"),
        ("GET", f"/v1/videos/{odd}"),
        ("DELETE", f"/v1/videos/{odd}"),
        ("GET", f"/v1/videos/{odd}/content"),
        ("GET", f"/v1/runs/{odd}"),
        ("GET", f"/v1/runs/{odd}/events"),
        ("DELETE", f"/v1/uploads/{odd}"),
        ("GET", f"/v1/videos?after={odd}"),
        ("GET", f"/v1/runs?after={odd}"),
    ):
        raw = path.encode("utf-8").decode("latin-1").replace(" ", "%20")
        found = answer(victim.port, head(method, raw, [("Connection", "close"), *ANN.items()]))
        status = int(found.split(b" ")[1])
        listing = {200} if "after" in path else set()
        assert status in {400, 404, 405, 422} | listing, (path, found[:300])
        assert b"\r\nx-injected" not in found.lower()
        assert b"<b>" not in found or b"application/json" in found


def test_another_keys_jobs_are_as_if_they_were_not_there(victim: Victim) -> None:
    theirs, nobodys = victim.job, victim.job[:-4] + "0000"
    assert theirs != nobodys
    for method, path in (
        ("GET", APP + "/requests/{}/status"),
        ("GET", APP + "/requests/{}/status/stream"),
        ("GET", APP + "/requests/{}"),
        ("PUT", APP + "/requests/{}/cancel"),
        ("GET", "/v1/videos/{}"),
        ("GET", "/v1/videos/{}/content"),
        ("DELETE", "/v1/videos/{}"),
        ("POST", "/v1/videos/{}/remix"),
        ("GET", "/v1/runs/{}"),
        ("GET", "/v1/runs/{}/events"),
        ("GET", "/v1/runs/{}/files"),
        ("POST", "/v1/runs/{}/cancel"),
        ("DELETE", "/v1/runs/{}"),
        ("GET", "/v1/page/runs/{}"),
    ):
        body = {"json": {"prompt": "x"}} if method == "POST" else {}
        one, other = (victim.ask(method, path.format(id_), headers=BOB, **body) for id_ in (theirs, nobodys))
        assert one.status_code == other.status_code, path
        assert one.status_code in {404, 405}, path
        assert one.text.replace(theirs, "ID") == other.text.replace(nobodys, "ID"), path
    for path in ("/v1/videos", "/v1/runs"):
        assert theirs not in victim.ask("GET", path, headers=BOB).text
    assert victim.ask("GET", f"{APP}/requests/{theirs}").status_code == 200


def test_another_keys_upload_is_not_taken_for_ones_own(victim: Victim) -> None:
    made = victim.ask("POST", "/v1/uploads", params={"name": "a.png"}, content=png(64, 64)).json()
    assert victim.ask("GET", f"/v1/uploads/{made['id']}").status_code == 200
    for method in ("GET", "DELETE"):
        one = victim.ask(method, f"/v1/uploads/{made['id']}", headers=BOB)
        other = victim.ask(method, f"/v1/uploads/{'0' * 32}", headers=BOB)
        assert (one.status_code, one.text) == (other.status_code, other.text)
        assert one.status_code == 404


# --- addresses that the server is to fetch


LOCAL = [
    "127.0.0.1", "localhost", "LOCALHOST", "localhost.", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0",
    "0177.0.0.1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]",
    "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "127.0.0.1%2f", "user:pw@127.0.0.1", "public.example@127.0.0.1",
    "127.0.0.1#.example", "127.0.0.1\\.example", "app.localhost", "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460",
    "127\u30020\u30020\u30021",
]  # fmt: skip
"""Ways to write this machine's own address."""
INWARD = [
    "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/latest", "http://10.0.0.1/x.png",
    "http://192.168.0.1/x.png", "http://metadata.google.internal/computeMetadata/v1/", "http://168.63.129.16/",
    "file:///etc/passwd", "gopher://127.0.0.1:{port}/_x", "ftp://127.0.0.1:{port}/x", "unix:///run/x.sock",
    "//127.0.0.1:{port}/x", "http:127.0.0.1:{port}", "http:/127.0.0.1:{port}/", "http://", "http://[", "jar:x",
    "/etc/passwd", "../../etc/passwd", "~/.ssh/id_rsa", "data:text/html,<script>", "http://127.0.0.1:{port}\r\nX: y",
]  # fmt: skip


def inward(port: int) -> list[str]:
    return [f"http://{name}:{port}/x.png" for name in LOCAL] + [url.replace("{port}", str(port)) for url in INWARD]


def test_no_address_of_an_image_leads_inward(victim: Victim) -> None:
    taken: list[tuple[str, str]] = []
    for url in inward(victim.canary.port):
        reply = victim.ask("POST", I2V, json={"prompt": "a kite", **SMALL, "image_url": url})
        if reply.status_code == 200:
            taken.append((url, reply.json()["request_id"]))
        else:
            assert reply.status_code in {400, 422}, (url, reply.text)
    for url, id_ in taken:
        over = victim.ended(id_)
        assert over.status_code == 422, (url, over.text)
        assert "root:" not in over.text
    assert len(taken) > 10  # they were refused where names are looked up, and not by their look alone


def test_no_dialect_leads_inward(victim: Victim) -> None:
    port = victim.canary.port
    asked = {"prompt": "a kite", "num_frames": 13, "size": "256x256"}
    for url in (
        f"http://127.0.0.1:{port}/x",
        f"http://[::ffff:127.0.0.1]:{port}/x",
        "http://169.254.169.254/",
        "/etc/passwd",
    ):
        for path, body in (
            ("/v1/runs", {**asked, "image": url}),
            ("/v1/runs", {**asked, "video": url}),
            ("/v1/runs", {**asked, "video": url, "controls": [{"kind": "edge", "video": url}]}),
            ("/v1/videos", {"prompt": "a kite", "seconds": "1", "input_reference": {"image_url": url}}),
            ("/v1/infer", {"prompt": "a kite", "image": url}),
            ("/v1/infer", {"prompt": "a kite", "model_mode": "image2video", "input_reference": url}),
        ):
            reply = victim.ask("POST", path, json=body)
            assert reply.status_code in {200, 201, 202, 400, 422}, (path, reply.text)
            assert path != "/v1/infer" or reply.status_code != 200, url
            assert "root:" not in reply.text
            if reply.status_code < 300:
                state = _over(victim, path, reply.json()["id"])
                assert state == "failed", (path, url, state)


def _over(victim: Victim, path: str, id_: str) -> str:
    until = time.monotonic() + 100
    while time.monotonic() < until:
        told = victim.ask("GET", f"{path}/{id_}").json()
        state = str(told.get("status") or told.get("state"))
        if state in {"failed", "completed", "cancelled"}:
            return state
        time.sleep(0.05)
    return "running for ever"


def test_another_keys_upload_is_no_first_frame_of_ones_own(victim: Victim) -> None:
    made = victim.ask("POST", "/v1/uploads", params={"name": "a.png"}, content=png(64, 64)).json()
    for image in (made["id"], made["url"], made["url"].replace("127.0.0.1", "localhost")):
        reply = victim.ask("POST", "/v1/runs", json={"prompt": "a kite", "image": image}, headers=BOB)
        assert reply.status_code == 422, image
    mine = victim.ask("POST", "/v1/runs", json={"prompt": "a kite", "image": made["id"]})
    assert mine.status_code < 300
    victim.take_back(mine.content)


def test_no_webhook_leads_inward(victim: Victim) -> None:
    for url in inward(victim.canary.port)[:30]:
        reply = victim.ask("POST", T2V, params={"fal_webhook": url}, json={"prompt": "", **SMALL})
        assert reply.status_code in {400, 422}, url
    hook = {"fal_webhook": f"http://localhost:{victim.canary.port}/h"}
    reply = victim.ask("POST", T2V, params=hook, json={"prompt": "a", **SMALL})
    if reply.status_code == 200:
        assert victim.ended(reply.json()["request_id"]).status_code == 200
        time.sleep(1)


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:1/", "https://evil.example/fal/run", "https://fal.run@evil.example/", "http://fal.run/x",
        "https://fal.run.evil.example/", "https://fal.run:8080/x", "https://queue.fal.run/../../v1/videos", "https://",
        "https://rest.fal.ai/other", "https://queue.fal.run/%2e%2e/%2e%2e/v1/videos", "https://fal.run\\@evil.example",
        "//fal.run/x", "fal.run", "", "https://[::1]/", "https://fal.run/" + "a" * 9000, "file:///etc/passwd",
        "https://queue.fal.run/%00", "https://queue.fal.run/a%00/b/requests/x/status",
    ],
    ids=lambda target: repr(target)[:40],
)  # fmt: skip
def test_the_proxy_leads_nowhere_else(victim: Victim, target: str) -> None:
    lines = [("x-fal-target-url", target), ("Connection", "close"), *ANN.items()]
    found = statuses(victim.port, head("GET", "/fal/proxy", lines))
    assert set(found) <= {400, 404, 414, 431}, found
    assert found
