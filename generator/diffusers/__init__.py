"""The in-process backend: Cosmos3, Cosmos Predict 2.5 and CogVideoX through Hugging Face Diffusers."""

from generator.diffusers.backend import DIFFUSERS_VERSION, Diffusers

__all__ = ["DIFFUSERS_VERSION", "Diffusers"]
