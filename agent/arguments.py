"""The command line's arguments and their help."""

import argparse
from typing import Any

from agent.bench.arguments import add_bench
from agent.marking import command as marking
from agent.options import override
from agent.server import command as serving

EXIT_CODES = """exit codes:
  0    a clip was chosen
  1    the machine failed (a full disk, say); what was done is kept
  2    the config or the input is wrong; the message names the key and the cure
  3    nothing could be rendered and judged
  130  interrupted (143: terminated); the best so far is kept, and the line that resumes it is printed
"""

EXAMPLES = """examples:
  retake run configs/quickstart.yaml
  retake run configs/quickstart.yaml --prompt "A lighthouse in a storm. The camera pans left." -s request.seed=7
  retake run configs/quickstart.yaml --image photo.jpg --prompt "The camera slowly pushes in."
  retake run --resume runs/20260101-120000-a-lighthouse-1f3a
  retake run configs/quickstart.yaml --json | jq -r .video
  retake run configs/quickstart.yaml --server http://127.0.0.1:8000

"""


PLAN_EXAMPLES = """Seconds come from the finished runs in the output folder that the same generator rendered at the same
address; without any, from published latencies, brought to your size, length and number of steps. "expected" is
the full schedule until enough runs tell how often one is accepted early; "at worst" uses every iteration at the
slowest pace known. What is assumed and where each figure comes from is printed below the figures.

examples:
  retake plan configs/cosmos3-nano.yaml
  retake plan configs/cosmos3-nano.yaml --hardware h100 -s request.size=1280x720
  retake plan configs/fal.yaml -s budget.max_renders=2 --json | jq .worst.price_usd

exit codes: 0 told; 2 the config, the input or the hardware's name is wrong, and the message names the cure
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="retake",
        description="The agentic loop for NVIDIA Cosmos3 video generation: "
        "expand the prompt, render candidates, judge them, rewrite, choose.",
        epilog=EXAMPLES + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("-V", "--version", action="store_true", help="print the version and leave")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    run = _command(
        commands,
        "run",
        "run the loop, or go on with a run",
        EXAMPLES + EXIT_CODES,
        "Run the loop as CONFIG says, and leave a folder with every candidate, score, critique, prompt, and a report.",
    )
    run.add_argument(
        "config",
        nargs="?",
        metavar="CONFIG",
        help="a YAML file; without one, the embedded parts at 832x480, 189 frames",
    )
    run.add_argument("--prompt", metavar="TEXT", help="what should happen in the video (request.prompt)")
    run.add_argument(
        "--image", metavar="PATH|URL|DATA", help="the first frame: a path, an http(s) URL or a data URI (request.image)"
    )
    run.add_argument("--out", metavar="DIR", help="the run's folder, new or empty (default: a new one in output.dir)")
    run.add_argument("--resume", metavar="DIR", help="go on with the run in this folder; its own config is used")
    run.add_argument("--retry-failed", action="store_true", help="with --resume: try again what failed for good")
    override(run, "budget.max_iterations=3")
    run.add_argument(
        "--server", metavar="URL", help="let a `retake serve` at this address do the work; its files come here"
    )
    run.add_argument(
        "--server-model",
        metavar="NAME",
        help="with --server: one of the models that it offers (default: its own choice)",
    )
    run.add_argument(
        "--server-key-env",
        metavar="NAME",
        help="with --server: the environment variable that holds its key (default: RETAKE_API_KEY, if it is set)",
    )
    run.add_argument("--json", action="store_true", help="print nothing but one JSON object at the end")
    run.add_argument("-q", "--quiet", action="store_true", help="print only the verdict")
    run.add_argument("-v", "--verbose", action="store_true", help="log each step to standard error")

    plan = _command(
        commands,
        "plan",
        "tell what a config will cost, without running it",
        PLAN_EXAMPLES,
        "Tell what a run of CONFIG is expected to cost, and what it may cost: captions, renders, questions, seconds, "
        "price.\nNothing is run, started, downloaded or asked.",
    )
    plan.add_argument("config", nargs="?", metavar="CONFIG", help="a YAML file; without one, the embedded defaults")
    plan.add_argument(
        "--hardware",
        metavar="GPU",
        help="what renders, e.g. h100: only its published latency is used, and no earlier run's renders",
    )
    override(plan, "budget.max_iterations=3")
    plan.add_argument("--json", action="store_true", help="print nothing but one JSON object")

    report = _command(
        commands,
        "report",
        "rebuild the report of a run",
        "",
        "Rebuild report.html in a run's folder, and print its path.",
    )
    report.add_argument("folder", metavar="RUN_DIR", help="the run's folder")

    config = _command(
        commands,
        "config",
        "print the config as it is understood",
        "",
        "Print CONFIG with every default filled in and every override applied.",
    )
    config.add_argument("config", nargs="?", metavar="CONFIG", help="a YAML file; without one, the embedded defaults")
    override(config, "budget.max_iterations=3")

    _command(
        commands,
        "schema",
        "print the JSON schema of a config",
        "",
        "Print the JSON schema of a config file, for editors and checks.",
    )

    _command(
        commands,
        "backends",
        "print what each generator can do",
        "",
        "Print what each generator can do: sizes, frames, modes, guardrails, price. The table of docs/backends.md.",
    )

    doctor = _command(
        commands,
        "doctor",
        "check what a config needs",
        "",
        "Check what CONFIG needs on this machine, and say what is missing and the cure.",
    )
    doctor.add_argument("config", nargs="?", metavar="CONFIG", help="a YAML file; without one, the embedded defaults")
    override(doctor, "budget.max_iterations=3")

    add_bench(commands)
    marking.add(commands)
    serving.add(commands)
    return top


def _command(commands: Any, name: str, short: str, epilog: str, description: str) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = commands.add_parser(
        name, help=short, description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    return added
