"""The parity suite: data sets x objectives x methods x constraints against stock xgboost 3.2 (harness/parity_cases.py says
how), and what is drawn at random over 20 seeds (harness/parity_samples.py).

A part runs always: every objective, every data set, every method with every constraint, every setting of sampling. `pytest
tests/parity/test_suite.py --full-parity` (or ./dev parity) runs all and writes docs/parity.md and README.md's table.
"""

from __future__ import annotations

import pathlib

import pytest
from harness import parity_cases as parity
from harness import parity_data, parity_page, parity_samples

ROOT = pathlib.Path(__file__).resolve().parents[2]
OBJECTIVES = list(parity.OBJECTIVES)
DATA = [name for name in parity_data.SHAPES if name != "categories"]
# Constraints and boosters are compared under one objective of each kind, on data that trips split finders up.
FEW_OBJECTIVES = ("reg:squarederror", "binary:logistic", "multi:softprob", "rank:ndcg")
FEW_DATA = ("abalone", "all-missing-columns", "duplicates", "weights")
OF_CATEGORIES = ("one category", "sets of categories", "small sets")


def methods_of(constraint: str) -> list[str]:
    methods = ["hist", "approx", "exact"]
    return methods[:2] if constraint in (*parity.NOT_OF_EXACT, *OF_CATEGORIES) else methods


def objective_cases() -> list[parity.Case]:
    """Every objective on every data set, by every method; 100,000 columns take minutes where cuts are made per tree."""
    return [parity.Case(data, objective, method) for method in ("hist", "approx", "exact") for objective in OBJECTIVES
            for data in DATA if method == "hist" or data != "sparse-text" or objective in FEW_OBJECTIVES[:2]]


def constraint_cases() -> list[parity.Case]:
    return [parity.Case(data, objective, method, constraint) for constraint in parity.CONSTRAINTS
            for method in methods_of(constraint) for objective in FEW_OBJECTIVES
            for data in (("categories",) if constraint in OF_CATEGORIES else FEW_DATA) if constraint != parity.PLAIN]


def booster_cases() -> list[parity.Case]:
    """Without weighted queries under gblinear: stock 3.2 reads past the end of their weights, and its own weights are not
    numbers in most runs."""
    return [parity.Case(data, objective, booster) for booster in ("dart", "gblinear")
            for objective in (*FEW_OBJECTIVES, "count:poisson", "reg:gamma") for data in FEW_DATA
            if (data, objective, booster) != ("weights", "rank:ndcg", "gblinear")]


def full_cases() -> list[parity.Case]:
    """Rows of one data set and kind of labels one after the other: their text is made once."""
    cases = objective_cases() + constraint_cases() + booster_cases()
    places = {name: number for number, name in enumerate(parity_data.SHAPES)}
    return sorted(cases, key=lambda case: (places[case.data], parity.OBJECTIVES[case.objective][0]))


def full_samples() -> list[parity_samples.Sample]:
    return [parity_samples.Sample(setting, objective) for setting in parity_samples.SETTINGS
            for objective in FEW_OBJECTIVES]


def quick_cases() -> list[parity.Case]:
    """In turn, so that everything has its share: each objective by each method on another data set, each constraint by
    each of its methods."""
    turns = [name for name in DATA if name not in ("sparse-text", "large")]
    cases = [parity.Case("sparse-text", "binary:logistic"), parity.Case("large", "binary:logistic"),
             parity.Case("large", "multi:softprob", "approx"), parity.Case("sparse-text", "reg:squarederror", "exact")]
    for number, objective in enumerate(OBJECTIVES):
        cases += [parity.Case(turns[(3 * number + step) % len(turns)], objective, method)
                  for step, method in enumerate(("hist", "approx", "exact"))]
    for number, constraint in enumerate(list(parity.CONSTRAINTS)[1:]):
        for step, method in enumerate(methods_of(constraint)):
            turn = number + step
            data = "categories" if constraint in OF_CATEGORIES else FEW_DATA[turn % len(FEW_DATA)]
            cases.append(parity.Case(data, FEW_OBJECTIVES[turn % len(FEW_OBJECTIVES)], method, constraint))
    return cases + [parity.Case("abalone", "binary:logistic", "dart"), parity.Case("weights", "multi:softprob", "gblinear")]


def quick_samples() -> list[parity_samples.Sample]:
    return [parity_samples.Sample(setting, FEW_OBJECTIVES[number % len(FEW_OBJECTIVES)])
            for number, setting in enumerate(parity_samples.SETTINGS)]


def pytest_generate_tests(metafunc):
    full = metafunc.config.getoption("--full-parity")
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", full_cases() if full else quick_cases(), ids=lambda case: case.name)
    if "sample" in metafunc.fixturenames:
        metafunc.parametrize("sample", full_samples() if full else quick_samples(), ids=lambda sample: sample.name)


@pytest.fixture(scope="module")
def found(request):
    """(outcomes, samples) of this run; a full run writes the page from them."""
    outcomes: list[parity.Outcome] = []
    samples: list[parity_samples.SampleOutcome] = []
    yield outcomes, samples
    if not outcomes:
        return
    order = {case: number for number, case in enumerate(objective_cases() + constraint_cases() + booster_cases())}
    outcomes.sort(key=lambda outcome: order[outcome.case])
    if request.config.getoption("--full-parity"):
        if len(outcomes) == len(full_cases()) and len(samples) == len(full_samples()):
            parity_page.write(ROOT, outcomes, samples)
        print("\n" + parity_page.case_table(outcomes))
    print("\n" + parity_page.feature_table(outcomes, samples))


def test_trees_metrics_and_predictions_agree(case, found, tmp_path):
    outcome = parity.compare(case, tmp_path)
    found[0].append(outcome)
    assert outcome.agrees or outcome.explained, f"{outcome.metric}: {outcome.ours} against {outcome.stock}; {outcome.difference}"
    assert outcome.predictions_agree, outcome.prediction_units


def test_draws_have_stocks_distribution(sample, found, tmp_path):
    outcome = parity_samples.compare(sample, tmp_path)
    found[1].append(outcome)
    assert len(set(outcome.ours)) > parity_samples.SEEDS // 2
    assert outcome.agrees, (outcome.means_alike, outcome.spreads_alike, outcome.ours, outcome.stock)


def test_the_pages_show_todays_grid():
    """What the suite would compare is what the pages list; their figures are of the last ./dev parity."""
    shown = (ROOT / "docs" / "parity.md").read_text().split("## Every case")[1].splitlines()[4:]
    listed = {tuple(cell.strip() for cell in line.strip("|").split("|")[:4]) for line in shown}
    assert listed == {(case.data, case.objective, case.method, case.constraint) for case in full_cases()}
    table = (ROOT / "README.md").read_text().split(parity_page.README_BEGIN)[1].split(parity_page.README_END)[0]
    rows = {cells[0]: int(cells[1]) for cells in ([cell.strip() for cell in line.strip("|").split("|")]
                                                  for line in table.splitlines()[3:])}
    cases = objective_cases() + constraint_cases() + booster_cases()
    assert rows == parity_page.features(cases) | {parity_page.SAMPLED: len(full_samples())}
