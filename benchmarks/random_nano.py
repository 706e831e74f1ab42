"""Cosmos3-Nano in its real size with random weights: what it costs is real, what it shows is noise."""

import importlib
from collections.abc import Mapping
from typing import Any

NAME = "Cosmos3-Nano's real size with random weights"
TRANSFORMER: Mapping[str, Any] = {
    "head_dim": 128,
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_attention_heads": 32,
    "num_hidden_layers": 36,
    "num_key_value_heads": 8,
    "latent_channel": 48,
    "latent_patch_size": 2,
    "patch_latent_dim": 192,
    "vocab_size": 151936,
    "rope_theta": 5000000.0,
    "rope_scaling": {"mrope_section": [24, 20, 20], "rope_type": "default", "mrope_interleaved": True},
}
"""Two pathways of a Qwen3-VL 8B each, which share attention: 15.2 billion weights."""
VAE: Mapping[str, Any] = {
    "base_dim": 160,
    "decoder_base_dim": 256,
    "z_dim": 48,
    "dim_mult": [1, 2, 4, 4],
    "num_res_blocks": 2,
    "temperal_downsample": [False, True, True],
    "is_residual": True,
    "in_channels": 12,
    "out_channels": 12,
    "patch_size": 2,
    "scale_factor_temporal": 4,
    "scale_factor_spatial": 16,
    "latents_mean": [0.0] * 48,
    "latents_std": [1.0] * 48,
}
"""That of Wan 2.2: 0.7 billion weights."""
SCHEDULER: Mapping[str, Any] = {
    "use_karras_sigmas": True,
    "use_flow_sigmas": True,
    "prediction_type": "flow_prediction",
    "sigma_max": 200.0,
    "sigma_min": 0.147,
}
"""As NVIDIA's converter writes it."""


def build(
    torch: Any, library: Any, place: Any, transformer: Mapping[str, Any] = TRANSFORMER, vae: Mapping[str, Any] = VAE
) -> Any:
    """A `Cosmos3OmniPipeline` in bfloat16, made where it will run, so that main memory never holds it.

    Its tokenizer is the tests' own, of single bytes: a prompt has more tokens than with the real one, by some hundred
    beside the ten thousands of a video.

    Args:
        torch: the module.
        library: the module `diffusers`.
        place: a `torch.device`; on the device "meta" nothing is allocated.
        transformer: its configuration.
        vae: that of the autoencoder.
    """
    makers = importlib.import_module("tests.real.environment.make_tiny_pipelines")
    before = torch.get_default_dtype()
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    try:
        with place:
            parts = {
                "transformer": library.Cosmos3OmniTransformer(**transformer).eval(),
                "vae": library.AutoencoderKLWan(**vae).eval(),
            }
    finally:
        torch.set_default_dtype(before)
    parts["transformer"].time_embedder.float()  # as a checkpoint of bfloat16 is loaded
    return library.Cosmos3OmniPipeline(
        **parts,
        text_tokenizer=makers.qwen_tokenizer(),
        scheduler=library.UniPCMultistepScheduler(**SCHEDULER),
        enable_safety_checker=False,
    )
