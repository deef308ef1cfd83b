"""Writes docs/coverage.md: each promised operation, whether a test got a good answer to it through boto3, and which.

    ./dev test && .venv/bin/python tools/coverage_page.py [--build build/release]

The tests note what was answered in build/<preset>/operations_seen.json. tests/test_coverage_page.py fails when the
committed page does not fit what a whole run of the tests saw.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "coverage.md"

# What this version promises, by botocore's service name. Other operations are listed only once a test has shown them.
PROMISED: dict[str, tuple[str, list[str]]] = {
    "s3": ("Amazon S3", [
        "CreateBucket", "HeadBucket", "ListBuckets", "DeleteBucket", "GetBucketLocation", "PutObject", "GetObject",
        "HeadObject", "DeleteObject", "CopyObject", "DeleteObjects", "ListObjects", "ListObjectsV2",
        "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload", "AbortMultipartUpload",
        "ListParts", "ListMultipartUploads"]),
    "sagemaker": ("SageMaker", [
        "CreateTrainingJob", "DescribeTrainingJob", "StopTrainingJob", "DeleteTrainingJob", "ListTrainingJobs",
        "CreateHyperParameterTuningJob", "DescribeHyperParameterTuningJob", "StopHyperParameterTuningJob",
        "DeleteHyperParameterTuningJob", "ListHyperParameterTuningJobs", "ListTrainingJobsForHyperParameterTuningJob",
        "CreateTransformJob", "DescribeTransformJob", "StopTransformJob", "ListTransformJobs",
        "CreateModelPackageGroup", "DescribeModelPackageGroup", "ListModelPackageGroups", "DeleteModelPackageGroup",
        "CreateModelPackage", "DescribeModelPackage", "UpdateModelPackage", "ListModelPackages", "DeleteModelPackage",
        "BatchDescribeModelPackage", "CreateModelCard", "DescribeModelCard", "UpdateModelCard", "ListModelCards",
        "ListModelCardVersions", "DeleteModelCard", "CreateModel", "DescribeModel", "DeleteModel", "ListModels", "CreateEndpointConfig", "DescribeEndpointConfig", "DeleteEndpointConfig",
        "ListEndpointConfigs", "CreateEndpoint", "DescribeEndpoint", "DeleteEndpoint", "ListEndpoints", "UpdateEndpoint",
        "UpdateEndpointWeightsAndCapacities", "AddTags", "ListTags", "DeleteTags", "DescribeNotebookInstance"]),
    "sagemaker-runtime": ("SageMaker Runtime", ["InvokeEndpoint"]),
    "sts": ("STS", ["GetCallerIdentity"]),
    "iam": ("IAM", ["GetRole"]),
    "logs": ("CloudWatch Logs", ["DescribeLogStreams", "GetLogEvents"]),
    "cloudwatch": ("CloudWatch", ["GetMetricStatistics"]),
}

HEAD = """# Coverage

Made by `tools/coverage_page.py` from what the tests saw; do not edit. An operation *works* when a test got a good answer
to it through boto3 whose members all fit the published model; the named test is one of those. Any other operation of these
services is refused with `UnknownOperationException` (S3: `NotImplemented`), which tests/wire/routing shows.
"""

Seen = dict[tuple[str, str], set[str]]


def read_seen(path: pathlib.Path) -> Seen:
    return {(row["service"], row["operation"]): {plain_name(t) for t in row["tests"]} for row in json.loads(path.read_text())}


def plain_name(test: str) -> str:
    """A test's name without its parameters."""
    return test.split("[", 1)[0]


def chosen_test(operation: str, tests: set[str]) -> str:
    """The test that a reader would look for: one that is named after the operation, else the first by name."""
    words = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower().split("_")
    return min(tests, key=lambda test: (-sum(word.rstrip("s") in test.split("::")[-1] for word in words), test))


def render(seen: Seen) -> str:
    text = HEAD
    for service, (title, promised) in PROMISED.items():
        shown = [operation for s, operation in seen if s == service and operation not in promised]
        text += f"\n## {title}\n| operation | state | shown by |\n|---|---|---|\n"
        for operation in [*promised, *sorted(shown)]:
            tests = seen.get((service, operation))
            text += f"| {operation} | works | {chosen_test(operation, tests)} |\n" if tests else \
                f"| {operation} | not yet | |\n"
    return text


def read_page(text: str) -> dict[tuple[str, str], str | None]:
    """(service, operation) to the named test, None for `not yet`."""
    services = {title: service for service, (title, _) in PROMISED.items()}
    rows, service = {}, ""
    for line in text.splitlines():
        if line.startswith("## "):
            service = services[line[3:]]
        elif found := re.fullmatch(r"\| (\w+) \| (works|not yet) \| (\S*) ?\|", line):
            rows[service, found.group(1)] = found.group(3) or None
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    seen_path = parser.parse_args().build / "operations_seen.json"
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(read_seen(seen_path)))
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
