"""docs/backends.md against the code it is made from."""

from pathlib import Path
from typing import get_args

import pytest

from agent.cli import main
from generator.capabilities import capabilities
from generator.config import GeneratorConfig
from generator.table import CONFIGS, table

PAGE = Path(__file__).parents[2] / "docs/backends.md"


def test_the_page_holds_todays_table() -> None:
    assert PAGE.read_text(encoding="utf-8").endswith(table()), "write it anew: see the head of generator/table.py"


def test_every_backend_has_a_row() -> None:
    kinds = get_args(get_args(GeneratorConfig)[0])
    assert {type(config) for config in CONFIGS} == set(kinds)
    names = [capabilities(config).name for config in CONFIGS]
    assert len(set(names)) == len(names)
    assert all(f"| `{name}` |" in table() for name in names)


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backends"]) == 0
    assert capsys.readouterr().out == table()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: capabilities(config).name)
def test_defaults_are_within_what_is_taken(config: GeneratorConfig) -> None:
    able = capabilities(config)
    assert able.modes
    assert able.default_size in {size[:2] for size in able.sizes}
    for default, span in (
        (able.default_frames, able.frames),
        (able.default_fps, able.fps),
        (able.default_steps, able.steps),
        (able.default_guidance, able.guidance),
    ):
        assert span.least <= default <= span.most
    for edge in (able.default_frames, able.frames.least, able.frames.most):
        assert (edge - 1) % able.frame_step == 0
