"""NVIDIA's Cosmos NIM: `/v1/infer`, in four dialects."""

from generator.nim.backend import NIM, NIM_VERSION

__all__ = ["NIM", "NIM_VERSION"]
