"""Hyperparameter tuning through boto3: every strategy, limit and ending, and what children look like."""

import re
import time

import pytest
from botocore.exceptions import ClientError
from harness import small_jobs, tunings

ARN = "arn:aws:sagemaker:us-east-1:123456789012:"


@pytest.fixture
def tuned(clients, bucket):
    tunings.upload(clients, bucket)
    return clients


def short(unique: str) -> str:
    """A tuning job's name has 32 characters at most."""
    return unique[-20:]


def test_random_search_runs_real_training_jobs_and_names_the_best(tuned, bucket, unique):
    name = "T-" + short(unique)
    arguments = tunings.request(bucket, name, trials=5, parallel=3, Tags=[{"Key": "team", "Value": "a"}])
    answer = tuned.sagemaker.create_hyper_parameter_tuning_job(**arguments)
    assert answer["HyperParameterTuningJobArn"] == f"{ARN}hyper-parameter-tuning-job/{name.lower()}"
    job = tunings.wait_for_end(tuned, name)
    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    assert job["TrainingJobStatusCounters"] == {
        "Completed": 5, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 0}
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 5, "Pending": 0, "Failed": 0}
    rows = tunings.trials(tuned, name)
    assert all(re.fullmatch(rf"{name}-00{i + 1}-[0-9a-f]{{8}}", row["TrainingJobName"]) for i, row in enumerate(rows))
    metrics = [row["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for row in rows]
    best = rows[metrics.index(min(metrics))]
    assert job["BestTrainingJob"] == {key: value for key, value in best.items() if key != "TuningJobName"}
    for row in rows:
        assert 0.01 <= float(row["TunedHyperParameters"]["eta"]) <= 0.9
        assert row["TunedHyperParameters"]["max_depth"] in {"1", "2", "3", "4", "5", "6"}
    child = tuned.sagemaker.describe_training_job(TrainingJobName=best["TrainingJobName"])
    assert child["TuningJobArn"] == answer["HyperParameterTuningJobArn"]
    assert child["HyperParameters"] == {
        **arguments["TrainingJobDefinition"]["StaticHyperParameters"], **best["TunedHyperParameters"],
        "_tuning_objective_metric": "validation:logloss"}
    final = {metric["MetricName"]: metric["Value"] for metric in child["FinalMetricDataList"]}
    assert abs(final["validation:logloss"] - min(metrics)) < 1e-6
    assert tuned.sagemaker.list_tags(ResourceArn=child["TrainingJobArn"])["Tags"] == [{"Key": "team", "Value": "a"}]
    assert small_jobs.model_bytes(tuned, bucket, best["TrainingJobName"])
    listed = tuned.sagemaker.list_training_jobs(NameContains=name, MaxResults=100)["TrainingJobSummaries"]
    assert sorted(row["TrainingJobName"] for row in listed) == [row["TrainingJobName"] for row in rows]


def test_a_grid_tries_each_combination_once(tuned, bucket, unique):
    ranges = {"CategoricalParameterRanges": [{"Name": "max_depth", "Values": ["1", "2"]},
                                             {"Name": "eta", "Values": ["0.1", "0.3"]}]}
    job = tunings.run(tuned, tunings.request(bucket, short(unique), strategy="Grid", trials=None, parallel=4, ranges=ranges))
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert tunings.values(tunings.trials(tuned, short(unique))) == [
        {"max_depth": depth, "eta": eta} for depth in "12" for eta in ("0.1", "0.3")]


def test_a_seed_gives_the_same_trials_also_in_parallel(tuned, bucket, unique):
    tried = []
    for run in "ab":
        job = tunings.run(tuned, tunings.request(
            bucket, short(unique) + run, strategy="Bayesian", trials=8, parallel=3, config={"RandomSeed": 5}, rounds=2))
        assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
        tried.append(tunings.values(tunings.trials(tuned, short(unique) + run)))
    assert tried[0] == tried[1]
    assert len({str(values) for values in tried[0]}) == 8


def test_several_definitions_take_turns_and_share_one_best(tuned, bucket, unique):
    def definition(name, ranges, fixed):
        return tunings.definition(bucket, rounds=2, fixed=fixed, DefinitionName=name, TuningObjective=tunings.OBJECTIVE,
                                  HyperParameterRanges=ranges)

    arguments = {
        "HyperParameterTuningJobName": short(unique),
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian", "ResourceLimits": {"MaxNumberOfTrainingJobs": 6, "MaxParallelTrainingJobs": 2}},
        "TrainingJobDefinitions": [
            definition("shallow", {"ContinuousParameterRanges": [tunings.ETA]}, {"max_depth": "1"}),
            definition("deep", {"IntegerParameterRanges": [tunings.DEPTH]}, {})],
    }
    job = tunings.run(tuned, arguments)
    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    rows = tunings.trials(tuned, short(unique))
    assert [row["TrainingJobDefinitionName"] for row in rows] == ["shallow", "deep"] * 3
    assert set(rows[0]["TunedHyperParameters"]) == {"eta"} and set(rows[1]["TunedHyperParameters"]) == {"max_depth"}
    best = min(rows, key=lambda row: row["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])
    assert job["BestTrainingJob"]["TrainingJobName"] == best["TrainingJobName"]


def test_hyperband_stops_trials_that_fall_behind_and_keeps_their_metric(tuned, bucket, unique):
    # eta near 0 learns nothing, so those trials are far behind at each rung; rounds are long enough to be stopped.
    ranges = {"CategoricalParameterRanges": [{"Name": "eta", "Values": ["0.00001", "0.00002", "0.3"]}]}
    job = tunings.run(tuned, tunings.request(
        bucket, short(unique), strategy="Hyperband", trials=9, parallel=3, ranges=ranges, rounds=4000,
        config={"StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 3, "MaxResource": 4000}}, "RandomSeed": 1}))
    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    rows = tunings.trials(tuned, short(unique))
    stopped = [row for row in rows if row["TrainingJobStatus"] == "Stopped"]
    assert stopped, rows
    assert all(row["ObjectiveStatus"] == "Succeeded" for row in stopped)
    assert job["TrainingJobStatusCounters"]["Stopped"] == len(stopped)
    assert job["BestTrainingJob"]["TunedHyperParameters"] == {"eta": "0.3"}


def test_the_median_rule_stops_a_trial(tuned, bucket, unique):
    ranges = {"CategoricalParameterRanges": [{"Name": "eta", "Values": ["0.1", "0.11", "0.12", "0.00001"]}]}
    job = tunings.run(tuned, tunings.request(
        bucket, short(unique), strategy="Grid", trials=4, parallel=1, ranges=ranges, rounds=4000,
        config={"TrainingJobEarlyStoppingType": "Auto"}))
    rows = tunings.trials(tuned, short(unique))
    assert [row["TrainingJobStatus"] for row in rows] == ["Completed"] * 3 + ["Stopped"], rows
    assert rows[3]["ObjectiveStatus"] == "Succeeded"
    assert job["HyperParameterTuningJobStatus"] == "Completed"


@pytest.mark.parametrize("criteria", [
    {"TargetObjectiveMetricValue": 0.69},
    {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}},
])
def test_a_criterion_ends_the_job_early(tuned, bucket, unique, criteria):
    ranges = {"ContinuousParameterRanges": [{"Name": "gamma", "MinValue": "0", "MaxValue": "0.001"}]}
    job = tunings.run(tuned, tunings.request(
        bucket, short(unique), trials=60, parallel=2, ranges=ranges, rounds=2,
        config={"TuningJobCompletionCriteria": criteria}))
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    counters = job["TrainingJobStatusCounters"]
    assert 1 <= counters["Completed"] + counters["Stopped"] < 30, counters
    assert counters["InProgress"] == 0


def test_a_warm_start_knows_its_parents_trials(tuned, bucket, unique):
    parent, child = short(unique) + "p", short(unique) + "c"
    tunings.run(tuned, tunings.request(bucket, parent, trials=6, parallel=3, config={"RandomSeed": 1}, rounds=2))
    warm = {"ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": parent}],
            "WarmStartType": "IdenticalDataAndAlgorithm"}
    job = tunings.run(tuned, tunings.request(
        bucket, child, strategy="Bayesian", trials=2, parallel=1, config={"RandomSeed": 1}, rounds=2, WarmStartConfig=warm))
    cold = tunings.run(tuned, tunings.request(
        bucket, child + "d", strategy="Bayesian", trials=2, parallel=1, config={"RandomSeed": 1}, rounds=2))
    assert tunings.values(tunings.trials(tuned, child)) != tunings.values(tunings.trials(tuned, child + "d"))
    every = tunings.trials(tuned, parent) + tunings.trials(tuned, child)
    best = min(every, key=lambda row: row["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])
    overall = job["OverallBestTrainingJob"]
    assert overall["FinalHyperParameterTuningJobObjectiveMetric"] == best["FinalHyperParameterTuningJobObjectiveMetric"]
    assert overall["TuningJobName"] in (parent, child)
    assert "OverallBestTrainingJob" not in cold


def test_a_job_whose_trials_all_fail_says_why(tuned, bucket, unique):
    job = tunings.run(tuned, tunings.request(bucket, short(unique), trials=20, parallel=2, fixed={"booster": "nonsense"}))
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("No training job succeeded after 5 attempts"), job["FailureReason"]
    assert "booster" in job["FailureReason"]
    assert job["TrainingJobStatusCounters"]["NonRetryableError"] >= 5
    assert "BestTrainingJob" not in job


def test_a_stop_ends_the_trials_too_and_a_delete_leaves_them(tuned, bucket, unique):
    name = short(unique)
    tuned.sagemaker.create_hyper_parameter_tuning_job(**tunings.request(
        bucket, name, trials=50, parallel=2, rounds=100000000))
    deadline = time.monotonic() + 60
    while len(rows := tunings.trials(tuned, name)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    small_jobs.wait_for_stage(tuned, rows[0]["TrainingJobName"], "Training")
    with pytest.raises(ClientError) as running:
        tuned.sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    assert "Only jobs that have ended can be deleted" in running.value.response["Error"]["Message"]
    tuned.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    job = tunings.wait_for_end(tuned, name)
    assert job["HyperParameterTuningJobStatus"] == "Stopped"
    assert job["TrainingJobStatusCounters"] == {
        "Completed": 0, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 2}
    with pytest.raises(ClientError) as ended:
        tuned.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    assert "in status Stopped" in ended.value.response["Error"]["Message"]
    tuned.sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    with pytest.raises(ClientError) as gone:
        tunings.describe(tuned, name)
    assert gone.value.response["Error"]["Code"] == "ResourceNotFound"
    assert gone.value.response["Error"]["Message"] == (
        f"Amazon SageMaker can't find a tuning job called {name}. Type another name.")
    child = rows[0]["TrainingJobName"]
    assert tuned.sagemaker.describe_training_job(TrainingJobName=child)["TrainingJobStatus"] == "Stopped"
    tuned.sagemaker.delete_training_job(TrainingJobName=child)
    with pytest.raises(ClientError, match="Requested resource not found"):
        tuned.sagemaker.describe_training_job(TrainingJobName=child)


@pytest.mark.parametrize("change, words", [
    ({"Autotune": {"Mode": "Enabled"}}, "Autotune is not supported"),
    ({"ranges": {"AutoParameters": [{"Name": "eta", "ValueHint": "0.1"}]}}, "AutoParameters are not supported"),
    ({"ranges": {}}, "nothing to tune"),
    ({"ranges": {"ContinuousParameterRanges": [{"Name": "eta", "MinValue": "a", "MaxValue": "1"}]}}, "is no number"),
    ({"fixed": {"eta": "0.1"}}, "eta has a range and is in StaticHyperParameters too"),
    ({"objective": {"Type": "Minimize", "MetricName": "validation:nonsense"}}, "isn't valid for the"),
    ({"strategy": "Grid"}, "categorical ranges only"),
    ({"strategy": "Hyperband", "config": {"TrainingJobEarlyStoppingType": "Auto"}}, "must be Off with Strategy Hyperband"),
    ({"parallel": 9}, "must not be above MaxNumberOfTrainingJobs"),
    ({"WarmStartConfig": {"ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "none-such"}],
                          "WarmStartType": "TransferLearning"}}, "there is no hyperparameter tuning job none-such"),
    ({"config": {"StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 1}}}}, "for Strategy Hyperband only"),
])
def test_what_cannot_be_done_is_refused_by_name(tuned, bucket, unique, change, words):
    with pytest.raises(ClientError) as refused:
        tuned.sagemaker.create_hyper_parameter_tuning_job(**tunings.request(bucket, short(unique), **change))
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert words in refused.value.response["Error"]["Message"], refused.value


def test_what_a_training_job_would_refuse_is_refused_at_once(tuned, bucket, unique):
    arguments = tunings.request(bucket, short(unique))
    arguments["TrainingJobDefinition"]["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{bucket}/nothing"
    with pytest.raises(ClientError, match="No S3 objects found"):
        tuned.sagemaker.create_hyper_parameter_tuning_job(**arguments)
    tunings.run(tuned, tunings.request(bucket, short(unique), trials=1, parallel=1))
    with pytest.raises(ClientError) as taken:
        tuned.sagemaker.create_hyper_parameter_tuning_job(**tunings.request(bucket, short(unique)))
    assert taken.value.response["Error"]["Code"] == "ResourceInUse"
    assert taken.value.response["Error"]["Message"] == (
        f"A hyperparameter tuning job with the name, {short(unique)}, already exists. Choose a different name.")


def test_lists_of_tuning_jobs_and_trials_sort_filter_and_page(tuned, bucket, unique):
    names = [f"{short(unique)}-{letter}" for letter in "bca"]
    for name in names:
        tunings.run(tuned, tunings.request(bucket, name, trials=3, parallel=2, rounds=1))
    listed = tuned.sagemaker.list_hyper_parameter_tuning_jobs(NameContains=short(unique))
    assert [row["HyperParameterTuningJobName"] for row in listed["HyperParameterTuningJobSummaries"]] == sorted(names)
    assert listed["HyperParameterTuningJobSummaries"][0]["TrainingJobStatusCounters"]["Completed"] == 3
    by_time = tuned.sagemaker.list_hyper_parameter_tuning_jobs(
        NameContains=short(unique), SortBy="CreationTime", SortOrder="Descending", StatusEquals="Completed")
    assert [row["HyperParameterTuningJobName"] for row in by_time["HyperParameterTuningJobSummaries"]] == names[::-1]
    for sort, key in [("Name", lambda row: row["TrainingJobName"]), ("CreationTime", lambda row: row["CreationTime"]),
                      ("FinalObjectiveMetricValue", lambda row: row["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])]:
        for order in ("Ascending", "Descending"):
            rows = tunings.trials(tuned, names[0], SortBy=sort, SortOrder=order, PaginationConfig={"PageSize": 1})
            assert len(rows) == 3
            assert rows == sorted(rows, key=key, reverse=order == "Descending"), (sort, order)
    assert tunings.trials(tuned, names[0], StatusEquals="Failed") == []
    token = tuned.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=names[0], MaxResults=1)["NextToken"]
    with pytest.raises(ClientError, match="NextToken"):
        tuned.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=names[1], MaxResults=1, NextToken=token)


def test_trials_share_one_parsed_and_binned_copy(server, tuned, bucket, unique):
    """Whoever comes first reads the text; the others, also those that run beside it, map what it left."""
    name = "T-" + short(unique)
    job = tunings.run(tuned, tunings.request(bucket, name, trials=4, parallel=2))
    assert job["TrainingJobStatusCounters"]["Completed"] == 4
    group = "/aws/sagemaker/TrainingJobs"
    loads = 0
    for row in tunings.trials(tuned, name):
        streams = tuned.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=row["TrainingJobName"] + "/")
        events = tuned.logs.get_log_events(logGroupName=group, logStreamName=streams["logStreams"][0]["logStreamName"],
                                           startFromHead=True)["events"]
        loads += not any("Binned data taken from" in event["message"] for event in events)
    assert loads == 1
    assert not list((server.data_dir / "jobs").glob("bins-*"))
