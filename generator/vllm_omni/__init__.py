"""Cosmos3 on vLLM-Omni's asynchronous video jobs."""

from generator.vllm_omni.backend import VLLM_OMNI_VERSION, VLLMOmni
from generator.vllm_omni.limits import Limits

__all__ = ["VLLM_OMNI_VERSION", "Limits", "VLLMOmni"]
