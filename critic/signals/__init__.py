"""The embedded critic: measured signals, no model and no weights. Importing it loads OpenCV and PyAV."""

from critic.signals.judge import Signals

__all__ = ["Signals"]
