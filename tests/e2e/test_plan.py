"""`retake plan` as a process: every config of the repository, nothing started and nothing written."""

import json
import subprocess
import sys
from pathlib import Path

from tests.e2e.process import environment

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
KEYS = [
    *("generator", "mode", "size", "num_frames", "num_inference_steps"),
    *("expected", "worst", "places", "assumes", "sources"),
]
ALL = """
import sys
from agent.cli import main

def watch(event, args):
    assert event not in {"socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.mkdir"}, (event, args)

sys.addaudithook(watch)
folder, *configs = sys.argv[1:]
for config in configs:
    for more in ([], ["--json"]):
        code = main(["plan", config, "-s", f"output.dir={folder}", *more])
        assert code == 0, (config, code)
"""


def test_every_config_can_be_planned(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALL, str(tmp_path / "runs"), *map(str, CONFIGS)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    plans = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(plans) == len(CONFIGS) >= 5
    for config, plan in zip(CONFIGS, plans, strict=True):
        assert list(plan) == KEYS, config
        assert 0 < plan["expected"]["renders"] <= plan["worst"]["renders"]
        if not plan["worst"]["drafts"]:
            assert plan["expected"]["renders"] == plan["worst"]["renders"]
        assert plan["assumes"]
        assert plan["sources"] or not plan["places"]
    by_name = {config.stem: plan for config, plan in zip(CONFIGS, plans, strict=True)}
    assert by_name["fal"]["worst"]["price_usd"] == 1.0
    assert len(by_name["cosmos3-nano"]["places"]) == 4
    assert by_name["cosmos3-nano"]["expected"]["render_seconds"] is None
    assert by_name["quickstart"]["expected"]["render_seconds"] > 0
    assert done.stdout.count("Assumed:") == len(CONFIGS)
    assert list(tmp_path.iterdir()) == []


def test_a_draft_config_on_an_h100_by_its_published_rows(tmp_path: Path) -> None:
    """Four captions of two drafts at 256p, and the best of them at 720p: 8 x 6.97 s and 202.29 s."""
    config = tmp_path / "drafts.yaml"
    config.write_text(
        """\
request: {prompt: A robot arm lifts a cup., size: 1280x720}
generator: {backend: vllm_omni, model: nvidia/Cosmos3-Nano}
budget: {max_iterations: 4, samples_per_iteration: 2}
search: {draft: {tier: 256p}}
output: {dir: runs}
"""
    )
    command = [sys.executable, "-m", "agent", "plan", str(config), "--hardware", "h100", "--json"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    expected, worst = plan["expected"], plan["worst"]
    assert (expected["renders"], expected["drafts"], worst["renders"], worst["drafts"]) == (9, 8, 12, 8)
    assert round(expected["render_seconds"], 2) == round(8 * 6.97 + 202.29, 2)
    assert round(worst["render_seconds"], 2) == round(8 * 6.97 + 4 * 202.29, 2)
    assert any("That drafts rank captions as renders of 720p do is assumed" in words for words in plan["assumes"])
