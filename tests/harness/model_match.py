"""How far two models are the same: trees without their numbering, or the weights of gblinear."""

from __future__ import annotations

import json

import numpy as np
import xgboost

LEAF_SHARE_MAX = 1e-5
HESSIAN_SHARE_MAX = 1e-4


def document(booster: xgboost.Booster) -> dict:
    return json.loads(bytes(booster.save_raw("json")))["learner"]


def trees_of(booster: xgboost.Booster) -> list[dict]:
    model = document(booster)["gradient_booster"]
    return model.get("gbtree", model)["model"].get("trees", [])


def linear_weights(booster: xgboost.Booster) -> np.ndarray:
    return np.array(document(booster)["gradient_booster"]["model"]["weights"], np.float64)


def _categories_of(tree: dict) -> dict[int, frozenset]:
    """{node: the categories that go right}"""
    begins, sizes = tree["categories_segments"], tree["categories_sizes"]
    return {node: frozenset(tree["categories"][begin:begin + size])
            for node, begin, size in zip(tree["categories_nodes"], begins, sizes)}


def paths_of(tree: dict) -> list:
    """(feature, threshold or set of categories, default left, hessian, left, right) or (leaf value, hessian)."""
    categories = _categories_of(tree)

    def walk(node: int):
        hessian = tree["sum_hessian"][node]
        if tree["left_children"][node] < 0:
            return (tree["split_conditions"][node], hessian)
        condition = categories.get(node, tree["split_conditions"][node])
        return (tree["split_indices"][node], condition, bool(tree["default_left"][node]), hessian,
                walk(tree["left_children"][node]), walk(tree["right_children"][node]))

    return walk(0)


def _path_difference(a, b, where: str) -> str:
    if len(a) != len(b):
        return f"{where}: a leaf against a split: {a[:4]} {b[:4]}"
    if len(a) == 2:
        return "" if np.isclose(a[0], b[0], rtol=LEAF_SHARE_MAX, atol=1e-6) else f"{where}: leaves {a[0]} and {b[0]}"
    if a[:3] != b[:3]:
        return f"{where}: splits {a[:3]} and {b[:3]}"
    if not np.isclose(a[3], b[3], rtol=HESSIAN_SHARE_MAX):
        return f"{where}: hessians {a[3]} and {b[3]}"
    return _path_difference(a[4], b[4], where + "L") or _path_difference(a[5], b[5], where + "R")


def tree_difference(ours: xgboost.Booster, stock: xgboost.Booster) -> str:
    """The first difference of two forests, however their nodes are numbered (stock keeps pruned nodes in the arrays);
    "" when there is none."""
    mine, theirs = trees_of(ours), trees_of(stock)
    if len(mine) != len(theirs) or not mine:
        return f"{len(mine)} trees against {len(theirs)}"
    for number, (a, b) in enumerate(zip(mine, theirs)):
        if difference := _path_difference(paths_of(a), paths_of(b), f"tree {number} "):
            return difference
    return ""


def same_linear_weights(ours: xgboost.Booster, stock: xgboost.Booster) -> bool:
    mine, theirs = linear_weights(ours), linear_weights(stock)
    return len(mine) == len(theirs) and bool(np.allclose(mine, theirs, rtol=2e-4, atol=2e-5 * np.abs(theirs).max()))
