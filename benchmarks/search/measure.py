"""Every strategy replayed on every prompt and order of seeds, and compared with the reference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.bench.ranking import Floats
from benchmarks.search.curves import Comparison, Curve, compared
from benchmarks.search.landscape import SEEDS
from benchmarks.search.replay import Replay
from benchmarks.search.resampling import weights
from benchmarks.search.strategies import REFERENCE, Strategy
from benchmarks.search.tables import Prices


@dataclass(frozen=True)
class Measured:
    """Strategies at one price list."""

    prices: Prices
    strategies: tuple[Strategy, ...]
    curves: dict[str, Curve]
    """By name."""
    comparisons: dict[str, Comparison]
    """Likewise."""

    @property
    def reference(self) -> Curve:
        """Of the schedule whose score is to be reached."""
        return self.curves[REFERENCE.name]


def measured(
    replay: Replay,
    prices: Prices,
    strategies: Sequence[Strategy],
    resamples: int,
    advance: Callable[[], object] = lambda: None,
) -> Measured:
    """Replay `strategies`, the reference among them, and compare them.

    Args:
        replay: of the landscape.
        prices: of its renders.
        strategies: with names of their own.
        resamples: for the intervals.
        advance: called after each strategy.
    """
    curves: dict[str, Curve] = {}
    for strategy in strategies:
        curves[strategy.name] = curve(replay, prices, strategy)
        advance()
    level = weights(len(replay.landscape.prompts), SEEDS, resamples)
    return Measured(prices, tuple(strategies), curves, against(curves, level))


def curve(replay: Replay, prices: Prices, strategy: Strategy) -> Curve:
    """A strategy on every prompt, in every order of its seeds."""
    prompts = replay.landscape.prompts
    return Curve.of([replay.trace(strategy, prices, prompt, shift) for prompt in prompts for shift in range(SEEDS)])


def against(curves: dict[str, Curve], level: Floats) -> dict[str, Comparison]:
    """Each beside the reference."""
    return {name: compared(each, curves[REFERENCE.name], level) for name, each in curves.items()}
