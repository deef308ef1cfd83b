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
    assert code(scaling.put_scaling_policy, **which, PolicyName="s", PolicyType="StepScaling",
                StepScalingPolicyConfiguration={"AdjustmentType": "ChangeInCapacity"}) == "ValidationException"
