"""One task of one peer, in a process of its own inside .venv-bench: `run.py '{"task": …, "peer": …, "threads": 2, …}'`.

The last line printed is a JSON object of what was measured. Timing happens in here, so that starting Python and importing
the peer do not count, except where the whole process is the work.
"""

import json
import pathlib
import re
import sys

import loading
import prediction
import training

TASKS = {
    "load": loading.load_libsvm,
    "csv": loading.load_csv,
    "fit": training.fit,
    "job": training.whole_job,
    "predict": prediction.batch,
    "predict-one": prediction.one_row,
    "shap": prediction.shap,
}


def peak_bytes() -> int:
    """Of this process since it was started; what its parent is told counts the parent's own memory at the fork too."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE).group(1)) * 1024


def main() -> None:
    request = json.loads(sys.argv[1])
    answer = TASKS[request.pop("task")](**request)
    print("\n" + json.dumps({**answer, "peak_bytes": peak_bytes()}))


main()
