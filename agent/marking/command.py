"""`retake mark`: its arguments and its work."""

import argparse
import os
import secrets
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import ConfigError

if TYPE_CHECKING:
    from agent.marking.saving import Register

EPILOG = """A run that is still going on may be marked; its new candidates appear when the page is loaded again.
Marks are appended to marks.jsonl in the run's folder, one JSON object a line, each on the disk before the
page says so. Nothing else of the run is touched.

example: from a folder of runs to what the critic's score is worth to you
  retake mark runs/
  retake bench run runs/

exit codes:
  0    ended by Ctrl-C; how many marks were saved is said
  1    the machine failed
  2    a folder is no run, the port is taken, or the extra `server` is missing
"""


def add(commands: Any) -> None:
    """Its arguments."""
    added = commands.add_parser(
        "mark",
        help="rate the candidates of runs in the browser",
        description="Serve a page on this machine on which people rate the candidates of runs: 1 to 5, pass or fail,\n"
        "or which of two is better. What they say is what `retake bench` measures a critic against.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    added.add_argument("folders", nargs="+", metavar="RUN_DIR", help="a run's folder, or a folder of such")
    added.add_argument("--port", type=int, default=0, metavar="N", help="of 127.0.0.1 (default: a free one)")
    added.add_argument("--rater", metavar="NAME", help="whose marks these are (default: the page asks)")
    added.add_argument("--pairs", type=int, metavar="N", help="most pairs proposed of a run (default: 10)")
    added.add_argument(
        "--no-browser",
        action="store_true",
        help="print the address, and open nothing: on a shared machine others may read what a browser is started with",
    )
    added.add_argument(
        "--blind",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="hide the critic's scores until the key s, and mix the candidates' order, so that nobody is led (default)",
    )
    added.set_defaults(main=main)


def main(args: argparse.Namespace) -> int:
    """Its work."""
    _check(args)
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"retake mark: its page needs {error.name}, which is not installed: pip install 'cosmos-retake[server]'"
        ) from error
    from agent.lines import printable
    from agent.marking.app import application
    from agent.marking.catalogue import Catalogue
    from agent.marking.pairs import MOST
    from agent.marking.saving import Register
    from agent.marking.server import HOST, listen, serve, show
    from agent.marking.shelf import Shelf, given
    from agent.marking.views import plain

    shelf = Shelf(given(args.folders))
    runs = len(shelf.look())
    pairs = MOST if args.pairs is None else args.pairs
    catalogue = Catalogue(shelf, blind=args.blind, pairs=pairs, rater=None if args.rater is None else plain(args.rater))
    register = Register(catalogue)
    token = secrets.token_urlsafe(24)
    with listen(args.port) as listener:
        port = listener.getsockname()[1]
        url = f"http://{HOST}:{port}/?token={token}"
        print(f"{runs} run{'s' if runs != 1 else ''} to mark at {url}", flush=True)
        print("Ctrl-C ends it. Each mark is on the disk when the page says so.", flush=True)
        if not args.no_browser:
            show(url, os.environ)
        serve(application(catalogue, register, port=port, token=token), listener)
    print("\n".join(map(printable, told(register, args.folders))), flush=True)
    return 0


def _check(args: argparse.Namespace) -> None:
    if not 0 <= args.port <= 65535:
        raise ConfigError(f"--port {args.port}: must be from 1 to 65535, or 0 for a free one")
    if args.rater is not None and len(args.rater) > 80:
        raise ConfigError("--rater: at most 80 characters")
    if args.pairs is not None and not 0 <= args.pairs <= 1000:
        raise ConfigError(f"--pairs {args.pairs}: must be from 0 to 1000")


def told(register: "Register", folders: Sequence[str]) -> list[str]:
    """The last lines: what was saved, and what can be done with it."""
    made, marked = register.made, register.folders
    if not made:
        return ["", "No mark was made."]
    runs = f"{len(marked)} run{'s' if len(marked) != 1 else ''}"
    data = [given for given in folders if {*marked} & {*_runs(given)}]
    return [
        "",
        f"{made} mark{'s' if made != 1 else ''} saved in {runs}.",
        "What the critic's score is worth to whoever marked:",
        *(f"  retake bench run {shlex.quote(given)}" for given in data),
        "A run's own story:",
        f"  retake report {shlex.quote(str(marked[0]))}",
    ]


def _runs(given: str) -> list[Path]:
    from agent.marking.shelf import runs_in

    return runs_in(Path(given).expanduser().resolve())
