"""Contenders take turns, so that a noisy minute hits all of them; the best run of each counts."""

from __future__ import annotations

from collections.abc import Callable

from machine import BenchError, warm_memory
from results import Series

SLOW_FACTOR = 3.0  # A peer this many times slower than the fastest peer cannot become the fastest: it runs once.

Measure = Callable[[], tuple[float, dict]]  # the value and what else the run told


class Contest:
    """`ours` always runs in every round; a peer that fails is reported and left out."""

    def __init__(self, ours: tuple[str, Measure], peers: list[tuple[str, Measure]], lower_is_better: bool):
        self.lower_is_better = lower_is_better
        self.ours = Series(ours[0])
        self.peers = [Series(name) for name, _ in peers]
        self.told: dict[str, dict] = {}  # contender -> what its last run told
        self._measures = dict([ours, *peers])

    def run(self, rounds: int) -> "Contest":
        for _ in range(rounds):
            for peer in self.peers:
                if not peer.failure and not self._is_slow(peer):
                    self._measure(peer)
            self._measure(self.ours)
        if self.ours.failure:
            raise BenchError(self.ours.failure)
        return self

    def _measure(self, series: Series) -> None:
        print(f"    {series.name} ...", end="", flush=True)
        warm_memory()
        try:
            value, told = self._measures[series.name]()
        except BenchError as error:
            series.failure = str(error).split(":", 1)[0]
            print(f" failed: {error}")
            return
        print(f" {value:.4g}", flush=True)
        series.values.append(value)
        self.told[series.name] = told

    def _is_slow(self, series: Series) -> bool:
        if not series.values:
            return False
        bests = [peer.best(self.lower_is_better) for peer in self.peers if peer.values]
        mine = series.best(self.lower_is_better)
        return mine > SLOW_FACTOR * min(bests) if self.lower_is_better else mine * SLOW_FACTOR < max(bests)
