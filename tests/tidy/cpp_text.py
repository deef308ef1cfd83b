"""C++ source as far as tidy needs it: text without comments and literals, and the lengths of its functions."""

from __future__ import annotations

import re

NOT_CODE = re.compile(
    r'R"([^\s()\\]{0,16})\((?:.|\n)*?\)\1"'      # raw string
    r'|"(?:\\.|[^"\\\n])*"'                      # string
    r"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'"     # character, not a digit separator
    r"|//[^\n]*|/\*(?:.|\n)*?\*/"                # comments
)
# A brace after one of these opens a list of values, not a block.
VALUE_BEFORE_BRACE = re.compile(r"(?:[\w>,(\[={:?]|\breturn|\]\s*=)$")


def blank_out(text: str) -> str:
    """The text with comments and literals replaced by blanks; line numbers stay."""
    return NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found.group(0)), text)


def _matching_brace(code: str, start: int) -> int:
    depth = 0
    for at in range(start, len(code)):
        if code[at] == "{":
            depth += 1
        elif code[at] == "}":
            depth -= 1
            if depth == 0:
                return at
    return len(code) - 1


def _opens_scope(head: str) -> bool:
    """Whether the text before a brace introduces a namespace, type or linkage block: functions may follow inside."""
    head = re.sub(r"^\s*#.*$", "", head, flags=re.MULTILINE)
    head = re.sub(r"\btemplate\s*<[^{};]*>\s*", "", head).strip()
    return re.match(r"(?:inline\s+)?namespace\b|extern\b|(?:class|struct|union|enum)\b(?![^:]*\))", head) is not None


def function_lengths(text: str) -> list[tuple[int, int, str]]:
    """(line, lines from the first of the head to the closing brace, head) of every function, lambdas counted in theirs."""
    code = blank_out(text)
    found, at, head_start = [], 0, 0
    while at < len(code):
        char = code[at]
        if char in ";}":
            head_start = at + 1
        elif char == "{":
            head = code[head_start:at]
            before = code[max(0, at - 12) : at]
            if VALUE_BEFORE_BRACE.search(before) or VALUE_BEFORE_BRACE.search(before.rstrip()) and before.rstrip()[-1] in "=,({":
                at = _matching_brace(code, at)
            elif _opens_scope(head):
                head_start = at + 1
            else:
                end = _matching_brace(code, at)
                if "(" in head:
                    first = head_start + len(head) - len(head.lstrip())
                    lines = code.count("\n", first, end) + 1
                    found.append((code.count("\n", 0, first) + 1, lines, " ".join(head.split())[-90:]))
                at, head_start = end, end + 1
        at += 1
    return found
