"""The threshold file: what it says, what is refused, and what a config makes of it."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from scipy.stats import beta

from agent.building import foretold
from agent.config import RunConfig
from agent.doctor import checks
from agent.errors import ConfigError
from agent.plan import plan
from agent.reading import check, load_config
from agent.thresholds import held, settled, stated
from critic.config import HybridConfig, SignalsConfig, VLMConfig
from critic.instrument import Instrument
from critic.threshold import Bound, ThresholdFileError, figure, parse, read
from tests.thresholds import ACCEPT, SIGNALS, threshold, write

FILM = str(Path(__file__).parents[2] / "configs" / "rubrics" / "film.yaml")


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = threshold(0.8235, 0.4)
    assert read(write(tmp_path / "t.yaml", made)) == made
    assert made.sentence() == (
        "Of clips at or above 0.8235 people take at least 80% (95% confidence: 46 of 48 such clips of 120 labelled)."
    )


def test_a_threshold_has_as_many_decimals_as_it_takes() -> None:
    assert [figure(v) for v in (0.8, 0.82, 0.825, 0.82512, 0.96, 1.0)] == [
        "0.80",
        "0.82",
        "0.825",
        "0.8251",
        "0.96",
        "1.00",
    ]
    assert [figure(v) for v in (0.0, 1e-6, 0.00004, 0.99997)] == ["0.00", "0.000001", "0.00004", "0.99997"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"threshold": 1.2}, "t.yaml: threshold: Input should be less than or equal to 1"),
        ({"threshold": float("nan")}, "threshold: Input should be"),
        ({"reject_below": 0.3}, "reject_below and reject stand or fall together"),
        ({"accept": {**ACCEPT.model_dump(), "right": 49}}, "accept: Value error, right must not be above n"),
        ({"accept": {**ACCEPT.model_dump(), "lower_bound": 0.97}}, "no bound lies over what was seen"),
        ({"accept": {**ACCEPT.model_dump(), "target": 0.9}}, "accept.lower_bound must not be below accept.target"),
        ({"extra": 1}, "extra: Extra inputs are not permitted"),
        ({"made": "soon"}, "made: Input should be a valid date"),
    ],
)
def test_a_file_that_cannot_be_so_is_refused(change: dict[str, Any], words: str) -> None:
    data = {**threshold().model_dump(mode="json"), **change}
    with pytest.raises(ThresholdFileError) as caught:
        parse(yaml.safe_dump(data).encode(), "t.yaml")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"- 1", "a mapping with threshold"),
        (b"{", "is not YAML"),
        (b"\xff\xfe\x00", "is not YAML in UTF-8"),
        (b"[" * 2000, "is not YAML in UTF-8"),
        (b"a: 1\n" * 20_000, "is over 65,536 bytes"),
    ],
)
def test_what_is_no_threshold_file_is_told(data: bytes, words: str) -> None:
    with pytest.raises(ThresholdFileError, match=words):
        parse(data, "t.yaml")


def test_a_config_takes_the_files_threshold_and_its_place(tmp_path: Path) -> None:
    write(tmp_path / "mine.yaml", threshold(0.82))
    (tmp_path / "config.yaml").write_text("critic: {threshold_file: mine.yaml}")
    config = load_config(tmp_path / "config.yaml")
    assert (config.critic.accept_at, config.critic.threshold_file) == (0.82, str(tmp_path / "mine.yaml"))
    assert settled(config) == config
    (tmp_path / "whole.yaml").write_text(config.to_yaml())
    assert load_config(tmp_path / "whole.yaml") == config
    write(tmp_path / "mine.yaml", threshold(0.9))
    assert load_config(tmp_path / "whole.yaml").critic.accept_at == 0.9
    assert load_config(tmp_path / "whole.yaml", ["critic.threshold_file=null"]).critic.accept_at == 0.96


def test_two_thresholds_are_one_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine.yaml", threshold(0.82))
    path = tmp_path / "config.yaml"
    path.write_text("critic: {threshold_file: mine.yaml, accept_at: 0.9}")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == (
        f"critic.accept_at (0.9) and critic.threshold_file ({tmp_path}/mine.yaml: 0.82) name two thresholds; take one "
        "of them out"
    )
    path.write_text("critic: {threshold_file: mine.yaml, accept_at: null}")
    with pytest.raises(ConfigError, match=r"critic.accept_at \(null\)"):
        load_config(path)
    path.write_text("critic: {threshold_file: mine.yaml, accept_at: 0.82}")
    assert load_config(path).critic.accept_at == 0.82
    with pytest.raises(ConfigError, match=r"critic.accept_at \(0.5\)"):
        load_config(path, ["critic.accept_at=0.5"])
    # the command line's own file takes the place of the threshold in the config file
    path.write_text("critic: {accept_at: 0.9}")
    assert load_config(path, ["critic.threshold_file=mine.yaml"]).critic.accept_at == 0.82


def test_a_file_that_cannot_be_read_names_its_key(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none", "there is no such file; put it there"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError, match=words) as caught:
            stated(SignalsConfig(threshold_file=str(path)))
        assert str(caught.value).startswith(f"critic.threshold_file: {path}: ")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=r"critic\.threshold_file: .*pipe: is no plain file"):
        stated(SignalsConfig(threshold_file=str(tmp_path / "pipe")))
    with pytest.raises(ConfigError, match="embedded null byte"):
        stated(SignalsConfig(threshold_file="a\0b"))
    (tmp_path / "bad").write_text("threshold: 0.5")
    with pytest.raises(ConfigError, match=r"critic\.threshold_file: .*bad: accept: Field required"):
        settled(check({"critic": {"threshold_file": str(tmp_path / "bad")}}))


def hold(path: Path, instrument: Instrument | None, config: Any) -> tuple[str, ...]:
    write(path, threshold(instrument=instrument))
    config = config.model_copy(update={"threshold_file": str(path)})
    found = stated(config)
    assert found is not None
    return held(config, found, *foretold(config)).differs


def test_what_needs_no_server_is_held_against_the_file_without_one(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    asked, unknown = foretold(VLMConfig(fps=2.0, rubric=FILM))
    assert unknown == {"model"}
    assert hold(path, asked.model_copy(update={"model": "any"}), VLMConfig(fps=2.0, rubric=FILM)) == ()
    loose = VLMConfig(fps=2.0, rubric=FILM, threshold_must_match=False)
    other = asked.model_copy(update={"rubric": "mine/1 abc", "templates": "1 000000000000"})
    assert hold(path, other, loose) == (
        f"rubric: mine/1 abc there, {asked.rubric} here",
        f"templates: 1 000000000000 there, {asked.templates} here",
    )
    both, unknown = foretold(HybridConfig(signals_share=0.25))
    assert both.critic == "signals/1+vlm/1 signals=0.25"
    assert unknown == {"model", "rubric"}
    assert hold(path, both.model_copy(update={"model": "a", "rubric": "b"}), HybridConfig(signals_share=0.25)) == ()
    assert hold(path, SIGNALS, SignalsConfig()) == ()
    with pytest.raises(ConfigError) as caught:
        hold(path, both, HybridConfig())
    assert "critic: signals/1+vlm/1 signals=0.25 there, signals/1+vlm/1 signals=0.3 here" in str(caught.value)
    assert "retake bench calibrate" in str(caught.value)
    assert "critic.threshold_must_match: false" in str(caught.value)
    with pytest.raises(ConfigError, match="does not say which critic"):
        hold(path, None, SignalsConfig())


def test_doctor_and_plan_say_what_the_file_is_worth(tmp_path: Path) -> None:
    path = write(tmp_path / "t.yaml", threshold(0.82))
    config = load_config(None, [f"critic.threshold_file={path}", f"output.dir={tmp_path}"])
    said = next(finding for finding in checks(config) if finding.what == "threshold")
    assert (said.good, said.found) == (True, threshold(0.82).sentence())
    assert any("accepted by the threshold file: Of clips at or above 0.82" in line for line in plan(config)[1].assumes)

    write(path, threshold(0.82, instrument=Instrument(critic="vlm/1", model="m")))
    said = next(finding for finding in checks(config) if finding.what == "threshold")
    assert (said.good, "model: m there, none here" in said.found) == (False, True)
    with pytest.raises(ConfigError, match="model: m there, none here"):
        plan(config)
    loose = config.critic.model_copy(update={"threshold_must_match": False})
    config = config.model_copy(update={"critic": loose})
    said = next(finding for finding in checks(config) if finding.what == "threshold")
    assert (said.good, said.found.startswith("Uncalibrated, since the threshold file is for another")) == (True, True)
    assert any(line.startswith("The threshold is uncalibrated: ") for line in plan(config)[1].assumes)


def test_a_model_is_only_known_when_it_answers(tmp_path: Path) -> None:
    asked, _ = foretold(VLMConfig())
    path = write(tmp_path / "t.yaml", threshold(instrument=asked.model_copy(update={"model": "m", "rubric": "r"})))
    config = RunConfig(critic=VLMConfig(threshold_file=str(path)))
    said = next(finding for finding in checks(config) if finding.what == "threshold")
    assert said.found.endswith("It is for m; whether that is what answers is seen when a run begins.")


def test_no_bound_without_clips() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        Bound(target=0.8, lower_bound=0, confidence=0.95, level=0.95, n=0, right=0, design_effect=1)


@pytest.mark.parametrize(("right", "n"), [(1, 1), (46, 48), (45, 45), (600, 1000), (19_000, 20_000)])
@pytest.mark.parametrize("level", [0.9, 0.98])
def test_no_bound_is_above_what_its_clips_bear_out(right: int, n: int, level: float) -> None:
    facts: dict[str, Any] = {"target": 0.05, "confidence": 0.9, "level": level, "n": n, "right": right}
    bound = float(beta.ppf(1 - level, right, n - right + 1))
    assert Bound(**facts, design_effect=1, lower_bound=bound).lower_bound == bound
    with pytest.raises(ValueError, match=f"lower_bound must not be above what {right} of {n} clips bear out"):
        Bound(**facts, design_effect=1, lower_bound=min(bound + 0.001, right / n))
