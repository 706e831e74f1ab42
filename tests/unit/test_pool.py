"""Whose turn it is at which endpoint."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from generator.pool import Pool
from generator.types import BackendError

A, B, C = "http://a", "http://b", "http://c"


class Health:
    """What the endpoints answer."""

    def __init__(self) -> None:
        self.well: set[str] = set()
        self.asked: list[str] = []
        self.answer: Callable[[str], bool] = lambda url: url in self.well

    async def __call__(self, url: str) -> bool:
        self.asked.append(url)
        await asyncio.sleep(0)
        return self.answer(url)


def pool(*urls: str, in_flight: int = 1, health: Health | None = None, patience: float = 5.0) -> Pool:
    return Pool(urls or (A,), in_flight, health or Health(), patience=patience, first_probe=0.01)


async def taken(pool: Pool, done: asyncio.Event, given: list[str], avoid: tuple[str, ...] = ()) -> None:
    async with pool.turn(avoid=avoid) as url:
        given.append(url)
        await done.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_turns_go_to_the_least_loaded() -> None:
    urls, given, done = pool(A, B, C, in_flight=2), list[str](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(taken(urls, done, given))
        await settle()
        assert given[:3] == [A, B, C]
        assert sorted(Counter(given).values()) == [1, 2, 2]
        done.set()


async def test_of_equals_the_one_that_rested_longest_is_next() -> None:
    urls, given = pool(A, B), list[str]()
    for _ in range(4):
        async with urls.turn() as url:
            given.append(url)
    assert given == [A, B, A, B]


async def test_who_came_first_is_served_first() -> None:
    urls, order = pool(A), list[int]()

    async def one(number: int) -> None:
        async with urls.turn():
            order.append(number)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(one(number))
    assert order == list(range(6))


async def test_never_more_than_in_flight() -> None:
    urls, now, most = pool(A, B, in_flight=2), Counter[str](), Counter[str]()

    async def one() -> None:
        async with urls.turn() as url:
            now[url] += 1
            most[url] = max(most[url], now[url])
            await asyncio.sleep(0.001)
            now[url] -= 1

    await asyncio.gather(*(one() for _ in range(20)))
    assert most == {A: 2, B: 2}


async def test_an_endpoint_to_avoid_is_used_only_where_no_other_is_left() -> None:
    urls = pool(A, B)
    async with urls.turn(avoid=[A]) as url:
        assert url == B
        given, done = list[str](), asyncio.Event()
        waiting = asyncio.create_task(taken(urls, done, given, (A,)))
        await settle()
        assert given == []  # it waits for the busy one
        passing = asyncio.create_task(taken(urls, done, given))
        await settle()
        assert given == [A]  # and keeps nobody who does not mind
        done.set()
        await passing
        urls.set_aside(B, "it died")
        await settle()
        assert given == [A, A]
        await waiting


async def test_an_endpoint_set_aside_gets_nothing_until_it_is_well() -> None:
    health = Health()
    urls = pool(A, B, health=health)
    async with urls.turn(avoid=[B]):
        urls.set_aside(A, "it died")
    assert urls.aside == {A: "it died"}
    for _ in range(3):
        async with urls.turn() as url:
            assert url == B
    assert health.asked == []  # nobody had to wait for it
    health.well.add(A)
    await asyncio.sleep(0.015)
    async with urls.turn() as first, asyncio.timeout(60), urls.turn() as second:
        assert {first, second} == {A, B}
    assert health.asked == [A]
    assert urls.aside == {}


async def test_who_waits_for_an_endpoint_that_is_set_aside_asks_it() -> None:
    health, given, done = Health(), list[str](), asyncio.Event()
    health.well.add(A)
    urls = pool(A, health=health)
    async with urls.turn():
        waiting = asyncio.create_task(taken(urls, done, given))
        await settle()
        urls.set_aside(A, "it failed")
    async with asyncio.timeout(60):
        while not given:
            await asyncio.sleep(0.005)
    assert health.asked == [A]
    done.set()
    await waiting


async def test_an_endpoint_is_asked_ever_more_rarely() -> None:
    health = Health()
    urls = pool(A, health=health, patience=0.2)
    urls.set_aside(A, "it died")
    with pytest.raises(BackendError, match=r"answered for 0\.2 s \(http://a: it died\)\. Start one"):
        async with urls.turn():
            pytest.fail("it got a turn")
    assert 3 <= len(health.asked) <= 6  # after 10, 20, 40, 80 ms, and once more before giving up


async def test_an_endpoint_that_fails_at_every_turn_is_asked_ever_more_rarely_too() -> None:
    health = Health()
    health.well.add(A)
    urls = pool(A, health=health)
    started = asyncio.get_running_loop().time()
    for _ in range(4):
        async with urls.turn():
            urls.set_aside(A, "it failed again")
    async with urls.turn():
        pass
    assert asyncio.get_running_loop().time() - started > 0.01 + 0.02 + 0.04 + 0.08
    async with urls.turn():
        urls.set_aside(A, "it failed, long after")
    assert urls._endpoints[A].pause == 2 * 0.01, "its next look comes as soon as after a first failure"
    async with urls.turn():
        pass


async def test_all_endpoints_and_their_faults_are_named() -> None:
    urls = pool(A, B, patience=0.02)
    urls.set_aside(A, "it died")
    urls.set_aside(B, "it is full")
    with pytest.raises(BackendError, match=r"\(http://a: it died; http://b: it is full\)"):
        async with urls.turn():
            pytest.fail("it got a turn")
    async with asyncio.timeout(60):  # and whoever comes later does not wait as long again
        with pytest.raises(BackendError):
            async with urls.turn():
                pytest.fail("it got a turn")


async def test_a_probe_that_raises_or_hangs_is_no() -> None:
    health = Health()

    def fails(url: str) -> bool:
        raise OSError(url)

    health.answer = fails
    urls = pool(A, health=health, patience=0.05)
    urls.set_aside(A, "it died")
    with pytest.raises(BackendError):
        async with urls.turn():
            pytest.fail("it got a turn")


async def test_a_waiter_that_is_cancelled_leaks_nothing() -> None:
    urls, done, given = pool(A), asyncio.Event(), list[str]()
    holder = asyncio.create_task(taken(urls, done, given))
    await settle()
    waiters = [asyncio.create_task(taken(urls, done, given)) for _ in range(3)]
    await settle()
    waiters[0].cancel()
    done.set()
    await holder  # hands its turn on
    waiters[1].cancel()  # in the moment it gets it
    await asyncio.gather(*waiters, return_exceptions=True)
    async with asyncio.timeout(60), urls.turn() as url:
        assert url == A


async def test_a_turn_given_in_the_moment_of_a_cancellation_goes_to_the_next() -> None:
    urls, done, given = pool(A), asyncio.Event(), list[str]()
    async with urls.turn():
        first = asyncio.create_task(taken(urls, done, given))
        second = asyncio.create_task(taken(urls, done, given))
        await settle()
        # leaving gives the turn to the first, which is cancelled before it runs again
        asyncio.get_running_loop().call_soon(first.cancel)
    await asyncio.gather(first, return_exceptions=True)
    await settle()
    assert first.cancelled()
    assert given == [A]
    done.set()
    await second


async def test_who_waits_no_longer_leaves_the_answer_to_the_others() -> None:
    slow = asyncio.Event()
    asked: list[str] = []

    async def probe(url: str) -> bool:
        asked.append(url)
        await slow.wait()
        return True

    urls = Pool([A], 1, probe, patience=5, first_probe=0.01)
    urls.set_aside(A, "it died")
    first = asyncio.create_task(taken(urls, asyncio.Event(), []))
    await asyncio.sleep(0.03)
    done, given = asyncio.Event(), list[str]()
    second = asyncio.create_task(taken(urls, done, given))
    await settle()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    slow.set()
    async with asyncio.timeout(60):
        while not given:
            await asyncio.sleep(0.005)
    assert asked == [A]
    done.set()
    await second


async def test_an_endpoint_that_hangs_keeps_nobody_from_one_that_is_free() -> None:
    asked: list[str] = []

    async def hangs(url: str) -> bool:
        asked.append(url)
        await asyncio.Event().wait()
        return True

    urls = Pool([A, B], 1, hangs, patience=5, first_probe=0.001)
    given, done = list[str](), asyncio.Event()
    async with urls.turn(avoid=[A]) as url:
        assert url == B
        urls.set_aside(A, "it died")
        await asyncio.sleep(0.002)
        waiting = asyncio.create_task(taken(urls, done, given))
        while not asked:
            await asyncio.sleep(0.001)
    await settle()
    assert (given, asked) == ([B], [A])
    done.set()
    await waiting
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}  # nobody waits, so nobody asks
    async with asyncio.timeout(60), urls.turn() as url:
        assert url == B


async def test_who_has_given_up_asks_everybody_a_last_time() -> None:
    health = Health()
    urls = pool(A, B, health=health, patience=0.05)
    urls._endpoints[A].pause = 60.0  # its next look would come too late
    urls.set_aside(A, "it died")
    urls.set_aside(B, "it died")
    health.well.add(A)
    async with asyncio.timeout(60), urls.turn() as url:
        assert url == A
    assert health.asked.count(A) == 1


async def test_an_endpoint_at_abandoned_work_is_busy_for_that_time() -> None:
    urls = pool(A, B)
    urls.occupied(A, 0.05)
    for _ in range(2):
        async with urls.turn() as url:
            assert url == B
    started = asyncio.get_running_loop().time()
    async with urls.turn() as first, urls.turn() as second:
        assert {first, second} == {A, B}
        assert asyncio.get_running_loop().time() - started > 0.03
    urls.occupied(A, 60)
    urls.set_aside(A, "it died")  # and its work with it
    assert urls.aside == {A: "it died"}


async def test_a_turn_that_fails_is_given_back() -> None:
    urls = pool(A)
    with pytest.raises(ValueError, match="no matter"):
        async with urls.turn():
            raise ValueError("no matter")
    async with asyncio.timeout(60), urls.turn() as url:
        assert url == A


@pytest.mark.parametrize("urls", [[], [A, A]])
def test_a_pool_needs_endpoints_each_once(urls: list[str]) -> None:
    with pytest.raises(ValueError, match="each once"):
        Pool(urls, 1, Health())
