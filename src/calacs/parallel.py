"""Threads: a pool over kernels that release the interpreter lock.

Work is always divided in the same way and combined in a fixed order, so that no result depends on the number of
threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def available_cpus() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_parallel(calls: Sequence[Callable[[], T]], n_threads: int) -> list[T]:
    """Make calls, up to `n_threads` at a time; return their results in order.

    The first exception, in the order of the calls, is raised when all have ended.
    """
    if n_threads <= 1 or len(calls) <= 1:
        return [call() for call in calls]
    with ThreadPoolExecutor(min(n_threads, len(calls))) as pool:
        futures = [pool.submit(call) for call in calls]
        return [future.result() for future in futures]
