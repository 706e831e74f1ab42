"""A thread that works calls off one after another, and that a program can leave behind and still end in order."""

import atexit
import ctypes
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

EXIT_SECONDS = 10.0
"""A program that ends waits so long for a thread that was left: one that is in torch then would abort the program."""

T = TypeVar("T")
_here = threading.local()
"""`worker`: the one whose thread this is."""


class HaltedError(BaseException):
    """Raised in a call that was halted. No `Exception`: libraries catch those and go on."""


class Worker:
    """One thread. A daemon: that of an executor would be joined by the interpreter before it ends, however long."""

    def __init__(self, name: str) -> None:
        """Start the thread.

        Args:
            name: of the thread.
        """
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._is_busy = self._is_ended = self._is_held = self._is_halted = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Hand in a call. It is made even if nobody waits for it any more: the future cannot be cancelled.

        Raises:
            RuntimeError: after `end`.
        """
        if self._is_ended:
            raise RuntimeError(f"The thread {self._thread.name} was ended.")
        done: Future[T] = Future()
        done.set_running_or_notify_cancel()
        self._calls.put((done, work))
        return done

    def end(self) -> None:
        """Take no more calls; those handed in are made."""
        self._is_ended = True
        self._calls.put(None)

    def leave(self) -> None:
        """Take no more calls and wait for none. They go on, until the program ends: that halts them."""
        atexit.register(self._halt_and_join)
        self.end()

    def halt(self) -> None:
        """Raise `HaltedError` in the call that is being made, at its next line of Python. Does not wait for it.

        As harsh as Ctrl-C in the midst of a library: only for a program that ends.
        """
        with self._lock:
            if self._is_held:
                self._is_halted = True
            elif self._is_busy and self._thread.ident is not None:
                thread = ctypes.c_ulong(self._thread.ident)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(HaltedError))

    def _halt_and_join(self) -> None:
        self.halt()
        self._thread.join(EXIT_SECONDS)

    def _work(self) -> None:
        _here.worker = self
        while (call := self._calls.get()) is not None:
            self._make(*call)
            del call  # it may hold tensors, and the next one may come in an hour
        atexit.unregister(self._halt_and_join)

    def _make(self, done: "Future[T]", work: Callable[[], T]) -> None:
        try:
            result = self._watched(work)
        except BaseException as error:  # noqa: BLE001 - it is told to whoever waits for the call
            done.set_exception(error)
            del done  # the error's traceback holds this frame, and it would hold the error
        else:
            done.set_result(result)

    def _watched(self, work: Callable[[], T]) -> T:
        with self._lock:
            self._is_busy = True
        try:
            return work()
        finally:
            with self._lock:  # whoever halts holds it: what was halted is raised here at the latest
                self._is_busy = False

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._lock:
            self._is_held = True
        try:
            yield
        finally:
            with self._lock:
                self._is_held = False
            if self._is_halted:
                self._is_halted = False
                raise HaltedError


@contextmanager
def held() -> Iterator[None]:
    """Around what must not be halted in its midst: that comes at its end. For any thread."""
    worker: Worker | None = getattr(_here, "worker", None)
    if worker is None:
        yield
        return
    with worker._held():  # noqa: SLF001 - its other half
        yield
