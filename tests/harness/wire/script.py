"""*.wire files to cases. The format is described in tests/wire/README.md."""

from __future__ import annotations

import pathlib
import re
from dataclasses import dataclass, field


class ScriptError(ValueError):
    """A *.wire file breaks the format; the text names file and line."""


REQUEST_ATTRIBUTES = {
    "as", "service", "region", "header", "body", "form", "sign", "expires", "at", "payload", "chunk", "trailer", "transfer",
    "expect-continue", "tamper", "on",
}
SIMPLE_STEPS = {"restart": 0, "kill": 1, "close": 0}


@dataclass
class Step:
    """`kind` is request, call, raw, expect, set, restart, kill or close; `words` what follows on the line."""

    kind: str
    line: int
    words: str = ""
    attributes: list[tuple[str, str]] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]

    def one(self, name: str, default: str | None = None) -> str | None:
        values = self.all(name)
        return values[-1] if values else default


@dataclass
class Case:
    name: str
    tags: frozenset[str]
    path: pathlib.Path
    line: int
    steps: list[Step] = field(default_factory=list)


NAME_LINE = re.compile(r"#\s*name:\s*(\S+)(?:\s+tags:\s*\[([^\]]*)\])?\s*$")
ATTRIBUTE = re.compile(r"([a-z-]+)(?::\s?|\s+)(.*)", re.DOTALL)


def split_outside_quotes(text: str) -> list[str]:
    """Parts separated by two or more blanks; blanks inside "..." don't separate."""
    parts, current, quoted, i = [], "", False, 0
    while i < len(text):
        char = text[i]
        if char == "\\" and quoted:
            current += text[i : i + 2]
            i += 2
            continue
        if char == '"':
            quoted = not quoted
        if not quoted and text.startswith("  ", i):
            if current.strip():
                parts.append(current.strip())
            current = ""
            while i < len(text) and text[i] == " ":
                i += 1
            continue
        current += char
        i += 1
    if current.strip():
        parts.append(current.strip())
    return parts


class _Parser:
    def __init__(self, path: pathlib.Path, text: str):
        self.path, self.lines, self.at = path, text.split("\n"), 0
        self.cases: list[Case] = []

    def fail(self, text: str) -> ScriptError:
        return ScriptError(f"{self.path}:{self.at}: {text}")

    def next_line(self) -> str | None:
        if self.at >= len(self.lines):
            return None
        self.at += 1
        return self.lines[self.at - 1]

    def parse(self) -> list[Case]:
        while (line := self.next_line()) is not None:
            if not line.strip() or line.startswith("#"):
                self.comment(line)
            elif line.startswith(" "):
                self.continuation(line.strip())
            else:
                self.step(line.rstrip())
        for case in self.cases:
            if not any(step.kind == "expect" for step in case.steps):
                raise ScriptError(f"{case.path}:{case.line}: case {case.name} expects nothing")
        return self.cases

    def comment(self, line: str) -> None:
        found = NAME_LINE.match(line)
        if found:
            tags = frozenset(tag.strip() for tag in (found.group(2) or "").split(",") if tag.strip())
            self.cases.append(Case(found.group(1), tags, self.path, self.at))
        elif re.match(r"#\s*name:", line):
            raise self.fail("a name line reads: # name: a/b/c  tags: [x, y]")

    def step(self, line: str) -> None:
        if not self.cases:
            raise self.fail("steps come after a name line: # name: a/b/c  tags: [x, y]")
        kind, _, rest = line.partition(" ")
        rest = rest.strip()
        step = Step(kind, self.at)
        if kind == "request":
            parts = split_outside_quotes(rest)
            step.words = parts[0]
            if not re.fullmatch(r"[A-Z]+ (?:\$\{[^{}]*\}|[^ ${]|[${](?!\{))+", step.words):
                raise self.fail("request METHOD TARGET, then attributes after two blanks")
            for part in parts[1:]:
                self.attribute(step, part)
        elif kind == "call":
            step.words = self.balanced(rest)
        elif kind in ("raw", "set"):
            step.words = rest
        elif kind in ("expect", "eventually"):
            self.expectation(step, rest)
        elif kind in SIMPLE_STEPS:
            step.words = rest
        else:
            raise self.fail(f"no step called {kind!r}")
        self.cases[-1].steps.append(step)

    def balanced(self, text: str) -> str:
        """A JSON document may run over several lines: read on until its brackets close."""
        while _depth(text) > 0:
            line = self.next_line()
            if line is None:
                raise self.fail("the JSON document does not end")
            text += "\n" + line
        return text

    def expectation(self, step: Step, rest: str) -> None:
        found = re.match(r"(\d{3}(?:\|\d{3})*|closed)\s*(.*)$", rest)
        if step.kind == "eventually":
            found = re.match(r"(\d+ s \d{3}(?:\|\d{3})*)\s*(.*)$", rest)
        if not found:
            raise self.fail("expect STATUS [check], expect closed, or eventually N s STATUS [check]")
        step.words = found.group(1)
        step.checks += split_outside_quotes(found.group(2))

    def continuation(self, text: str) -> None:
        steps = self.cases[-1].steps if self.cases else []
        if not steps:
            raise self.fail("an indented line belongs to a step")
        if steps[-1].kind in ("expect", "eventually"):
            steps[-1].checks.append(self.balanced(text) if text.startswith("json ") else text)
        elif steps[-1].kind in ("request", "call", "raw"):
            self.attribute(steps[-1], text)
        else:
            raise self.fail(f"a {steps[-1].kind} step takes no indented lines")

    def attribute(self, step: Step, text: str) -> None:
        if text == "expect-continue":
            step.attributes.append((text, ""))
            return
        found = ATTRIBUTE.fullmatch(text)
        if not found or found.group(1) not in REQUEST_ATTRIBUTES:
            raise self.fail(f"no attribute {text!r} (known: {', '.join(sorted(REQUEST_ATTRIBUTES))})")
        name, value = found.groups()
        if value.strip() == "<<<":
            value = "<<<" + self.block()
        step.attributes.append((name, value))

    def block(self) -> str:
        """The lines up to a lone >>>, without the indentation of the first, joined by newlines."""
        kept: list[str] = []
        while (line := self.next_line()) is not None:
            if line.strip() == ">>>":
                indent = len(kept[0]) - len(kept[0].lstrip()) if kept else 0
                return "\n".join(text[indent:] for text in kept)
            kept.append(line)
        raise self.fail("<<< without >>>")


def _depth(text: str) -> int:
    """Open brackets of a JSON document that starts somewhere in `text`, brackets in strings left out."""
    depth, quoted, escaped = 0, False, False
    for char in text:
        if escaped:
            escaped = False
        elif quoted:
            escaped = char == "\\"
            quoted = char != '"'
        elif char == '"':
            quoted = True
        else:
            depth += (char in "{[") - (char in "}]")
    return depth


def parse(path: pathlib.Path, text: str | None = None) -> list[Case]:
    return _Parser(path, path.read_text() if text is None else text).parse()
