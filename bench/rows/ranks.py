"""Two ranks on one machine against one rank with the same cores, and what they send each other."""

from __future__ import annotations

from contest import Contest
from results import RowResult
from rows.settings import NOTEBOOK, NOTEBOOK_ROUNDS, Settings, Training

SENT_WITH_FLOATS = 3.51e9  # bytes a rank sends with an allreduce of float64 histograms, computed for this job


def two_ranks(settings: Settings) -> RowResult:
    folder = settings.digits()

    def training(instances: int, model: str):
        def measure():
            run = Training(folder / "train", NOTEBOOK, NOTEBOOK_ROUNDS, validation=folder / "validation", instances=instances,
                           threads=settings.threads).run(settings.build, settings.work, model)
            return run.cost.seconds, run.seconds
        return measure

    one = ("one rank, two threads", training(1, "one.ubj"))
    contest = Contest(("ours, two ranks, one thread each", training(2, "two.ubj")), [one], True).run(settings.rounds)
    result = RowResult("ranks", "the notebook's whole job on two ranks", "s", True, contest.ours, contest.peers)
    sent = contest.told[contest.ours.name]["bytes_sent"]
    contest.ours.note = f"{sent / 1e9:.2f} GB sent by a rank ({SENT_WITH_FLOATS / 1e9} GB with float64 sums)"
    result.add_goal("<= 0.9 GB sent", sent / 1e9, 0.9, "GB", at_least=False)
    slower = 100 * (1 / result.against("one rank") - 1)
    result.add_goal("no slower than one rank + 15 %", slower, 15, "% slower", at_least=False)
    if (settings.work / "one.ubj").read_bytes() != (settings.work / "two.ubj").read_bytes():
        result.wrong.append("two ranks give another model than one")
    return result


ROWS = {"ranks": two_ranks}
