"""CloudWatch through boto3 (JSON) and by hand (CBOR): metrics, percentiles, lists, alarms that are really evaluated."""

import gzip
import http.client
import json
import struct
import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from harness import models
from harness.clients import Clients
from harness.polling import poll


def minute(back: int = 0) -> float:
    """The begin of the minute, `back` minutes ago."""
    return int(time.time()) // 60 * 60 - 60 * back


def code_of(call, **request) -> str:
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response["Error"]["Code"]


def test_values_come_back_as_statistics_and_percentiles(clients, unique):
    cloudwatch = clients.cloudwatch
    dimensions = [{"Name": "d", "Value": "x"}]
    metric = {"Namespace": unique, "MetricName": "latency", "Dimensions": dimensions}
    first, second = minute(3), minute(2)
    cloudwatch.put_metric_data(Namespace=unique, MetricData=[
        {"MetricName": "latency", "Dimensions": dimensions, "Timestamp": first + 1, "Value": 5, "Unit": "Seconds"},
        {"MetricName": "latency", "Dimensions": dimensions, "Timestamp": first + 59, "Unit": "Seconds",
         "Values": [1.0, 2.0, 10.0], "Counts": [5, 93, 1]}])
    cloudwatch.put_metric_data(Namespace=unique, MetricData=[
        {"MetricName": "latency", "Dimensions": dimensions, "Timestamp": second, "Unit": "Seconds",
         "StatisticValues": {"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 4}}])
    window = {"StartTime": first, "EndTime": second + 60}
    everything = ["SampleCount", "Sum", "Average", "Minimum", "Maximum"]
    points = cloudwatch.get_metric_statistics(**metric, **window, Period=60, Statistics=everything,
                                              ExtendedStatistics=["p50", "p99", "p100"])["Datapoints"]
    points.sort(key=lambda point: point["Timestamp"])
    assert [{name: point[name] for name in everything} for point in points] == [
        {"SampleCount": 100, "Sum": 206.0, "Average": 2.06, "Minimum": 1, "Maximum": 10},
        {"SampleCount": 4, "Sum": 10, "Average": 2.5, "Minimum": 1, "Maximum": 4}]
    assert points[0]["ExtendedStatistics"] == {"p50": 2.0, "p99": 5.0, "p100": 10.0}
    assert "ExtendedStatistics" not in points[1], "a statistic set has no percentiles"
    trimmed = cloudwatch.get_metric_statistics(**metric, **window, Period=60, ExtendedStatistics=[
        "tm98", "tc98", "TS(1:5)", "wm98", "IQM", "PR(:1)", "TC(20:30)"])["Datapoints"]
    (trimmed,) = [point["ExtendedStatistics"] for point in trimmed if "ExtendedStatistics" in point]
    assert trimmed == {"tm98": 191 / 98, "tc98": 98, "TS(1:5)": 191.0, "wm98": 1.95, "IQM": 2.0, "PR(:1)": 5.0, "TC(20:30)": 0.0}
    for wrong in ("tm101", "TM(5:1)", "PR(1%:2%)", "Sum"):
        assert code_of(cloudwatch.get_metric_statistics, **metric, **window, Period=60, ExtendedStatistics=[wrong]) == "InvalidParameterValue"
    assert {point["Unit"] for point in points} == {"Seconds"}
    assert not cloudwatch.get_metric_statistics(**metric, **window, Period=60, Statistics=["Sum"], Unit="Bytes")["Datapoints"]

    def query(name: str, stat: str, period: int) -> dict:
        return {"Id": name, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}

    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[query("a", "Sum", 60), query("b", "Maximum", 86400), query("c", "p99", 60)], **window,
        ScanBy="TimestampAscending")
    results = {result["Id"]: result for result in answer["MetricDataResults"]}
    assert results["a"]["Values"] == [206.0, 10.0]
    assert [at.timestamp() for at in results["a"]["Timestamps"]] == [first, second]
    assert max(results["b"]["Values"]) == 10.0 and results["b"]["StatusCode"] == "Complete"
    assert results["c"]["Values"] == [5.0]
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[query("a", "Sum", 60), query("c", "p99", 60)], **window, ScanBy="TimestampDescending",
        PaginationConfig={"PageSize": 2})
    paged = [(result["Id"], value) for page in pages for result in page["MetricDataResults"] for value in result["Values"]]
    assert paged == [("a", 10.0), ("a", 206.0), ("c", 5.0)]


def test_lists_page_and_filter(clients, unique):
    cloudwatch = clients.cloudwatch
    cloudwatch.put_metric_data(Namespace=unique, MetricData=[
        {"MetricName": f"m{i % 2}", "Dimensions": [{"Name": "i", "Value": f"{i:04}"}], "Value": 1} for i in range(700)])
    listed = [metric for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace=unique)
              for metric in page["Metrics"]]
    assert len(listed) == 700 and len({str(metric) for metric in listed}) == 700
    assert len(cloudwatch.list_metrics(Namespace=unique)["Metrics"]) == 500
    (one,) = cloudwatch.list_metrics(Namespace=unique, Dimensions=[{"Name": "i", "Value": "0004"}])["Metrics"]
    assert one == {"Namespace": unique, "MetricName": "m0", "Dimensions": [{"Name": "i", "Value": "0004"}]}
    assert not cloudwatch.list_metrics(Namespace=unique, Dimensions=[{"Name": "j"}])["Metrics"]
    assert len(cloudwatch.list_metrics(Namespace=unique, MetricName="m1", RecentlyActive="PT3H")["Metrics"]) == 350
    assert code_of(cloudwatch.list_metrics, NextToken="eA==") == "InvalidNextToken"


def test_what_cannot_be_kept_is_refused(clients, unique):
    put = clients.cloudwatch.put_metric_data
    good = {"MetricName": "m", "Value": 1.0}
    for datum, code in (({**good, "Timestamp": time.time() - 15 * 86400}, "InvalidParameterValue"),
                        ({**good, "Timestamp": time.time() + 3 * 3600}, "InvalidParameterValue"),
                        ({**good, "Values": [1.0]}, "InvalidParameterCombination"),
                        ({"MetricName": "m"}, "InvalidParameterCombination"),
                        ({"MetricName": "m", "Value": 2.0 ** 361}, "InvalidParameterValue"),
                        ({"MetricName": "m", "Values": [1.0] * 151}, "InvalidParameterValue"),
                        ({**good, "StorageResolution": 7}, "InvalidParameterValue"),
                        ({**good, "Unit": "Furlongs"}, "ValidationError"),
                        ({**good, "Dimensions": [{"Name": "a", "Value": "1"}] * 2}, "InvalidParameterValue")):
        assert code_of(put, Namespace=unique, MetricData=[datum]) == code, datum
    assert code_of(put, Namespace="AWS/SageMaker", MetricData=[good]) == "InvalidParameterValue"
    assert not clients.cloudwatch.list_metrics(Namespace=unique)["Metrics"]
    math = [{"Id": "a", "Expression": "1+1"}]
    assert code_of(clients.cloudwatch.get_metric_data, MetricDataQueries=math, StartTime=0, EndTime=60) == "ValidationError"


def test_large_bodies_arrive_packed(clients, unique):
    """botocore packs PutMetricData above 10 KB."""
    clients.cloudwatch.put_metric_data(Namespace=unique, MetricData=[
        {"MetricName": f"metric-with-a-long-name-{i}", "Value": i} for i in range(500)])
    assert len(clients.cloudwatch.list_metrics(Namespace=unique)["Metrics"]) == 500


def test_endpoint_traffic_is_measured_and_survives_kills(server_factory, unique):
    server = server_factory()
    clients = Clients(server)
    clients.s3.create_bucket(Bucket=unique)
    hosting = models.Hosting(clients, unique, unique)
    endpoint = hosting.serve(models.constant_archive(4.0))
    for _ in range(40):
        hosting.invoke(endpoint, b"1,2")
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "AllTraffic"}]

    def total(metric: str, stat: str):
        (result,) = Clients(server).cloudwatch.get_metric_data(
            StartTime=time.time() - 86400, EndTime=time.time() + 60,
            MetricDataQueries=[{"Id": "q", "MetricStat": {
                "Metric": {"Namespace": "AWS/SageMaker", "MetricName": metric, "Dimensions": dimensions},
                "Period": 3600, "Stat": stat}}])["MetricDataResults"]
        return sum(result["Values"])

    assert total("Invocations", "Sum") == 40
    assert total("InvocationsPerInstance", "Sum") == 40
    assert total("OverheadLatency", "p50") > 0 and total("ModelLatency", "p99.9") >= 1
    listed = {metric["MetricName"] for metric in clients.cloudwatch.list_metrics(
        Namespace="AWS/SageMaker", Dimensions=[{"Name": "EndpointName", "Value": endpoint}])["Metrics"]}
    assert listed == {"Invocations", "InvocationsPerInstance", "Invocation4XXErrors", "Invocation5XXErrors",
                      "InvocationModelErrors", "ModelLatency", "OverheadLatency"}
    server.kill9()
    server.start()
    assert total("Invocations", "Sum") == 40
    hosting = models.Hosting(Clients(server), unique, unique)
    hosting.invoke(endpoint, b"1,2")
    server.stop()
    server.start()
    assert total("Invocations", "Sum") == 41, "an orderly end books the last second"


def alarm_request(name: str, namespace: str, **more) -> dict:
    return {"AlarmName": name, "Namespace": namespace, "MetricName": "errors", "Statistic": "Sum", "Period": 10,
            "EvaluationPeriods": 2, "DatapointsToAlarm": 1, "Threshold": 3, "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching", **more}


def test_an_alarm_goes_off_by_what_is_measured(clients, unique):
    cloudwatch = clients.cloudwatch
    cloudwatch.put_metric_alarm(**alarm_request(unique, unique))

    def alarm() -> dict:
        (found,) = cloudwatch.describe_alarms(AlarmNames=[unique])["MetricAlarms"]
        return found

    assert alarm()["AlarmArn"] == f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{unique}"
    assert poll(lambda: alarm()["StateValue"] == "OK")
    cloudwatch.put_metric_data(Namespace=unique, MetricData=[
        {"MetricName": "errors", "Value": 4, "StorageResolution": 1, "Timestamp": time.time() - 10}])
    assert poll(lambda: alarm()["StateValue"] == "ALARM")
    described = alarm()
    assert "was greater than the threshold (3.0)" in described["StateReason"]
    assert json.loads(described["StateReasonData"])["recentDatapoints"] == [4.0]
    items = cloudwatch.describe_alarm_history(AlarmName=unique, ScanBy="TimestampAscending")["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in items] == [
        f'Alarm "{unique}" created', "Alarm updated from INSUFFICIENT_DATA to OK", "Alarm updated from OK to ALARM"]
    metric = {"Namespace": unique, "MetricName": "errors"}
    assert [found["AlarmName"] for found in cloudwatch.describe_alarms_for_metric(**metric)["MetricAlarms"]] == [unique]
    assert not cloudwatch.describe_alarms_for_metric(**metric, Dimensions=[{"Name": "a", "Value": "b"}])["MetricAlarms"]
    cloudwatch.delete_alarms(AlarmNames=[unique])
    assert not cloudwatch.describe_alarms(AlarmNames=[unique])["MetricAlarms"]
    assert code_of(cloudwatch.delete_alarms, AlarmNames=[unique]) == "ResourceNotFound"


def test_alarms_are_set_listed_and_refused(clients, unique):
    cloudwatch = clients.cloudwatch
    for i in range(5):
        cloudwatch.put_metric_alarm(**alarm_request(f"{unique}-{i}", unique, TreatMissingData="ignore"))
    cloudwatch.set_alarm_state(AlarmName=f"{unique}-3", StateValue="ALARM", StateReason="by hand")
    pages = list(cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=unique, PaginationConfig={"PageSize": 2}))
    assert [len(page["MetricAlarms"]) for page in pages] == [2, 2, 1]
    (found,) = cloudwatch.describe_alarms(AlarmNamePrefix=unique, StateValue="ALARM")["MetricAlarms"]
    assert (found["AlarmName"], found["StateReason"]) == (f"{unique}-3", "by hand")
    assert code_of(cloudwatch.set_alarm_state, AlarmName=f"{unique}-x", StateValue="OK", StateReason="r") == "ResourceNotFound"
    for more in ({"AlarmActions": ["arn:aws:sns:us-east-1:123456789012:t"]}, {"Period": 15}, {"DatapointsToAlarm": 3},
                 {"ComparisonOperator": "GreaterThanUpperThreshold"}, {"EvaluateLowSampleCountPercentile": "ignore"},
                 {"ExtendedStatistic": "p90"}, {"Tags": [{"Key": "a", "Value": "b"}]}):
        assert code_of(cloudwatch.put_metric_alarm, **alarm_request(f"{unique}-r", unique, **more)) == "InvalidParameterValue", more


def stat(name: str, namespace: str, metric: str, *, period: int = 60, **more) -> dict:
    return {"Id": name, "MetricStat": {"Metric": {"Namespace": namespace, "MetricName": metric}, "Period": period, "Stat": "Sum"},
            **more}


def math(name: str, expression: str, **more) -> dict:
    return {"Id": name, "Expression": expression, **more}


@pytest.fixture
def traffic(clients, unique) -> dict:
    """Three minutes of requests and errors; nobody erred in the second. The window of their GetMetricData."""
    for metric, values in (("requests", (100, 50, 20)), ("errors", (5, None, 1))):
        for back, value in zip((3, 2, 1), values):
            if value is not None:
                clients.cloudwatch.put_metric_data(Namespace=unique, MetricData=[
                    {"MetricName": metric, "Timestamp": minute(back), "Value": value}])
    return {"StartTime": minute(3), "EndTime": minute(), "ScanBy": "TimestampAscending"}


def test_expressions_are_computed_from_metrics(clients, unique, traffic):
    asked = [stat("errors", unique, "errors", ReturnData=False), stat("requests", unique, "requests", ReturnData=False),
             math("rate", "100*errors/requests", Label="error rate"), math("calm", "IF(rate<5, 1, 0)"),
             math("total", "SUM(METRICS())"), math("all", "FILL(METRICS(), 0)", Label="filled"),
             math("running", "RUNNING_SUM(requests)/PERIOD(requests)", ReturnData=False), math("last", "running*60-requests")]
    answer = clients.cloudwatch.get_metric_data(MetricDataQueries=asked, **traffic)
    results = [(each["Id"], each["Label"], each["Values"]) for each in answer["MetricDataResults"]]
    assert results == [("rate", "error rate", [5.0, 0.0, 5.0]), ("calm", "calm", [0.0, 1.0, 0.0]), ("total", "total", [105.0, 50.0, 21.0]),
                       ("all", "filled errors", [5.0, 0.0, 1.0]), ("all", "filled requests", [100.0, 50.0, 20.0]),
                       ("last", "last", [0.0, 100.0, 150.0])]
    times = [int(each.timestamp()) for each in answer["MetricDataResults"][0]["Timestamps"]]
    assert times == [int(traffic["StartTime"]) + 60 * i for i in range(3)]
    pages = clients.cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=asked, **{**traffic, "ScanBy": "TimestampDescending"}, PaginationConfig={"PageSize": 4})
    rate = [value for page in pages for each in page["MetricDataResults"] if each["Id"] == "total" for value in each["Values"]]
    assert rate == [21.0, 50.0, 105.0]


@pytest.mark.parametrize(("queries", "told"), [
    (lambda space: [math("e", "SEARCH('{a}', 'Sum', 60)", Period=60)], "The function SEARCH is not supported"),
    (lambda space: [math("e", "SELECT AVG(m) FROM x", Period=60)], "Metrics Insights"),
    (lambda space: [math("e", "m9*2", Period=60)], "e: There is no metric or expression 'm9'"),
    (lambda space: [math("e", "f+1"), math("f", "e+1"), stat("m", space, "m")], "uses itself"),
    (lambda space: [stat("m", space, "m"), math("e", "m +")], "at character 4: a value is expected"),
    (lambda space: [stat("m", space, "m"), math("e", "AVG(m)")], "The result must be a time series"),
    (lambda space: [stat("m", space, "m"), stat("n", space, "n", period=300), math("e", "m+n")],
     "Periods of 60 and 300 seconds cannot be used together"),
    (lambda space: [math("e", "TIME_SERIES(1)")], "needs a Period"),
    (lambda space: [stat("m", space, "m"), stat("m", space, "n")], "given twice"),
    (lambda space: [stat("Big", space, "m")], "lower-case letter"),
    (lambda space: [{**stat("m", space, "m"), "Expression": "m"}], "either Expression or MetricStat"),
])
def test_expressions_that_have_no_value_are_refused(clients, unique, queries, told):
    with pytest.raises(ClientError) as caught:
        clients.cloudwatch.get_metric_data(MetricDataQueries=queries(unique), StartTime=minute(3), EndTime=minute())
    assert caught.value.response["Error"]["Code"] == "ValidationError" and told in caught.value.response["Error"]["Message"]


def test_an_alarm_watches_an_expression(clients, unique):
    cloudwatch = clients.cloudwatch
    metrics = [stat("errors", unique, "errors", period=10, ReturnData=False), stat("calls", unique, "calls", period=10, ReturnData=False),
               math("share", "IF(calls>=10, errors/calls)", Label="share of errors")]
    rule = {"EvaluationPeriods": 2, "DatapointsToAlarm": 1, "Threshold": 0.1, "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching"}
    cloudwatch.put_metric_alarm(AlarmName=unique, Metrics=metrics, **rule)

    def alarm() -> dict:
        (found,) = cloudwatch.describe_alarms(AlarmNames=[unique])["MetricAlarms"]
        return found

    assert poll(lambda: alarm()["StateValue"] == "OK")
    assert [each["Id"] for each in alarm()["Metrics"]] == ["errors", "calls", "share"]
    cloudwatch.put_metric_data(Namespace=unique, MetricData=[
        {"MetricName": name, "Value": value, "StorageResolution": 1, "Timestamp": time.time() - 10}
        for name, value in (("errors", 4), ("calls", 16))])
    assert poll(lambda: alarm()["StateValue"] == "ALARM")
    assert json.loads(alarm()["StateReasonData"])["recentDatapoints"] == [0.25]

    for members in ({"Metrics": metrics, "Namespace": unique}, {"Metrics": metrics[:2]}, {"Metrics": [*metrics, math("e", "share*2")]},
                    {"Metrics": [*metrics[:2], math("e", "METRICS()")]}, {"Metrics": [*metrics[:2], math("e", "SEARCH('a', 'Sum')")]},
                    {"Metrics": [stat("m", unique, "m", period=15)]}):
        assert code_of(cloudwatch.put_metric_alarm, AlarmName=f"{unique}-r", **members, **rule) == "InvalidParameterValue", members
    assert not cloudwatch.describe_alarms(AlarmNames=[f"{unique}-r"])["MetricAlarms"]


# -- CBOR, as the SDKs for Go, JavaScript and Java speak it ---------------------------------------------------------------


def cbor(server, operation: str, body: bytes, **headers) -> tuple[int, dict, bytes]:
    path = f"/service/GraniteServiceVersion20100801/operation/{operation}"
    request = AWSRequest("POST", server.endpoint_url + path, data=body, headers={
        "Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor", "Accept": "application/cbor", **headers})
    SigV4Auth(Credentials(server.access_key_id, server.secret_access_key), "monitoring", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(server.endpoint_url.removeprefix("http://"), timeout=30)
    connection.request("POST", path, body=body, headers=dict(request.headers))
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


def text(value: str) -> bytes:
    return bytes([0x78, len(value)]) + value.encode()


def test_cbor_is_spoken_too(server, clients, unique):
    put = (b"\xa2" + text("Namespace") + text(unique) + text("MetricData") + b"\x81\xa3" + text("MetricName") + text("m")
           + text("Value") + b"\xf9\x3e\x00" + text("Timestamp") + b"\xc1\xfb" + time_bytes(minute(1)))
    assert cbor(server, "PutMetricData", put)[0] == 200
    assert cbor(server, "PutMetricData", gzip.compress(put), **{"Content-Encoding": "gzip"})[0] == 200
    (point,) = clients.cloudwatch.get_metric_statistics(
        Namespace=unique, MetricName="m", StartTime=minute(2), EndTime=minute(), Period=60, Statistics=["Sum"])["Datapoints"]
    assert point["Sum"] == 3.0
    query = (b"\xa6" + text("Namespace") + text(unique) + text("MetricName") + text("m") + text("Period") + b"\x18\x3c"
             + text("StartTime") + b"\xc1\xfb" + time_bytes(minute(2)) + text("EndTime") + b"\xc1\xfb" + time_bytes(minute())
             + text("Statistics") + b"\x81" + text("Sum"))
    status, headers, body = cbor(server, "GetMetricStatistics", query)
    assert (status, headers["smithy-protocol"], headers["Content-Type"]) == (200, "rpc-v2-cbor", "application/cbor")
    assert b"iTimestamp\xc1\xfb" + time_bytes(minute(1)) in body, "times carry tag 1"
    assert b"cSum\xfb\x40\x08\x00\x00\x00\x00\x00\x00" in body
    status, headers, body = cbor(server, "GetMetricStatistics", b"\xa0")
    assert (status, headers["x-amzn-query-error"]) == (400, "MissingParameter;Sender")
    assert b"pMissingParameter" in body
    assert cbor(server, "ListMetrics", b"\xff")[0] == 400


def time_bytes(seconds: float) -> bytes:
    return struct.pack(">d", seconds)
