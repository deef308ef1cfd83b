"""The parity suite: data sets x objectives x methods against stock xgboost 3.2 (harness/parity_cases.py says how).

A quick part runs always: every objective on several data sets, every data set with several objectives, every method on
one. `pytest tests/parity/test_suite.py --full-parity` (or ./dev parity) runs all and writes docs/parity.md.
"""

from __future__ import annotations

import pathlib
import statistics

import numpy as np
import pytest
import xgboost
from harness import parity_cases as parity
from harness import parity_data, training

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = list(parity_data.SHAPES)
OBJECTIVES = list(parity.OBJECTIVES)
# Methods other than plain hist are compared under one objective of each kind, on data that trips split finders up.
METHOD_OBJECTIVES = ("reg:squarederror", "binary:logistic", "multi:softprob", "rank:ndcg")
METHOD_DATA = ("mushrooms", "abalone", "wine", "constant-columns", "all-missing-columns", "duplicates", "weights", "tiny")


def full_cases() -> list[parity.Case]:
    plain = [parity.Case(data, objective) for objective in OBJECTIVES for data in DATA]
    others = [parity.Case(data, objective, method) for method in parity.METHODS if method != "hist"
              for objective in METHOD_OBJECTIVES for data in METHOD_DATA]
    return plain + others


def quick_cases() -> list[parity.Case]:
    """Three data sets an objective, in turn, so that each data set has its share; every method once."""
    cases = []
    for number, objective in enumerate(OBJECTIVES):
        cases += [parity.Case(DATA[(3 * number + step) % len(DATA)], objective) for step in range(3)]
    for number, method in enumerate(list(parity.METHODS)[1:]):
        objective = METHOD_OBJECTIVES[number % len(METHOD_OBJECTIVES)]
        cases.append(parity.Case(("abalone", "all-missing-columns", "codes")[number % 3], objective, method))
    return cases


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        cases = full_cases() if metafunc.config.getoption("--full-parity") else quick_cases()
        metafunc.parametrize("case", cases, ids=[case.name for case in cases])


@pytest.fixture(scope="module")
def outcomes(request):
    """All cases' outcomes; a full run writes the page from them."""
    seen: list[parity.Outcome] = []
    yield seen
    if request.config.getoption("--full-parity") and len(seen) == len(full_cases()):
        (ROOT / "docs" / "parity.md").write_text(parity.page(seen))
    print("\n" + parity.summary(seen))


def test_trees_metrics_and_predictions_agree(case, outcomes, tmp_path):
    outcome = parity.compare(case, tmp_path)
    outcomes.append(outcome)
    if outcome.refusal:
        pytest.skip("not built")
    assert outcome.agrees, f"{outcome.metric}: {outcome.ours} against {outcome.stock}"
    assert outcome.predictions_agree, outcome.prediction_units


@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic"])
def test_sampling_gives_the_same_distribution(objective, tmp_path):
    """Draws are not stock's, so 20 seeds of each are compared: means within their error, spreads alike."""
    kind, metrics = parity.OBJECTIVES[objective]
    metric = metrics.split(",")[0]
    train, validation = parity_data.split("duplicates", kind)
    parameters = {"objective": objective, "max_depth": "3", "eval_metric": metric, "subsample": "0.6",
                  "colsample_bytree": "0.7", "colsample_bynode": "0.8"}
    matrices = [parity.matrix(rows, objective) for rows in (train, validation)]
    channels = {"train": {"part": parity.libsvm(train)}, "validation": {"part": parity.libsvm(validation)}}
    ours, stock = [], []
    for seed in range(20):
        root = training.write_root(tmp_path / str(seed), {**parameters, "num_round": "8", "seed": str(seed)}, channels)
        ours.append(training.run(root).metrics[-1][f"validation-{metric}"])
        history: dict = {}
        xgboost.train({**parameters, "tree_method": "hist", "seed": seed, "nthread": 1}, matrices[0], 8,
                      evals=[(matrices[1], "validation")], evals_result=history, verbose_eval=False)
        stock.append(history["validation"][metric][-1])
    error = np.sqrt((statistics.variance(ours) + statistics.variance(stock)) / 20)
    assert abs(statistics.mean(ours) - statistics.mean(stock)) < 4 * error
    assert 0.4 < statistics.stdev(ours) / statistics.stdev(stock) < 2.5
    assert len(set(ours)) > 15
