"""Who may ask `retake serve`, and how often."""

from pathlib import Path

import pytest

from agent.errors import ConfigError
from agent.server.access import new_key, required
from agent.server.config import LimitsConfig, ServerConfig
from agent.server.keys import digest_of
from agent.server.rates import Rates
from agent.server.types import Caller
from tests.gates import KEY, OTHER, as_key, asking, keys

# --- keys


def test_a_new_key_is_known_by_its_line_and_by_nothing_else(tmp_path: Path) -> None:
    key, line = new_key("ann", ("run", "read"))
    file = tmp_path / "keys"
    file.write_text(f"# ours\n\n{line}  # since May\nbob all sha256:{digest_of(OTHER).hex()}\n")
    found = required(ServerConfig(api_key_file=str(file)), "0.0.0.0", {})  # noqa: S104
    assert found is not None
    assert len(found) == 2
    assert found.caller(key) == Caller(owner="ann", scopes=frozenset({"run", "read"}))
    bob = found.caller(OTHER)
    assert bob is not None
    assert bob.scopes == {"run", "read", "upload", "admin"}
    assert key not in line
    assert found.caller(line.rpartition(":")[2]) is None
    assert found.caller("") is None
    assert found.caller(key[:-1]) is None
    assert new_key("ann")[0] != key
    assert len(key) > 40


def test_the_variable_holds_keys_with_and_without_names() -> None:
    found = keys(f" {KEY} , bob={OTHER}, carl:read+admin=a-third-key-of-carls, padded-key-0123456789==,")
    bare, bob, carl = (found.caller(key) for key in (KEY, OTHER, "a-third-key-of-carls"))
    assert bare is not None
    assert bob is not None
    assert bare.owner.startswith("key-")
    assert KEY not in bare.owner
    assert bare.scopes == bob.scopes == {"run", "read", "upload"}
    assert carl == Caller(owner="carl", scopes=frozenset({"read", "admin"}))
    assert found.caller("padded-key-0123456789==") is not None
    again = keys(f"x={OTHER},{KEY}").caller(KEY)
    assert again == bare  # whose runs they are does not hang on the order


def test_rights_are_those_of_any_key_of_a_name() -> None:
    found = keys(f"ann:read={KEY},ann:upload={OTHER}")
    assert found.may("ann", "upload")
    assert not found.may("ann", "run")
    assert not found.may("bob", "upload")


def test_a_key_is_also_known_as_the_id_and_secret_of_fals_clients() -> None:
    found = keys(f"ann={KEY},id-0123:secret-0123456789")
    assert found.caller("id-0123:secret-0123456789") is not None
    named = found.caller(f"ann:{KEY}")
    assert named is not None
    assert named.owner == "ann"
    assert found.caller(f"bob:{KEY}") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("short", "fewer than 16"),
        (f"ann:fly={KEY}", "'fly' is no scope"),
        (f"ann={KEY},bob={KEY}", "twice"),
        (f"anybody={KEY}", "without a key"),
        (" , ,", "holds no key"),
        ("schlüssel-0123456789", "no header can carry"),
        ("two words-0123456789", "no header can carry"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_without_being_told(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        keys(text)
    assert KEY not in str(caught.value)
    assert "schlüssel" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (KEY, "must look like"),
        (f"ann {KEY}", "must look like"),
        (f"ann run sha256:{'0' * 63}", "must look like"),
        (f"ann run,read sha256:{'0' * 64}", "is no scope"),
        ("# nothing", "holds no key"),
    ],
)
def test_a_key_file_that_cannot_be_read_is_told_without_its_line(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "keys"
    file.write_text(line + "\n")
    with pytest.raises(ConfigError, match=said) as caught:
        required(ServerConfig(api_key_file=str(file)), "127.0.0.1", {})
    assert KEY not in str(caught.value)


def test_a_key_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(new_key("ann")[1])
    file.chmod(0o666)
    with pytest.raises(ConfigError, match="chmod"):
        required(ServerConfig(api_key_file=str(file)), "127.0.0.1", {})
    with pytest.raises(ConfigError, match="cannot be read"):
        required(ServerConfig(api_key_file=str(tmp_path / "none")), "127.0.0.1", {})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1", "[::1]"])
def test_this_machines_users_need_no_key(host: str) -> None:
    assert required(ServerConfig(), host, {}) is None


@pytest.mark.parametrize(
    ("host", "config"),
    [
        ("0.0.0.0", {}),  # noqa: S104
        ("::", {}),
        ("", {}),
        ("192.168.1.4", {}),
        ("studio.example", {}),
        ("127.0.0.1", {"public_url": "https://studio.example"}),
        ("127.0.0.1", {"trusted_proxies": ("127.0.0.1",)}),
    ],
)
def test_where_others_can_ask_there_must_be_keys_or_the_word_that_there_need_be_none(
    host: str, config: dict[str, object]
) -> None:
    with pytest.raises(ConfigError, match="RETAKE_API_KEYS"):
        required(ServerConfig.model_validate(config), host, {})
    assert required(ServerConfig.model_validate({**config, "allow_anybody": True}), host, {}) is None


def test_a_key_that_was_pasted_as_the_variables_name_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        required(ServerConfig(api_keys_env="rtk_0123456789abcdefghi"), "0.0.0.0", {})  # noqa: S104
    assert "rtk_0123456789" not in str(caught.value)


# --- requests


async def test_every_form_in_which_clients_send_a_key_is_taken() -> None:
    async with asking(keys()) as client:
        for headers in (
            as_key(KEY),
            as_key(KEY, "Bearer"),
            as_key(KEY, "bearer"),
            as_key(f"ann:{KEY}"),
            {"X-API-Key": KEY},
        ):
            reply = await client.post("/v1/runs", headers=headers)
            assert reply.json()["owner"] == "ann", headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        as_key("wrong-key-0123456789"),
        as_key(KEY, "Basic"),
        as_key(""),
        {"Authorization": KEY},
        {"X-API-Key": ""},
        as_key(KEY + " x"),
        [("Authorization", f"Key {KEY}"), ("Authorization", f"Key {OTHER}")],
        [("Authorization", b"Key \xff\xfe")],
    ],
)
async def test_without_a_right_key_nothing_is_reached(headers: object) -> None:
    async with asking(keys()) as client:
        for method, path in (("GET", "/v1/videos"), ("POST", "/fal/queue/a/b"), ("DELETE", "/v1/runs/1")):
            reply = await client.request(method, path, headers=headers)  # type: ignore[arg-type]
            assert reply.status_code == 401
            assert reply.headers["www-authenticate"].startswith("Bearer")
            assert "invalid key credentials" in reply.text
            assert "Authorization: Key" in reply.text
            assert KEY not in reply.text


async def test_open_paths_need_no_key_and_give_no_right() -> None:
    async with asking(keys()) as client:
        for path in ("/", "/page/page.js", "/v1/health/ready", "/media/k/video.mp4", "/fal/rest/.well-known/jwks.json"):
            reply = await client.get(path)
            assert reply.json() == {"owner": "anybody", "scopes": [], "bytes": 0}
            assert (await client.post(path)).status_code == 401
            assert (await client.get(path, headers=as_key("wrong"))).json()["scopes"] == []
            assert (await client.get(path, headers=as_key(KEY))).json()["owner"] == "ann"
        assert (await client.put("/fal/rest/files/in/id/ticket", content=b"x")).status_code == 200
        for path in ("/v1/healthy", "/mediaother", "/pages", "/fal/rest/storage/auth/token", "/fal/rest/files/a/b/c"):
            assert (await client.get(path)).status_code == 401
        assert (await client.put("/fal/rest/files/upload")).status_code == 401


async def test_a_token_of_the_servers_own_stands_for_its_owner() -> None:
    made = Caller(owner="ann", scopes=frozenset({"upload"}))
    async with asking(keys(), token=lambda word: made if word == "retake-cdn.x" else None) as client:
        reply = await client.post("/fal/cdn/files/upload", headers=as_key("retake-cdn.x", "Bearer"))
        assert reply.json() == {"owner": "ann", "scopes": ["upload"], "bytes": 0}
        assert (await client.post("/fal/cdn/files/upload", headers=as_key("retake-cdn.y"))).status_code == 401


async def test_where_no_key_is_needed_everybody_may_do_everything_with_any_key() -> None:
    async with asking() as client:
        for headers in ({}, as_key("whatever"), as_key("x:y")):
            reply = await client.get("/v1/videos", headers=headers)
            assert reply.json()["owner"] == "anybody"
            assert reply.json()["scopes"] == ["admin", "read", "run", "upload"]


# --- how often


def test_a_bucket_fills_again_at_its_rate() -> None:
    now = [0.0]
    rates = Rates(2.0, clock=lambda: now[0])
    assert [rates.take("ann") for _ in range(20)] == [0.0] * 20
    assert rates.take("ann") == pytest.approx(0.5)
    assert rates.take("bob") == 0
    now[0] += 0.5
    assert rates.take("ann") == 0
    assert rates.wait("ann") > 0
    now[0] += 1000
    assert sum(rates.take("ann") == 0 for _ in range(40)) == 20  # no more than the burst is saved up


def test_buckets_of_many_strangers_take_bounded_memory() -> None:
    rates = Rates(1.0)
    for number in range(10_500):
        rates.take(number)
    assert len(rates._buckets) == 10_000


async def test_one_key_that_asks_too_often_keeps_no_other_out() -> None:
    async with asking(keys(), limits=LimitsConfig(requests_per_second=0.2)) as client:
        seen = [await client.get("/v1/videos", headers=as_key(KEY)) for _ in range(3)]
        assert [reply.status_code for reply in seen] == [200, 200, 429]
        assert 1 <= int(seen[2].headers["retry-after"]) <= 5
        assert (await client.get("/v1/videos", headers=as_key(OTHER))).status_code == 200


async def test_without_keys_this_machine_is_not_limited_and_others_are() -> None:
    limits = LimitsConfig(requests_per_second=0.1)
    async with asking(limits=limits) as client:
        assert {(await client.get("/x")).status_code for _ in range(5)} == {200}
    async with asking(limits=limits, client="192.0.2.7") as client:
        assert [(await client.get("/x")).status_code for _ in range(3)] == [200, 429, 429]


async def test_who_guesses_is_stopped_and_who_was_let_in_from_there_is_not() -> None:
    async with asking(keys()) as client:
        assert (await client.get("/v1/videos", headers=as_key(KEY))).status_code == 200
        seen = [(await client.get("/v1/videos", headers=as_key(f"guess-{n:020}"))).status_code for n in range(30)]
        assert seen[:20] == [401] * 20
        assert 429 in seen[20:]
        # a right guess is not told from a wrong one now
        assert (await client.get("/v1/videos", headers=as_key(OTHER))).status_code == 429
        assert (await client.get("/v1/videos", headers=as_key(KEY))).status_code == 200
        assert (await client.get("/v1/health/live", headers=as_key("guess"))).status_code == 200


async def test_who_guesses_where_no_key_is_needed_is_stopped_too() -> None:
    async with asking(keys()) as client:
        for number in range(30):
            assert (await client.get("/media/k/video.mp4", headers=as_key(f"guess-{number:020}"))).status_code == 200
        assert (await client.get("/media/k/video.mp4", headers=as_key(OTHER))).json()["owner"] == "anybody"
        assert (await client.get("/v1/videos", headers=as_key(OTHER))).status_code == 429
