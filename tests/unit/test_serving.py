"""The command line of a model server, and what its log says of a failed start."""

import os
from pathlib import Path

import pytest

from agent.errors import ServingError
from agent.reading import load_config
from agent.serving import machine
from agent.serving.causes import KNOWN, diagnose
from agent.serving.command import arguments, environment, find
from critic.config import HybridConfig
from reasoner.chat.config import ServeConfig
from reasoner.config import OpenAIConfig

NANO = Path(__file__).parents[2] / "configs" / "cosmos3-nano.yaml"
VLLM = Path("/opt/vllm/bin/vllm")

# Shortened from the log of vLLM 0.30.0, provoked.
REAL = {
    "plugin architecture": """\
(APIServer pid=15428) pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig
(APIServer pid=15428)   Value error, Model architectures ['Cosmos3ReasonerForConditionalGeneration'] are not supported \
for now. Supported architectures: dict_keys(['AfmoeForCausalLM', 'Cosmos3ForConditionalGeneration'])
""",
    "context too long for the memory": """\
(EngineCore pid=15499) ERROR 11-21 03:26:37 [core.py:1366]     raise ValueError(
(EngineCore pid=15499) ERROR 11-21 03:26:37 [core.py:1366] ValueError: To serve at least one request with the model's \
max seq len (32768), (0.03 GiB KV cache is needed, which is larger than the available KV cache memory (0.0 GiB). \
Based on the available memory, the estimated maximum model length is 992. Try increasing `gpu_memory_utilization`
(APIServer pid=15486) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
""",
    "unknown argument": """\
usage: vllm [-h] [-v]
            {chat,complete,serve,launch,bench,collect-env,run-batch} ...
vllm: error: unrecognized arguments: --trust-request-mm-kwargs
""",
    "model not found": """\
(APIServer pid=15398)     raise HFValidationError(
(APIServer pid=15398) huggingface_hub.errors.HFValidationError: Repo id must be in the form 'repo_name' or \
'namespace/repo_name': '/models/nowhere'. Use `repo_type` argument if needed.
""",
    "transformers too old": """\
ValueError The checkpoint you are trying to load has model type `cosmos9_omni` but Transformers does not recognize \
this architecture. This could be because of an issue with the checkpoint, or because your version of Transformers is
""",
    "offline": """\
huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder for the specified \
revision on the local disk and outgoing traffic has been disabled. To enable repo look-ups and downloads online, set
""",
}

# As vLLM 0.30.0, huggingface_hub and PyTorch word them: read, not provoked; they need a GPU or an account.
READ = {
    "native architecture": "ValueError: Model architectures ['Cosmos3ForConditionalGeneration'] are not supported",
    "architecture": "ValueError: Model architectures ['NopeForCausalLM'] are not supported for now. Su",
    "missing plugin": "Model architecture X is not supported in-tree anymore. Please install the plugin at https://x.y",
    "gated": "OSError: You are trying to access a gated repo.\nMake sure to have access to it at https://hugg",
    "no memory for the cache": "ValueError: No available memory for the cache blocks. Try increasing `gpu_mem",
    "GPU in use": (
        "ValueError: Free memory on device cuda:0 (10.2/79.1 GiB) on startup is less than desired GPU memory "
        "utilization (0.9, 71.2 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes."
    ),
    "out of GPU memory": "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a",
    "port taken": "OSError: [Errno 98] Address already in use",
    "no GPU": "RuntimeError: Failed to infer device type, please set the environment variable `VLLM_LOGGING",
    "disk full": "OSError: [Errno 28] No space left on device",
    "ninja": "FileNotFoundError: [Errno 2] No such file or directory: 'ninja'",
    "DeepGEMM": "RuntimeError: DeepGEMM backend is unavailable in the current vLLM environment, or the avail",
}


def cause(log: str) -> str | None:
    return next((name for name, pattern, _ in KNOWN if pattern.search(log)), None)


def test_each_known_cause_is_tried() -> None:
    assert {c.name for c in KNOWN} == REAL.keys() | READ.keys()


@pytest.mark.parametrize(("name", "log"), [*REAL.items(), *READ.items()], ids=[*REAL, *READ])
def test_a_log_is_recognised(name: str, log: str) -> None:
    noise = "INFO 11-21 03:26:21 [__init__.py:39] Available plugins for group vllm.platform_plugins:\n" * 3
    assert cause(noise + log) == name
    words = diagnose(noise + log, "nvidia/Cosmos3-Nano", 8000)
    assert words is not None
    assert "{" not in words.replace('{"architectures":', "")  # each field is filled


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plugin architecture", "take --hf-overrides out of serve.extra_args"),
        ("native architecture", '{"architectures":["Cosmos3ReasonerForConditionalGeneration"]}'),
        ("context too long for the memory", "a context of 32768 tokens (992 would fit): lower serve.max_model_len"),
        ("unknown argument", "the argument --trust-request-mm-kwargs: take it out"),
        ("model not found", "there is no model nvidia/Cosmos3-Nano"),
        ("transformers too old", "the model type cosmos9_omni: pip install -U transformers"),
        ("gated", "export HF_TOKEN"),
        ("port taken", "port 8000 is taken"),
    ],
)
def test_the_cure_is_named(name: str, words: str) -> None:
    assert words in str(diagnose({**REAL, **READ}[name], "nvidia/Cosmos3-Nano", 8000))


def test_a_context_too_long_where_nothing_fits() -> None:
    log = "max seq len (4096), (9 GiB KV cache is needed, which is larger than the available KV cache memory"
    assert "a context of 4096 tokens: lower" in str(diagnose(log, "m", 1))


def test_an_unknown_log_gets_no_guess() -> None:
    assert diagnose("Segmentation fault", "m", 1) is None


def test_the_command_line() -> None:
    config = ServeConfig(
        model="m", port=8100, tensor_parallel_size=2, served_model_name="n", extra_args=("--seed", "0")
    )
    words = arguments(config, VLLM)
    assert words[:7] == [str(VLLM), "serve", "m", "--host", "127.0.0.1", "--port", "8100"]
    assert words[-2:] == ["--seed", "0"]
    for flag, value in (
        ("--served-model-name", "n"),
        ("--tensor-parallel-size", "2"),
        ("--gpu-memory-utilization", "0.9"),
        ("--max-model-len", "16384"),
        ("--generation-config", "vllm"),
    ):
        assert words[words.index(flag) + 1] == value


def test_what_is_null_is_not_passed_on() -> None:
    words = arguments(ServeConfig(gpu_memory_utilization=None, max_model_len=None), VLLM)
    assert not {"--gpu-memory-utilization", "--max-model-len", "--tensor-parallel-size", "--served-model-name"} & {
        *words
    }


@pytest.mark.parametrize(
    ("extra", "flag"),
    [
        (("--max-model-len", "4096"), "--max-model-len"),
        (("--max_model_len=4096",), "--max-model-len"),
        (("--no-enable-prefix-caching",), "--enable-prefix-caching"),
        (("--media-io-kwargs.video.fps", "4"), "--media-io-kwargs"),
        (("--limit-mm-per-prompt", '{"image":4}'), "--limit-mm-per-prompt"),
    ],
)
def test_an_extra_argument_takes_the_place_of_ours(extra: tuple[str, ...], flag: str) -> None:
    ours = arguments(ServeConfig(), VLLM)
    words = arguments(ServeConfig(extra_args=extra), VLLM)
    assert flag in ours
    assert flag not in words[: -len(extra)]
    assert tuple(words[-len(extra) :]) == extra


@pytest.mark.parametrize(
    "flag",
    ["--port", "--host=0.0.0.0", "--api-key", "--api_key=hush", "--model", "--hf-token", "--hf_token=hush", "--config"],
)
def test_an_extra_argument_that_would_hide_the_server_is_refused(flag: str) -> None:
    with pytest.raises(ServingError, match=r"serve\.extra_args") as caught:
        arguments(ServeConfig(extra_args=(flag, "hush")), VLLM)
    assert "hush" not in str(caught.value)


def test_the_key_is_in_the_environment_alone() -> None:
    config = ServeConfig(gpus=(2, 3))
    env = environment(config, "hush", VLLM)
    assert env["VLLM_API_KEY"] == "hush"
    assert env["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert env["PATH"].split(os.pathsep)[0] == "/opt/vllm/bin"
    assert "hush" not in " ".join(arguments(config, VLLM))


def test_without_a_key_and_gpus_the_environment_says_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert not {"VLLM_API_KEY", "CUDA_VISIBLE_DEVICES"} & environment(ServeConfig(), None, VLLM).keys()


def test_a_key_of_our_own_environment_does_not_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "not this one")
    assert "VLLM_API_KEY" not in environment(ServeConfig(), None, VLLM)
    assert environment(ServeConfig(), "hush", VLLM)["VLLM_API_KEY"] == "hush"


@pytest.mark.parametrize(
    ("version", "added"),
    [("0.32.0", True), ("0.33.1rc1+cu129", True), ("1.0", True), ("0.30.0", False), ("0.9.2", False), ("", False),
     ("dev", False)],
)  # fmt: skip
def test_times_of_frames_are_trusted_where_vllm_knows_the_argument(version: str, added: bool) -> None:
    assert ("--trust-request-mm-kwargs" in arguments(ServeConfig(), VLLM, version)) is added
    config = ServeConfig(extra_args=("--no-trust-request-mm-kwargs",))
    assert "--trust-request-mm-kwargs" not in arguments(config, VLLM, version)


def test_the_executable_is_found_by_path(tmp_path: Path) -> None:
    script = tmp_path / "vllm"
    script.write_text("#!/bin/sh\n")
    assert find(ServeConfig(executable=str(script))) is None  # nobody may execute it
    script.chmod(0o755)
    assert find(ServeConfig(executable=str(script))) == script


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An `nvidia-smi` of two GPUs, the second in use."""
    script = tmp_path / "nvidia-smi"
    script.write_text("#!/bin/sh\necho '0, NVIDIA H100, 80000, 81559'\necho '1, NVIDIA H100, 9000, 81559'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("smi")
@pytest.mark.parametrize(
    ("config", "good", "words"),
    [
        (ServeConfig(gpus=(0,)), True, "0: NVIDIA H100, 78 of 80 GiB free"),
        (ServeConfig(gpus=(1,)), False, "lower serve.gpu_memory_utilization"),
        (ServeConfig(gpus=(1,), gpu_memory_utilization=0.1), True, "9 of 80 GiB free"),
        (ServeConfig(gpus=(4,)), False, "choose among 0, 1"),
        (ServeConfig(gpus=(0,), tensor_parallel_size=2), False, "lower serve.tensor_parallel_size"),
        (ServeConfig(gpu_memory_utilization=None), True, "CPU server"),
    ],
)
def test_the_gpus_are_looked_at(config: ServeConfig, good: bool, words: str) -> None:
    look = machine.gpus(config)
    assert look.good is good
    assert words in f"{look.found}; {look.cure}"


def test_a_machine_without_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    look = machine.gpus(ServeConfig())
    assert not look.good
    assert "base_url" in look.cure


def test_the_model_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_TOKEN", "hush")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    there = machine.model(ServeConfig(model="a/b"))
    assert there.good
    assert "to be downloaded" in there.found
    assert "hush" not in there.found
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert not machine.model(ServeConfig(model="a/b")).good
    (tmp_path / "hub" / "models--a--b" / "snapshots" / "1" / "x").mkdir(parents=True)
    assert "in the cache" in machine.model(ServeConfig(model="a/b")).found
    assert not machine.model(ServeConfig(model=str(tmp_path / "nowhere"))).good
    assert not machine.model(ServeConfig(model=str(tmp_path))).good  # a folder, and no checkpoint
    (tmp_path / "config.json").write_text("{}")
    assert machine.model(ServeConfig(model=str(tmp_path))).good


def test_the_version_is_not_asked_of_anything_but_a_python_script(tmp_path: Path) -> None:
    script = tmp_path / "vllm"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    script.chmod(0o755)
    look = machine.command(ServeConfig(executable=str(script)))
    assert look == (True, str(script), "")
    assert not (tmp_path / "ran").exists()


def test_the_gpu_config_names_every_key() -> None:
    config, text = load_config(NANO), NANO.read_text()
    assert isinstance(config.reasoner, OpenAIConfig)
    assert isinstance(config.critic, HybridConfig)
    for model in (OpenAIConfig, ServeConfig, HybridConfig):
        for key in model.model_fields:
            assert f"{key}:" in text, key
    assert config.reasoner.serve is not None
    ours = config.reasoner.serve.model_dump(exclude={"extra_args"})
    assert ours == ServeConfig().model_dump(exclude={"extra_args"})
