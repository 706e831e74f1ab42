"""`retake bench` with a real server, whose tiny model knows nothing: called chance, and given no threshold."""

import csv
import json
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from generator.types import RenderSpec
from tests.clips import write_clip
from tests.e2e.process import command, environment
from tests.ports import free_port
from tests.real.conftest import CPU, MARK, MODEL, marked
from tests.real.provision import Provided

SUBJECTS = ("lighthouse", "sailing boat", "red car", "snowy forest", "empty corridor", "desert at noon")
EACH = 4
"""Clips of each subject, of which people take the first and the last: how far the camera goes says nothing of it."""
RUBRIC = """
name: tiny
version: 1
criteria:
  - {name: shown, title: What was asked for, axis: adherence, question: "Does the video show this: {prompt}?"}
  - {name: steady, title: Steady, axis: consistency, question: "Do things keep their shape?"}
"""


def write_data(folder: Path) -> Path:
    """24 small clips with labels."""
    path = folder / "clips.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sample_id", "video", "prompt", "axis", "label_type", "label", "scale"])
        for n in range(len(SUBJECTS) * EACH):
            prompt = f"A {SUBJECTS[n // EACH]}, the camera pushes in"
            spec = RenderSpec(width=160, height=96, num_frames=17, fps=8)
            write_clip(folder / f"{n}.mp4", spec, seed=n, zoom=0.1 + 0.02 * n)
            rows.writerow([f"s{n}", f"{n}.mp4", prompt, "overall", "likert", 5 if n % 4 in {0, 3} else 2, "1-5"])
    return path


def write_config(folder: Path, provided: Provided) -> Path:
    """A run's config: its generator cannot be reached, and nobody may ask for it."""
    (folder / "rubric.yaml").write_text(RUBRIC)
    path = folder / "run.yaml"
    serve = {
        "model": str(provided.reasoner),
        "port": free_port(),
        "gpu_memory_utilization": None,
        "max_model_len": None,
        "served_model_name": MODEL,
        "extra_args": list(CPU),
        "executable": str(provided.vllm),
        "ready_seconds": 240,
    }
    config = {
        "reasoner": {"backend": "openai", "serve": serve},
        "generator": {"backend": "nim", "endpoints": ["http://127.0.0.1:9"]},
        "critic": {"backend": "vlm", "rubric": "rubric.yaml", "feedback": False, "concurrency": 4},
    }
    path.write_text(yaml.safe_dump(config))
    return path


def bench(folder: Path, provided: Provided, *args: str | Path) -> "subprocess.CompletedProcess[str]":
    """The command as a user gives it. What it starts is found by its mark."""
    env = environment() | provided.variables() | {MARK: str(folder)}
    began = time.monotonic()
    done = subprocess.run(
        command("bench", *args), env=env, cwd=folder, capture_output=True, text=True, timeout=400, check=False
    )
    print(
        f"retake bench {args[0]}: {done.returncode} after {time.monotonic() - began:.1f} s\n{done.stdout}{done.stderr}"
    )
    return done


@pytest.mark.timeout(600)
def test_nonsense_is_called_nonsense(provided: Provided, tmp_path: Path) -> None:
    data, config, out = write_data(tmp_path), write_config(tmp_path, provided), tmp_path / "bench"
    first = bench(tmp_path, provided, "run", data, "--config", config, "--out", out, "--retest", "0.2", "--json")
    assert first.returncode == 0, first.stderr
    assert marked(str(tmp_path)) == [], "processes were left behind"
    facts = json.loads(first.stdout)
    assert (facts["rows"], facts["judged"], facts["failed"], facts["recalled"]) == (24, 24, 0, 0)
    assert facts["critic"].startswith(f"vlm/1 {MODEL}")
    lines = [json.loads(line) for line in (out / "scored.jsonl").read_text().splitlines()]
    assert [line["sample_id"] for line in lines] == [f"s{n}" for n in range(24)]
    assert all(0 <= line["score"] <= 1 and line["seconds"] > 0 for line in lines)
    assert any(line["retest"] is not None for line in lines)
    about = yaml.safe_load((out / "bench.yaml").read_text())
    assert (about["done"], MODEL in json.dumps(about["instrument"])) == (True, True)

    report = bench(tmp_path, provided, "report", out, "--json")
    assert report.returncode == 0, report.stderr
    assert {"roc_auc", "average_precision", "spearman", "kendall", "pearson", "ece"} <= json.loads(report.stdout).keys()
    (figures,) = json.loads((out / "figures.json").read_text())["axes"]
    assert figures["chance"], figures["words"]
    low, high = figures["roc_auc"]["low"], figures["roc_auc"]["high"]
    assert low <= 0.5 <= high
    assert "no better than a coin" in figures["words"][0], figures["words"]

    threshold = out / "threshold.yaml"
    withheld = bench(tmp_path, provided, "calibrate", out, "--precision", "0.8", "--out", threshold)
    assert withheld.returncode == 3, withheld.stdout
    assert "Threshold withheld" in withheld.stdout
    assert not threshold.exists()
    assert any((out / "plots").iterdir()), "the report has its plots all the same"
