"""An answer against the output shape that the published service model gives for its operation.

botocore drops members that it does not know and forgives missing ones, so the check reads the body itself: every
member must be known, every required member present, types and enums as published, no nulls. Works on JSON bodies
(json, rest-json) and XML bodies (rest-xml, query). Streaming and event-stream bodies are not looked into.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

# Members that the real service sends although the model at hand does not list them, with the reason.
KNOWN_EXTRAS: set[tuple[str, str]] = set()


def problems(operation: OperationModel, status_code: int, headers: dict[str, str], body: bytes) -> list[str]:
    """What is wrong with a successful answer; empty when nothing is."""
    shape = operation.output_shape
    found: list[str] = []
    protocol = operation.service_model.protocol
    if shape is None:
        return found
    found += _header_problems(shape, headers)
    if operation.has_streaming_output or operation.has_event_stream_output:
        return found
    if protocol in ("json", "rest-json") or operation.service_model.service_name == "cloudwatch":
        found += _json_body_problems(shape, body)
    elif protocol == "query":
        found += _query_body_problems(operation, body)
    elif protocol == "rest-xml":
        found += _rest_xml_body_problems(operation, body)
    return found


def error_problems(operation: OperationModel, status_code: int, headers: dict[str, str], body: bytes) -> list[str]:
    """What is wrong with an error answer: the code must be where botocore reads it, and there must be a message."""
    protocol = operation.service_model.protocol
    if operation.http.get("method") == "HEAD":
        return ["a HEAD error has a body"] if body else []
    if status_code == 304:
        return ["304 has a body"] if body else []
    if protocol == "json":
        try:
            document = json.loads(body)
        except ValueError:
            return [f"the error body is not JSON: {body[:200]!r}"]
        found = [] if document.get("__type") else ["the error body has no __type"]
        if not (document.get("message") or document.get("Message")):
            found.append("the error body has no message")
        return found
    if protocol == "rest-xml" and not (b"<Code>" in body and b"<Message>" in body and b"<RequestId>" in body):
        return [f"the error body lacks Code, Message or RequestId: {body[:300]!r}"]
    return []


def _location(shape: Shape) -> str | None:
    return shape.serialization.get("location")


def _header_problems(shape: StructureShape, headers: dict[str, str]) -> list[str]:
    lowered = {name.lower(): value for name, value in headers.items()}
    found = []
    for name, member in shape.members.items():
        if _location(member) != "header":
            continue
        wire_name = member.serialization.get("name", name).lower()
        value = lowered.get(wire_name)
        if value is None:
            if name in shape.required_members:
                found.append(f"required header {wire_name} is missing")
        elif getattr(member, "enum", None) and value not in member.enum:
            found.append(f"header {wire_name}: {value!r} is not one of {member.enum}")
    return found


def _body_members(shape: StructureShape) -> dict[str, Shape]:
    return {name: member for name, member in shape.members.items() if _location(member) is None}


def _json_body_problems(shape: StructureShape, body: bytes) -> list[str]:
    payload = shape.serialization.get("payload")
    if payload is not None:
        return []
    members = _body_members(shape)
    if not body:
        return [] if not any(m in shape.required_members for m in members) else ["the body is empty"]
    try:
        document = json.loads(body)
    except ValueError as error:
        return [f"the body is not JSON ({error}): {body[:200]!r}"]
    found: list[str] = []
    _check_json(shape, document, "$", found)
    return found


def _check_json(shape: Shape, value, path: str, found: list[str]) -> None:
    if value is None:
        found.append(f"{path}: null (absent members are left out)")
        return
    if isinstance(shape, StructureShape):
        if not isinstance(value, dict):
            found.append(f"{path}: not an object but {value!r}")
            return
        members = {m.serialization.get("name", n): m for n, m in shape.members.items()}
        for name, item in value.items():
            if name in members:
                _check_json(members[name], item, f"{path}.{name}", found)
            elif (shape.name, name) not in KNOWN_EXTRAS:
                found.append(f"{path}.{name}: {shape.name} has no such member")
        for name in shape.required_members:
            wire_name = shape.members[name].serialization.get("name", name)
            if wire_name not in value and _location(shape.members[name]) is None:
                found.append(f"{path}.{wire_name}: required, but missing")
    elif isinstance(shape, ListShape):
        if not isinstance(value, list):
            found.append(f"{path}: not a list but {value!r}")
            return
        for index, item in enumerate(value):
            _check_json(shape.member, item, f"{path}[{index}]", found)
    elif isinstance(shape, MapShape):
        if not isinstance(value, dict):
            found.append(f"{path}: not a map but {value!r}")
            return
        for name, item in value.items():
            _check_json(shape.value, item, f"{path}[{name!r}]", found)
    else:
        _check_json_scalar(shape, value, path, found)


def _check_json_scalar(shape: Shape, value, path: str, found: list[str]) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    fits = {
        "string": isinstance(value, str), "character": isinstance(value, str), "blob": isinstance(value, str),
        "boolean": isinstance(value, bool), "integer": number and float(value).is_integer(),
        "long": number and float(value).is_integer(), "float": number, "double": number, "timestamp": number,
    }
    if not fits.get(shape.type_name, True):
        found.append(f"{path}: {value!r} is not a {shape.type_name}")
    elif shape.type_name == "string" and getattr(shape, "enum", None) and value not in shape.enum:
        found.append(f"{path}: {value!r} is not one of the published values of {shape.name}")


def _without_namespace(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def _parse_xml(body: bytes, found: list[str]) -> ElementTree.Element | None:
    try:
        return ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        found.append(f"the body is not XML ({error}): {body[:200]!r}")
        return None


def _query_body_problems(operation: OperationModel, body: bytes) -> list[str]:
    found: list[str] = []
    root = _parse_xml(body, found)
    if root is None:
        return found
    wrapper = operation.output_shape.serialization.get("resultWrapper")
    result = next((child for child in root if _without_namespace(child.tag) == wrapper), None)
    if result is None:
        return [f"the body has no {wrapper}"]
    _check_xml(operation.output_shape, result, wrapper, found)
    if not any(_without_namespace(child.tag) == "ResponseMetadata" for child in root):
        found.append("the body has no ResponseMetadata")
    return found


def _rest_xml_body_problems(operation: OperationModel, body: bytes) -> list[str]:
    shape = operation.output_shape
    payload = shape.serialization.get("payload")
    target = shape.members[payload] if payload else shape
    if isinstance(target, StructureShape):
        if not _body_members(target) and not payload:
            return []
    else:
        return []
    if not body:
        return [] if not target.required_members else ["the body is empty"]
    found: list[str] = []
    root = _parse_xml(body, found)
    if root is None:
        return found
    if operation.name == "GetBucketLocation":  # The only operation whose root is itself the member.
        return [] if _without_namespace(root.tag) == "LocationConstraint" else [f"root is {root.tag}"]
    _check_xml(target, root, _without_namespace(root.tag), found)
    return found


def _check_xml(shape: Shape, node: ElementTree.Element, path: str, found: list[str]) -> None:
    if isinstance(shape, StructureShape):
        _check_xml_structure(shape, node, path, found)
    elif isinstance(shape, ListShape):
        item_name = shape.member.serialization.get("name", "member")
        for index, child in enumerate(node):
            if _without_namespace(child.tag) != item_name:
                found.append(f"{path}: element {_without_namespace(child.tag)} where {item_name} belongs")
            else:
                _check_xml(shape.member, child, f"{path}/{item_name}[{index + 1}]", found)
    elif not isinstance(shape, MapShape):
        if len(node):
            found.append(f"{path}: has elements where a {shape.type_name} belongs")
        elif getattr(shape, "enum", None) and (node.text or "") not in shape.enum:
            found.append(f"{path}: {node.text!r} is not one of the published values of {shape.name}")


def _check_xml_structure(shape: StructureShape, node: ElementTree.Element, path: str, found: list[str]) -> None:
    members: dict[str, Shape] = {}
    required = set()
    for name, member in _body_members(shape).items():
        flattened = isinstance(member, ListShape) and member.serialization.get("flattened")
        wire_name = member.serialization.get("name", name)
        if flattened:
            wire_name = member.serialization.get("name") or member.member.serialization.get("name", name)
        members[wire_name] = member.member if flattened else member
        if name in shape.required_members:
            required.add(wire_name)
    seen = set()
    for child in node:
        name = _without_namespace(child.tag)
        seen.add(name)
        if name in members:
            _check_xml(members[name], child, f"{path}/{name}", found)
        else:
            found.append(f"{path}/{name}: {shape.name} has no such member")
    for name in sorted(required - seen):
        found.append(f"{path}/{name}: required, but missing")
