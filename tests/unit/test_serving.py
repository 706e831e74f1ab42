"""The command line of a model server, the reasoner's and the generator's, and what its log says of a failed start."""

import json
import os
import re
from pathlib import Path

import pytest

from agent.errors import ServingError
from agent.reading import load_config
from agent.serving import machine, renderers
from agent.serving.causes import BOTH, CHAT, OMNI, diagnose, known
from agent.serving.command import arguments, environment, find, omni_arguments, omni_guardrails
from agent.serving.launch import Launch, launch
from critic.config import HybridConfig, VLMConfig
from generator.config import ServeOmniConfig, VLLMOmniConfig
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


# Shortened from the log of vLLM-Omni 0.30.0, provoked.
OMNI_REAL = {
    "guardrail package": """\
(APIServer pid=4665) RuntimeError: Orchestrator initialization failed: The guardrails are enabled but not functional \
for <class 'vllm_omni.diffusion.models.cosmos3.guardrails.CosmosSafetyChecker'>. This is most likely due to amissing \
cosmos-guardrail package. Please install cosmos-guardrail to be compliant with the [NVIDIA Open Model License
""",
    "batching": """\
(APIServer pid=23487) ValueError: 'Cosmos3OmniDiffusersPipeline' does not support request-level batching. Use \
max_num_seqs=1 for serial request execution, or choose a pipeline with supports_request_batch=True.
""",
}
# As vLLM-Omni 0.30.0, vLLM, huggingface_hub and OpenCV word them: read, not provoked.
OMNI_READ = {
    "gated guardrail": (
        "huggingface_hub.errors.GatedRepoError: 403 Client Error. Cannot access gated repo for url "
        "https://huggingface.co/nvidia/Cosmos-1.0-Guardrail/resolve/main/blocklist.zip."
    ),
    "guardrail library": "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
    "no vLLM-Omni": "vllm: error: unrecognized arguments: --omni --model-class-name Cosmos3OmniDiffusersPipeline",
    "out of GPU memory": "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a",
    "worker killed": "RuntimeError: Diffusion worker(s) died unexpectedly: DiffusionWorker-0",
}
REASONER = launch(ServeConfig())
RENDERER = launch(ServeOmniConfig())


def cause(log: str, server: Launch = REASONER) -> str | None:
    return next((name for name, pattern, _ in known(server) if pattern.search(log)), None)


def test_each_known_cause_is_tried() -> None:
    assert {c.name for c in (*CHAT, *BOTH)} == REAL.keys() | READ.keys()
    assert {c.name for c in OMNI} == OMNI_REAL.keys() | OMNI_READ.keys()


@pytest.mark.parametrize(("name", "log"), [*REAL.items(), *READ.items()], ids=[*REAL, *READ])
def test_a_log_is_recognised(name: str, log: str) -> None:
    noise = "INFO 11-21 03:26:21 [__init__.py:39] Available plugins for group vllm.platform_plugins:\n" * 3
    assert cause(noise + log) == name
    words = diagnose(noise + log, REASONER)
    assert words is not None
    assert "{" not in words.replace('{"architectures":', "")  # each field is filled


@pytest.mark.parametrize(("name", "log"), [*OMNI_REAL.items(), *OMNI_READ.items()], ids=[*OMNI_REAL, *OMNI_READ])
def test_a_log_of_the_renderer_is_recognised(name: str, log: str) -> None:
    assert cause(log, RENDERER) == name
    words = diagnose(log, RENDERER)
    assert words is not None
    assert "{" not in words
    for key in re.findall(r"\bserve\.(\w+)", words.replace("reasoner.serve.gpu_memory_utilization", "")):
        assert key in ServeOmniConfig.model_fields, key


@pytest.mark.parametrize("name", [c.name for c in BOTH])
def test_a_cure_names_only_keys_that_the_section_has(name: str) -> None:
    log = {**REAL, **READ}[name]
    assert cause(log, RENDERER) == name
    words = str(diagnose(log, RENDERER))
    for section, key in re.findall(r"(\S*\bserve)\.(\w+)", words):
        assert (section, key in ServeOmniConfig.model_fields) == ("generator.serve", True), words


@pytest.mark.parametrize("name", ["guardrail package", "gated guardrail"])
def test_a_guardrail_that_stops_the_start_has_two_cures(name: str) -> None:
    words = str(diagnose({**OMNI_REAL, **OMNI_READ}[name], RENDERER))
    assert "export HF_TOKEN" in words
    assert "put --no-guardrails into generator.serve.extra_args" in words


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
    assert words in str(diagnose({**REAL, **READ}[name], REASONER))


def test_a_context_too_long_where_nothing_fits() -> None:
    log = "max seq len (4096), (9 GiB KV cache is needed, which is larger than the available KV cache memory"
    assert "a context of 4096 tokens: lower" in str(diagnose(log, REASONER))


def test_an_unknown_log_gets_no_guess() -> None:
    assert diagnose("Segmentation fault", REASONER) is None


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


def test_two_clips_fit_into_a_question() -> None:
    words = arguments(ServeConfig(), VLLM)
    limits = json.loads(words[words.index("--limit-mm-per-prompt") + 1])
    assert limits["video"] == 2
    assert limits["image"] >= VLMConfig().max_frames + 1


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


def test_the_command_line_of_the_renderer() -> None:
    config = ServeOmniConfig(
        model="m",
        port=8100,
        served_model_name="n",
        tensor_parallel_size=2,
        cfg_parallel_size=2,
        ulysses_degree=4,
        layerwise_offload=True,
        extra_args=("--flow-shift", "5"),
    )
    words = omni_arguments(config, VLLM)
    assert words == [
        *(str(VLLM), "serve", "m", "--omni", "--host", "127.0.0.1", "--port", "8100"),
        *("--model-class-name", "Cosmos3OmniDiffusersPipeline", "--served-model-name", "n"),
        *("--tensor-parallel-size", "2", "--cfg-parallel-size", "2", "--ulysses-degree", "4"),
        *("--enable-layerwise-offload", "--init-timeout", "1800", "--flow-shift", "5"),
    ]
    plain = omni_arguments(ServeOmniConfig(), VLLM)
    # what a chat server is told of images and sampling is not for this one, and its memory share has no effect here
    assert [w for w in plain if w.startswith("--")] == [
        "--omni",
        "--host",
        "--port",
        "--model-class-name",
        "--init-timeout",
    ]
    theirs = omni_arguments(ServeOmniConfig(extra_args=("--init_timeout=90",)), VLLM)
    assert "--init-timeout" not in theirs


@pytest.mark.parametrize(
    "flag", ["--port", "--host=0.0.0.0", "--api_key=hush", "--omni", "--api-server-count", "--hf-token"]
)
def test_an_extra_argument_that_the_renderer_must_not_have_is_refused(flag: str) -> None:
    with pytest.raises(ServingError, match=r"^generator\.serve\.extra_args: --") as caught:
        omni_arguments(ServeOmniConfig(extra_args=(flag, "hush")), VLLM)
    assert "hush" not in str(caught.value)
    assert "{" not in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "state"),
    [
        ((), "on"),
        (("--dtype", "float32"), "on"),
        (("--no-guardrails",), "off"),
        (("--no_guardrails",), "off"),
        (("--deploy-config", "omni.yaml"), "unknown"),
        (("--model-config.guardrails", "false"), "unknown"),
        (("--default-sampling-params", '{"0":{"extra_args":{"guardrails":false}}}'), "unknown"),
        (("--model-class-name", "Other"), "unknown"),
    ],
)
def test_whether_the_renderer_has_guardrails_is_known_from_its_arguments(extra: tuple[str, ...], state: str) -> None:
    config = ServeOmniConfig(extra_args=extra)
    assert omni_guardrails(config) == launch(config).guardrails == state
    assert launch(ServeConfig()).guardrails == "none"


@pytest.mark.parametrize(
    ("short", "whole"), [("--no-g", "--guardrails"), ("--hos", "--host"), ("--api-k=x", "--api-key")]
)
def test_an_argument_cut_short_cannot_hide_what_it_is(short: str, whole: str) -> None:
    with pytest.raises(ServingError, match=rf"generator\.serve\.extra_args: .* may be short for {whole}; write out"):
        omni_arguments(ServeOmniConfig(extra_args=(short,)), VLLM)


def test_what_is_launched_is_said_as_a_person_would() -> None:
    assert (REASONER.what, REASONER.key) == ("vllm serve nvidia/Cosmos3-Nano", "reasoner.serve")
    assert (RENDERER.what, RENDERER.key) == ("vllm serve nvidia/Cosmos3-Nano --omni", "generator.serve")


def test_the_key_is_in_the_environment_alone() -> None:
    config = ServeConfig(gpus=(2, 3))
    env = environment(config.gpus, "hush", VLLM)
    assert env["VLLM_API_KEY"] == "hush"
    assert env["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert env["PATH"].split(os.pathsep)[0] == "/opt/vllm/bin"
    assert "hush" not in " ".join(arguments(config, VLLM))


def test_without_a_key_and_gpus_the_environment_says_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert not {"VLLM_API_KEY", "CUDA_VISIBLE_DEVICES"} & environment(None, None, VLLM).keys()


def test_a_key_of_our_own_environment_does_not_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "not this one")
    assert "VLLM_API_KEY" not in environment(None, None, VLLM)
    assert environment(None, "hush", VLLM)["VLLM_API_KEY"] == "hush"


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
    assert find(str(script)) is None  # nobody may execute it
    script.chmod(0o755)
    assert find(str(script)) == script


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
        (ServeConfig(gpus=(1,)), False, "lower reasoner.serve.gpu_memory_utilization"),
        (ServeConfig(gpus=(1,), gpu_memory_utilization=0.1), True, "9 of 80 GiB free"),
        (ServeConfig(gpus=(4,)), False, "choose among 0, 1"),
        (ServeConfig(gpus=(0,), tensor_parallel_size=2), False, "lower reasoner.serve.tensor_parallel_size"),
        (ServeConfig(gpu_memory_utilization=None), True, "CPU server"),
    ],
)
def test_the_gpus_are_looked_at(config: ServeConfig, good: bool, words: str) -> None:
    look = machine.gpus(config)
    assert look.good is good
    assert words in f"{look.found}; {look.cure}"


@pytest.mark.usefixtures("smi")
@pytest.mark.parametrize(
    ("config", "good", "words"),
    [
        (ServeOmniConfig(gpus=(0,)), True, "Cosmos3-Nano needs 32 GB (32 on each of 1), says NVIDIA"),
        (ServeOmniConfig(gpus=(1,)), False, "generator.serve.time_share"),
        (ServeOmniConfig(gpus=(1,), layerwise_offload=True), True, "9 of 80 GiB free"),
        (ServeOmniConfig(gpus=(1,), model="some/model"), True, "9 of 80 GiB free"),
        (ServeOmniConfig(gpus=(0,), model="nvidia/Cosmos3-Super"), False, "needs 128 GB"),
        (ServeOmniConfig(gpus=(0, 1), tensor_parallel_size=2), False, "(16 on each of 2)"),
        (ServeOmniConfig(cfg_parallel_size=2, ulysses_degree=2), False, "4 are asked for"),
        (ServeOmniConfig(gpus=(4,)), False, "generator.serve.gpus names 4"),
    ],
)
def test_the_gpus_are_looked_at_for_the_renderer(config: ServeOmniConfig, good: bool, words: str) -> None:
    look = machine.gpus(config)
    assert look.good is good
    assert words in f"{look.found}; {look.cure}"


def test_a_machine_without_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    look = machine.gpus(ServeConfig())
    assert not look.good
    assert "base_url" in look.cure
    look = machine.gpus(ServeOmniConfig())
    assert not look.good
    assert "generator.endpoints" in look.cure


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
    assert isinstance(config.generator, VLLMOmniConfig)
    for model in (OpenAIConfig, ServeConfig, HybridConfig, VLLMOmniConfig, ServeOmniConfig):
        for key in model.model_fields:
            assert f"{key}:" in text, key
    assert config.reasoner.serve is not None
    # what differs from the defaults is said there: the reasoner leaves the generator its part of the GPU
    theirs = ServeConfig(gpu_memory_utilization=config.reasoner.serve.gpu_memory_utilization)
    assert config.reasoner.serve.model_dump(exclude={"extra_args"}) == theirs.model_dump(exclude={"extra_args"})
    assert config.generator.serve == ServeOmniConfig()


@pytest.mark.usefixtures("smi")
def test_the_gpu_config_fits_on_one_gpu_by_its_own_figures() -> None:
    config = load_config(NANO)
    assert isinstance(config.reasoner, OpenAIConfig)
    assert isinstance(config.generator, VLLMOmniConfig)
    assert config.reasoner.serve is not None
    assert config.generator.serve is not None
    look = renderers.together(config.reasoner.serve, config.generator.serve)
    assert look is not None
    assert look.good, look
