"""The comparison report: how shadows differ from the answers given, and when the better variant is known."""

import json
import urllib.error
import urllib.request

import numpy as np
import pytest
import xgboost
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from harness import models
from harness.polling import poll


@pytest.fixture
def hosting(clients, bucket, unique):
    return models.Hosting(clients, bucket, unique)


def comparison(server, endpoint: str) -> dict:
    request = AWSRequest("GET", f"{server.endpoint_url}/_espalier/endpoints/{endpoint}/comparison")
    SigV4Auth(Credentials(server.access_key_id, server.secret_access_key), "sagemaker", "us-east-1").add_auth(request)
    with urllib.request.urlopen(urllib.request.Request(request.url, headers=dict(request.headers))) as answer:
        return json.load(answer)


def booster(seed: int) -> xgboost.Booster:
    x, y = models.data("binary:logistic")
    return xgboost.train({"objective": "binary:logistic", "max_depth": 2 + seed, "seed": seed, "nthread": 1},
                         xgboost.DMatrix(x, y), 3)


def test_shadows_are_compared_row_by_row(server, clients, hosting):
    boosters = {name: booster(seed) for name, seed in (("a", 0), ("s", 3))}
    made = {name: hosting.model(name, models.archive({"xgboost-model": models.model_bytes(b, "ubj")}))
            for name, b in boosters.items()}
    endpoint = hosting.endpoint("e", hosting.config("c", {"a": (made["a"], 1)}, {"s": (made["s"], 1), "same": (made["a"], 1)}))
    rows = np.random.default_rng(3).normal(size=(60, 6)).astype(np.float32)
    for row in range(0, 60, 3):
        hosting.invoke(endpoint, models.csv_text(rows[row:row + 3]), InferenceId=f"id-{row}")
    report = poll(lambda: (r := comparison(server, endpoint))["Shadows"][0]["Requests"] == 20
                  and r["Shadows"][1]["Requests"] == 20 and r)
    shadow, same = report["Shadows"]
    margins = {name: b.predict(xgboost.DMatrix(rows), output_margin=True) for name, b in boosters.items()}
    distance = np.abs(margins["a"] - margins["s"])
    flips = int(((margins["a"] > 0) != (margins["s"] > 0)).sum())
    assert flips > 0
    assert (shadow["VariantName"], shadow["Rows"], shadow["LabelFlips"], shadow["IncomparableRequests"]) == ("s", 60, flips, 0)
    np.testing.assert_allclose(shadow["MarginDistance"]["Average"], distance.mean(), rtol=1e-5)
    np.testing.assert_allclose(shadow["MarginDistance"]["Maximum"], distance.max(), rtol=1e-5)
    assert set(shadow["LatencyDifferenceMicroseconds"]) == {"Average", "Minimum", "Maximum", "p50", "p90", "p99"}
    recent = {entry["InferenceId"]: entry for entry in shadow["RecentRequests"]}
    assert len(recent) == 20
    np.testing.assert_allclose(recent["id-3"]["LargestMarginDistance"], distance[3:6].max(), rtol=1e-5)
    assert (recent["id-3"]["Rows"], recent["id-3"]["ProductionVariant"]) == (3, "a")
    assert sum(entry["LabelFlips"] for entry in recent.values()) == flips
    assert (same["LabelFlips"], same["MarginDistance"]["Maximum"]) == (0, 0)
    metrics = {m["MetricName"] for m in clients.cloudwatch.list_metrics(
        Namespace="Espalier/Endpoints", Dimensions=[{"Name": "EndpointName", "Value": endpoint}])["Metrics"]}
    assert {"ShadowLabelFlips", "ShadowMarginDistance", "ShadowLatencyDifference"} <= metrics, "alarms can watch them"


def test_the_better_variant_is_named_once_it_is_known(server, clients, hosting):
    model = hosting.model("m", models.constant_archive(1.0))
    endpoint = hosting.endpoint("e", hosting.config("c", {"a": (model, 1), "b": (model, 1)}))

    def tests() -> dict:
        return {test["Signal"]: test for test in comparison(server, endpoint)["SequentialTests"]}

    for name in ("a", "b"):
        assert hosting.invoke(endpoint, b"1,2", TargetVariant=name)["Body"] == b"1.0"
    with pytest.raises(ClientError):
        hosting.invoke(endpoint, b"x", TargetVariant="a")
    errors = tests()["ModelErrors"]
    assert [(v["VariantName"], v["Count"]) for v in errors["Variants"]] == [("a", 2), ("b", 1)]
    assert errors["Variants"][0]["Mean"] == 0.5 and not errors["Decided"]

    def outcomes(variant: str, right: int, wrong: int) -> None:
        clients.cloudwatch.put_metric_data(Namespace="Espalier/Endpoints", MetricData=[{
            "MetricName": "Outcome", "Values": [0.0, 1.0], "Counts": [wrong, right],
            "Dimensions": [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]}])

    outcomes("a", 70, 30)
    outcomes("b", 80, 20)
    assert not tests()["Outcome"]["Decided"], "ten of a hundred may be luck"
    outcomes("a", 1400, 600)
    outcomes("b", 1600, 400)
    outcome = tests()["Outcome"]
    assert outcome["Decided"] and outcome["BetterVariant"] == "b" and outcome["HigherIsBetter"]
    for variant, mean in zip(outcome["Variants"], (0.7, 0.8)):
        assert variant["Lower"] < mean < variant["Upper"] and abs(variant["Mean"] - mean) < 1e-9


def test_the_report_is_for_those_who_sign(server, hosting):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server.endpoint_url}/_espalier/endpoints/e/comparison")
    assert caught.value.code == 403
    with pytest.raises(urllib.error.HTTPError) as caught:
        comparison(server, "no-such-endpoint")
    assert caught.value.code == 400 and b"Could not find endpoint" in caught.value.read()
