"""UpdateEndpoint with a DeploymentConfig through boto3: steps, alarms that roll back, kills in the middle."""

import pytest
from botocore.exceptions import ClientError
from harness import models
from harness.clients import Clients
from harness.polling import poll

CANARY = {"Type": "CANARY", "WaitIntervalInSeconds": 1, "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50}}


def poll_group(logs, group: dict) -> bool:
    """Whether the log group is there; lines are written about a second after they were said."""
    return bool(poll(lambda: logs.describe_log_groups(logGroupNamePrefix=group["logGroupName"])["logGroups"]))


def blue_green(routing: dict, **more) -> dict:
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, **more}}


class Shift:
    """An endpoint that answers 1 and a configuration, `next`, that answers 2."""

    def __init__(self, clients, bucket: str, prefix: str):
        self.hosting = models.Hosting(clients, bucket, prefix)
        self.sagemaker, self.cloudwatch, self.logs = clients.sagemaker, clients.cloudwatch, clients.logs
        old = self.hosting.model("old", models.constant_archive(1.0))
        new = self.hosting.model("new", models.constant_archive(2.0))
        self.first = self.hosting.config("c1", {"a": (old, 1)})
        self.next = self.hosting.config("c2", {"a": (new, 1)})
        self.endpoint = self.hosting.endpoint("e", self.first)
        self.alarm = f"{prefix}-errors"
        self.cloudwatch.put_metric_alarm(
            AlarmName=self.alarm, Namespace=prefix, MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
            Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore")

    def update(self, deployment: dict, *, alarmed: bool = False, **more) -> None:
        if alarmed:
            deployment = {**deployment, "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": self.alarm}]}}
        self.sagemaker.update_endpoint(EndpointName=self.endpoint, EndpointConfigName=self.next,
                                       DeploymentConfig=deployment, **more)

    def describe(self) -> dict:
        return self.sagemaker.describe_endpoint(EndpointName=self.endpoint)

    def answers(self, requests: int = 40) -> set[bytes]:
        return {self.hosting.invoke(self.endpoint, b"1,2")["Body"] for _ in range(requests)}


@pytest.fixture
def shift(clients, bucket, unique):
    return Shift(clients, bucket, unique)


def test_a_canary_is_shown_while_it_bakes_and_becomes_the_endpoint(shift):
    deployment = blue_green({**CANARY, "WaitIntervalInSeconds": 2}, TerminationWaitInSeconds=1)
    shift.update(deployment, alarmed=True)
    described = shift.describe()
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("Updating", shift.first)
    pending = described["PendingDeploymentSummary"]
    assert pending["EndpointConfigName"] == shift.next
    (variant,) = pending["ProductionVariants"]
    assert variant["VariantName"] == "a" and variant["VariantStatus"][0]["Status"] == "Baking"
    assert shift.answers() == {b"1.0", b"2.0"}
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        shift.update({})
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        shift.sagemaker.delete_endpoint(EndpointName=shift.endpoint)
    described = poll(lambda: (now := shift.describe())["EndpointStatus"] == "InService" and now)
    assert described["EndpointConfigName"] == shift.next
    assert "PendingDeploymentSummary" not in described and "FailureReason" not in described
    assert described["LastDeploymentConfig"]["BlueGreenUpdatePolicy"] == deployment["BlueGreenUpdatePolicy"]
    assert shift.answers() == {b"2.0"}


def test_an_alarm_rolls_the_update_back(shift):
    shift.update(blue_green({**CANARY, "WaitIntervalInSeconds": 3600}), alarmed=True)
    shift.cloudwatch.set_alarm_state(AlarmName=shift.alarm, StateValue="ALARM", StateReason="too many errors")
    described = poll(lambda: (now := shift.describe())["EndpointStatus"] == "InService" and now)
    assert described["EndpointConfigName"] == shift.first
    assert described["FailureReason"] == (f"The update to {shift.next} was rolled back. The alarm {shift.alarm} is in state "
                                          "ALARM: too many errors")
    assert shift.answers() == {b"1.0"}
    logs = shift.logs
    group = {"logGroupName": f"/aws/sagemaker/Endpoints/{shift.endpoint}"}

    def lines() -> list[str]:
        streams = logs.describe_log_streams(**group)["logStreams"] if poll_group(logs, group) else []
        return [event["message"] for stream in streams for event in logs.get_log_events(
            **group, logStreamName=stream["logStreamName"], startFromHead=True)["events"]]

    assert poll(lambda: any("is rolled back" in line for line in lines()))


def test_linear_and_rolling_move_all_traffic(shift):
    linear = {"Type": "LINEAR", "WaitIntervalInSeconds": 1, "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 50}}
    shift.update(blue_green(linear))
    assert shift.describe()["EndpointStatus"] == "Updating"
    assert poll(lambda: shift.describe()["EndpointStatus"] == "InService")
    assert shift.answers() == {b"2.0"}
    shift.next = shift.first
    shift.update({"RollingUpdatePolicy": {"MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 50},
                                          "WaitIntervalInSeconds": 1}})
    assert shift.describe()["EndpointStatus"] == "Updating"
    assert poll(lambda: shift.describe()["EndpointStatus"] == "InService")
    assert shift.answers() == {b"1.0"}


def test_a_kept_deployment_is_used_again(shift):
    shift.update(blue_green({"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}))
    assert shift.describe()["EndpointStatus"] == "InService", "nothing to wait for"
    shift.sagemaker.update_endpoint(EndpointName=shift.endpoint, EndpointConfigName=shift.first, RetainDeploymentConfig=True)
    kept = shift.describe()["LastDeploymentConfig"]
    assert kept == blue_green({"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0})


@pytest.mark.parametrize("deployment, text", [
    (blue_green({"Type": "CANARY", "WaitIntervalInSeconds": 0}), "CanarySize is required"),
    (blue_green({**CANARY, "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1}}), "CanarySize must be 1 to 50 %"),
    ({"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "no-such-alarm"}]}}, "no-such-alarm, which does not exist"),
    ({**blue_green(CANARY), "RollingUpdatePolicy": {"MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 50},
                                                    "WaitIntervalInSeconds": 1}}, "not both"),
])
def test_what_cannot_be_done_is_refused_and_nothing_changes(shift, deployment, text):
    with pytest.raises(ClientError, match=text):
        shift.update(deployment)
    assert shift.describe()["EndpointStatus"] == "InService"
    assert shift.answers(4) == {b"1.0"}


def test_a_shift_survives_kills_and_goes_on_or_back(server_factory, unique):
    server = server_factory()
    clients = Clients(server)
    clients.s3.create_bucket(Bucket=unique)
    shift = Shift(clients, unique, unique)
    shift.update(blue_green({**CANARY, "WaitIntervalInSeconds": 3600}), alarmed=True)
    server.kill9()
    server.start()
    assert shift.describe()["EndpointStatus"] == "Updating"
    assert shift.answers() == {b"1.0", b"2.0"}
    shift.cloudwatch.set_alarm_state(AlarmName=shift.alarm, StateValue="ALARM", StateReason="r")
    server.kill9()
    server.start()
    assert poll(lambda: shift.describe()["EndpointStatus"] == "InService")
    assert shift.answers() == {b"1.0"} and "rolled back" in shift.describe()["FailureReason"]
    shift.cloudwatch.set_alarm_state(AlarmName=shift.alarm, StateValue="OK", StateReason="r")
    shift.update(blue_green({**CANARY, "WaitIntervalInSeconds": 1}, TerminationWaitInSeconds=1), alarmed=True)
    server.kill9()
    server.start()
    assert poll(lambda: shift.describe()["EndpointStatus"] == "InService")
    assert shift.describe()["EndpointConfigName"] == shift.next and shift.answers() == {b"2.0"}
