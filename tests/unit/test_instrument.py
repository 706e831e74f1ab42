"""What a critic says of itself, and what it says of another one's scores."""

from pathlib import Path

from agent.memory import Memory, RememberedCritic
from agent.serving.in_turn import CriticInTurn
from agent.serving.turns import Turns
from critic.config import HybridConfig, SignalsConfig, VLMConfig
from critic.hybrid import Hybrid
from critic.instrument import Instrument
from critic.signals import Signals
from critic.vlm import VLM, Checklist, FromFile
from critic.vlm.texts import SCORING, mark
from tests.parts import ScriptedCritic
from tests.seeing import chat_with, seeing
from tests.wire import Wire

FILM = Path(__file__).parents[2] / "configs" / "rubrics" / "film.yaml"


def test_the_measured_critic_reads_every_frame_and_asks_nobody() -> None:
    assert Instrument.of(Signals(SignalsConfig())) == Instrument(critic="signals/1", rubric="signals/1")


def test_a_critic_without_an_account_of_itself_is_its_id() -> None:
    critic = ScriptedCritic(lambda prompt, seed: 1.0, id="own/3")
    assert Instrument.of(critic) == Instrument(critic="own/3")


async def test_an_asking_critic_names_all_that_its_scores_hang_on() -> None:
    config = HybridConfig(fps=2.0, max_frames=8, long_side=320, signals_share=0.25)
    async with Wire(seeing()) as server, chat_with(server) as chat:
        vlm = VLM(VLMConfig(fps=2.0, max_frames=8, long_side=320), chat, Checklist(chat))
        filmed = VLM(VLMConfig(), chat, FromFile(FILM))
        hybrid = Hybrid(config, Signals(SignalsConfig()), vlm)
        asked, by_file, both = Instrument.of(vlm), Instrument.of(filmed), Instrument.of(hybrid)
    assert asked == Instrument(
        critic="vlm/1",
        model="tiny-cosmos3-reasoner",
        rubric="checklist/1 tiny-cosmos3-reasoner",
        templates=mark(),
        fps=2.0,
        max_frames=8,
        long_side=320,
    )
    assert by_file.rubric.startswith("film/1 ")
    assert by_file.differences(asked) == (
        f"rubric: {by_file.rubric} there, checklist/1 tiny-cosmos3-reasoner here",
        "fps: 4 there, 2 here",
        "max_frames: 32 there, 8 here",
        "long_side: 448 there, 320 here",
    )
    assert both == asked.model_copy(
        update={"critic": "signals/1+vlm/1 signals=0.25", "rubric": "signals/1+checklist/1 tiny-cosmos3-reasoner"}
    )
    assert Instrument(critic="vlm/1").differences(Instrument(critic="vlm/1", fps=4)) == ("fps: none there, 4 here",)


def test_the_texts_that_judging_sends_are_all_counted() -> None:
    sent = {path.name for path in (FILM.parents[2] / "critic" / "vlm").iterdir() if path.suffix in {".txt", ".yaml"}}
    assert set(SCORING) == sent - {"pairwise.txt"}


def test_what_stands_around_a_critic_passes_its_account_on(tmp_path: Path) -> None:
    inner = Signals(SignalsConfig())
    remembered = RememberedCritic(inner, Memory(tmp_path, lambda _: None))
    assert Instrument.of(CriticInTurn(remembered, Turns({}), "reasoner")) == inner.instrument
