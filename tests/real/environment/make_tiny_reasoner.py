#!/usr/bin/env python3
"""Make a tiny random Cosmos3 reasoner that vLLM serves: `make_tiny_reasoner.py FOLDER`, in the servers' own environment.

Everything is made here (tokenizer, processor, chat template, weights) and nothing is downloaded. The model knows nothing,
but it is no even noise: every hidden state has a constant part, and the tokens that close a JSON string or array lean
towards it, so that guided replies end after some words instead of running to their longest.
"""

import json
import random
import re
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

SPECIAL = [  # Qwen3-VL's own, in its order
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
]  # fmt: skip
PLAIN = ["<tool_call>", "</tool_call>", "<think>", "</think>"]
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEMPLATE = """\
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.content is string %}
{{- message.content }}
{%- else %}
{%- for part in message.content %}
{%- if part.type == 'image' or part.type == 'image_url' or 'image' in part or 'image_url' in part %}
{{- '<|vision_start|><|image_pad|><|vision_end|>' }}
{%- elif part.type == 'video' or part.type == 'video_url' or 'video' in part or 'video_url' in part %}
{{- '<|vision_start|><|video_pad|><|vision_end|>' }}
{%- elif 'text' in part %}
{{- part.text }}
{%- endif %}
{%- endfor %}
{%- endif %}
{{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}"""
CORPUS = """A small boat leaves the harbour at dawn while the camera slowly follows it from left to right.
The lighthouse stands on the cliff, its lamp turning; waves roll in, break and run back over the sand.
{"subjects": [{"description": "a boat", "count": 1}], "lighting": "soft", "camera": "pan right", "notes": []}
{"time": "0:00-0:02", "change": "the wave breaks", "score": 7, "field": null, "ok": true, "bad": false}
system user assistant image video frame second light shadow colour motion gravity contact shape background
Yes No yes no 0 1 2 3 4 5 6 7 8 9 0:01 0:02 0:05"""
LEAN = {'"': 2.2, '",': 2.2, '"}': 2.2, '"]': 2.2, "]": 1.6, "}": 1.6, "],": 1.6, "},": 1.6, "]}": 1.6, "}]": 1.6}
"""What the constant part of a hidden state adds to the logit of a token. A presence penalty of 1.5 comes off it."""


def make_tokenizer(folder: Path, size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE, trained on a few sentences and made-up words. Control bytes stay in, for xgrammar lets them through
    in bounded strings and a client has to read such replies."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pattern=Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    dice = random.Random(0)
    words = [
        " ".join("".join(dice.choices("etaoinshrdlucmfw", k=dice.randint(2, 6))) for _ in range(12)) for _ in range(400)
    ]
    answers = ["Yes", "No", "yes", "no", *LEAN] * 200
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(SPECIAL) - len(PLAIN),
        special_tokens=[],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS.split("\n") * 20 + answers + words, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in PLAIN])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=SPECIAL[1:],
        model_max_length=32768,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": TEMPLATE}))
    return fast


def write_processor(folder: Path) -> None:
    """One token for 32x32 pixels and two frames, as in the real one."""
    common = {
        "patch_size": 16, "temporal_patch_size": 2, "merge_size": 2, "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5], "do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255,
        "do_normalize": True, "do_convert_rgb": True, "resample": 3, "processor_class": "Qwen3VLProcessor",
    }  # fmt: skip
    image = {
        "size": {"shortest_edge": 32 * 32 * 4, "longest_edge": 32 * 32 * 256},
        "image_processor_type": "Qwen2VLImageProcessorFast",
    }
    video = {
        "size": {"shortest_edge": 32 * 32 * 4, "longest_edge": 32 * 32 * 2 * 512},
        "fps": 2, "min_frames": 4, "max_frames": 768, "do_sample_frames": True,
        "video_processor_type": "Qwen3VLVideoProcessor",
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(common | image, indent=2))
    (folder / "video_preprocessor_config.json").write_text(json.dumps(common | video, indent=2))


def configuration(ids: dict[str, int], vocab: int) -> Qwen3VLConfig:
    """Two layers of 64 numbers; a head of 32 is the smallest that vLLM's CPU attention takes."""
    text = {
        "vocab_size": vocab, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6, "hidden_act": "silu", "attention_bias": False, "dtype": "float32",
        "rope_parameters": {
            "rope_type": "default", "rope_theta": 5000000.0, "mrope_section": [6, 5, 5], "mrope_interleaved": True,
        },
        "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"], "pad_token_id": ids["<|endoftext|>"],
    }  # fmt: skip
    vision = {
        "depth": 2, "hidden_size": 64, "intermediate_size": 128, "num_heads": 2, "in_channels": 3, "patch_size": 16,
        "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 64, "num_position_embeddings": 256,
        "deepstack_visual_indexes": [0], "hidden_act": "gelu_pytorch_tanh",
    }  # fmt: skip
    return Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        tie_word_embeddings=False,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )


def weights(config: Qwen3VLConfig, tokenizer: PreTrainedTokenizerFast) -> dict[str, torch.Tensor]:
    """Random, but for the constant part and what leans on it."""
    model = Qwen3VLForConditionalGeneration(config).eval().to(torch.float32)
    dice = torch.Generator().manual_seed(0)
    constant = torch.full((64,), 1 / 8.0)  # of length 1
    byte = {token: tokenizer.convert_tokens_to_ids(token) for token in tokenizer.get_vocab()}
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if parameter.ndim >= 2:
                parameter.copy_(torch.randn(parameter.shape, generator=dice) * 0.05)
            if name.endswith(("v_proj.weight", "o_proj.weight")):
                parameter.mul_(2)  # what was said and shown before shall matter to the next token
            elif name.endswith("embed_tokens.weight"):
                parameter.add_(0.6 * constant)
            elif name.endswith("lm_head.weight"):
                parameter.sub_(parameter @ constant[:, None] * constant)  # none leans by chance
                for token, logit in LEAN.items():
                    if token in byte:
                        # a normed hidden state has length 8, and about 1 of it lies along the constant part
                        parameter[byte[token]].add_(logit * constant)
    return {name: value.detach().clone().contiguous() for name, value in model.state_dict().items()}


def save(folder: Path, state: dict[str, torch.Tensor]) -> None:
    """In the two folders and under the flat names that vLLM's Cosmos3 class expects."""
    parts: dict[str, dict[str, torch.Tensor]] = {
        "transformer/diffusion_pytorch_model.safetensors": {},
        "vision_encoder/model.safetensors": {},
    }
    language, vision = parts.values()
    for name, value in state.items():
        if name.startswith("model.visual."):
            vision[name.removeprefix("model.visual.")] = value
            continue
        flat = name.removeprefix("model.language_model.")
        flat = re.sub(r"self_attn\.([qkv])_proj\.", r"self_attn.to_\1.", flat)
        flat = flat.replace("self_attn.o_proj.", "self_attn.to_out.")
        flat = re.sub(r"self_attn\.([qk])_norm\.", r"self_attn.norm_\1.", flat)
        language[flat] = value
    for path, tensors in parts.items():
        (folder / path).parent.mkdir()
        save_file(tensors, folder / path, metadata={"format": "pt"})


def main() -> None:
    """Make the folder; it must not exist."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    tokenizer = make_tokenizer(folder, 2048)
    write_processor(folder)
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    config = configuration(ids, (len(tokenizer) + 63) // 64 * 64)
    save(folder, weights(config, tokenizer))
    written = json.loads(config.to_json_string(use_diff=False)) | {
        "dtype": "float32",
        "model_type": "cosmos3_omni",
        "architectures": ["Cosmos3ForConditionalGeneration"],
    }
    written.pop("_name_or_path", None)
    (folder / "config.json").write_text(json.dumps(written, indent=2))
    (folder / "generation_config.json").write_text(
        json.dumps(
            {
                "bos_token_id": ids["<|endoftext|>"],
                "pad_token_id": ids["<|endoftext|>"],
                "eos_token_id": [ids["<|im_end|>"], ids["<|endoftext|>"]],
                "do_sample": True,
                "temperature": 0.7,
                "top_p": 0.8,
                "top_k": 20,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
