"""The wheel: exactly four packages, complete, and usable from an empty folder."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the checkout stays as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    names = [*("agent", "reasoner", "critic", "generator"), *("pyproject.toml", "README.md", "LICENSE")]
    source.mkdir()
    subprocess.run(["cp", "-r", *(str(ROOT / n) for n in names), str(source)], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(source)],
        check=True,
        timeout=250,
    )
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_top_level_is_the_four_packages(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"agent", "reasoner", "critic", "generator"}


@pytest.mark.slow
def test_nothing_is_missing_from_it(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    packages = [ROOT / name for name in ("agent", "reasoner", "critic", "generator")]
    files = {str(p.relative_to(ROOT)) for package in packages for p in package.rglob("*") if p.is_file()}
    assert {f for f in files if "__pycache__" not in f} <= packed


@pytest.mark.slow
def test_it_runs_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """In an environment without the checkout. That its requirements are all named, README's first line shows in CI."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    bin_ = tmp_path / "env" / "bin"
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    # as a plain folder: the link to the checkout in there is not followed
    (site / "requirements.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(bin_ / "python")]
    subprocess.run([*pip, "install", "-q", "--disable-pip-version-check", "--no-deps", str(wheel)], check=True)
    found = [str(bin_ / "python"), "-c", "import agent; print(agent.__file__)"]
    assert subprocess.check_output(found, text=True, cwd=tmp_path).startswith(str(site))
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    args = [
        "run",
        "--prompt",
        "A boat. The camera pans left.",
        "--json",
        "-s",
        "request.size=320x192",
        "-s",
        "request.num_frames=9",
    ]
    for start in ([str(bin_ / "retake")], [str(bin_ / "python"), "-m", "agent"]):
        done = subprocess.run([*start, *args], cwd=empty, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert Path(json.loads(done.stdout)["video"]).is_relative_to(empty / "runs")
