"""A model server that Retake starts on this machine, waits for, and stops."""

from agent.serving.supervisor import Served, served

__all__ = ["Served", "served"]
