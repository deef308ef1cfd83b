"""What a benchmark's row gave: kept as JSON as soon as it is measured, printed as a table, rendered as RESULTS.md.

Nouns: Series, the values of one contender over the alternating runs; Goal, one sentence of the order with what was
reached; RowResult, a row of the table.
"""

from __future__ import annotations

import json
import pathlib
from dataclasses import asdict, dataclass, field

FOLDER = pathlib.Path(__file__).resolve().parent / "results"
PAGE = pathlib.Path(__file__).resolve().parent / "RESULTS.md"


@dataclass
class Series:
    name: str
    values: list[float] = field(default_factory=list)
    note: str = ""
    failure: str = ""

    def best(self, lower_is_better: bool) -> float | None:
        if not self.values:
            return None
        return min(self.values) if lower_is_better else max(self.values)


@dataclass
class Goal:
    text: str
    reached: str
    met: bool


@dataclass
class RowResult:
    row: str
    title: str
    unit: str
    lower_is_better: bool
    ours: Series
    peers: list[Series] = field(default_factory=list)
    limits: list[Series] = field(default_factory=list)  # what the hardware allows
    goals: list[Goal] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)  # answers that are not right: the row has failed
    notes: list[str] = field(default_factory=list)
    quick: bool = False
    machine: dict = field(default_factory=dict)

    def ours_best(self) -> float:
        value = self.ours.best(self.lower_is_better)
        assert value is not None, f"{self.row}: nothing was measured"
        return value

    def times_better(self, series: Series) -> float | None:
        """How many times better ours is than that series."""
        other = series.best(self.lower_is_better)
        if not other:
            return None
        return other / self.ours_best() if self.lower_is_better else self.ours_best() / other

    def fastest_peer(self) -> Series | None:
        measured = [peer for peer in self.peers if peer.values]
        key = lambda peer: peer.best(self.lower_is_better)  # noqa: E731
        if not measured:
            return None
        return min(measured, key=key) if self.lower_is_better else max(measured, key=key)

    def against(self, name: str) -> float | None:
        """times_better over the peer whose name begins so."""
        return next((self.times_better(peer) for peer in self.peers if peer.name.startswith(name)), None)

    def add_goal(self, text: str, reached: float | None, wanted: float, unit: str = "x", at_least: bool = True) -> None:
        if reached is None:
            return self.goals.append(Goal(text, "not measured", False))
        met = reached >= wanted if at_least else reached <= wanted
        self.goals.append(Goal(text, f"{number(reached)} {unit}".replace(" x", "x"), met))


def number(value: float) -> str:
    if value >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def save(result: RowResult) -> None:
    """A quick run proves nothing and is not kept."""
    if not result.quick:
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{result.row}.json").write_text(json.dumps(asdict(result), indent=1) + "\n")


def load(path: pathlib.Path) -> RowResult:
    fields = json.loads(path.read_text())
    for name, kind in (("peers", Series), ("limits", Series), ("goals", Goal)):
        fields[name] = [kind(**entry) for entry in fields[name]]
    fields["ours"] = Series(**fields["ours"])
    return RowResult(**fields)


def _lines(result: RowResult) -> list[list[str]]:
    """The cells of a row: work, contender, best, how many times better ours is, note."""
    lines = []
    everyone = [*result.peers, result.ours, *result.limits]
    for at, series in enumerate(everyone):
        best = series.best(result.lower_is_better)
        value = series.failure or "-" if best is None else f"{number(best)} {result.unit}"
        ratio = ""
        if series in result.peers and best is not None:
            ratio = f"{result.times_better(series):.2f}x"
        elif series in result.limits and best is not None:
            ratio = f"{100 / result.times_better(series):.0f} %" if result.lower_is_better else (
                f"{100 * result.times_better(series):.0f} %")
        runs = f"{len(series.values)} runs" if len(series.values) > 1 else ""
        lines.append([result.title if at == 0 else "", series.name, value, ratio, "; ".join(filter(None, [series.note, runs]))])
    return lines


def show(result: RowResult) -> None:
    """The row on the terminal, as it is measured."""
    print(f"\n{result.title}  [{result.row}]")
    for _, name, value, ratio, note in _lines(result):
        print(f"  {name:<44} {value:>16} {ratio:>9}  {note}")
    for goal in result.goals:
        print(f"  goal {goal.text}: {goal.reached}{'' if goal.met else '  (not met)'}")
    for text in result.notes:
        print(f"  {text}")
    for text in result.wrong:
        print(f"  WRONG: {text}")
    print(end="", flush=True)


PREAMBLE = """# Results
Written by `./dev bench` from `bench/results/*.json`; do not edit. Each row is the best of several runs in which the contenders take
turns, with {threads} threads each; a peer more than three times slower than the fastest one runs once. Before each run memory is
taken from the host and given back, for a virtual machine's host gives it slowly, whoever asks first. "Ours is" says how many
times better ours is than that line; for what the hardware allows, which share of it ours reaches. Every answer was checked
(error rate, AUC, equality with stock) before it was written here.

"""


def render(threads: int, order: list[str]) -> None:
    """RESULTS.md from whatever rows have been measured, in the table's order."""
    found = {path.stem: load(path) for path in FOLDER.glob("*.json") if path.stem in order}
    text = PREAMBLE.format(threads=threads)
    machines = sorted({(r.machine["date"][:10], r.machine["cpu"], r.machine["cores"], r.machine["commit"]) for r in found.values()})
    text += "".join(f"- {date}: {cores} cores, {cpu}, commit {commit}\n" for date, cpu, cores, commit in machines)
    text += "\n| work | contender | best | ours is | notes |\n|---|---|---:|---:|---|\n"
    for name in order:
        if name in found:
            for line in _lines(found[name]):
                if line[1] == found[name].ours.name:
                    line = [line[0], *(f"**{cell}**" if cell else "" for cell in line[1:3]), *line[3:]]
                text += "| " + " | ".join(line) + " |\n"
    text += "\n## Goals\n| work | goal | reached | |\n|---|---|---|---|\n"
    for name in order:
        for goal in found[name].goals if name in found else []:
            text += f"| {found[name].title} | {goal.text} | {goal.reached} | {'met' if goal.met else 'not met'} |\n"
    notes = [(found[name].title, note) for name in order if name in found for note in found[name].notes]
    if notes:
        text += "\n## Notes\n" + "".join(f"- {title}: {note}\n" for title, note in notes)
    loads = [(found[name].title, found[name].machine["load_average"]) for name in order if name in found]
    busy = [f"{title} ({load})" for title, load in loads if load > 3]
    if busy:
        text += "\nMeasured while the machine was busy (load average): " + ", ".join(busy) + ".\n"
    for page in (FOLDER / "growth.md", FOLDER / "kernels.md"):
        if page.exists():
            text += "\n" + page.read_text()
    PAGE.write_text(text)
