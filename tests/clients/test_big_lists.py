"""Every List operation above 1,000 entries: each filter, order and page size against an oracle, foreign and damaged
tokens, and S3's and CloudWatch's lists beside SageMaker's.

One thing of each kind is made through the API; its row is then copied a thousand times while the server is down, with
other names, times and states, so that the lists are those of real rows and the test does not wait for a thousand fits.
src/meta/row_list_test.cc looks at the same lists from below: what a page costs, and rows that come and go.
"""

import base64
import dataclasses
import datetime
import json
import random
import sqlite3

import pytest
from botocore.exceptions import ClientError
from harness import small_jobs
from harness.clients import Clients
from harness.jobs import IMAGE, ROLE
from harness.polling import poll

COPIES = 1_100
START = 1_700_000_000_000
JOB_STATES = ["Completed", "Failed", "Stopped"]


@dataclasses.dataclass(frozen=True)
class Kind:
    """One List operation: where its rows are, and what it can be asked."""
    operation: str
    table: str
    rows: str
    name: str
    states: tuple[str, ...] = ()
    status_filter: str = "StatusEquals"
    orders: tuple[str, ...] = ("Name", "CreationTime")
    modified: bool = False
    members: tuple[tuple[str, str], ...] = ()  # given with every request
    parent: str = ""


KINDS = [
    Kind("list_training_jobs", "training_jobs", "TrainingJobSummaries", "TrainingJobName", tuple(JOB_STATES),
         orders=("Name", "CreationTime", "Status"), modified=True),
    Kind("list_transform_jobs", "transform_jobs", "TransformJobSummaries", "TransformJobName", tuple(JOB_STATES),
         orders=("Name", "CreationTime", "Status"), modified=True),
    Kind("list_hyper_parameter_tuning_jobs", "tuning_jobs", "HyperParameterTuningJobSummaries",
         "HyperParameterTuningJobName", tuple(JOB_STATES), orders=("Name", "CreationTime", "Status"), modified=True),
    Kind("list_models", "models", "Models", "ModelName"),
    Kind("list_endpoint_configs", "endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
    Kind("list_endpoints", "endpoints", "Endpoints", "EndpointName", ("InService", "Failed"),
         orders=("Name", "CreationTime", "Status"), modified=True),
    Kind("list_model_package_groups", "model_package_groups", "ModelPackageGroupSummaryList", "ModelPackageGroupName"),
    Kind("list_model_packages", "model_packages", "ModelPackageSummaryList", "ModelPackageArn",
         ("Approved", "Rejected", "PendingManualApproval"), "ModelApprovalStatus",
         members=(("ModelPackageGroupName", "group"),), parent="group"),
    Kind("list_model_cards", "model_cards", "ModelCardSummaries", "ModelCardName",
         ("Draft", "Approved"), "ModelCardStatus"),
    Kind("list_model_card_versions", "model_card_versions", "ModelCardVersionSummaryList", "ModelCardVersion",
         ("Draft", "Approved"), "ModelCardStatus", orders=("CreationTime",), members=(("ModelCardName", "card"),),
         parent="card"),
]


def copies(kind: Kind) -> list[dict]:
    """What distinguishes the copies of a kind, without the original."""
    numbers = random.Random(kind.table)
    made = []
    for i in range(COPIES):
        name = f"{kind.parent}/{i + 2}" if kind.parent else f"Copy-{numbers.randrange(10**6):06}-{i}"
        made.append({"name": name, "created_at": START + (i // 2) * 1000, "modified_at": START + numbers.randrange(10**6),
                     "status": numbers.choice(kind.states) if kind.states else ""})
    return made


def copy_rows(database: sqlite3.Connection, kind: Kind) -> None:
    original = dict(database.execute(f"SELECT * FROM {kind.table} ORDER BY created_at LIMIT 1").fetchone())
    for column in ("parent", "id"):
        original.pop(column, None)
    columns = [*original, *(["id"] if kind.table.endswith("_jobs") else [])]
    rows = []
    for number, copy in enumerate(copies(kind)):
        row = {**original, **copy, "name_folded": copy["name"].lower(), "id": 1000 + number}
        rows.append([row[column] for column in columns])
    marks = ", ".join("?" for _ in columns)
    database.executemany(f"INSERT INTO {kind.table} ({', '.join(columns)}) VALUES ({marks})", rows)


def copy_others(database: sqlite3.Connection, bucket: str) -> None:
    """Objects under a thousand prefixes, log streams with events, trials, alarms."""
    def copy(table: str, changes: list[dict], where: str = "1 = 1") -> None:
        original = dict(database.execute(f"SELECT * FROM {table} WHERE {where} LIMIT 1").fetchone())
        columns = list(original)
        database.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' for _ in columns)})",
                             [[{**original, **change}[column] for column in columns] for change in changes])

    copy("objects", [{"key": f"big/{i // 3:04}/part-{i % 3}", "blob_id": f"{i:032x}", "bucket": bucket}
                     for i in range(3 * COPIES)])
    copy("uploads", [{"id": f"{i:032x}", "key": f"up/{i // 2:04}/x{i % 2}"} for i in range(2 * COPIES)])
    copy("buckets", [{"name": f"copied-bucket-{i:04}"} for i in range(COPIES)])
    copy("log_streams", [{"id": 10_000 + i, "name": f"copy/{(i * 7) % COPIES:04}", "last_event_at": START + i // 2}
                         for i in range(COPIES)], "log_group = '/big'")
    copy("log_events", [{"stream_id": 10_000 + (i * 13) % COPIES, "position": i, "time": START + (i * 7919) % 5000,
                         "message": f"event {i}"} for i in range(2 * COPIES)], "message = 'original'")
    copy("log_groups", [{"id": 10_000 + i, "name": f"/copies/{i:04}"} for i in range(COPIES)])
    copy("alarms", [{"name": f"copy-{i:04}", "state": ["OK", "ALARM"][i % 2]} for i in range(COPIES)])
    database.execute("UPDATE alarms SET document = json_set(document, '$.AlarmName', name)")
    copy("tuning_trials", [{"number": 100 + i, "job_name": f"copy-{(i * 11) % COPIES:04}", "created_at": START + i // 2,
                            "status": JOB_STATES[i % 3], "has_objective": int(i % 5 != 0), "objective": float((i * 37) % 1009)}
                           for i in range(COPIES)])


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """Clients of a server whose every list has more than a thousand rows, and a bucket."""
    from harness.server import Server

    server = Server(tmp_path_factory.mktemp("big") / "data").start()
    clients = Clients(server)
    bucket = "big-lists"
    clients.s3.create_bucket(Bucket=bucket)
    make_originals(clients, bucket)
    server.stop()
    database = sqlite3.connect(server.data_dir / "espalier.db")
    database.row_factory = sqlite3.Row
    with database:
        for kind in KINDS:
            copy_rows(database, kind)
        copy_others(database, bucket)
    database.close()
    server.start()
    yield Clients(server), bucket
    server.stop()


def make_originals(clients: Clients, bucket: str) -> None:
    sm = clients.sagemaker
    small_jobs.upload_rows(clients, bucket)
    sm.create_training_job(**small_jobs.request(bucket, "job"))
    small_jobs.wait_for_end(clients, "job")
    url = f"s3://{bucket}/out/job/output/model.tar.gz"
    container = {"Image": IMAGE, "ModelDataUrl": url}
    sm.create_model(ModelName="model", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    sm.create_endpoint_config(EndpointConfigName="config", ProductionVariants=[
        {"VariantName": "v", "ModelName": "model", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}])
    sm.create_endpoint(EndpointName="endpoint", EndpointConfigName="config")
    sm.create_model_package_group(ModelPackageGroupName="group")
    sm.create_model_package(ModelPackageGroupName="group", InferenceSpecification={
        "Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]})
    sm.create_model_card(ModelCardName="card", Content="{}", ModelCardStatus="Draft")
    sm.create_transform_job(
        TransformJobName="transform", ModelName="model", TransformOutput={"S3OutputPath": f"s3://{bucket}/transformed"},
        TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/train/part-0"}},
                        "ContentType": "text/libsvm"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1})
    sm.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="tuning",
        HyperParameterTuningJobConfig={
            "Strategy": "Random", "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1},
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:error"},
            "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.1", "MaxValue": "0.5"}]}},
        TrainingJobDefinition={
            "StaticHyperParameters": {"num_round": "1", "objective": "binary:logistic", "eval_metric": "error"},
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"}, "RoleArn": ROLE,
            "InputDataConfig": [{"ChannelName": channel, "ContentType": "libsvm", "DataSource": {"S3DataSource": {
                "S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/train"}}} for channel in ("train", "validation")],
            "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600}})
    sm.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName="transform", WaiterConfig={"Delay": 1})
    poll(lambda: sm.describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="tuning")["HyperParameterTuningJobStatus"] == "Completed")
    clients.s3.create_multipart_upload(Bucket=bucket, Key="up/original")
    clients.logs.create_log_group(logGroupName="/big")
    clients.logs.create_log_stream(logGroupName="/big", logStreamName="original")
    now = int(datetime.datetime.now().timestamp() * 1000)
    clients.logs.put_log_events(logGroupName="/big", logStreamName="original",
                                logEvents=[{"timestamp": now, "message": "original"}])
    clients.cloudwatch.put_metric_alarm(
        AlarmName="original", Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold")


def name_of(kind: Kind, row: dict) -> str:
    """The row's name in the table."""
    if kind.operation == "list_model_packages":
        return row["ModelPackageArn"].split("model-package/")[1]
    if kind.operation == "list_model_card_versions":
        return f"card/{row['ModelCardVersion']}"
    return row[kind.name]


def questions(kind: Kind) -> list[tuple[dict, object]]:
    """Requests of the kind, each with the predicate its rows satisfy."""
    middle = START + COPIES // 4 * 1000
    when = lambda millis: datetime.datetime.fromtimestamp(millis / 1000, datetime.timezone.utc)  # noqa: E731
    asked = [({}, lambda row: True),
             ({"CreationTimeAfter": when(middle)}, lambda row: row["created_at"] > middle),
             ({"CreationTimeBefore": when(middle)}, lambda row: row["created_at"] < middle)]
    if kind.operation != "list_model_card_versions":
        asked += [({"NameContains": "copy-00"}, lambda row: "copy-00" in row["name"].lower()),
                  ({"NameContains": "9"}, lambda row: "9" in row["name"]),
                  ({"NameContains": "NEVER"}, lambda row: False)]
    if kind.states:
        state = kind.states[-1]
        asked += [({kind.status_filter: state}, lambda row: row["status"] == state),
                  ({kind.status_filter: state, "CreationTimeAfter": when(middle)},
                   lambda row: row["status"] == state and row["created_at"] > middle)]
    if kind.modified:
        half = START + 500_000
        asked += [({"LastModifiedTimeAfter": when(half)}, lambda row: row["modified_at"] > half),
                  ({"LastModifiedTimeBefore": when(half), kind.status_filter: kind.states[0], "NameContains": "-1"},
                   lambda row: row["modified_at"] < half and row["status"] == kind.states[0] and "-1" in row["name"])]
    return asked


def expected(kind: Kind, row_is_wanted, order: str, descending: bool) -> list[str]:
    rows = [{**row, "id": number} for number, row in enumerate(copies(kind)) if row_is_wanted(row)]
    column = {"Name": "name", "CreationTime": "created_at", "Status": "status"}[order]
    tie = "id" if kind.table.endswith("_jobs") else "name"
    return [row["name"] for row in sorted(rows, key=lambda row: (row[column], row[tie]), reverse=descending)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.operation)
def test_every_filter_and_order_gives_the_right_rows_once(big, kind):
    sm = big[0].sagemaker
    copied = {row["name"] for row in copies(kind)}
    sizes = [100, 37, 99]
    for order_number, order in enumerate(kind.orders):
        for number, (request, row_is_wanted) in enumerate(questions(kind)):
            descending = (number + order_number) % 2 == 0
            sort = {} if kind.operation == "list_model_card_versions" else {"SortBy": order}
            pages = sm.get_paginator(kind.operation).paginate(
                **dict(kind.members), **request, **sort, SortOrder="Descending" if descending else "Ascending",
                PaginationConfig={"PageSize": sizes[number % 3]})
            # The originals and the trials have their own times and states; the oracle knows the copies.
            listed = [name for page in pages for row in page[kind.rows] if (name := name_of(kind, row)) in copied]
            assert listed == expected(kind, row_is_wanted, order, descending), (kind.operation, order, request)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.operation)
def test_foreign_and_damaged_tokens_are_refused(big, kind):
    sm = big[0].sagemaker
    call = getattr(sm, kind.operation)
    members = dict(kind.members)
    token = call(**members, MaxResults=10)["NextToken"]
    assert len(call(**members, MaxResults=20, NextToken=token)[kind.rows]) == 20

    def is_refused(text: str, **more) -> bool:
        with pytest.raises(ClientError) as caught:
            call(**members, NextToken=text, **more)
        error = caught.value.response["Error"]
        return error["Code"] == "ValidationException" and "Invalid NextToken" in error["Message"]

    assert is_refused(token, SortOrder="Ascending")
    assert is_refused("x" + token) and is_refused(token[:-8]) and is_refused("")
    place = json.loads(base64.b64decode(token))
    place[2] = place[2][:-1] + ("0" if place[2][-1] != "0" else "1")
    assert is_refused(base64.b64encode(json.dumps(place, separators=(",", ":")).encode()).decode())
    other = next(k for k in KINDS if k.operation != kind.operation and not k.members)
    foreign = getattr(sm, other.operation)(MaxResults=10)["NextToken"]
    assert is_refused(foreign)


def test_trials_of_a_tuning_job(big):
    sm = big[0].sagemaker
    rows = [{"JobName": f"copy-{(i * 11) % COPIES:04}", "created": START + i // 2, "status": JOB_STATES[i % 3], "number": i,
             "objective": float((i * 37) % 1009) if i % 5 else None} for i in range(COPIES)]
    keys = {"Name": "JobName", "CreationTime": "created", "Status": "status", "FinalObjectiveMetricValue": "objective"}
    for order, key in keys.items():
        for descending in (False, True):
            for status in (None, "Failed"):
                pages = sm.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
                    HyperParameterTuningJobName="tuning", SortBy=order, SortOrder="Descending" if descending else "Ascending",
                    **({"StatusEquals": status} if status else {}), PaginationConfig={"PageSize": 90})
                listed = [row["TrainingJobName"] for page in pages for row in page["TrainingJobSummaries"]]
                wanted = [row for row in rows if (not status or row["status"] == status) and
                          (key != "objective" or row["objective"] is not None)]
                wanted.sort(key=lambda row: (row[key], row["number"]), reverse=descending)
                assert [name for name in listed if name.startswith("copy-")] == [row["JobName"] for row in wanted], (order, status)


def test_objects_prefixes_uploads_and_buckets(big):
    clients, bucket = big
    s3 = clients.s3
    prefixes = [f"big/{i:04}/" for i in range(COPIES)]
    for operation in ("list_objects_v2", "list_objects"):
        for size in (1000, 7, 333):
            pages = list(s3.get_paginator(operation).paginate(Bucket=bucket, Prefix="big/", Delimiter="/",
                                                              PaginationConfig={"PageSize": size}))
            assert [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])] == prefixes
            assert not any("Contents" in page for page in pages)
        keys = [each["Key"] for page in s3.get_paginator(operation).paginate(Bucket=bucket, Prefix="big/")
                for each in page["Contents"]]
        assert keys == [f"{prefix}part-{i}" for prefix in prefixes for i in range(3)]
    uploads = s3.get_paginator("list_multipart_uploads")
    pages = list(uploads.paginate(Bucket=bucket, Prefix="up/", Delimiter="/", PaginationConfig={"PageSize": 100}))
    assert [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])] == [p.replace("big", "up") for p in prefixes]
    assert [each["Key"] for page in pages for each in page.get("Uploads", [])] == ["up/original"]
    listed = [each["Key"] for page in uploads.paginate(Bucket=bucket, Prefix="up/", PaginationConfig={"PageSize": 99})
              for each in page["Uploads"]]
    assert listed == [f"up/{i // 2:04}/x{i % 2}" for i in range(2 * COPIES)] + ["up/original"]
    buckets = [each["Name"] for page in s3.get_paginator("list_buckets").paginate(
        Prefix="copied-", PaginationConfig={"PageSize": 150}) for each in page["Buckets"]]
    assert buckets == [f"copied-bucket-{i:04}" for i in range(COPIES)]


def test_log_groups_streams_and_events(big):
    logs = big[0].logs
    groups = [each["logGroupName"] for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/copies/")
              for each in page["logGroups"]]
    assert groups == [f"/copies/{i:04}" for i in range(COPIES)]
    streams = {f"copy/{(i * 7) % COPIES:04}": START + i // 2 for i in range(COPIES)}

    def listed(**request) -> list[str]:
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName="/big", PaginationConfig={"PageSize": 49}, **request)
        return [each["logStreamName"] for page in pages for each in page["logStreams"] if each["logStreamName"] != "original"]

    assert listed() == sorted(streams)
    assert listed(descending=True) == sorted(streams, reverse=True)
    assert listed(logStreamNamePrefix="copy/00") == [name for name in sorted(streams) if name.startswith("copy/00")]
    by_time = sorted(streams, key=lambda name: (streams[name], name))
    assert listed(orderBy="LastEventTime") == by_time
    assert listed(orderBy="LastEventTime", descending=True) == by_time[::-1]

    events = [(START + (i * 7919) % 5000, 10_000 + (i * 13) % COPIES, i) for i in range(2 * COPIES)]

    def found(**request) -> list[str]:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName="/big", PaginationConfig={"PageSize": 400}, **request)
        return [each["message"] for page in pages for each in page["events"] if each["message"] != "original"]

    names = {10_000 + i: f"copy/{(i * 7) % COPIES:04}" for i in range(COPIES)}
    in_order = sorted(events)
    assert found() == [f"event {i}" for _, _, i in in_order]
    assert found(startTime=START + 1000, endTime=START + 2000) == [
        f"event {i}" for time, _, i in in_order if START + 1000 <= time <= START + 2000]
    for prefix in ("copy/00", "copy/0", "copy/"):  # fewer and more streams than are merged
        assert found(logStreamNamePrefix=prefix) == [f"event {i}" for _, s, i in in_order if names[s].startswith(prefix)]
    some = sorted(streams)[:5]
    assert found(logStreamNames=some) == [f"event {i}" for _, s, i in in_order if names[s] in some]
    for call, request in ((logs.describe_log_groups, {}), (logs.describe_log_streams, {"logGroupName": "/big"}),
                          (logs.filter_log_events, {"logGroupName": "/big"})):
        token = call(**request, limit=10)["nextToken"]
        for bad in (token[:-4], "x", base64.b64encode(b'["a","b","c"]').decode()):
            with pytest.raises(ClientError, match="nextToken is invalid"):
                call(**request, nextToken=bad)


def test_metrics_and_alarms(big):
    cloudwatch = big[0].cloudwatch
    for first in range(0, COPIES, 1000):
        cloudwatch.put_metric_data(Namespace="big", MetricData=[
            {"MetricName": f"m{i % 7}", "Dimensions": [{"Name": "n", "Value": f"{i:04}"}], "Value": 1.0}
            for i in range(first, min(first + 1000, COPIES))])

    def listed(**request) -> list[tuple[str, str]]:
        return [(each["MetricName"], each["Dimensions"][0]["Value"])
                for page in cloudwatch.get_paginator("list_metrics").paginate(**request) for each in page["Metrics"]]

    everything = sorted((f"m{i % 7}", f"{i:04}") for i in range(COPIES))
    assert listed(Namespace="big") == everything
    assert listed(Namespace="big", RecentlyActive="PT3H") == everything
    assert listed(MetricName="m3") == [each for each in everything if each[0] == "m3"]
    assert listed(Dimensions=[{"Name": "n", "Value": "0042"}]) == [("m0", "0042")]
    token = cloudwatch.list_metrics(Namespace="big")["NextToken"]
    for request in ({"Namespace": "big", "NextToken": token[:-4]}, {"MetricName": "m3", "NextToken": token}):
        with pytest.raises(ClientError, match="NextToken is not one of this operation"):
            cloudwatch.list_metrics(**request)

    def alarms(**request) -> list[str]:
        pages = cloudwatch.get_paginator("describe_alarms").paginate(PaginationConfig={"PageSize": 90}, **request)
        return [each["AlarmName"] for page in pages for each in page["MetricAlarms"] if each["AlarmName"] != "original"]

    assert alarms() == [f"copy-{i:04}" for i in range(COPIES)]
    assert alarms(AlarmNamePrefix="copy-01") == [f"copy-01{i:02}" for i in range(100)]
    # The evaluator of alarms finds no values and says so in time; states asked for are those that it left.
    by_state = {state: set(alarms(StateValue=state)) for state in ("OK", "ALARM", "INSUFFICIENT_DATA")}
    assert sum(len(names) for names in by_state.values()) == COPIES
    token = cloudwatch.describe_alarms(MaxRecords=10)["NextToken"]
    with pytest.raises(ClientError, match="NextToken is not one of this operation"):
        cloudwatch.describe_alarms(AlarmNamePrefix="copy", NextToken=token)
