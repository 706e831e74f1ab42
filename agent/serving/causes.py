"""Why a server did not start: what its log says, and the cure."""

import re
from typing import NamedTuple

from agent.serving.launch import Launch


class Cause(NamedTuple):
    """One known failure. `words` may name groups of `pattern`, and `model`, `port`, `serve` (the config's section)."""

    name: str
    pattern: re.Pattern[str]
    words: str


def _cause(name: str, pattern: str, words: str) -> Cause:
    return Cause(name, re.compile(pattern, re.IGNORECASE), words)


CHAT = (
    _cause(
        "plugin architecture",
        r"architectures? \[?'?(?P<found>Cosmos3ReasonerForConditionalGeneration)'?\]? (are|is) not supported",
        "this vLLM does not know the architecture {found}: it belongs to the vllm-cosmos3 plugin of vLLM 0.19 and "
        "0.21. A newer vLLM knows Cosmos3 itself: take --hf-overrides out of serve.extra_args. An older one: install "
        "the plugin beside vLLM (pip install vllm-cosmos3)",
    ),
    _cause(
        "native architecture",
        r"architectures? \[?'?(?P<found>Cosmos3(Edge|Omni)?ForConditionalGeneration)'?\]? (are|is) not supported",
        "this vLLM does not know the architecture {found}: upgrade it (pip install -U vllm), or install the "
        "vllm-cosmos3 plugin and add two words to serve.extra_args: --hf-overrides and "
        '{{"architectures":["Cosmos3ReasonerForConditionalGeneration"]}}',
    ),
    _cause(
        "context too long for the memory",
        r"max seq len \((?P<asked>\d+)\).{0,60}KV cache is needed(?:.{0,200}maximum model length is (?P<fits>\d+))?",
        "the memory left for the KV cache does not hold a context of {asked} tokens{fits}: lower serve.max_model_len, "
        "raise serve.gpu_memory_utilization, or spread the model (serve.tensor_parallel_size)",
    ),
    _cause(
        "no memory for the cache",
        r"No available memory for the cache blocks",
        "the model alone fills its share of the GPU: raise serve.gpu_memory_utilization, or spread the model "
        "(serve.tensor_parallel_size)",
    ),
    _cause(
        "GPU in use",
        r"Free memory on device .{0,80}is less than desired GPU memory utilization",
        "something else holds GPU memory (nvidia-smi names it): stop it, choose other serve.gpus, or lower "
        "serve.gpu_memory_utilization",
    ),
    _cause(
        "out of GPU memory",
        r"CUDA out of memory|OutOfMemoryError|CUDA error: out of memory",
        "the GPU's memory ran out (Cosmos3-Nano's reasoner needs some 17 GB and its cache): free the GPU, lower "
        "serve.max_model_len, or spread the model (serve.tensor_parallel_size)",
    ),
)
"""Of vLLM alone."""
OMNI = (
    _cause(
        "guardrail package",
        r"guardrails are enabled but not functional|No module named '?cosmos_guardrail",
        "its guardrails are on and the package cosmos-guardrail is not there: pip install cosmos-guardrail in "
        "vLLM-Omni's own environment, accept the licence of nvidia/Cosmos-1.0-Guardrail at huggingface.co, and export "
        "HF_TOKEN (a read token). Or render without safety checks: put --no-guardrails into {serve}.extra_args; each "
        "clip then says so",
    ),
    _cause(
        "gated guardrail",
        r"(gated repo|Access to model|GatedRepoError)[^\n]{0,300}(?P<found>nvidia/Cosmos[\w.-]{0,40}Guardrail\w*)",
        "its guardrails need {found}, whose weights are gated: log in at huggingface.co, accept the licence on its "
        "page, and export HF_TOKEN (a read token). Or render without safety checks: put --no-guardrails into "
        "{serve}.extra_args; each clip then says so",
    ),
    _cause(
        "guardrail library",
        r"(?P<found>lib(GL|xcb|gthread-2\.0|glib-2\.0)\.so[.\d]*): cannot open shared object",
        "OpenCV, which the guardrails use, misses {found}: apt-get install libgl1 libxcb1 libglib2.0-0",
    ),
    _cause(
        "no vLLM-Omni",
        r"unrecognized arguments:[^\n]{0,200}--(?P<found>omni|model-class-name)\b|No module named '?vllm_omni",
        "this vllm has no vLLM-Omni beside it: pip install vllm-omni in vLLM's own environment, of the same version as "
        "vLLM, or give the command of another environment as {serve}.executable",
    ),
    _cause(
        "batching",
        r"does not support request-level batching",
        "the model renders one clip after the other: take --max-num-seqs out of {serve}.extra_args",
    ),
    _cause(
        "out of GPU memory",
        r"CUDA out of memory|OutOfMemoryError|CUDA error: out of memory",
        "the GPU's memory ran out (Cosmos3-Nano needs 32 GB, Cosmos3-Super 128 GB, says NVIDIA): free the GPU, lower "
        "reasoner.serve.gpu_memory_utilization if both share it, let them take turns ({serve}.time_share), spread the "
        "model ({serve}.tensor_parallel_size), or keep its layers in main memory ({serve}.layerwise_offload)",
    ),
    _cause(
        "worker killed",
        r"(Diffusion worker\(s\)|StageDiffusionProc) died unexpectedly",
        "a worker process was killed while it loaded: the machine's main memory may have run out (dmesg says so); free "
        "some, or take {serve}.layerwise_offload out",
    ),
)
"""Of vLLM-Omni alone."""
BOTH = (
    _cause(
        "missing plugin",
        r"Please install the plugin at (?P<found>\S{1,120})|No module named '?(?P<module>vllm_cosmos3\w*)",
        "this model needs a vLLM plugin that is not installed: install it into vLLM's own environment",
    ),
    _cause(
        "architecture",
        r"Model architectures? (?P<found>\[?[^ ]{1,80}) (are|is) not supported",
        "this vLLM cannot serve {found}: upgrade it (pip install -U vllm), or serve another model",
    ),
    _cause(
        "transformers too old",
        r"has model type `(?P<found>[^`]{1,60})` but Transformers does not recognize",
        "its Transformers does not know the model type {found}: pip install -U transformers (or vllm) in vLLM's own "
        "environment",
    ),
    _cause(
        "gated",
        r"access (to )?(a )?gated repo|GatedRepoError|Access to model \S+ is restricted",
        "{model} is a gated model: log in at huggingface.co, accept its licence on its page, and export HF_TOKEN (a "
        "read token)",
    ),
    _cause(
        "port taken",
        r"Address already in use|Errno 98\b",
        "port {port} is taken: choose another {serve}.port, or stop what listens there",
    ),
    _cause(
        "unknown argument",
        r"error: unrecognized arguments: (?P<found>[^\n]{1,120})",
        "this vLLM does not know the argument {found}: take it out of {serve}.extra_args, or upgrade vLLM (0.21 or "
        "newer)",
    ),
    _cause(
        "no GPU",
        r"Found no NVIDIA driver|Failed to infer device type|No CUDA GPUs are available|NVML_ERROR|"
        r"NVML Shared Library Not Found|CUDA driver version is insufficient|invalid device ordinal",
        "vLLM sees no GPU that it can use: nvidia-smi must list one, {serve}.gpus must name one of them, and the "
        "driver must be as new as the CUDA that vLLM was built for",
    ),
    _cause(
        "model not found",
        r"Repo id must be in the form|RepositoryNotFoundError|Repository Not Found|"
        r"is not a local folder and is not a valid model identifier|is not a valid repository name",
        "there is no model {model}: {serve}.model is an existing folder or a Hugging Face id such as "
        "nvidia/Cosmos3-Nano",
    ),
    _cause(
        "offline",
        r"LocalEntryNotFoundError|couldn't connect to 'http|outgoing traffic has been disabled|OfflineModeIsEnabled",
        "{model} is not in the local cache and could not be downloaded: connect this machine (and unset "
        "HF_HUB_OFFLINE), or download it elsewhere (hf download {model}) and give the folder as {serve}.model",
    ),
    _cause(
        "disk full",
        r"No space left on device",
        "the disk is full: free some, or point HF_HOME and VLLM_CACHE_ROOT to another",
    ),
    _cause(
        "ninja",
        r"No such file or directory: '?ninja|ninja: command not found|Ninja is required",
        "kernels are compiled with ninja, which is not there: pip install ninja in vLLM's own environment",
    ),
    _cause(
        "DeepGEMM",
        r"DeepGEMM (backend )?is (unavailable|not available)",
        "this vLLM build has no DeepGEMM: export VLLM_USE_DEEP_GEMM=0",
    ),
)


def known(launch: Launch) -> tuple[Cause, ...]:
    """The causes to look for, the most telling first: one failure drags others behind it."""
    return (*(OMNI if launch.kind == "omni" else CHAT), *BOTH)


def diagnose(log: str, launch: Launch) -> str | None:
    """The cause and cure that a server's log shows; None where none is known."""
    for _, pattern, words in known(launch):
        if found := pattern.search(log):
            groups = {name: value or "" for name, value in found.groupdict().items()}
            if groups.get("fits"):
                groups["fits"] = f" ({groups['fits']} would fit)"
            return words.format(**{"model": launch.model, "port": launch.port, "serve": launch.key, **groups})
    return None
