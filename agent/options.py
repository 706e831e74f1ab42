"""Options that several commands share."""

import argparse


def override(its: argparse.ArgumentParser, example: str) -> None:
    """Let a command's config be overridden."""
    its.add_argument(
        "-s",
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help=f"override a key of the config, e.g. -s {example} (may be repeated)",
    )
