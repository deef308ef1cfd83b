"""Reads botocore's models of SageMaker, CloudWatch and Application Auto Scaling and writes the part the server needs as C++.

usage: generate_service_model.py --python-root .venv --output FILE.cc

The server validates requests against the published contract, not against memory: the shapes reachable from the inputs of
the operations below, with their patterns, enums, lengths and required members, become one JSON text a service embedded in
the binary, together with the names of all its operations. RE2 (linear time, no look-around) matches the patterns,
so the few constructs it lacks are rewritten here into "must match A and must not match B".
"""

import argparse
import gzip
import json
import pathlib
import re
import sys

MODEL = "botocore/data/sagemaker/2017-07-24/service-2.json.gz"
CLOUDWATCH_MODEL = "botocore/data/cloudwatch/2010-08-01/service-2.json.gz"
SCALING_MODEL = "botocore/data/application-autoscaling/2016-02-06/service-2.json.gz"
OPERATIONS = [
    "AddAssociation",
    "AddTags",
    "BatchDescribeModelPackage",
    "CreateAction",
    "CreateArtifact",
    "CreateContext",
    "CreateEndpoint",
    "CreateEndpointConfig",
    "CreateHyperParameterTuningJob",
    "CreateModel",
    "CreateModelCard",
    "CreateModelPackage",
    "CreateModelPackageGroup",
    "CreateTrainingJob",
    "CreateTransformJob",
    "DeleteAction",
    "DeleteArtifact",
    "DeleteAssociation",
    "DeleteContext",
    "DeleteEndpoint",
    "DeleteEndpointConfig",
    "DeleteHyperParameterTuningJob",
    "DeleteModel",
    "DeleteModelCard",
    "DeleteModelPackage",
    "DeleteModelPackageGroup",
    "DeleteTags",
    "DeleteTrainingJob",
    "DescribeAction",
    "DescribeArtifact",
    "DescribeContext",
    "DescribeEndpoint",
    "DescribeEndpointConfig",
    "DescribeHyperParameterTuningJob",
    "DescribeModel",
    "DescribeModelCard",
    "DescribeModelPackage",
    "DescribeModelPackageGroup",
    "DescribeNotebookInstance",
    "DescribeTrainingJob",
    "DescribeTransformJob",
    "DescribeTrialComponent",
    "GetSearchSuggestions",
    "ListActions",
    "ListArtifacts",
    "ListAssociations",
    "ListContexts",
    "ListEndpointConfigs",
    "ListEndpoints",
    "ListHyperParameterTuningJobs",
    "ListModelCardVersions",
    "ListModelCards",
    "ListModelPackageGroups",
    "ListModelPackages",
    "ListModels",
    "ListTags",
    "ListTrainingJobs",
    "ListTrainingJobsForHyperParameterTuningJob",
    "ListTransformJobs",
    "QueryLineage",
    "Search",
    "StopHyperParameterTuningJob",
    "StopTrainingJob",
    "StopTransformJob",
    "UpdateAction",
    "UpdateArtifact",
    "UpdateContext",
    "UpdateEndpoint",
    "UpdateEndpointWeightsAndCapacities",
    "UpdateModelCard",
    "UpdateModelPackage",
    "UpdateTrainingJob",
]
CLOUDWATCH_OPERATIONS = [
    "DeleteAlarms",
    "DescribeAlarmHistory",
    "DescribeAlarms",
    "DescribeAlarmsForMetric",
    "GetMetricData",
    "GetMetricStatistics",
    "ListMetrics",
    "PutMetricAlarm",
    "PutMetricData",
    "SetAlarmState",
]
SCALING_OPERATIONS = [
    "DeleteScalingPolicy",
    "DeregisterScalableTarget",
    "DescribeScalableTargets",
    "DescribeScalingActivities",
    "DescribeScalingPolicies",
    "PutScalingPolicy",
    "RegisterScalableTarget",
]
# C++ constant: (model, operations whose shapes are needed).
TABLES = {
    "kServiceModelJson": (MODEL, OPERATIONS),
    "kCloudWatchModelJson": (CLOUDWATCH_MODEL, CLOUDWATCH_OPERATIONS),
    "kScalingModelJson": (SCALING_MODEL, SCALING_OPERATIONS),
}
# The InstanceType enums grow with every release of botocore; any machine name is fine here, all run on this machine.
OPEN_ENUM_PREFIX = "ml."
RAW_STRING_PIECE = 12000  # Compilers must take string literals of 65,536 characters; adjacent pieces are joined.


def fail(message: str) -> None:
    sys.exit(f"generate_service_model.py: {message}")


def find_model(root: pathlib.Path, model: str) -> pathlib.Path:
    found = sorted(root.glob(f"lib/python3*/site-packages/{model}"))
    if not found:
        fail(f"no {model} under {root}. Run `./dev setup` first: it makes .venv with the pinned botocore.")
    return found[-1]


def translate_pattern(pattern: str) -> dict:
    """A Java pattern as {"p": original, "m": RE2 that must match whole, "r": RE2 that must not match whole}."""
    text = pattern.replace(r"\p{Alnum}", "[:alnum:]").replace(r"\p{Print}", "[[:print:]]")
    rejected = None
    if text == r"(?!\s*$).+":
        text, rejected = ".+", r"\s*"
    elif text.startswith("/(?!.*\\.\\.)"):
        text, rejected = "/" + text[len("/(?!.*\\.\\.)"):], r"/.*\.\..*"
    elif "(?<!-)" in text:
        before, after = text.split("(?<!-)")
        text, rejected = before + after, ".*-" + after
    # Java writes the characters above 0xFFFF as a pair of surrogates; RE2 reads characters.
    text = text.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\x{10000}-\x{10FFFF}")
    text = re.sub(r"\\u([0-9A-F]{4})", r"\\x{\1}", text)
    # RE2 refuses counts over 1000. The shapes that have them also carry a max, which bounds the whole string.
    text = re.sub(r"\{(\d+),(\d{4,})\}", r"{\1,}", text)
    if re.search(r"\(\?[<!=]", text):
        fail(f"pattern {pattern!r} has a look-around that translate_pattern does not know; teach it this one")
    entry = {"p": pattern}
    if text != pattern:
        entry["m"] = text
    if rejected is not None:
        entry["r"] = rejected
    return entry


def compact_shape(shape: dict) -> dict:
    compact = {"t": shape["type"]}
    for key in ("min", "max"):
        if key in shape:
            compact[key] = shape[key]
    if "pattern" in shape:
        compact["pattern"] = translate_pattern(shape["pattern"])
    if "enum" in shape:
        compact["enum"] = shape["enum"]
        if all(value.startswith(OPEN_ENUM_PREFIX) for value in shape["enum"]):
            compact["open"] = OPEN_ENUM_PREFIX
    if shape["type"] == "structure":
        required = set(shape.get("required", []))
        compact["members"] = [[name, member["shape"], name in required] for name, member in shape["members"].items()]
    for key in ("member", "key", "value"):
        if key in shape:
            compact[key] = shape[key]["shape"]
    return compact


def collect(model: dict, operations: list[str]) -> dict:
    shapes: dict[str, dict] = {}
    inputs = {}
    for operation in operations:
        if operation not in model["operations"]:
            fail(f"the service model has no operation {operation}")
        inputs[operation] = model["operations"][operation]["input"]["shape"]
    pending = sorted(set(inputs.values()))
    while pending:
        name = pending.pop()
        if name in shapes:
            continue
        shapes[name] = compact_shape(model["shapes"][name])
        pending += [member[1] for member in shapes[name].get("members", [])]
        pending += [shapes[name][key] for key in ("member", "key", "value") if key in shapes[name]]
    return {"operations": sorted(model["operations"]), "inputs": inputs, "shapes": dict(sorted(shapes.items()))}


def as_cpp(texts: dict[str, str]) -> str:
    constants = []
    for name, text in texts.items():
        if ")~" in text:
            fail("a model holds the raw-string delimiter; choose another")
        pieces = [text[i:i + RAW_STRING_PIECE] for i in range(0, len(text), RAW_STRING_PIECE)]
        body = "\n".join(f'    R"~({piece})~"' for piece in pieces)
        constants.append(f"const char* const {name} =\n{body};\n")
    return (
        "// Made by tools/generate_service_model.py from botocore. Not for editing.\n"
        '#include "api/sagemaker/service_model.h"\n\n'
        "namespace espalier::api::sagemaker {\n\n" + "\n".join(constants) +
        "\n}  // namespace espalier::api::sagemaker\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python-root", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    texts = {}
    for name, (path, operations) in TABLES.items():
        model = json.loads(gzip.decompress(find_model(arguments.python_root, path).read_bytes()))
        texts[name] = json.dumps(collect(model, operations), separators=(",", ":"), ensure_ascii=True)
    arguments.output.write_text(as_cpp(texts))


if __name__ == "__main__":
    main()
