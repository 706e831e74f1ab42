#!/usr/bin/env python3
"""Make tiny random Diffusers pipelines: `make_tiny_pipelines.py FOLDER`, in the servers' own environment.

FOLDER then holds `cosmos3`, `cosmos3_sound`, `cosmos3_distilled`, `cosmos25` and `cogvideox`, half a megabyte each.
Everything is made here (tokenizers, configurations, weights) and nothing is downloaded. The pipelines' code is the real one;
the pictures are noise.
"""

import json
import sys
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    AutoencoderKLWan,
    CogVideoXDDIMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXTransformer3DModel,
    Cosmos2_5_PredictBasePipeline,
    Cosmos3AVAEAudioTokenizer,
    Cosmos3OmniPipeline,
    Cosmos3OmniTransformer,
    CosmosTransformer3DModel,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}{{ c['text'] }}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = [
    "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>", "<|im_start|>",
]  # fmt: skip


class Checker:
    """Stands in where a pipeline insists on a safety checker to be built; it is not saved."""

    def to(self, device: str) -> "Checker":
        return self


def qwen_tokenizer() -> PreTrainedTokenizerFast:
    """The 256 bytes without merges, and Qwen's special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE(vocab={letter: n for n, letter in enumerate(alphabet)}, merges=[], unk_token=None))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=SPECIAL,
        model_max_length=4096,
    )
    fast.chat_template = TEMPLATE
    return fast


def t5_tokenizer() -> T5Tokenizer:
    """Single letters of printable ASCII."""
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0)]
    vocab += [(chr(code), -3.0) for code in range(33, 127)]
    vocab += [("\u2581" + chr(code), -2.5) for code in range(97, 123)]
    return T5Tokenizer(vocab=vocab, extra_ids=4)


def cosmos3(folder: Path, *, distilled: bool = False, sound: bool = False) -> None:
    """The published VAE's strides (16 in space, 4 in time) and latent channels (48), all else as small as it goes."""
    channels, sound_channels = 48, 8
    tokenizer = qwen_tokenizer()
    vae = AutoencoderKLWan(
        base_dim=4, decoder_base_dim=4, z_dim=channels, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
        temperal_downsample=[False, True, True], is_residual=True, in_channels=12, out_channels=12, patch_size=2,
        scale_factor_temporal=4, scale_factor_spatial=16, latents_mean=[0.0] * channels, latents_std=[1.0] * channels,
    )  # fmt: skip
    transformer = Cosmos3OmniTransformer(
        head_dim=16, hidden_size=32, intermediate_size=64, num_attention_heads=2, num_key_value_heads=1,
        num_hidden_layers=2, latent_channel=channels, latent_patch_size=2, patch_latent_dim=channels * 4,
        vocab_size=len(tokenizer) + 8, rope_theta=5000000.0,
        rope_scaling={"mrope_section": [4, 2, 2], "rope_type": "default", "mrope_interleaved": True},
        **({"sound_gen": True, "sound_dim": sound_channels} if sound else {}),
    )  # fmt: skip
    voice = {
        "vocoder_input_dim": sound_channels, "dec_dim": 4, "dec_c_mults": (1, 1, 1, 1, 1), "encoder_enabled": False,
    }  # fmt: skip
    voice = {"sound_tokenizer": Cosmos3AVAEAudioTokenizer(**voice)} if sound else {}
    if distilled:
        scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=1.0, stochastic_sampling=True)
        scheduler.register_to_config(
            fixed_step_sampler_config={"t_list": [1.0, 0.75, 0.5, 0.25], "sample_type": "sde"},
            fixed_step_requires_explicit_sigmas=True,
        )
    else:  # as cosmos-framework's converter writes it for Nano and Super
        scheduler = UniPCMultistepScheduler(
            use_karras_sigmas=True, use_flow_sigmas=True, prediction_type="flow_prediction", sigma_max=200.0,
            sigma_min=0.147,
        )  # fmt: skip
    Cosmos3OmniPipeline(
        transformer=transformer, text_tokenizer=tokenizer, vae=vae, scheduler=scheduler, enable_safety_checker=False,
        **voice,
    ).save_pretrained(folder)  # fmt: skip


def cosmos25(folder: Path) -> None:
    """Cosmos Predict 2.5: a Qwen2.5-VL text encoder."""
    tokenizer = qwen_tokenizer()
    width, layers = 16, 2
    ids = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in
           ("image_pad", "video_pad", "vision_start", "vision_end")}  # fmt: skip
    text_encoder = Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(
            text_config={
                "hidden_size": width, "intermediate_size": 32, "num_hidden_layers": layers, "num_attention_heads": 2,
                "num_key_value_heads": 2, "vocab_size": len(tokenizer), "max_position_embeddings": 4096,
                "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
                "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0, "mrope_section": [1, 1, 2]},
            },
            vision_config={
                "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": width,
                "fullatt_block_indexes": [0],
            },
            image_token_id=ids["image_pad"], video_token_id=ids["video_pad"],
            vision_start_token_id=ids["vision_start"], vision_end_token_id=ids["vision_end"],
        )
    )  # fmt: skip
    vae = AutoencoderKLWan(
        base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    transformer = CosmosTransformer3DModel(
        in_channels=16 + 1, out_channels=16, num_attention_heads=2, attention_head_dim=16, num_layers=2, mlp_ratio=2,
        text_embed_dim=32, adaln_lora_dim=4, max_size=(16, 64, 64), patch_size=(1, 2, 2), rope_scale=(1.0, 3.0, 3.0),
        concat_padding_mask=True, extra_pos_embed_type=None, use_crossattn_projection=True,
        crossattn_proj_in_channels=width * layers, encoder_hidden_states_channels=32,
    )  # fmt: skip
    scheduler = UniPCMultistepScheduler(
        use_karras_sigmas=True, use_flow_sigmas=True, prediction_type="flow_prediction", sigma_max=200.0, sigma_min=0.01
    )
    Cosmos2_5_PredictBasePipeline(
        text_encoder=text_encoder, tokenizer=tokenizer, transformer=transformer, vae=vae, scheduler=scheduler,
        safety_checker=Checker(),
    ).save_pretrained(folder)  # fmt: skip


def cogvideox(folder: Path) -> None:
    """CogVideoX image-to-video: the transformer takes the latents and those of the image."""
    tokenizer = t5_tokenizer()
    text_encoder = T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4,
            feed_forward_proj="gated-gelu",
        )
    )  # fmt: skip
    vae = AutoencoderKLCogVideoX(
        in_channels=3, out_channels=3, down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4, block_out_channels=(8, 8, 8, 8), latent_channels=4,
        layers_per_block=1, norm_num_groups=2, temporal_compression_ratio=4,
    )  # fmt: skip
    transformer = CogVideoXTransformer3DModel(
        num_attention_heads=4, attention_head_dim=16, in_channels=8, out_channels=4, time_embed_dim=2,
        text_embed_dim=32, num_layers=1, sample_width=8, sample_height=8, sample_frames=9, patch_size=2,
        temporal_compression_ratio=4, max_text_seq_length=16, use_rotary_positional_embeddings=True,
    )  # fmt: skip
    CogVideoXImageToVideoPipeline(
        tokenizer=tokenizer, text_encoder=text_encoder, vae=vae, transformer=transformer,
        scheduler=CogVideoXDDIMScheduler(),
    ).save_pretrained(folder)  # fmt: skip


def main() -> None:
    """Make the folders."""
    root = Path(sys.argv[1])
    made = {
        "cosmos3": cosmos3,
        "cosmos3_sound": lambda folder: cosmos3(folder, sound=True),
        "cosmos3_distilled": lambda folder: cosmos3(folder, distilled=True),
        "cosmos25": cosmos25,
        "cogvideox": cogvideox,
    }
    for name, make in made.items():
        torch.manual_seed(0)  # each the same, whatever was made before it
        make(root / name)
        print(name, json.loads((root / name / "model_index.json").read_text())["_class_name"])


if __name__ == "__main__":
    main()
