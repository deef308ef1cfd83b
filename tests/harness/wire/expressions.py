"""The values of wire scripts: a few literals, variables, + and the functions below. See tests/wire/README.md."""

from __future__ import annotations

import ast
import base64
import gzip
import hashlib
import io
import json
import random
import re
import tarfile
import time
import zlib
from typing import Callable
from urllib.parse import quote


class ExpressionError(ValueError):
    """The text of an expression can't be understood or evaluated."""


def to_bytes(value) -> bytes:
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else to_text(value)).encode()


def to_text(value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return json.dumps(value)


def _reflected_table(polynomial: int, bits: int) -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ polynomial if value & 1 else value >> 1
        table.append(value)
    return table


_CRC32C = _reflected_table(0x82F63B78, 32)
_CRC64NVME = _reflected_table(0x9A6C9329AC4BC9B5, 64)


def _reflected_crc(data: bytes, table: list[int], ones: int) -> int:
    value = ones
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ ones


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _random_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def _tar_gz(*names_and_contents) -> bytes:
    """targz("name", content, "name2", content2, ...): a gzip tar of regular files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in zip(names_and_contents[::2], names_and_contents[1::2]):
            member = tarfile.TarInfo(to_text(name))
            member.size = len(to_bytes(content))
            archive.addfile(member, io.BytesIO(to_bytes(content)))
    return out.getvalue()


FUNCTIONS: dict[str, Callable] = {
    "repeat": lambda text, count: to_bytes(text) * count,
    "random": _random_bytes,
    "hex": lambda data: to_bytes(data).hex(),
    "unhex": lambda text: bytes.fromhex(to_text(text)),
    "base64": lambda data: _base64(to_bytes(data)),
    "unbase64": lambda text: base64.b64decode(to_bytes(text)),
    "url": lambda text: quote(to_bytes(text), safe="-_.~"),
    "gzip": lambda data: gzip.compress(to_bytes(data), mtime=0),
    "targz": _tar_gz,
    "size": lambda data: len(to_bytes(data)),
    "slice": lambda data, start, stop: to_bytes(data)[start:stop],
    "lower": lambda text: to_text(text).lower(),
    "upper": lambda text: to_text(text).upper(),
    "json": lambda value: json.dumps(to_text(value) if isinstance(value, bytes) else value),
    "now": lambda offset_s=0: int(time.time()) + offset_s,
    "http_date": lambda offset_s=0: time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + offset_s)),
    "md5": lambda data: hashlib.md5(to_bytes(data)).digest(),
    "sha1": lambda data: hashlib.sha1(to_bytes(data)).digest(),
    "sha256": lambda data: hashlib.sha256(to_bytes(data)).digest(),
    "crc32": lambda data: zlib.crc32(to_bytes(data)).to_bytes(4, "big"),
    "crc32c": lambda data: _reflected_crc(to_bytes(data), _CRC32C, 0xFFFFFFFF).to_bytes(4, "big"),
    "crc64nvme": lambda data: _reflected_crc(to_bytes(data), _CRC64NVME, (1 << 64) - 1).to_bytes(8, "big"),
}


def _evaluate(node: ast.AST, variables: dict):
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        if node.id not in variables:
            raise ExpressionError(f"no variable {node.id!r} (known: {', '.join(sorted(variables))})")
        return variables[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluate(node.operand, variables)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        left, right = _evaluate(node.left, variables), _evaluate(node.right, variables)
        if isinstance(left, int) and isinstance(right, int):
            return left + right if isinstance(node.op, ast.Add) else left - right
        if isinstance(node.op, ast.Add):
            return to_bytes(left) + to_bytes(right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id not in FUNCTIONS:
            raise ExpressionError(f"no function {node.func.id!r} (known: {', '.join(sorted(FUNCTIONS))})")
        return FUNCTIONS[node.func.id](*[_evaluate(argument, variables) for argument in node.args])
    raise ExpressionError(f"not part of the language: {ast.dump(node)}")


def evaluate(text: str, variables: dict):
    """The value of an expression: str, bytes or int."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise ExpressionError(f"{text!r}: {error.msg}") from None
    try:
        return _evaluate(tree.body, variables)
    except (TypeError, ValueError) as error:
        raise ExpressionError(f"{text!r}: {error}") from None


PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")


def interpolate(text: str, variables: dict) -> str:
    """`text` with each ${expression} replaced by its value."""
    return PLACEHOLDER.sub(lambda found: to_text(evaluate(found.group(1), variables)), text)


def value_of(text: str, variables: dict) -> str:
    """A value in a check: a quoted string with its escapes resolved, else the bare text; ${...} works in both."""
    text = interpolate(text.strip(), variables)
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            return json.loads(text)
        except ValueError:
            raise ExpressionError(f"{text!r} is not a JSON string") from None
    return text
