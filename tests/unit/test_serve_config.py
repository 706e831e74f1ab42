"""What `retake serve` reads: the section, each model's own config, and what a request becomes."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.cli import main
from agent.config import RequestConfig, RunConfig
from agent.errors import ConfigError
from agent.reading import load_config
from agent.server.config import LimitsConfig, Served, ServerConfig
from agent.server.loading import apart, load
from agent.server.scrub import Scrub
from agent.server.types import ControlWish, Refused, RunRequest
from agent.server.wishes import bounded, checked, settings, unfit
from critic.config import SignalsConfig, VLMConfig
from generator.config import AnimaticConfig, NIMConfig

FILE = """
request: {size: 320x192, prompt: the file's own, image: first.png}
reasoner: {backend: rules}
budget: {max_iterations: 3, max_seconds: 100}
server:
  default_model: one
  api_key_file: keys.txt
  models:
    one: {}
    two:
      aliases: [zwei]
      generator: {backend: nim, endpoints: ["http://10.0.0.7:8000"]}
      budget: {max_iterations: 1}
  limits: {max_running: 4}
"""


@pytest.fixture
def served(tmp_path: Path) -> Served:
    (tmp_path / "server.yaml").write_text(FILE)
    return load(tmp_path / "server.yaml")


def test_a_model_is_the_file_with_its_own_changes(served: Served, tmp_path: Path) -> None:
    one, two = served.models["one"], served.models["two"]
    assert isinstance(one.generator, AnimaticConfig)
    assert isinstance(two.generator, NIMConfig)
    assert (one.budget.max_iterations, two.budget.max_iterations, two.budget.max_seconds) == (3, 1, 100)
    assert served.server.limits == LimitsConfig(max_running=4)
    assert served.server.api_key_file == str(tmp_path / "keys.txt")
    assert [served.server.model_named(name) for name in ("one", "zwei", "drei")] == ["one", "two", None]


def test_a_run_passes_over_the_section(served: Served, tmp_path: Path) -> None:
    assert load_config(tmp_path / "server.yaml").budget.max_iterations == 3


def test_it_survives_the_way_to_the_engine(served: Served) -> None:
    """Which keys were named stays known: drafts are made where a budget names none."""
    again = Served.model_validate_json(served.model_dump_json(exclude_unset=True))
    assert again == served
    assert again.models["two"].budget.model_fields_set == {"max_iterations", "max_seconds"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server: 3", "server: must be a section"),
        ("server: {limits: {max_runing: 3}}", "server.limits.max_runing: unknown key; did you mean max_running?"),
        ("server: {xyzzy: 3}", "server.xyzzy: unknown key; known here: models, default_model, "),
        ("server: {hosts: studio.example}", "server.hosts: must be a list, such as [a, b]"),
        ("server: {hosts: ['studio.example:80']}", "'studio.example:80' must be a bare name such as studio.example"),
        ("server: {public_url: studio.example}", "server.public_url: must look like https://studio.example or"),
        ("server: {cors_origins: ['https://a.example/']}", "'https://a.example/' must be as browsers send it"),
        ("server: {limits: 3}", "server.limits: must be a section such as {max_running: …}"),
        ("server: {api_keys_env: sk-1}", "must be the name of an environment variable, and never the keys"),
        ("server: {safety: {word_file: gone.txt}}", "server.safety.word_file: /"),
        ("limits: {max_running: 3}", "limits: unknown key; did you mean server.limits?"),
        ("zzz: 3", "known here: request, reasoner, generator, critic, budget, search, output, server"),
        ("server: {limits: {max_running: 0}}", "server.limits.max_running: input should be greater than or equal to 1"),
        ("server: {models: {a: {}, b: {aliases: [a]}}, default_model: a}", "the name 'a' stands twice"),
        ("server: {default_model: gone}", "default_model: 'gone' is none of models"),
        ("server: {models: {a: {budget: {max_iterations: 0}}}, default_model: a}", "server.models.a: budget.max_it"),
        ("server: {models: {a: {wrong: {}}}, default_model: a}", "server.models.a.wrong: unknown key"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "server.yaml").write_text(text)
    with pytest.raises(ConfigError) as told:
        load(tmp_path / "server.yaml")
    assert said in str(told.value)


def test_what_is_wrong_on_the_command_line_is_not_said_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "server.yaml").write_text(FILE)
    with pytest.raises(ConfigError, match=r"^-s server\.limits\.max_runing: unknown key; did you mean max_running"):
        load(tmp_path / "server.yaml", ["server.limits.max_runing=7"])


def test_it_is_printed_as_it_is_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "server.yaml").write_text(FILE)
    assert main(["config", str(tmp_path / "server.yaml"), "-s", "server.limits.max_queued=7"]) == 0
    (tmp_path / "again.yaml").write_text(capsys.readouterr().out)
    assert load(tmp_path / "again.yaml") == load(tmp_path / "server.yaml", ["server.limits.max_queued=7"])
    assert main(["config"]) == 0
    assert "server:" not in capsys.readouterr().out


def test_two_servers_on_one_port_are_refused(tmp_path: Path) -> None:
    model = "{reasoner: {backend: openai, serve: {model: %s}}, critic: {backend: signals}}"
    models = {name: model % name for name in ("a", "b")}
    text = "server:\n  default_model: a\n  models:\n" + "".join(f"    {n}: {m}\n" for n, m in models.items())
    (tmp_path / "server.yaml").write_text(text)
    with pytest.raises(ConfigError, match="the reasoner of b is a server on port 8000, and so is a's reasoner"):
        load(tmp_path / "server.yaml")


def test_the_schema_knows_the_section(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    for name, part in schema["properties"]["server"]["properties"].items():
        assert "$ref" not in part or part["$ref"].removeprefix("#/$defs/") in schema["$defs"], name
    assert "max_running" in schema["$defs"]["LimitsConfig"]["properties"]


def test_servers_that_take_turns_run_one_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "server.yaml").write_text(
        "reasoner: {backend: openai, serve: {}}\ngenerator: {backend: vllm_omni, serve: {time_share: true}}\n"
        "critic: {backend: vlm}\n"
    )
    with pytest.raises(ConfigError, match=r"max_running: .* take turns .* set it to 1"):
        load(tmp_path / "server.yaml")
    assert load(tmp_path / "server.yaml", ["server.limits.max_running=1"]).server.limits.max_running == 1


@pytest.mark.parametrize(
    ("keys", "port"),
    [
        (["generator.backend=nim"], 8000),
        (["generator.backend=vllm_omni", "generator.endpoints=['http://localhost:9000']"], 9000),
        (["reasoner.backend=openai", "reasoner.base_url=http://127.0.0.1:7000/v1"], 7000),
    ],
)
def test_a_backend_is_not_looked_for_where_it_listens_itself(keys: list[str], port: int) -> None:
    served = load(None, keys)
    apart(served, port + 1)
    with pytest.raises(ConfigError, match=f"--port {port}: .* give another --port"):
        apart(served, port)


def asked(**more: Any) -> RunRequest:
    return RunRequest(**{"model": "one", "prompt": "a boat", **more})


def test_a_request_goes_over_the_file_and_never_gets_its_media(served: Served) -> None:
    config = settings(served.models["one"], asked(fps=12, seed=3, format="gif"), {})
    assert (config.request.prompt, config.request.image, config.request.size) == ("a boat", None, "320x192")
    assert (config.request.fps, config.request.seed, config.output.format) == (12, 3, "gif")
    given = settings(served.models["one"], asked(), {"image": Path("/its/own.png")})
    assert given.request.image == "/its/own.png"


def test_what_restyles_a_video_has_its_length_and_rate(served: Served) -> None:
    base = served.models["one"].model_copy(update={"request": RequestConfig(num_frames=61, fps=24)})
    edges = (ControlWish(kind="edge", url="https://example.com/edges.mp4"),)
    found = [
        settings(base, asked(**more), {}).request for more in ({}, {"controls": edges}, {"controls": edges, "fps": 12})
    ]
    assert [(one.num_frames, one.fps) for one in found] == [(61, 24), (None, None), (None, 12)]


def test_what_a_run_may_spend_is_the_lower_of_both(served: Served) -> None:
    assert settings(served.models["one"], asked(max_seconds=1000.0), {}).budget.max_seconds == 100
    assert settings(served.models["one"], asked(max_seconds=10.0, max_renders=3), {}).budget.max_seconds == 10


def test_one_that_is_not_agentic_is_one_render_that_is_measured(served: Served) -> None:
    base = load(None, ["reasoner.backend=openai", "reasoner.base_url=http://127.0.0.1:7000/v1", "critic.backend=vlm"])
    config = settings(base.models["cosmos-3-super"], asked(agentic=False), {})
    assert (config.budget.max_iterations, config.budget.samples_per_iteration) == (1, 1)
    assert (config.search.draft, config.search.pairwise) == (None, None)
    assert isinstance(config.critic, SignalsConfig)
    assert isinstance(settings(base.models["cosmos-3-super"], asked(), {}).critic, VLMConfig)


def test_renders_of_one_request_are_bounded(served: Served) -> None:
    limits = LimitsConfig(max_renders_per_run=6)
    checked(served.models["one"], asked(max_iterations=3, samples_per_iteration=2), {}, limits)
    checked(served.models["one"], asked(max_iterations=9, samples_per_iteration=9, max_renders=6), {}, limits)
    with pytest.raises(Refused, match="81 renders, and this server makes at most 6"):
        checked(served.models["one"], asked(max_iterations=9, samples_per_iteration=9), {}, limits)


def test_drafts_that_come_by_themselves_are_bounded_too() -> None:
    base = load(None).base
    caps = (4, 9, 64)
    assert [bounded(base, LimitsConfig(max_renders_per_run=cap)).budget.max_renders for cap in caps] == [4, None, None]


def test_an_error_loses_its_key_of_a_file() -> None:
    told = unfit(ConfigError("request.fps: 90 is not what animatic takes; give 1 to 60"))
    assert (told.problem.loc, told.problem.message) == (("fps",), "fps: 90 is not what animatic takes; give 1 to 60")


def test_addresses_and_folders_of_the_operator_are_kept_back(served: Served) -> None:
    scrub = Scrub([*served.models.values(), RunConfig()], [Path("/data/runs"), Path("/home/op")])
    told = scrub(
        "http://10.0.0.7:8000/v1: refused; see /data/runs/x/log and /home/op, or http://localhost:99/v1 and https://fal.ai"
    )
    assert (
        told == "the backend/v1: refused; see x/log and the server's folder, or a private address/v1 and https://fal.ai"
    )


def test_an_address_of_the_client_s_own_is_told(served: Served) -> None:
    scrub = Scrub(served.models.values(), [Path("/data/runs")])
    told = "'http://127.0.0.1:9/x.png' leads to port 9; see http://127.0.0.1:90/y"
    assert scrub(told, ["http://127.0.0.1:9/x.png?secret"]) == (
        "'http://127.0.0.1:9/x.png' leads to port 9; see a private address/y"
    )
    assert scrub(told, ["http://[", "x"]) == "'a private address/x.png' leads to port 9; see a private address/y"


def test_the_section_stands_by_itself() -> None:
    assert set(ServerConfig().models) == {"cosmos-3-super", "cosmos-3-nano", "cosmos-predict-2.5", "cogvideox-5b"}
