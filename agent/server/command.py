"""`retake serve`: its arguments and its work."""

import argparse
from typing import Any

from agent.errors import ConfigError
from agent.options import override

EPILOG = """Clients reach it by changing only the address: fal's at /fal, OpenAI's at /v1, NIM's at /v1/infer, our own
at /v1/runs. The page at / shows the queue, takes requests, and plays what came of them.

An accepted request is on the disk: after a crash or kill -9, start the same command again, in the same
folder or with the same output.dir, and it goes on.
SIGTERM or Ctrl-C takes nothing new and lets running requests end (server.drain_seconds); a second one waits for
nothing.

examples:
  retake serve configs/server.yaml
  export RETAKE_API_KEY=$(openssl rand -hex 24)       # what clients send
  RETAKE_API_KEYS=$RETAKE_API_KEY retake serve configs/server.yaml --host 0.0.0.0
  retake serve configs/server.yaml -s server.limits.max_running=4 -s output.dir=/data/runs

exit codes:
  0    stopped
  1    the machine failed (a full disk, say)
  2    the config is wrong, the port is taken, or the extra `server` is missing; the message names the cure
"""


def add(commands: Any) -> None:
    """Its arguments."""
    added = commands.add_parser(
        "serve",
        help="take requests of fal, OpenAI, NIM and our own clients over HTTP",
        description="Serve the loop over HTTP, in the words of the clients that people have: fal, OpenAI Videos, NIM,\n"
        "and our own API, which tells most.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    added.add_argument("config", nargs="?", metavar="CONFIG", help="a YAML file; without one, the embedded defaults")
    added.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="to listen on (default: 127.0.0.1)")
    added.add_argument("--port", type=int, default=8000, metavar="N", help="(default: 8000; 0: a free one)")
    override(added, "server.limits.max_running=4")
    added.add_argument("-v", "--verbose", action="store_true", help="log each request to standard error")
    added.add_argument(
        "--new-key", metavar="NAME", help="print a new API key and its line for server.api_key_file, and end"
    )
    added.add_argument(
        "--scopes", default="run+read+upload", metavar="A+B", help="of the new key: run, read, upload, admin, or all"
    )
    added.set_defaults(main=main)


def main(args: argparse.Namespace) -> int:
    """Its work."""
    if args.new_key is not None:
        return _new_key(args.new_key, args.scopes)
    import os

    if not 0 <= args.port <= 65535:
        raise ConfigError(f"--port {args.port}: must be from 1 to 65535, or 0 for a free one")
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"retake serve: it needs {error.name}, which is not installed: pip install 'cosmos-retake[server]'"
        ) from error
    from agent.server import logs
    from agent.server.keys import required
    from agent.server.loading import apart, load
    from agent.server.serve import listen, run

    logs.begin(verbose=args.verbose)
    served = load(args.config, args.overrides)
    keys = required(served.server, args.host, os.environ)
    with listen(args.host, args.port) as listener:
        port = listener.getsockname()[1]
        apart(served, port)
        host = f"[{args.host}]" if ":" in args.host else args.host

        def ready() -> None:
            print(f"Retake serves at http://{host}:{port}  (Ctrl-C stops it)", flush=True)

        run(served, listener, host=args.host, keys=keys, ready=ready)
    return 0


def _new_key(name: str, scopes: str) -> int:
    from agent.server.keys import new_key

    key, line = new_key(name, scopes.split("+"))
    print(f"key, shown this once:         {key}\nline for server.api_key_file: {line}")
    return 0
