"""`./dev bench`: the goal table of speed, measured side by side with the peers in one run.

    ./dev bench [--only fit,load] [--rounds N] [--quick] [--resume]     the table; writes bench/results and bench/RESULTS.md
    ./dev bench --against REF [--only fit,job] [--rounds N]             this build against that of REF
    ./dev bench growth [--rows-max N]                                   how cost grows, ours and the peers'
    ./dev bench kernels                                                 each kernel on each instruction set
    ./dev bench render                                                  RESULTS.md anew from what was measured

--quick takes small data: it shows that everything runs, its figures mean nothing and are not rendered. --resume keeps rows
that were measured at this commit already. A row whose answer is wrong fails the run.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import sys
import tempfile
import traceback

import against
import growth
import kernels
import machine
import results
from rows import clients, hardware, objects, overload, prediction, ranks, serving, training, transform, tuning
from rows.settings import Settings

ROWS = {**hardware.ROWS, **training.ROWS, **ranks.ROWS, **prediction.ROWS, **serving.ROWS, **objects.ROWS, **overload.ROWS,
        **transform.ROWS, **clients.ROWS, **tuning.ROWS}


def _measured_already(name: str, commit: str) -> bool:
    path = results.FOLDER / f"{name}.json"
    return path.exists() and results.load(path).machine["commit"] == commit


def measure_rows(names: list[str], arguments: argparse.Namespace, settings: Settings) -> int:
    """Number of rows that failed. A row that breaks does not take the others with it."""
    failed = 0
    where = machine.describe()
    print(f"{where['cores']} cores, {where['cpu']}, load average {where['load_average']}, commit {where['commit']}")
    for name in names:
        if arguments.resume and not arguments.quick and _measured_already(name, where["commit"]):
            print(f"\n{name}: measured at this commit already")
            continue
        print(f"\n{name}", flush=True)
        try:
            with tempfile.TemporaryDirectory(dir=settings.work) as folder:
                result = ROWS[name](dataclasses.replace(settings, work=pathlib.Path(folder)))
        except Exception:
            traceback.print_exc()
            failed += 1
            continue
        result.machine, result.quick = machine.describe(), arguments.quick
        results.save(result)
        results.show(result)
        failed += bool(result.wrong)
    return failed


def run_modes(arguments: argparse.Namespace, names: list[str]) -> int:
    """Number of rows that failed."""
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    machine.CACHE.mkdir(parents=True, exist_ok=True)  # On the disk of the checkout: /tmp may be memory.
    with tempfile.TemporaryDirectory(prefix="work-", dir=machine.CACHE) as folder:
        settings = Settings(arguments.build.resolve(), pathlib.Path(folder), rounds, arguments.quick)
        if arguments.against:
            return against.compare(settings, arguments.against, names, arguments.rounds or against.PAIRS)
        if arguments.what == "growth":
            limits = (10_000, 100) if arguments.quick else (arguments.rows_max, arguments.columns_max)
            growth.run(settings, *limits, arguments.resume)
        if arguments.what == "kernels":
            kernels.run(settings)
        failed = measure_rows(names, arguments, settings) if arguments.what == "table" else 0
    if not arguments.quick:
        results.render(machine.THREADS, list(ROWS))
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["table", "growth", "kernels", "render"], default="table")
    parser.add_argument("--build", type=pathlib.Path, default=machine.ROOT / "build" / "release")
    parser.add_argument("--rounds", type=int, help="alternating runs of each row (default 3)")
    parser.add_argument("--only", help=f"rows, joined by commas: {','.join(ROWS)}")
    parser.add_argument("--against", metavar="REF", help="compare with the build of that commit instead")
    parser.add_argument("--rows-max", type=int, default=1_000_000, help="growth: most rows (the order says 10000000)")
    parser.add_argument("--columns-max", type=int, default=100_000, help="growth: most columns")
    parser.add_argument("--quick", action="store_true", help="small data, one run")
    parser.add_argument("--resume", action="store_true", help="keep rows measured at this commit")
    arguments = parser.parse_args()
    os.environ["ESPALIER_BUILD"] = str(arguments.build.resolve())
    known = list(against.MEASURES if arguments.against else ROWS)
    names = arguments.only.split(",") if arguments.only else known
    if unknown := [name for name in names if name not in known]:
        parser.error(f"no row is called {', '.join(unknown)}; there are {', '.join(known)}")
    try:
        failed = run_modes(arguments, names)
    except machine.BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if failed:
        print(f"\n{failed} rows failed", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
