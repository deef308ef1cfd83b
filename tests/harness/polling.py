"""Waiting for what becomes true by itself."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

Value = TypeVar("Value")


def poll(condition: Callable[[], Value], seconds: float = 20.0) -> Value:
    """The first true value of condition(), or the last one when time is up."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return value
