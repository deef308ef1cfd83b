"""Application Auto Scaling through boto3: targets, policies, and a count that really follows its target."""

import time

import pytest
from botocore.exceptions import ClientError
from harness import models
from harness.polling import poll

DIMENSION = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}


@pytest.fixture
def endpoint(clients, bucket, unique):
    return models.Hosting(clients, bucket, unique).serve(models.constant_archive(1.0))


def test_the_instance_count_follows_the_target(clients, endpoint, unique):
    scaling, sagemaker, cloudwatch = clients.application_autoscaling, clients.sagemaker, clients.cloudwatch
    resource = f"endpoint/{endpoint}/variant/AllTraffic"
    which = {**DIMENSION, "ResourceId": resource}
    scaling.register_scalable_target(**which, MinCapacity=1, MaxCapacity=4)
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"], target["ResourceId"]) == (1, 4, resource)
    configuration = {"TargetValue": 10.0, "ScaleOutCooldown": 0, "CustomizedMetricSpecification": {
        "Namespace": unique, "MetricName": "load", "Statistic": "Average"}}
    put = scaling.put_scaling_policy(**which, PolicyName="p", PolicyType="TargetTrackingScaling",
                                     TargetTrackingScalingPolicyConfiguration=configuration)
    (policy,) = scaling.describe_scaling_policies(**which)["ScalingPolicies"]
    assert policy["PolicyARN"] == put["PolicyARN"]
    assert policy["TargetTrackingScalingPolicyConfiguration"] == configuration

    def count() -> int:
        return sagemaker.describe_endpoint(EndpointName=endpoint)["ProductionVariants"][0]["DesiredInstanceCount"]

    assert count() == 1
    minute = int(time.time()) // 60 * 60
    cloudwatch.put_metric_data(Namespace=unique, MetricData=[
        {"MetricName": "load", "Value": 25, "Timestamp": minute - 60 * back} for back in range(0, 6)])
    assert poll(lambda: count() == 3), "25 where 10 is wanted"
    activity = scaling.describe_scaling_activities(ServiceNamespace="sagemaker", ResourceId=resource)["ScalingActivities"][0]
    assert activity["Description"] == "Setting desired instance count to 3." and activity["StatusCode"] == "Successful"
    scaling.register_scalable_target(**which, MaxCapacity=2)
    assert poll(lambda: count() == 2), "the bounds hold at once"
    scaling.delete_scaling_policy(**which, PolicyName="p")
    assert not scaling.describe_scaling_policies(**which)["ScalingPolicies"]
    scaling.deregister_scalable_target(**which)
    assert not scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])["ScalableTargets"]


def test_an_alarm_starts_a_step_policy(clients, endpoint, unique):
    scaling, cloudwatch = clients.application_autoscaling, clients.cloudwatch
    which = {**DIMENSION, "ResourceId": f"endpoint/{endpoint}/variant/AllTraffic"}
    scaling.register_scalable_target(**which, MinCapacity=1, MaxCapacity=5)
    steps = {
        "out": {"AdjustmentType": "PercentChangeInCapacity", "MinAdjustmentMagnitude": 2, "Cooldown": 0,
                "MetricAggregationType": "Average", "StepAdjustments": [
                    {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 20.0, "ScalingAdjustment": 10},
                    {"MetricIntervalLowerBound": 20.0, "ScalingAdjustment": 300}]},
        "in": {"AdjustmentType": "ExactCapacity", "Cooldown": 0, "StepAdjustments": [
            {"MetricIntervalUpperBound": 0.0, "ScalingAdjustment": 1}]}}
    arns = {name: scaling.put_scaling_policy(**which, PolicyName=name, PolicyType="StepScaling",
                                             StepScalingPolicyConfiguration=steps[name])["PolicyARN"] for name in steps}
    for name, comparison in (("out", "GreaterThanThreshold"), ("in", "LessThanThreshold")):
        cloudwatch.put_metric_alarm(
            AlarmName=f"{unique}-{name}", Namespace=unique, MetricName=f"load-{name}", Statistic="Average", Period=60,
            EvaluationPeriods=1, Threshold=50.0, ComparisonOperator=comparison, AlarmActions=[arns[name]])
    policies = {each["PolicyName"]: each for each in scaling.describe_scaling_policies(**which)["ScalingPolicies"]}
    assert {each["PolicyType"] for each in policies.values()} == {"StepScaling"}
    for name in steps:
        assert policies[name]["StepScalingPolicyConfiguration"] == steps[name]
        (alarm,) = policies[name]["Alarms"]
        (described,) = cloudwatch.describe_alarms(AlarmNames=[f"{unique}-{name}"])["MetricAlarms"]
        assert alarm == {"AlarmName": f"{unique}-{name}", "AlarmARN": described["AlarmArn"]}
        assert described["AlarmActions"] == [arns[name]]

    def count() -> int:
        return clients.sagemaker.describe_endpoint(EndpointName=endpoint)["ProductionVariants"][0]["DesiredInstanceCount"]

    def put(name: str, value: float) -> None:
        minute = int(time.time()) // 60 * 60
        cloudwatch.put_metric_data(Namespace=unique, MetricData=[
            {"MetricName": f"load-{name}", "Value": value, "Timestamp": minute - 60 * back} for back in (0, 1)])

    put("out", 60)
    assert poll(lambda: count() >= 3), "10 % of one, but two at least"
    put("out", 90)  # 75 on the average; a period is acted on once, unless somebody sets the state again
    cloudwatch.set_alarm_state(AlarmName=f"{unique}-out", StateValue="ALARM", StateReason="once more")
    assert poll(lambda: count() == 5), "300 % of what there is, within the bounds"
    (newest, *_) = scaling.describe_scaling_activities(**which)["ScalingActivities"]
    assert f"monitor alarm {unique}-out in state ALARM triggered policy out" in newest["Cause"]
    cloudwatch.delete_alarms(AlarmNames=[f"{unique}-out"])
    cloudwatch.set_alarm_state(AlarmName=f"{unique}-in", StateValue="ALARM", StateReason="a drill",
                               StateReasonData='{"recentDatapoints":[3.0]}')
    assert poll(lambda: count() == 1)


def test_what_does_not_scale_is_refused(clients, endpoint):
    scaling = clients.application_autoscaling
    which = {**DIMENSION, "ResourceId": f"endpoint/{endpoint}/variant/AllTraffic"}
    bounds = {"MinCapacity": 1, "MaxCapacity": 2}

    def code(call, **request) -> str:
        with pytest.raises(ClientError) as caught:
            call(**request)
        return caught.value.response["Error"]["Code"]

    register = scaling.register_scalable_target
    assert code(register, **which) == "ValidationException"
    assert code(register, **{**which, "ResourceId": f"endpoint/{endpoint}/variant/b"}, **bounds) == "ValidationException"
    assert code(register, **{**which, "ServiceNamespace": "ecs"}, **bounds) == "ValidationException"
    assert code(scaling.deregister_scalable_target, **which) == "ObjectNotFoundException"
    predefined = {"TargetValue": 1.0, "PredefinedMetricSpecification": {
        "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}}
    tracking = {"PolicyName": "p", "PolicyType": "TargetTrackingScaling"}
    assert code(scaling.put_scaling_policy, **which, **tracking,
                TargetTrackingScalingPolicyConfiguration=predefined) == "ObjectNotFoundException"
    register(**which, **bounds)
    scaling.put_scaling_policy(**which, **tracking, TargetTrackingScalingPolicyConfiguration=predefined)
    step = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [
        {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}]}
    put = scaling.put_scaling_policy
    assert code(put, **which, PolicyName="s", StepScalingPolicyConfiguration={"AdjustmentType": "ChangeInCapacity"}) \
        == "ValidationException", "no step"
    assert code(put, **which, **tracking, StepScalingPolicyConfiguration=step) == "ValidationException"
    assert code(put, **which, PolicyName="s", PolicyType="PredictiveScaling") == "ValidationException"
    assert code(clients.cloudwatch.put_metric_alarm, AlarmName="a", Namespace="n", MetricName="m", Statistic="Sum",
                Period=60, EvaluationPeriods=1, Threshold=1.0, ComparisonOperator="GreaterThanThreshold",
                AlarmActions=["arn:aws:sns:us-east-1:123456789012:topic"]) == "InvalidParameterValue"
