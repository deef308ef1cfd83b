"""What the parity suite found, as Markdown: docs/parity.md, and the table of features in README.md."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable

from harness.parity_cases import CONSTRAINTS, METHODS, PLAIN, Case, Outcome
from harness.parity_samples import SEEDS, SampleOutcome

README_BEGIN = "<!-- parity: written by ./dev parity -->"
README_END = "<!-- parity: end -->"
FEATURE_HEAD = "| trained alike | settings compared | same trees | metrics within 0.2 % | differ |\n|---|---|---|---|---|\n"
SAMPLED = f"draws: subsample, colsample, gradient_based, dart ({SEEDS} seeds each)"


def feature_of(case: Case) -> str:
    """The row of the table of features that a case belongs to."""
    if case.constraint == PLAIN:
        return {"hist": "tree_method hist, every objective", "approx": "tree_method approx, every objective",
                "exact": "tree_method exact, every objective", "dart": "booster dart, nothing dropped",
                "gblinear": "booster gblinear (same weights)"}[case.method]
    if "categor" in case.constraint or case.constraint == "small sets":
        return "splits by categories"
    return {"lossguide": "grow_policy lossguide, max_leaves", "max_leaves": "grow_policy lossguide, max_leaves",
            "regularised": "lambda, alpha, gamma, min_child_weight, max_delta_step",
            "max_delta_step": "lambda, alpha, gamma, min_child_weight, max_delta_step", "forest": "num_parallel_tree",
            "few bins": "max_bin", "monotone": "monotone and interaction constraints",
            "interaction": "monotone and interaction constraints",
            "both constraints": "monotone and interaction constraints"}[case.constraint]


def features(cases: Iterable[Case]) -> dict[str, int]:
    """{row of the table of features: how many settings}"""
    counted: dict[str, int] = {}
    for case in cases:
        counted[feature_of(case)] = counted.get(feature_of(case), 0) + 1
    return counted


def feature_table(outcomes: list[Outcome], samples: list[SampleOutcome]) -> str:
    lines = []
    for feature, count in features(outcome.case for outcome in outcomes).items():
        group = [outcome for outcome in outcomes if feature_of(outcome.case) == feature]
        same = sum(not outcome.difference for outcome in group)
        differ = sum(not outcome.agrees for outcome in group)
        lines.append(f"| {feature} | {count} | {same} | {count - same - differ} | {differ} |")
    drawn = sum(sample.agrees for sample in samples)
    lines.append(f"| {SAMPLED} | {len(samples)} | | {drawn}: same distribution | {len(samples) - drawn} |")
    return FEATURE_HEAD + "\n".join(lines) + "\n"


def case_table(outcomes: list[Outcome]) -> str:
    """A line per case, with the last metric of the last round."""
    lines = ["| data set | objective | method | constraint | metric | ours | stock | difference |",
             "|---|---|---|---|---|---|---|---|"]
    for o in outcomes:
        lines.append(f"| {o.case.data} | {o.case.objective} | {o.case.method} | {o.case.constraint} | {o.metric} | "
                     f"{o.ours:.5f} | {o.stock:.5f} | {o.verdict} |")
    return "\n".join(lines) + "\n"


def group_table(outcomes: list[Outcome]) -> str:
    """A line per objective, method and constraint: how many data sets agree and how."""
    groups: dict[tuple[str, str, str], list[Outcome]] = {}
    for o in outcomes:
        groups.setdefault((o.case.objective, o.case.method, o.case.constraint), []).append(o)
    lines = ["| objective | method | constraint | data sets | same trees | metrics within 0.2 % | differ |",
             "|---|---|---|---|---|---|---|"]
    for (objective, method, constraint), group in groups.items():
        same = sum(not o.difference for o in group)
        differ = sum(not o.agrees for o in group)
        lines.append(f"| {objective} | {method} | {constraint} | {len(group)} | {same} | {len(group) - same - differ} | "
                     f"{differ} |")
    return "\n".join(lines) + "\n"


def sample_table(samples: list[SampleOutcome]) -> str:
    lines = ["| setting | objective | seeds | metric | ours | stock | p of the means | p of the spreads |",
             "|---|---|---|---|---|---|---|---|"]
    for s in samples:
        lines.append(f"| {s.sample.setting} | {s.sample.objective} | {len(s.ours)} | {s.metric} | {s.ours.mean():.5f} ± {s.ours.std(ddof=1):.5f} "
                     f"| {s.stock.mean():.5f} ± {s.stock.std(ddof=1):.5f} | {s.means_alike:.3f} | {s.spreads_alike:.3f} |")
    return "\n".join(lines) + "\n"


def setting_texts() -> str:
    rows = [f"| {name} | `{' '.join(f'{key}={value}' for key, value in values.items())}` |"
            for name, values in {**METHODS, **CONSTRAINTS}.items() if values]
    return "| method or constraint | parameters |\n|---|---|\n" + "\n".join(rows) + "\n"


def page(outcomes: list[Outcome], samples: list[SampleOutcome]) -> str:
    return ("# Parity with stock XGBoost 3.2\n\n"
            "Generated by `./dev parity`; do not edit. The same rows and parameters to both engines.\n"
            "\"Same trees\": every split equal, leaves within 1e-5 (gblinear: weights within 2e-4, as stock's are float sums).\n"
            "Otherwise every metric of every round within 0.2 %.\n"
            "Margins of either's model file as the other computes them: within one unit in the last place of the greatest sum\n"
            "on the way to them, two where base_score goes through a logarithm. tests/harness/parity_data.py makes the data.\n"
            "A difference has its reason beside it in the last table; ARCHITECTURE.md (\"How exact\") says more.\n\n"
            + setting_texts() + "\n## By feature\n\n" + feature_table(outcomes, samples)
            + "\n## By objective\n\n" + group_table(outcomes)
            + f"\n## Draws\n\nThe last validation metric, mean and deviation over {SEEDS} seeds; Welch's t for the means, "
              "Brown and Forsythe's test for the spreads;\na setting differs when either p is below 0.001, then and with 200 other "
              "seeds.\n\n"
            + sample_table(samples) + "\n## Every case\n\n" + case_table(outcomes))


def write(root: pathlib.Path, outcomes: list[Outcome], samples: list[SampleOutcome]) -> None:
    (root / "docs" / "parity.md").write_text(page(outcomes, samples))
    readme = root / "README.md"
    before, rest = readme.read_text().split(README_BEGIN)
    after = rest.split(README_END)[1]
    readme.write_text(before + README_BEGIN + "\n" + feature_table(outcomes, samples) + README_END + after)
