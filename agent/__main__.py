"""`python -m agent` and the console script `retake`."""

import sys
from pathlib import Path


def main() -> int:
    """Run the command line. Returns the exit code."""
    try:
        from agent.cli import main as cli  # noqa: PLC0415 - its failure is the point

        return cli()
    except KeyboardInterrupt:
        return 130
    except ImportError as error:
        name = (error.name or "").partition(".")[0]
        found = getattr(sys.modules.get(name), "__file__", None) or "nowhere"
        ours = Path(__file__).resolve().parents[1]
        if name not in {"agent", "reasoner", "critic", "generator"} or Path(found).resolve().is_relative_to(
            ours / name
        ):
            raise
        sys.stderr.write(
            f"retake: the package `{name}` that Python finds ({found}) is not Retake's; install Retake into its own "
            "virtual environment, and start it from a folder without a package of that name\n"
        )
        return 2


if __name__ == "__main__":
    sys.exit(main())
