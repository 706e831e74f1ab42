"""The slip of a job that a vLLM-Omni server has accepted: see `generator.job_slip`."""

from generator.job_slip import Job, read, remove, slip_path, write

__all__ = ["Job", "read", "remove", "slip_path", "write"]
