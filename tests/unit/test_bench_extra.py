"""A missing extra is one clear sentence."""

import subprocess
import sys

import pytest

from agent.bench.extra import need
from agent.errors import ConfigError


def test_what_is_there_is_not_complained_about() -> None:
    need("json", "scipy.stats", "sklearn.metrics")


def test_what_is_missing_is_named_with_the_cure() -> None:
    with pytest.raises(ConfigError, match=r"needs no_such_module.*pip install 'cosmos-retake\[bench\]'"):
        need("json", "no_such_module.metrics")


def test_the_commands_load_nothing_of_it_nor_what_makes_help_slow() -> None:
    heavy = "{'scipy', 'sklearn', 'matplotlib', 'pyarrow', 'numpy', 'pydantic', 'yaml', 'rich'}"
    code = f"import sys, agent.arguments as a; a.parser(); print(sorted({heavy} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "[]"
