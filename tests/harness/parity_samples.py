"""Sampling against stock xgboost: draws are not stock's, so the metrics of 20 seeds of each are compared.

The test, stated: Welch's t for the means and Brown-Forsythe for the spreads of the last round's validation metric; each
must not reject, at a level of 0.1 %, that both engines draw from one distribution. Of 140 such tests one may reject by
chance, so a setting that is rejected is tried once more with 200 other seeds, and those decide.
"""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import scipy.stats
import xgboost

from harness import parity_cases, parity_data, training

SEEDS = 20
SEEDS_AGAIN = 200
ROUNDS = 8
LEVEL = 1e-3
DATA = "all-missing-columns"
WEIGHTS = "5,1,0,2,0,1,0.5"  # a weight for each of its features, in the samples of columns

SETTINGS = {
    "subsample": {"subsample": "0.5"},
    "subsample, approx": {"subsample": "0.5", "tree_method": "approx"},
    "subsample, exact": {"subsample": "0.5", "tree_method": "exact"},
    "subsample, lossguide": {"subsample": "0.6", "grow_policy": "lossguide", "max_leaves": "6", "max_depth": "0"},
    "subsample, forest": {"subsample": "0.4", "num_parallel_tree": "3", "colsample_bynode": "0.7"},
    "colsample_bytree": {"colsample_bytree": "0.5"},
    "colsample_bylevel": {"colsample_bylevel": "0.5"},
    "colsample_bynode": {"colsample_bynode": "0.5"},
    "all colsamples": {"colsample_bytree": "0.7", "colsample_bylevel": "0.8", "colsample_bynode": "0.7"},
    "colsample, exact": {"colsample_bytree": "0.7", "colsample_bylevel": "0.7", "tree_method": "exact"},
    "feature weights": {"colsample_bytree": "0.6", "colsample_bynode": "0.7"},
    "gradient_based": {"subsample": "0.4", "sampling_method": "gradient_based"},
    "gradient_based, approx": {"subsample": "0.4", "sampling_method": "gradient_based", "tree_method": "approx"},
    "dart": {"booster": "dart", "rate_drop": "0.3"},
    "dart, forest": {"booster": "dart", "rate_drop": "0.4", "normalize_type": "forest"},
    "dart, weighted": {"booster": "dart", "rate_drop": "0.3", "sample_type": "weighted", "skip_drop": "0.4"},
    "dart, one_drop": {"booster": "dart", "rate_drop": "0.05", "one_drop": "1"},
}


@dataclasses.dataclass(frozen=True)
class Sample:
    setting: str
    objective: str

    @property
    def name(self) -> str:
        return f"{self.setting}-{self.objective}".replace(", ", "-").replace(" ", "-").replace(":", "-")


@dataclasses.dataclass
class SampleOutcome:
    sample: Sample
    metric: str
    ours: np.ndarray  # [seeds] the last metric
    stock: np.ndarray

    @property
    def means_alike(self) -> float:
        """The p value of Welch's test."""
        return float(scipy.stats.ttest_ind(self.ours, self.stock, equal_var=False).pvalue)

    @property
    def spreads_alike(self) -> float:
        """The p value of Brown and Forsythe's test."""
        return float(scipy.stats.levene(self.ours, self.stock, center="median").pvalue)

    @property
    def agrees(self) -> bool:
        return self.means_alike >= LEVEL and self.spreads_alike >= LEVEL


def compare(sample: Sample, folder: pathlib.Path) -> SampleOutcome:
    outcome = _compare(sample, folder, range(SEEDS))
    return outcome if outcome.agrees else _compare(sample, folder, range(SEEDS, SEEDS + SEEDS_AGAIN))


def _compare(sample: Sample, folder: pathlib.Path, seeds: range) -> SampleOutcome:
    kind, metrics = parity_cases.OBJECTIVES[sample.objective]
    metric = metrics.split(",")[0]
    train, validation = parity_data.split(DATA, kind)
    classes = {"num_class": "4"} if sample.objective.startswith("multi:") else {}
    parameters = {"objective": sample.objective, "max_depth": "3", "eval_metric": metric, "tree_method": "hist", **classes,
                  **SETTINGS[sample.setting]}
    channels = {"train": parity_cases.libsvm(train), "validation": parity_cases.libsvm(validation)}
    weighted = sample.setting == "feature weights"
    matrices = [parity_cases.matrix(rows, sample.objective) for rows in (train, validation)]
    if weighted:
        matrices[0].set_info(feature_weights=np.array([float(weight) for weight in WEIGHTS.split(",")]))
    ours, stock = [], []
    for seed in seeds:
        seeded = {**parameters, "seed": str(seed), "num_round": str(ROUNDS)}
        if weighted:
            log, _ = parity_cases.train_by_command(folder / str(seed), seeded, channels, ["--feature-weights", WEIGHTS])
        else:
            log, _ = parity_cases.train_by_image(folder / str(seed), seeded, channels)
        ours.append(training.Finished(folder, 0, log).metrics[-1][f"validation-{metric}"])
        history: dict = {}
        xgboost.train({**parameters, "seed": seed, "nthread": 1, "verbosity": 0}, matrices[0], ROUNDS,
                      evals=[(matrices[1], "validation")], evals_result=history, verbose_eval=False)
        stock.append(history["validation"][metric][-1])
    return SampleOutcome(sample, metric, np.array(ours), np.array(stock))
