"""One comparison of the parity suite: the same rows and parameters to Espalier and to stock xgboost, and what differs.

The measure (issue B): the same trees with leaves within 1e-5 where the data's cut points are exact, else every metric of
every round within 0.2 %; predictions of either's file by the other within one unit in the last place.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess

import numpy as np
import scipy.sparse
import xgboost

from harness import parity_data, training
from harness.server import program

METRIC_SHARE_MAX = 2e-3
LOGGED_DIGITS = 1.5e-5  # log lines have five decimals
LEAF_SHARE_MAX = 1e-5

# objective: (kind of labels, metrics)
OBJECTIVES = {
    "reg:squarederror": ("real", "rmse,mae,mape,mphe"),
    "reg:squaredlogerror": ("positive", "rmsle,rmse"),
    "reg:logistic": ("share", "rmse,mae"),
    "reg:pseudohubererror": ("real", "mphe,mae"),
    "reg:absoluteerror": ("real", "mae,rmse"),
    "reg:quantileerror": ("real", "quantile"),
    "reg:gamma": ("positive", "gamma-nloglik,gamma-deviance"),
    "reg:tweedie": ("some zeros", None),
    "count:poisson": ("count", "poisson-nloglik,rmse"),
    "binary:logistic": ("two classes", "logloss,error,error@0.3,auc,aucpr"),
    "binary:logitraw": ("two classes", "logloss,auc"),
    "binary:hinge": ("two classes", "error,auc"),
    "multi:softmax": ("classes", "merror,mlogloss"),
    "multi:softprob": ("classes", "mlogloss,merror"),
    "rank:pairwise": ("relevance", "ndcg,ndcg@5,auc"),
    "rank:ndcg": ("relevance", "ndcg@3,ndcg"),
    "rank:map": ("relevant", "map,map@4,ndcg,auc,aucpr"),
    "survival:cox": ("time", "cox-nloglik"),
    "survival:aft": ("time", "aft-nloglik,interval-regression-accuracy"),
}
EXTRA = {
    "reg:quantileerror": {"quantile_alpha": "[0.2,0.7]"},
    "reg:tweedie": {"tweedie_variance_power": "1.3"},
    "survival:aft": {"aft_loss_distribution": "logistic", "aft_loss_distribution_scale": "0.8"},
}
LOGARITHMIC = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
METHODS = {
    "hist": {},
    "hist lossguide": {"grow_policy": "lossguide", "max_leaves": "9", "max_depth": "0"},
    "hist regularised": {"lambda": "2.5", "alpha": "0.4", "gamma": "0.3", "min_child_weight": "3"},
    "hist forest": {"num_parallel_tree": "3"},
    "hist monotone": {"tree_method": "hist", "monotone_constraints": "(1,0,-1)"},
    "hist interaction": {"tree_method": "hist", "interaction_constraints": "[[1,2],[2,3,4]]"},
    "approx": {"tree_method": "approx"},
    "exact": {"tree_method": "exact"},
    "dart": {"booster": "dart", "rate_drop": "0"},
    "gblinear": {"booster": "gblinear", "updater": "coord_descent", "eta": "0.5"},
}


@dataclasses.dataclass(frozen=True)
class Case:
    data: str
    objective: str
    method: str = "hist"

    @property
    def name(self) -> str:
        return f"{self.data}-{self.objective.replace(':', '-')}-{self.method.replace(' ', '-')}"

    def parameters(self) -> dict[str, str]:
        classes = {"num_class": "4"} if self.objective.startswith("multi:") else {}
        return {"objective": self.objective, "max_depth": "4", **classes, **EXTRA.get(self.objective, {}),
                **METHODS[self.method]}


@dataclasses.dataclass
class Outcome:
    case: Case
    metric: str = ""
    ours: float = float("nan")
    stock: float = float("nan")
    same_trees: bool = False
    worst_share: float = 0.0  # of all metrics and rounds
    prediction_units: int = 0  # in the last place, of margins, either way
    refusal: str = ""  # what the engine said when it would not train

    @property
    def predictions_agree(self) -> bool:
        """One unit; two where base_score goes through a logarithm: one of its own, one of the sums after it."""
        return self.prediction_units <= (2 if self.case.objective in (*LOGARITHMIC, "binary:logistic", "reg:logistic") else 1)

    @property
    def agrees(self) -> bool:
        return not self.refusal and (self.same_trees or self.worst_share <= METRIC_SHARE_MAX)

    @property
    def verdict(self) -> str:
        if self.refusal:
            return "not built"
        if self.same_trees:
            return "same trees"
        return f"metrics within {self.worst_share * 100:.3f} %" if self.agrees else "differs"


def libsvm(rows: parity_data.Rows) -> str:
    if not scipy.sparse.issparse(rows.values):
        return training.libsvm(rows.values, rows.labels, rows.weights, rows.queries)
    lines = []
    values = rows.values
    for row, label in enumerate(rows.labels):
        part = slice(values.indptr[row], values.indptr[row + 1])
        cells = [f"{i}:{v:g}" for i, v in zip(values.indices[part], values.data[part])]
        query = [] if rows.queries is None else [f"qid:{rows.queries[row]}"]
        lines.append(" ".join([repr(float(label)), *query, *cells]))
    return "\n".join(lines) + "\n"


def matrix(rows: parity_data.Rows, objective: str) -> xgboost.DMatrix:
    data = xgboost.DMatrix(rows.values, nthread=1)
    if objective == "survival:aft":
        time = np.abs(rows.labels)
        data.set_float_info("label_lower_bound", time)
        data.set_float_info("label_upper_bound", np.where(rows.labels > 0, time, np.inf).astype(np.float32))
    else:
        data.set_label(rows.labels)
    if rows.queries is not None:
        data.set_info(qid=rows.queries)
    if rows.weights is not None:
        # Stock wants one weight a query, libsvm text has one a row.
        weights = rows.weights
        if rows.queries is not None:
            weights = weights[np.concatenate([[0], np.flatnonzero(np.diff(rows.queries)) + 1])]
        data.set_weight(weights)
    return data


def document(booster: xgboost.Booster) -> dict:
    return json.loads(bytes(booster.save_raw("json")))["learner"]


def trees_of(booster: xgboost.Booster) -> list[dict]:
    model = document(booster)["gradient_booster"]
    return model.get("gbtree", model)["model"].get("trees", [])


def same_trees(ours: xgboost.Booster, stock: xgboost.Booster) -> bool:
    mine, theirs = trees_of(ours), trees_of(stock)
    if len(mine) != len(theirs) or not mine:
        return False
    for a, b in zip(mine, theirs):
        if any(a[member] != b[member] for member in ("left_children", "right_children", "split_indices",
                                                     "default_left")):
            return False
        inner = np.array(a["left_children"]) >= 0
        x, y = np.array(a["split_conditions"]), np.array(b["split_conditions"])
        if not np.array_equal(x[inner], y[inner]):
            return False
        if not np.allclose(x, y, rtol=LEAF_SHARE_MAX, atol=1e-6):
            return False
    return True


def base_margin(booster: xgboost.Booster) -> np.ndarray:
    """What stock adds leaves to, by output."""
    learner = document(booster)
    score = np.array(json.loads(learner["learner_model_param"]["base_score"]), np.float64)
    objective = learner["objective"]["name"]
    if objective in ("binary:logistic", "reg:logistic"):
        score = np.clip(score, 1e-6, 1 - 1e-6)
        return np.log(score / (1 - score))
    return np.log(score) if objective in LOGARITHMIC else score


def units_in_the_last_place(ours: np.ndarray, booster: xgboost.Booster, rows: xgboost.DMatrix) -> int:
    """How far margins are from stock's, in units of the greatest sum on the way to each: stock takes libm's logarithm of
    base_score, which is off by a unit now and then, and what leaves cancel of that does not come back."""
    def margins(rounds: int) -> np.ndarray:
        return booster.predict(rows, output_margin=True, iteration_range=(0, rounds)).reshape(ours.shape)

    rounds_of_trees = booster.num_boosted_rounds() if trees_of(booster) else 0
    sums = [margins(rounds) for rounds in range(1, rounds_of_trees)] + [margins(0)]
    greatest = np.max([np.abs(each) for each in sums], axis=0)
    greatest = np.maximum(greatest, np.abs(base_margin(booster)).astype(np.float32))
    return int(np.ceil(np.max(np.abs(ours.astype(np.float64) - sums[-1]) / np.spacing(greatest), initial=0)))


def margins_by_espalier(model: pathlib.Path, data: pathlib.Path) -> np.ndarray:
    done = subprocess.run([str(program("espalier")), "predict", "--model", str(model), "--data", str(data),
                           "--output", "margin"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return np.array([[float(v) for v in line.split(",")] for line in done.stdout.splitlines()], np.float32)


def _train_ours(folder: pathlib.Path, case: Case, parameters: dict[str, str], rounds: int, channels: dict[str, str]):
    """(log, model) of espalier-train as the 3.2 image; of `espalier train` for objectives no image takes."""
    if case.objective != "reg:quantileerror":
        root = training.write_root(folder / "job", {**parameters, "num_round": str(rounds)},
                                   {name: {"part": text} for name, text in channels.items()})
        done = training.run(root)
        return done.code, done.log + done.failure, done.model
    model = folder / "model.ubj"
    paths = {}
    for name, text in channels.items():
        paths[name] = folder / f"{name}.libsvm"
        paths[name].write_text(text)
    done = subprocess.run([str(program("espalier")), "train", "--train", str(paths["train"]), "--validation",
                           str(paths["validation"]), "--model", str(model), f"num_round={rounds}",
                           *(f"{key}={value}" for key, value in parameters.items())],
                          capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr, model


def compare(case: Case, folder: pathlib.Path, *, more: dict[str, str] | None = None) -> Outcome:
    kind, metrics = OBJECTIVES[case.objective]
    train, validation = parity_data.split(case.data, kind)
    rounds = parity_data.shape(case.data).rounds
    parameters = {**case.parameters(), **(more or {})}
    if metrics is not None:
        metrics = ",".join(dict.fromkeys(metrics.split(",")))
        parameters["eval_metric"] = metrics
    outcome = Outcome(case)
    code, log, model = _train_ours(folder, case, parameters, rounds,
                                   {"train": libsvm(train), "validation": libsvm(validation)})
    if code != 0:
        assert "not implemented" in log, log
        outcome.refusal = log
        return outcome
    stock_parameters = {"tree_method": "hist", **parameters, "nthread": 1, "verbosity": 0}
    if metrics is not None:
        stock_parameters["eval_metric"] = metrics.split(",")
    matrices = [matrix(rows, case.objective) for rows in (train, validation)]
    history: dict = {}
    stock = xgboost.train(stock_parameters, matrices[0], rounds, evals=list(zip(matrices, ("train", "validation"))),
                          evals_result=history, verbose_eval=False)
    _compare_metrics(outcome, log, history, rounds)
    ours = xgboost.Booster(model_file=str(model.rename(folder / "ours.ubj")))
    outcome.same_trees = same_trees(ours, stock)
    stock.save_model(folder / "stock.ubj")
    data = folder / "rows.libsvm"
    data.write_text(libsvm(dataclasses.replace(validation, weights=None)))
    for booster, file in ((ours, folder / "ours.ubj"), (stock, folder / "stock.ubj")):
        outcome.prediction_units = max(outcome.prediction_units,
                                       units_in_the_last_place(margins_by_espalier(file, data), booster, matrices[1]))
    return outcome


def _compare_metrics(outcome: Outcome, log: str, history: dict, rounds: int) -> None:
    done = training.Finished(pathlib.Path(), 0, log).metrics
    assert len(done) == rounds, log
    for number, values in enumerate(done):
        for name, value in values.items():
            data, metric = name.split("-", 1)
            expected = history[data][metric][number]
            if np.isnan(expected) and np.isnan(value):
                continue
            gap = max(0.0, abs(value - expected) - LOGGED_DIGITS)
            outcome.worst_share = max(outcome.worst_share, gap / max(abs(expected), 1e-6))
            outcome.metric, outcome.ours, outcome.stock = name, value, expected


def table(outcomes: list[Outcome]) -> str:
    """Markdown: a line per case, with the last metric of the last round."""
    lines = ["| data set | objective | method | metric | ours | stock | verdict |", "|---|---|---|---|---|---|---|"]
    for o in outcomes:
        shown = ["", "", ""] if o.refusal else [o.metric, f"{o.ours:.5f}", f"{o.stock:.5f}"]
        lines.append(f"| {o.case.data} | {o.case.objective} | {o.case.method} | " + " | ".join([*shown, o.verdict]) + " |")
    return "\n".join(lines) + "\n"


def summary(outcomes: list[Outcome]) -> str:
    """Markdown: a line per objective and method, how many data sets agree and how."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for o in outcomes:
        groups.setdefault((o.case.objective, o.case.method), []).append(o)
    lines = ["| objective | method | data sets | same trees | metrics within 0.2 % | differs |", "|---|---|---|---|---|---|"]
    for (objective, method), group in groups.items():
        built = [o for o in group if not o.refusal]
        if not built:
            lines.append(f"| {objective} | {method} | {len(group)} | not built | | |")
            continue
        same = sum(o.same_trees for o in built)
        close = sum(o.agrees and not o.same_trees for o in built)
        lines.append(f"| {objective} | {method} | {len(built)} | {same} | {close} | {len(built) - same - close} |")
    return "\n".join(lines) + "\n"


def page(outcomes: list[Outcome]) -> str:
    return ("# Parity with stock XGBoost 3.2\n\n"
            "Generated by `./dev parity`; do not edit. The same rows and parameters to both engines, no sampling.\n"
            "\"Same trees\": every split equal, leaves within 1e-5. Otherwise every metric of every round within 0.2 %.\n"
            "Margins of either's model file as the other computes them: within one unit in the last place of the greatest sum\n"
            "on the way to them, two where base_score goes through a logarithm.\n\n"
            "## By objective\n\n" + summary(outcomes) + "\n## Every case\n\n" + table(outcomes))
