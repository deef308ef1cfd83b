"""`./dev bench kernels`: what each kernel costs on each instruction set of this machine."""

from __future__ import annotations

import machine
import results
from rows.settings import Settings

PAGE = results.FOLDER / "kernels.md"
HEAD = """## Kernels
Nanoseconds of one thread, best of several runs, inputs in the first two caches; a kernel whose output differs between instruction
sets fails the run. `scalar` is the plainest this build has; kernels without vectors of their own have equal columns. Trees, planes and
TreeSHAP are measured as a whole by the rows of prediction above.
"""


def run(settings: Settings) -> None:
    cost = machine.run([settings.program("espalier-bench"), "kernels", *(["--repeats", 1] if settings.quick else [])])
    print(cost.output, end="")
    where = machine.describe()
    if not settings.quick:
        PAGE.write_text(f"{HEAD}\n{where['date'][:10]}, {where['cpu']}, commit {where['commit']}\n\n{cost.output}")
