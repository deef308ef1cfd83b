"""Notes which operations were answered successfully through boto3, and in which test. docs/coverage.md is made of it."""

from __future__ import annotations

import json
import os
import pathlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Recorder:
    """Thread-safe enough for the harness: one dictionary insertion per answered request."""

    def __init__(self) -> None:
        self._tests: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._ignores = False

    def note(self, service: str, operation: str) -> None:
        current = os.environ.get("PYTEST_CURRENT_TEST", "").split(" (")[0]
        if current and not self._ignores:
            self._tests[service, operation].add(current)

    @contextmanager
    def ignoring(self) -> Iterator[None]:
        """For answers that may be lost with a killed server: what the page names, every run must show."""
        self._ignores = True
        try:
            yield
        finally:
            self._ignores = False

    def operations(self) -> dict[tuple[str, str], set[str]]:
        return dict(self._tests)

    def save(self, path: pathlib.Path) -> None:
        rows = [{"service": s, "operation": o, "tests": sorted(t)} for (s, o), t in sorted(self._tests.items())]
        path.write_text(json.dumps(rows, indent=1) + "\n")


RECORDER = Recorder()
