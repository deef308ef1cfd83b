"""Notes which operations were answered successfully through boto3, and in which test. docs/coverage.md is made of it."""

from __future__ import annotations

import json
import os
import pathlib
from collections import defaultdict


class Recorder:
    """Thread-safe enough for the harness: one dictionary insertion per answered request."""

    def __init__(self) -> None:
        self._tests: dict[tuple[str, str], set[str]] = defaultdict(set)

    def note(self, service: str, operation: str) -> None:
        current = os.environ.get("PYTEST_CURRENT_TEST", "").split(" (")[0]
        if current:
            self._tests[service, operation].add(current)

    def operations(self) -> dict[tuple[str, str], set[str]]:
        return dict(self._tests)

    def save(self, path: pathlib.Path) -> None:
        rows = [{"service": s, "operation": o, "tests": sorted(t)} for (s, o), t in sorted(self._tests.items())]
        path.write_text(json.dumps(rows, indent=1) + "\n")


RECORDER = Recorder()
