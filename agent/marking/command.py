"""`retake mark`: its arguments and its work."""

import argparse
from typing import Any

from agent.errors import ConfigError


def add(commands: Any) -> None:
    """Its arguments."""
    added = commands.add_parser("mark", help="(to come)", formatter_class=argparse.RawDescriptionHelpFormatter)
    added.add_argument("folders", nargs="+", metavar="RUN_DIR")
    added.set_defaults(main=main)


def main(args: argparse.Namespace) -> int:
    """Its work."""
    del args
    raise ConfigError("retake mark: to come")
