"""The shortest schedule there is of a run, found exactly: what no loop that does the same steps can beat.

A run is captions and rounds. A round is N chains, each a render on one of E serial endpoints and then a judgement on
one of C places at the critic. A rewrite reads every judgement of its round, and every render waits for its caption: so
rounds and captions follow one another, and the shortest run is the sum of the shortest rounds and of the captions.

A round's shortest schedule is found by branch and bound over the order in which its steps start, each as soon as its
clip and a place are there. That loses nothing: take any schedule, go through its steps in the order of their starts,
and start each so. By induction none starts later than it did: of the steps before it on its resource, fewer than there
are places still ran at that moment, and now each of them ends no later. Done again until nothing moves, it leaves a
schedule whose starts never go back in time, so only those are tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

Chain = tuple[int, int]
"""A render and the judgement after it, in milliseconds: positive."""


def shortest_run(captions: Sequence[int], rounds: Sequence[Sequence[Chain]], endpoints: int, judges: int) -> int:
    """Milliseconds of the shortest schedule of a run.

    Args:
        captions: of each iteration, in milliseconds.
        rounds: the chains of each iteration.
        endpoints: that render, each one clip at a time.
        judges: clips that the critic judges at the same time.
    """
    known: dict[tuple[Chain, ...], int] = {}
    for chains in rounds:
        key = tuple(sorted(chains))
        if key not in known:
            known[key] = shortest_round(key, endpoints, judges)
    return sum(captions) + sum(known[tuple(sorted(chains))] for chains in rounds)


def shortest_round(chains: Sequence[Chain], endpoints: int, judges: int) -> int:
    """Milliseconds from the start of a round's first render to the end of its last judgement, at least."""
    if endpoints < 1 or judges < 1 or any(render <= 0 or judge <= 0 for render, judge in chains):
        raise ValueError("a round needs endpoints, places at the critic, and steps that take time")
    search = _Search(best=min(_in_turn(order, endpoints, judges) for order in _orders(chains)))
    search.go(_State(0, tuple(sorted(chains)), (), (0,) * endpoints, (0,) * judges, 0))
    return search.best


def _orders(chains: Sequence[Chain]) -> list[list[Chain]]:
    by_render = sorted(chains)
    return [by_render, by_render[::-1], sorted(chains, key=lambda chain: -chain[1])]


def _in_turn(chains: Sequence[Chain], endpoints: int, judges: int) -> int:
    """Milliseconds of one schedule, a good one: renders in the given order, judgements in the order of the clips."""
    free, places, clips = [0] * endpoints, [0] * judges, list[tuple[int, int]]()
    for render, judge in chains:
        start = min(free)
        free[free.index(start)] = start + render
        clips.append((start + render, judge))
    for ready, judge in sorted(clips):
        start = min(places)
        places[places.index(start)] = max(start, ready) + judge
    return max(places)


@dataclass(frozen=True)
class _State:
    """A schedule begun. Equal states go on equally: what is the same is told apart by nothing."""

    now: int
    """Start of the step that was started last."""
    waiting: tuple[Chain, ...]
    """Not yet rendered, sorted."""
    clips: tuple[tuple[int, int], ...]
    """Not yet judged: when each is there, and how long judging takes. Sorted."""
    free: tuple[int, ...]
    """When each endpoint is free, not before `now`. Sorted."""
    places: tuple[int, ...]
    """When each place at the critic is free, not before `now`. Sorted."""
    end: int
    """Of the last judgement so far."""

    def next(self) -> list["_State"]:
        """Every state that one more step leads to."""
        found = []
        for chain in dict.fromkeys(self.waiting):
            render, judge = chain
            start, others = self.free[0], self.free[1:]
            waiting = _without(self.waiting, chain)
            clips = (*self.clips, (start + render, judge))
            found.append(_at(start, waiting, clips, (*others, start + render), self.places, self.end))
        for clip in dict.fromkeys(self.clips):
            ready, judge = clip
            start, others = max(ready, self.places[0]), self.places[1:]
            clips = _without(self.clips, clip)
            end = max(self.end, start + judge)
            found.append(_at(start, self.waiting, clips, self.free, (*others, start + judge), end))
        return found

    def least(self) -> int:
        """What the whole schedule takes at least, however it goes on."""
        ends = [self.end]
        ready = [max(self.now, at) for at, _ in self.clips]
        ends += [at + judge for at, (_, judge) in zip(ready, self.clips, strict=True)]
        judging = sum(judge for _, judge in self.clips) + sum(judge for _, judge in self.waiting)
        if self.waiting:
            ends += [self.free[0] + render + judge for render, judge in self.waiting]
            rendered = _shared(sum(self.free) + sum(render for render, _ in self.waiting), len(self.free))
            ends.append(rendered + min(judge for _, judge in (*self.waiting, *self.clips)))
            ready.append(self.free[0] + min(render for render, _ in self.waiting))
        if ready:
            soonest = min(ready)
            ends.append(_shared(sum(max(place, soonest) for place in self.places) + judging, len(self.places)))
        return max(ends)


def _shared(work: int, hands: int) -> int:
    return -(-work // hands)


def _without(items: tuple[Chain, ...], item: Chain) -> tuple[Chain, ...]:
    at = items.index(item)
    return items[:at] + items[at + 1 :]


def _at(
    now: int,
    waiting: tuple[Chain, ...],
    clips: tuple[tuple[int, int], ...],
    free: tuple[int, ...],
    places: tuple[int, ...],
    end: int,
) -> _State:
    """A state, with whatever came free before `now` free at `now`: nothing will start earlier."""
    return _State(
        now=now,
        waiting=waiting,
        clips=tuple(sorted((max(now, ready), judge) for ready, judge in clips)),
        free=tuple(sorted(max(now, at) for at in free)),
        places=tuple(sorted(max(now, at) for at in places)),
        end=end,
    )


@dataclass
class _Search:
    """Branch and bound, depth first, the most promising branch first."""

    best: int
    seen: set[_State] = field(default_factory=set)

    def go(self, state: _State) -> None:
        """Lower `best` to the shortest schedule that `state` leads to, if that is shorter."""
        if not state.waiting and not state.clips:
            self.best = min(self.best, state.end)
            return
        for least, _, following in sorted((each.least(), number, each) for number, each in enumerate(state.next())):
            if least < self.best and following not in self.seen:
                self.seen.add(following)
                self.go(following)
