"""How cost grows: fit time and memory over rows, columns, classes, depth and threads, ours and the peers', one run each.

    ./dev bench growth [--rows-max N] [--columns-max N]

Writes bench/results/growth.json point by point (what stands there already is kept with --resume), growth.md with the fitted
exponents and growth.png. An exponent is the slope of log(cost) over log(size), by least squares over the upper half of the sizes:
at small sizes fixed costs hide how a method grows. Of memory, what the smallest size takes is left out first (Python, libraries).
"""

from __future__ import annotations

import json
import pathlib
import shutil

import machine
import numpy as np
from machine import BenchError
from results import FOLDER
from rows.settings import Settings, Training

PEERS = {"xgboost": "XGBoost", "lightgbm": "LightGBM"}
EVERYONE = ("ours", *PEERS.values())
BASE = {"rows": 50_000, "columns": 28, "classes": 1, "depth": 6, "threads": 2}
ROUNDS = 20
COLUMN_STUDY_ROWS = 1000
CLASS_STUDY_ROWS = 20_000
QUICK_DIVISOR = 20
EXPONENT_NOISE = 0.1
PEER_SECONDS_MAX = 300.0
LEVELS = 16_384  # distinct values of a column


def axes(rows_max: int, columns_max: int, divisor: int = 1) -> dict[str, list[dict]]:
    """What varies, and the points of each study; rows that do not vary are divided, for a quick run."""
    base = {**BASE, "rows": BASE["rows"] // divisor}
    decades = [10**power for power in range(4, 8) if 10**power <= rows_max]
    columns = [10**power for power in range(1, 6) if 10**power <= columns_max]
    return {
        "rows": [{**base, "rows": rows, "columns": 10} for rows in decades],
        "columns": [{**base, "rows": COLUMN_STUDY_ROWS // divisor, "columns": count} for count in columns],
        "classes": [{**base, "rows": CLASS_STUDY_ROWS // divisor, "classes": count} for count in (2, 5, 10, 30, 100)],
        "depth": [{**base, "depth": depth} for depth in (2, 4, 6, 8, 10, 12)],
        "threads": [{**base, "threads": threads} for threads in (1, 2)],
    }


def make_data(folder: pathlib.Path, point: dict) -> None:
    """Columns of LEVELS different values; labels follow five columns and noise."""
    rng = np.random.default_rng(point["rows"] + point["columns"])
    texts = np.array([f"{level / 1024:.4f}" for level in range(LEVELS)], dtype=object)
    values = (np.arange(LEVELS) / 1024).round(4).astype(np.float32)
    weights = np.array([1.0, -1.0, 0.7, -0.5, 0.3])
    folder.mkdir()
    chunk = max(1, 5_000_000 // point["columns"])
    for name, count in (("train", point["rows"]), ("test", 1000)):
        levels = rng.integers(0, LEVELS, (count, point["columns"]), dtype=np.uint16)
        score = values[levels[:, :5]] @ weights + np.sin(values[levels[:, 5]]) * 4 + rng.standard_normal(count)
        ranks = score.argsort().argsort()
        labels = (ranks * max(2, point["classes"]) // count).astype(np.float32)
        np.save(folder / f"{name}_x.npy", values[levels])
        np.save(folder / f"{name}_y.npy", labels)
        if name == "test":
            continue
        with (folder / "train.csv").open("w") as file:
            for begin in range(0, count, chunk):
                rows = texts[levels[begin : begin + chunk]]
                file.writelines(f"{label:.0f},{','.join(row)}\n" for label, row in zip(labels[begin : begin + chunk], rows))


def measure_point(settings: Settings, point: dict) -> dict[str, dict]:
    """{contender: {"seconds", "memory_bytes"}}; a peer that does not end in time has no entry."""
    folder = settings.work / "data"
    shutil.rmtree(folder, ignore_errors=True)
    make_data(folder, point)
    parameters = {"max_depth": point["depth"], "eta": 0.3}
    if point["classes"] > 1:
        parameters |= {"objective": "multi:softmax", "num_class": point["classes"]}
    else:
        parameters |= {"objective": "binary:logistic"}
    # Peers evaluate nothing; ours evaluates its training rows in any case, so by what costs least.
    ours = {**parameters, "eval_metric": "merror" if point["classes"] > 1 else "error"}
    run = Training(folder / "train.csv", ours, ROUNDS, "csv", threads=point["threads"]).run(settings.build, settings.work)
    costs = {"ours": {"seconds": run.seconds["rounds_seconds"], "memory_bytes": run.seconds["peak_memory_bytes"]}}
    for peer, name in PEERS.items():
        try:
            told = machine.run_peer("fit", peer, folder=folder, settings=parameters, rounds=ROUNDS, evaluates=False,
                                    num_threads=point["threads"], seconds_max=PEER_SECONDS_MAX)
        except BenchError as error:
            print(f"    {name}: {str(error).splitlines()[0]}")
            continue
        costs[name] = {"seconds": told["seconds"], "memory_bytes": told["peak_bytes"]}
    return costs


def exponent(sizes: list[float], costs: list[float]) -> float | None:
    """The slope over the upper half of the sizes, at least two points."""
    begin = min(len(sizes) // 2, max(0, len(sizes) - 2))
    if len(sizes) < 2:
        return None
    return float(np.polyfit(np.log(sizes[begin:]), np.log(costs[begin:]), 1)[0])


def _series(points: list[dict], axis: str, name: str, cost: str) -> tuple[list[float], list[float]]:
    found = [(point["point"][axis], point["costs"][name][cost]) for point in points if name in point["costs"]]
    return [size for size, _ in found], [value for _, value in found]


def _exponent_of(points: list[dict], axis: str, name: str, cost: str) -> float | None:
    sizes, costs = _series(points, axis, name, cost)
    if cost == "memory_bytes" and costs:
        grown = [(size, value - costs[0]) for size, value in zip(sizes, costs) if value > costs[0]]
        sizes, costs = [size for size, _ in grown], [value for _, value in grown]
    return exponent(sizes, costs)


def render(study: dict[str, list[dict]], where: dict, folder: pathlib.Path) -> None:
    """growth.md and growth.png from the points measured."""
    text = ["## Growth", f"`./dev bench growth`, {where['date']}, {where['cores']} cores, {where['cpu']}, commit {where['commit']}: "
            f"{ROUNDS} rounds, one run each; seconds of the rounds / peak memory of the process in MB. The peers' memory includes "
            "Python and the arrays they are given, ours the text it read.", "", "![growth](results/growth.png)", ""]
    for axis, points in study.items():
        text += [f"### {axis}", f"| {axis} | " + " | ".join(EVERYONE) + " |", "|---:|" + "---:|" * len(EVERYONE)]
        for point in points:
            cells = [f"{c['seconds']:.2f} s / {c['memory_bytes'] / 1e6:,.0f}" if (c := point["costs"].get(name)) else "-" for name in EVERYONE]
            text.append(f"| {point['point'][axis]:,} | " + " | ".join(cells) + " |")
        for cost, label in (("seconds", "exponent of time"), ("memory_bytes", "exponent of memory")):
            slopes = {name: _exponent_of(points, axis, name, cost) for name in EVERYONE}
            cells = ["-" if slopes[name] is None else f"{slopes[name]:.2f}" for name in EVERYONE]
            text.append(f"| {label} | " + " | ".join(cells) + " |")
            peers = [slopes[name] for name in PEERS.values() if slopes[name] is not None]
            if axis != "threads" and slopes["ours"] is not None and peers and slopes["ours"] > max(peers) + EXPONENT_NOISE:
                text.append(f"\n{label} over {axis}: ours grows worse than the peers'.\n")
        text.append("")
    (folder / "growth.md").write_text("\n".join(text))
    _plot(study, folder / "growth.png")


def _plot(study: dict[str, list[dict]], target: pathlib.Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, places = pyplot.subplots(2, len(study), figsize=(4 * len(study), 7))
    for column, (axis, points) in enumerate(study.items()):
        for line, (cost, label, unit) in enumerate((("seconds", "seconds of the rounds", 1), ("memory_bytes", "peak memory, MB", 1e6))):
            place = places[line][column]
            for name in EVERYONE:
                if not any(name in point["costs"] for point in points):
                    continue
                sizes, costs = _series(points, axis, name, cost)
                place.plot(sizes, [value / unit for value in costs], marker="o", label=name)
            place.set(xscale="log", yscale="log", xlabel=axis, ylabel=label if column == 0 else "")
            place.grid(True, alpha=0.3)
    places[0][0].legend()
    figure.tight_layout()
    figure.savefig(target, dpi=80)


def run(settings: Settings, rows_max: int, columns_max: int, resume: bool) -> None:
    FOLDER.mkdir(exist_ok=True)
    kept_path = settings.work / "growth.json" if settings.quick else FOLDER / "growth.json"
    kept = json.loads(kept_path.read_text())["study"] if resume and kept_path.exists() else {}
    study: dict[str, list[dict]] = {}
    where = machine.describe()
    for axis, points in axes(rows_max, columns_max, QUICK_DIVISOR if settings.quick else 1).items():
        study[axis] = []
        for point in points:
            old = [entry for entry in kept.get(axis, []) if entry["point"] == point]
            print(f"  {axis} {point[axis]:,} ...", flush=True)
            costs = old[0]["costs"] if old else measure_point(settings, point)
            study[axis].append({"point": point, "costs": costs})
            print("    " + ", ".join(f"{name} {cost['seconds']:.2f} s" for name, cost in costs.items()), flush=True)
            kept_path.write_text(json.dumps({"machine": where, "study": {**kept, **study}}, indent=1) + "\n")
    render(study, where, settings.work if settings.quick else FOLDER)
