"""The house rules that a program can check: dependency table, file and function length, banned words."""

import json
import os
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE_LINES_MAX = 800
SOURCES = sorted(
    path for folder in ("src", "cmd") for path in (ROOT / folder).rglob("*") if path.suffix in (".h", ".cc")
)
INCLUDE = re.compile(r'^\s*#include\s+"([a-z_]+)/', re.MULTILINE)


def module_table() -> dict[str, list[str]]:
    build = pathlib.Path(os.environ.get("ESPALIER_BUILD", ROOT / "build/release"))
    return json.loads((build / "modules.json").read_text())


def reachable(table: dict[str, list[str]], module: str) -> set[str]:
    return {module, *table[module]}


def test_the_table_is_closed_and_has_no_cycle():
    table = module_table()
    seen: list[str] = []
    for module, deps in table.items():
        for dep in deps:
            assert dep in seen, f"{module} depends on {dep}, which is not declared before it"
        seen.append(module)


def test_includes_stay_inside_the_dependency_table():
    table = module_table()
    wrong = []
    for path in SOURCES:
        parts = path.relative_to(ROOT).parts
        if parts[0] != "src":
            continue
        for target in INCLUDE.findall(path.read_text()):
            if target in table and target not in reachable(table, parts[1]):
                wrong.append(f"{path.relative_to(ROOT)} includes {target}/, which {parts[1]} may not")
    assert not wrong, "\n".join(wrong)


def test_no_file_is_longer_than_the_limit():
    long = [f"{path.relative_to(ROOT)}: {n}" for path in SOURCES
            if (n := path.read_text().count("\n")) > FILE_LINES_MAX]
    assert not long, "\n".join(long)


def test_no_banned_words():
    banned = re.compile(r"\b(FIXME|XXX|HACK)\b|std::regex|#include <regex>")
    found = [f"{path.relative_to(ROOT)}: {m.group(0)}" for path in SOURCES if (m := banned.search(path.read_text()))]
    assert not found, "\n".join(found)
