"""Threads: a pool over kernels that release the interpreter lock.

Work is always divided in the same way and combined in a fixed order, so that no result depends on the number of
threads.
"""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Report: TypeAlias = Callable[[str | None], None]
"""Takes texts on the progress, or None between them; it may raise to end the work."""


def available_cpus() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def resolve_threads(n_threads: int) -> int:
    """Number of threads to use; 0 stands for all processors.

    Raises
    ------
    ValueError
        The number is negative.
    """
    if n_threads < 0:
        raise ValueError(f"n_threads = {n_threads} is invalid; give 1 or more, or 0 for all processors")
    return n_threads or available_cpus()


def run_parallel(calls: Sequence[Callable[[], T]], n_threads: int) -> list[T]:
    """Make calls, up to `n_threads` at a time; return their results in order.

    The first exception, in the order of the calls, is raised when all have ended.
    """
    if n_threads <= 1 or len(calls) <= 1:
        return [call() for call in calls]
    with ThreadPoolExecutor(min(n_threads, len(calls))) as pool:
        futures = [pool.submit(call) for call in calls]
        return [future.result() for future in futures]


def run_ranges(
    ranges: Sequence[tuple[int, int]],
    kernel: Callable[[int, int], None],
    n_threads: int,
    advance: Callable[[int], None],
    *,
    spell: float | None = None,
) -> None:
    """Call ``kernel(first, last)`` for ranges of numbers, as of columns, in the calling thread or in a pool.

    Parameters
    ----------
    ranges : sequence of (int, int)
        The first and the one behind the last of each.
    kernel : callable
        Releases the interpreter lock while it works.
    n_threads : int
        Threads to use.
    advance : callable
        Takes how much is done; called in the calling thread, several times a second.
    spell : float, optional
        Seconds of work after which a range looks whether it is cancelled; without it, at its end.

    Notes
    -----
    Any exception, one from `advance` and Ctrl-C included, drops what is not yet begun.
    """
    cancelled = Event()
    pace = math.inf if spell is not None else 0.0  # seconds for each of them

    def call(first: int, last: int, tell: Callable[[int], None]) -> None:
        nonlocal pace
        while first < last and not cancelled.is_set():
            end = min(first + max(int((spell or 0.0) / pace), 1), last) if pace else last
            started = time.perf_counter()
            kernel(first, end)
            if spell is not None:
                pace = (time.perf_counter() - started) / (end - first)
            first = end
            tell(first)

    if n_threads == 1 or len(ranges) < 2:
        for first, last in ranges:
            call(first, last, advance)
        return
    with ThreadPoolExecutor(min(n_threads, len(ranges))) as pool:
        try:
            sizes = {pool.submit(call, first, last, lambda _: None): last - first for first, last in ranges}
            pending: set[Future[None]] = set(sizes)
            while pending:
                finished, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
                advance(sum(sizes.values()) - sum(sizes[future] for future in pending))
        except BaseException:
            cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def ranges_of(n: int, step: int) -> list[tuple[int, int]]:
    """Ranges (first, behind the last) of `step` numbers each that make up 0 .. n - 1."""
    return [(first, min(first + step, n)) for first in range(0, n, step)]


class Cancelled(Exception):
    """Ends the tasks that still run when another one failed, or when the user interrupts."""


def run_reporting(tasks: Sequence[Callable[[int, Report], T]], n_threads: int, at_once: int, report: Report) -> list[T]:
    """Run long tasks that report their progress and can be cancelled; return their results in order.

    Parameters
    ----------
    tasks : sequence of callable
        Each takes the number of threads that it may use, and a callable for its reports.
    n_threads : int
        Threads to use in all.
    at_once : int
        Tasks that may run at the same time; the threads are divided among them.
    report : callable
        Takes the reports, in the calling thread.

    Notes
    -----
    An exception from a task or from `report`, and Ctrl-C, end all tasks at their next report and are raised.
    """
    most = max(min(n_threads, at_once, len(tasks)), 1)
    n_worker = next(n for n in range(most, 0, -1) if n_threads % n == 0 or n == 1)
    if n_worker == 1:
        return [task(n_threads, report) for task in tasks]
    texts: SimpleQueue[str] = SimpleQueue()
    cancelled = Event()

    def relay(text: str | None) -> None:
        if cancelled.is_set():
            raise Cancelled
        if text is not None:
            texts.put(text)

    with ThreadPoolExecutor(n_worker) as pool:
        try:
            futures = [pool.submit(task, n_threads // n_worker, relay) for task in tasks]
            pending: set[Future[T]] = set(futures)
            while pending:
                finished, pending = wait(pending, timeout=0.1, return_when=FIRST_COMPLETED)
                while not texts.empty():
                    report(texts.get())
                report(None)
                for future in finished:
                    future.result()
        except BaseException:
            cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


@contextmanager
def thread_pool(n_threads: int) -> Iterator[Callable[[Sequence[Callable[[], T]]], list[T]]]:
    """Keep one pool for many rounds of calls: yield a function like `run_parallel` without its second argument."""
    if n_threads <= 1:
        yield lambda calls: [call() for call in calls]
        return
    with ThreadPoolExecutor(n_threads) as pool:

        def run(calls: Sequence[Callable[[], T]]) -> list[T]:
            if len(calls) <= 1:
                return [call() for call in calls]
            return [future.result() for future in [pool.submit(call) for call in calls]]

        yield run


def split_rows(n_row: int, n_part: int) -> list[slice]:
    """Cut rows into at most `n_part` slices of nearly equal size."""
    n_part = max(1, min(n_part, n_row))
    edges = [n_row * i // n_part for i in range(n_part + 1)]
    return [slice(first, last) for first, last in itertools.pairwise(edges)]
