"""An answer against the checks of an expect step. Each check is one line of the grammar in tests/wire/README.md."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree

from harness.wire.connection import Answer
from harness.wire.expressions import evaluate, interpolate, to_bytes, value_of
from harness.wire.script import ScriptError

SHOWN_BYTES_MAX = 1500


class CheckError(AssertionError):
    """An answer is not as the script expects it."""


def apply(check: str, answer: Answer, variables: dict) -> None:
    """Raises CheckError when the check does not hold. `save` checks write into `variables`."""
    word, _, rest = check.partition(" ")
    if word == "header":
        _header(rest, answer, variables)
    elif word == "body":
        _body(rest, answer, variables)
    elif word == "xml":
        path, operator = _path_and_operator(rest)
        _compare(check, operator, _xml_values(answer.body, interpolate(path, variables)), variables, as_json=False)
    elif word == "json":
        path, operator = _path_and_operator(rest)
        _compare(check, operator, _json_values(answer.body, interpolate(path, variables)), variables, as_json=True)
    elif word == "error":
        _error(rest, answer, variables)
    elif word == "interim":
        wanted = [] if rest.strip() == "none" else [int(rest)]
        _hold(answer.interim == wanted, f"interim answers {answer.interim}, expected {wanted}")
    elif word == "save":
        name, _, source = rest.partition("=")
        variables[name.strip()] = _source(source.strip(), answer, variables)
    else:
        raise ScriptError(f"no check {check!r}")


def show(answer: Answer) -> str:
    head = "\n".join(f"    {name}: {value}" for name, value in answer.headers)
    return f"  {answer.status}\n{head}\n    {answer.body[:SHOWN_BYTES_MAX]!r} ({len(answer.body)} bytes)"


def _hold(condition: bool, text: str) -> None:
    if not condition:
        raise CheckError(text)


def _path_and_operator(rest: str) -> tuple[str, str]:
    path, _, operator = rest.strip().partition(" ")
    if not path.startswith("/"):
        raise ScriptError(f"a path starts with /: {rest!r}")
    return path, operator.strip()


def _header(rest: str, answer: Answer, variables: dict) -> None:
    name, _, operator = rest.strip().partition(" ")
    value = answer.header(name)
    _compare(f"header {rest}", operator.strip(), [] if value is None else [value], variables, as_json=False)


def _body(rest: str, answer: Answer, variables: dict) -> None:
    operator, _, operand = rest.strip().partition(" ")
    if operator == "empty":
        _hold(not answer.body, "the body is not empty")
    elif operator == "length":
        wanted = int(interpolate(operand, variables))
        _hold(len(answer.body) == wanted, f"the body has {len(answer.body)} bytes, expected {wanted}")
    elif operator == "=":
        wanted = to_bytes(evaluate(interpolate(operand, variables), variables))
        _hold(answer.body == wanted, f"the body differs: expected {wanted[:300]!r} ({len(wanted)} bytes)")
    elif operator == "contains":
        wanted = to_bytes(evaluate(interpolate(operand, variables), variables))
        _hold(wanted in answer.body, f"the body does not contain {wanted!r}")
    elif operator == "=~":
        pattern = value_of(operand, variables)
        _hold(re.search(pattern, answer.body.decode("utf-8", "replace")) is not None, f"the body does not match {pattern!r}")
    else:
        raise ScriptError(f"body empty | length N | = EXPR | contains EXPR | =~ REGEX, not {rest!r}")


def _compare(check: str, operator_and_operand: str, found: list, variables: dict, *, as_json: bool) -> None:
    """The operators that headers, XML and JSON values share. `found` holds every value at the place."""
    operator, _, operand = operator_and_operand.partition(" ")
    if operator == "absent":
        _hold(not found, f"{check}: found {found!r}")
        return
    if operator == "count":
        _hold(len(found) == int(operand), f"{check}: found {len(found)}: {found!r}")
        return
    if operator == "all":
        wanted = json.loads(interpolate(operand, variables))
        _hold(found == wanted, f"{check}: found {found!r}")
        return
    _hold(bool(found), f"{check}: there is nothing at this place")
    value = found[0]
    if operator in ("=", "!="):
        wanted = _operand(operand, variables, as_json)
        _hold((value == wanted) == (operator == "="), f"{check}: found {value!r}")
    elif operator in ("=~", "!~"):
        text = value if isinstance(value, str) else json.dumps(value)
        matches = re.fullmatch(value_of(operand, variables), text, re.DOTALL) is not None
        _hold(matches == (operator == "=~"), f"{check}: found {value!r}")
    elif operator in ("<", "<=", ">", ">="):
        number, wanted = float(value), float(interpolate(operand, variables))
        holds = {"<": number < wanted, "<=": number <= wanted, ">": number > wanted, ">=": number >= wanted}[operator]
        _hold(holds, f"{check}: found {value!r}")
    elif operator == "length":
        _hold(len(value) == int(operand), f"{check}: found {len(value)}: {value!r}")
    elif operator != "present":
        raise ScriptError(f"no operator {operator!r} in {check!r}")


def _operand(text: str, variables: dict, as_json: bool):
    text = interpolate(text.strip(), variables)
    if not as_json:
        return value_of(text, {})
    try:
        return json.loads(text)
    except ValueError:
        return text


def _json_values(body: bytes, path: str) -> list:
    """Every value at /A/0/B, where * stands for every element or member."""
    try:
        values = [json.loads(body)]
    except ValueError:
        raise CheckError(f"the body is not JSON: {body[:300]!r}") from None
    for part in [p.replace("~1", "/") for p in path.split("/")[1:] if p]:
        found = []
        for value in values:
            if part == "*" and isinstance(value, (list, dict)):
                found += value if isinstance(value, list) else value.values()
            elif isinstance(value, list) and re.fullmatch(r"-?\d+", part):
                found += [value[int(part)]] if -len(value) <= int(part) < len(value) else []
            elif isinstance(value, dict) and part in value:
                found.append(value[part])
        values = found
    return values


def _xml_values(body: bytes, path: str) -> list[str]:
    """The text of every element at /Root/Child[2]/Leaf, namespaces left out; /@xmlns at the end is the namespace."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise CheckError(f"the body is not XML ({error}): {body[:300]!r}") from None
    holder = ElementTree.Element("holder")
    holder.append(root)
    nodes = [holder]
    for part in path.split("/")[1:]:
        if part == "@xmlns":
            return [node.tag[1:].split("}")[0] if node.tag.startswith("{") else "" for node in nodes]
        name, _, index = part.rstrip("]").partition("[")
        step = []
        for node in nodes:
            children = [c for c in node if name == "*" or c.tag.rsplit("}", 1)[-1] == name]
            step += children[int(index) - 1 : int(index)] if index else children
        nodes = step
    return [node.text or "" for node in nodes]


def _error(rest: str, answer: Answer, variables: dict) -> None:
    """error CODE [MESSAGE]: in whichever form the service gives it."""
    code, _, message = rest.strip().partition(" ")
    found_code, found_message = read_error(answer)
    code = interpolate(code, variables)
    _hold(found_code == code, f"error code {found_code!r}, expected {code!r}; message {found_message!r}")
    message = message.strip()
    if message.startswith("=~"):
        pattern = value_of(message[2:], variables)
        _hold(re.fullmatch(pattern, found_message, re.DOTALL) is not None, f"error message {found_message!r}")
    elif message:
        wanted = value_of(message, variables)
        _hold(found_message == wanted, f"error message {found_message!r}, expected {wanted!r}")


def read_error(answer: Answer) -> tuple[str, str]:
    """Code and message of an error answer in JSON, S3's XML or query XML."""
    if answer.body.lstrip().startswith(b"{"):
        document = json.loads(answer.body)
        code = (document.get("__type") or answer.header("x-amzn-errortype") or "").rsplit("#", 1)[-1].split(":")[0]
        return code, document.get("message") or document.get("Message") or ""
    for prefix in ("/Error", "/ErrorResponse/Error"):
        if codes := _xml_values(answer.body, prefix + "/Code"):
            return codes[0], (_xml_values(answer.body, prefix + "/Message") or [""])[0]
    raise CheckError(f"not an error body: {answer.body[:300]!r}")


def _source(source: str, answer: Answer, variables: dict):
    word, _, rest = source.partition(" ")
    if word == "body":
        return answer.body
    if word == "header":
        found = answer.header(rest.strip())
        found = [] if found is None else [found]
    elif word in ("xml", "json"):
        path = interpolate(rest.strip(), variables)
        found = _xml_values(answer.body, path) if word == "xml" else _json_values(answer.body, path)
    else:
        raise ScriptError(f"save NAME = header X | xml PATH | json PATH | body, not {source!r}")
    _hold(bool(found), f"save from {source}: there is nothing at this place")
    return found[0]
