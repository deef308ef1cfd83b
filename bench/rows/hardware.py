"""What the machine allows: the figures that the others are held against."""

from __future__ import annotations

import json

import machine
from results import RowResult, Series
from rows.settings import Settings


def hardware(settings: Settings) -> RowResult:
    runs = []
    for _ in range(settings.rounds):
        cost = machine.run([settings.program("espalier-bench"), "hardware", "--threads", settings.threads])
        runs.append(json.loads(cost.output))
    result = RowResult("hardware", "what the hardware allows: bytes read from memory, two threads", "GB/s", False,
                       ours=Series("read", [run["read_bytes_per_second"] / 1e9 for run in runs]))
    updates = max(run["histogram_updates_per_second"] for run in runs)
    result.notes.append(f"{updates / 1e9:.2f} G histogram updates a second in cache")
    return result


ROWS = {"hardware": hardware}
