"""`retake bench replay`."""

import argparse
from typing import Any

from agent.bench.arguments import command
from agent.errors import ConfigError


def add(commands: Any) -> None:
    """Its arguments."""
    command(commands, "replay", "(to come)", "(to come)", main=main)


def main(args: argparse.Namespace) -> int:
    """Its work."""
    del args
    raise ConfigError("retake bench replay: to come")
