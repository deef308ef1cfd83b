"""The house rules that a program can check: dependency table, lengths, names, header comments, banned words, format."""

import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
CLANG_FORMAT = "clang-format-16"
BANNED_NAMES = {"utils", "util", "common", "helpers", "helper", "misc"}
SOURCES = sorted(
    path for folder in ("src", "cmd") for path in (ROOT / folder).rglob("*") if path.suffix in (".h", ".cc")
)
INCLUDE = re.compile(r'^\s*#include\s+"([a-z_]+)/', re.MULTILINE)


def load(name: str):
    """A module beside this file (pytest's importlib mode puts no test folder on the path)."""
    spec = importlib.util.spec_from_file_location(name, pathlib.Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cpp_text = load("cpp_text")


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


def test_no_function_is_longer_than_the_limit():
    long = [f"{path.relative_to(ROOT)}:{line}: {lines} lines: {head}"
            for path in SOURCES for line, lines, head in cpp_text.function_lengths(path.read_text())
            if lines > FUNCTION_LINES_MAX]
    assert not long, "\n".join(long)


def test_the_measure_of_functions_sees_what_it_should():
    body = "\n".join(["    if (a) { b(); }"] * 80)
    cases = {
        f"int F() {{\n{body}\n}}\n": [82],
        f"namespace a {{\nclass B : public C {{\n  B() : x_{{1}}, y_(2) {{\n{body}\n}}\n}};\n}}\n": [82],
        "int k[] = {\n" + "1,\n" * 90 + "};\n": [],
        f"auto G(int a,\n       int b) -> int {{\n{body}\n}}\n": [83],
        f"template <typename T>\nvoid H() {{\n{body}\n}}\nvoid I() {{}}\n": [83, 1],
        'const char* s = "{";\nvoid J() {\n// {\n}\n': [3],
        "enum class E : int {\n A,\n B };\nstruct S { int F() const { return 1; } };\n": [1],
        "void K() {\n  auto l = [](int a) {\n" + body + "\n};\n}\n": [84],
    }
    for text, expected in cases.items():
        assert [lines for _, lines, _ in cpp_text.function_lengths(text)] == expected, text[:60]


def test_every_header_opens_with_what_it_is():
    bare = []
    for path in SOURCES:
        if path.suffix == ".h":
            lines = [line for line in path.read_text().splitlines() if line.strip() and line.strip() != "#pragma once"]
            if not lines or not lines[0].startswith("//"):
                bare.append(str(path.relative_to(ROOT)))
    assert not bare, "headers without a comment at the top: " + ", ".join(bare)


def test_every_header_is_included_once():
    bare = [str(p.relative_to(ROOT)) for p in SOURCES if p.suffix == ".h" and "#pragma once" not in p.read_text()]
    assert not bare, "headers without #pragma once: " + ", ".join(bare)


def tracked_files() -> list[pathlib.PurePosixPath]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    return [pathlib.PurePosixPath(line) for line in listed.stdout.splitlines()]


def test_nothing_is_called_utils():
    wrong = [str(path) for path in tracked_files()
             if any(part.split(".")[0].lower() in BANNED_NAMES for part in path.parts)]
    assert not wrong, "\n".join(wrong)


def test_the_dependency_table_is_the_same_in_the_documentation():
    """ARCHITECTURE.md shows the table that CMakeLists.txt holds."""
    shown = {}
    for line in (ROOT / "ARCHITECTURE.md").read_text().splitlines():
        found = re.match(r"\| ([a-z]+) \| ([a-z, –]+) \|", line)
        if found and found.group(1) in module_table():
            shown[found.group(1)] = sorted(d for d in found.group(2).replace("–", "").replace(" ", "").split(",") if d)
    assert shown == {module: sorted(deps) for module, deps in module_table().items()}


@pytest.mark.skipif(shutil.which(CLANG_FORMAT) is None, reason=f"{CLANG_FORMAT} is not installed")
def test_sources_are_formatted():
    done = subprocess.run([CLANG_FORMAT, "--dry-run", "-Werror", *map(str, SOURCES)], capture_output=True, text=True)
    wrong = sorted({line.split(":")[0] for line in done.stderr.splitlines() if "clang-format-violations" in line})
    assert done.returncode == 0, "run ./dev fmt:\n" + "\n".join(wrong or [done.stderr[-2000:]])
