"""The wire corpus: every *.wire case under every configuration. README.md describes the format."""

from __future__ import annotations

import pathlib

import pytest
from harness.server import Server
from harness.wire import script
from harness.wire.runner import Runner, load_config

HERE = pathlib.Path(__file__).resolve().parent
CONFIGS = {path.stem: load_config(path) for path in sorted((HERE / "configs").glob("*.json"))}


def _load():
    """Cases, and for each unreadable file its error, so that one bad file fails one test and not the collection."""
    cases, broken = [], []
    for path in sorted(HERE.rglob("*.wire")):
        try:
            cases += script.parse(path)
        except script.ScriptError as error:
            broken.append(str(error))
    return cases, broken


CASES, BROKEN = _load()
RUNS = [
    pytest.param(config_name, case, id=f"{config_name}:{case.name}")
    for config_name in ("plain", "chaos", "restart", *sorted(set(CONFIGS) - {"plain", "chaos", "restart"}))
    for case in CASES
    if not case.tags & CONFIGS[config_name].skip_tags
]


@pytest.fixture(scope="module")
def runners(tmp_path_factory):
    """One server and one runner per configuration, started when the first case needs it."""
    made: dict[str, Runner] = {}

    def runner(name: str) -> Runner:
        if name not in made:
            made[name] = Runner(Server(tmp_path_factory.mktemp(f"wire-{name}") / "data"), CONFIGS[name])
        if not made[name].server.running:
            made[name].server.abandon()
            made[name].server.start()
        return made[name]

    yield runner
    for each in made.values():
        each.close()
        if each.server.running:
            each.server.stop()
        else:
            each.server.abandon()  # The case during which it died has failed already.


@pytest.mark.parametrize("config_name, case", RUNS)
def test_wire(runners, config_name, case):
    runner = runners(config_name)
    runner.run(case)
    runner.server.check_alive()


def test_every_file_is_readable_and_names_are_unique():
    assert not BROKEN, "\n".join(BROKEN)
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)), sorted({n for n in names if names.count(n) > 1})
