"""The config file: what is taken, what is refused, and in which words."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from agent.config import DraftConfig, RunConfig
from agent.errors import ConfigError
from agent.reading import load_config
from critic.config import VLMConfig

QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.yaml"


def write(folder: Path, text: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(text)
    return path


def test_the_quickstart_is_the_embedded_default() -> None:
    config = load_config(QUICKSTART)
    default = RunConfig()
    assert (config.reasoner, config.generator, config.critic, config.budget) == (
        default.reasoner,
        default.generator,
        default.critic,
        default.budget,
    )
    assert config.request.negative_prompt == default.request.negative_prompt


def test_every_key_of_the_quickstart_has_a_comment() -> None:
    lines = QUICKSTART.read_text().splitlines()
    for before, line in pairwise(lines):
        if line.startswith("  ") and line.strip()[0] not in "#A" and ":" in line:
            assert before.strip().startswith("#"), line


def test_the_quickstart_names_every_key() -> None:
    text = QUICKSTART.read_text()
    for section, field in RunConfig.model_fields.items():
        assert f"{section}:" in text
        for key in type(field.default).model_fields:
            assert f"{key}:" in text, f"{section}.{key}"


def test_each_key_is_described_in_the_schema() -> None:
    schema = RunConfig.model_json_schema()
    for name in ("RequestConfig", "Budget", "OutputConfig", "FetchRules", "AnimaticConfig", "SignalsConfig"):
        for key, field in schema["$defs"][name]["properties"].items():
            assert "description" in field or key == "backend" or "$ref" in field, f"{name}.{key}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("budget: {max_iteration: 3}", "budget.max_iteration: unknown key; did you mean max_iterations?"),
        ("bugdet: {}", "bugdet: unknown key; did you mean budget?"),
        ("seed: 5", "seed: unknown key; did you mean request.seed?"),
        ("request: {size: 960}", "request.size: input should be a valid string (got 960); put it in quotes"),
        ("request: {fps: 24, fps: 30}", "the key 'fps' stands twice"),
        ("request: {guidance_scale: .nan}", "request.guidance_scale"),
        ("request: {prompt: 2020-13-45}", "month must be in 1..12"),
        ("request: {seed: " + "9" * 5000 + "}", "4300"),
        ("[" * 5000, "is not YAML"),
        ("budget: {max_seconds: .inf}", "budget.max_seconds"),
        ("request:\n  fps:24\n  seed: 3", "line 3"),
        (
            "request: {image_fetch: {timeout: 3}}",
            "request.image_fetch.timeout: unknown key; did you mean timeout_seconds?",
        ),
        ("critic: {acept_at: 0.5}", "did you mean accept_at?"),
        ("request: {zzz: 1}", "known here: prompt, image"),
        ("request: {seed: -1}", "request.seed: input should be greater than or equal to 0 (got -1)"),
        ("request: {num_frames: many}", "request.num_frames: input should be a valid integer"),
        ("request: {num_frames: 24.5}", "request.num_frames"),
        ("request: {num_frames: true}", "request.num_frames"),
        ("request: {prompt: [a, b]}", "request.prompt: input should be a valid string (got a list)"),
        ("request: {fps: 0}", "request.fps"),
        ("request: 3", "request: must be a section such as {prompt: …}"),
        ("critic: {accept_at: 1.5}", "critic.accept_at: input should be less than or equal to 1"),
        (
            "generator: {backend: sora}",
            "generator.backend: this version has 'animatic' or 'vllm_omni' or 'nim' or 'diffusers' or 'fal' (got 'so",
        ),
        ("budget: {max_seconds: 0}", "budget.max_seconds: input should be greater than 0"),
        (
            "- a\n- b",
            "must be a mapping of sections (request, reasoner, generator, critic, budget, search, output), not a list",
        ),
        ("just words", "must be a mapping"),
        ("a: [", "is not YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_cure(tmp_path: Path, text: str, words: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_every_wrong_key_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, "request: {seed: -1, fps: 0}\nbudget: {max_iterations: 0}"))
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_config_that_is_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"no such config file|is a folder"):
        load_config(tmp_path / name)


def test_a_config_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01\x80")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(path)


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "")).budget == RunConfig().budget


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    config = load_config(write(tmp_path, "request: {image: a.png}\noutput: {dir: ../out}"))
    assert config.request.image == str(tmp_path / "a.png")
    assert config.output.folder == tmp_path.parent / "out"


@pytest.mark.parametrize("image", ["https://example.com/a.png", "data:image/png;base64,AAAA", "/abs/a.png"])
def test_urls_and_absolute_paths_stay(tmp_path: Path, image: str) -> None:
    assert load_config(write(tmp_path, f"request: {{image: '{image}'}}")).request.image == image


@pytest.mark.parametrize(
    ("override", "section", "key", "value"),
    [
        ("budget.max_iterations=3", "budget", "max_iterations", 3),
        ("budget.early_stop=false", "budget", "early_stop", False),
        ("critic.accept_at=null", "critic", "accept_at", None),
        ("request.prompt=a = b: c", "request", "prompt", "a = b: c"),
        ("request.negative_prompt=", "request", "negative_prompt", ""),
        ("request.guidance_scale=7", "request", "guidance_scale", 7.0),
    ],
)
def test_overrides(override: str, section: str, key: str, value: object) -> None:
    config = load_config(None, [override])
    assert getattr(getattr(config, section), key) == value


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("budget.max_iterations", "must look like"),
        ("=3", "must look like"),
        ("budget.max_iterations.x=3", "budget.max_iterations"),
        ("budget.iterations=3", "did you mean max_iterations?"),
        ("request.size=[", "not YAML"),
    ],
)
def test_bad_overrides(override: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, [override])
    assert words in str(caught.value)


def test_the_resolved_config_reads_back_the_same(tmp_path: Path) -> None:
    config = load_config(QUICKSTART, ["request.seed=5"])
    assert load_config(write(tmp_path, config.to_yaml())) == config
    assert json.loads(json.dumps(yaml.safe_load(config.to_yaml())))["request"]["seed"] == 5


def fault(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(None, overrides)
    return str(caught.value)


def test_a_section_that_names_no_backend_is_about_the_embedded_one() -> None:
    config = load_config(None, ["critic.accept_at=0.5"])
    assert (config.critic.backend, config.critic.accept_at) == ("signals", 0.5)


def test_backends_are_told_apart_in_words() -> None:
    assert "this version has 'rules' or 'openai' (got 'gpt')" in fault("reasoner.backend=gpt")
    assert fault("reasoner.backend=openai", "reasoner.bas_url=x").endswith("did you mean base_url?")
    assert fault("reasoner.base_url=http://h").endswith("it belongs to reasoner.backend: openai")
    assert fault("reasoner.backend=openai", "reasoner.serve.modl=1").startswith("-s reasoner.serve.modl: unknown key")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("search.draft=true", "search.draft: must be auto, null or a section such as {tier: …} (got True)"),
        ("search.draft.steps=0", "search.draft.steps: input should be greater than or equal to 1 (got 0)"),
        ("search.draft.tier=9p", "search.draft.tier: input should be '256p', '480p' or '720p' (got '9p')"),
        ("search.draft.stepz=3", "search.draft.stepz: unknown key; did you mean steps?"),
        (
            "search.canaries=true",
            "search.canaries: must be null or a section such as {beyond_gpu_seconds: …} (got True)",
        ),
        ("budget=3", "budget: must be a section such as {max_iterations: …} (got 3)"),
    ],
)
def test_a_wrong_section_is_told_in_the_words_of_the_config(override: str, said: str) -> None:
    assert fault(override) == f"-s {said}"


def test_a_section_whose_keys_do_not_go_together_shows_no_value() -> None:
    assert fault("search.draft.seeds=4", "budget.max_renders=3").endswith("raise it, or give search.draft: null")


def test_one_server_is_a_list_too() -> None:
    said = fault("generator.backend=vllm_omni", "generator.endpoints=http://127.0.0.1:8000")
    assert said == "-s generator.endpoints: must be a list, such as [http://127.0.0.1:8000]"
    assert "hush" not in fault("generator.backend=vllm_omni", "generator.endpoints=[http://me:hush@host]")


@pytest.mark.parametrize(
    "override",
    ["reasoner.api_key_env=sk-hush-hush", "reasoner.base_url=http://me:hush@host", "reasoner.base_url=hush"],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(override: str) -> None:
    assert "hush" not in fault("reasoner.backend=openai", override)


def test_a_rubric_is_read_beside_its_config(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("critic: {backend: vlm, rubric: mine.yaml}")
    critic = load_config(file).critic
    assert isinstance(critic, VLMConfig)
    assert critic.rubric == str(tmp_path / "mine.yaml")


def test_a_key_of_a_section_that_is_off_switches_it_on(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("search: {draft: null}\n")
    draft = load_config(file, ["search.draft.frames=5"]).search.draft
    assert isinstance(draft, DraftConfig)
    assert draft.frames == 5
