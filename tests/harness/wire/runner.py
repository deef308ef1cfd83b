"""A case from first to last step, under one configuration of tests/wire/configs."""

from __future__ import annotations

import json
import pathlib
import random
import time
import uuid
from dataclasses import dataclass, field

from harness.server import ACCOUNT_ID, Server
from harness.signing import Keys
from harness.wire import checks
from harness.wire.connection import Answer, AnswerError, ClosedError, Connection
from harness.wire.expressions import ExpressionError, evaluate, interpolate, to_bytes
from harness.wire.gate import Gate
from harness.wire.requests import Builder, Outgoing
from harness.wire.script import Case, ScriptError, Step

CLOSE_WITHIN_S = 10.0
POLL_PAUSE_S = 0.05


@dataclass(frozen=True)
class Config:
    """One way to run the corpus. `restart_share` of the requests are preceded by an injected restart."""

    name: str
    gate: dict | None = None
    restart_share: float = 0.0
    restart_kill_share: float = 0.5
    seed: int = 1
    skip_tags: frozenset[str] = field(default_factory=frozenset)


def load_config(path: pathlib.Path) -> Config:
    values = json.loads(path.read_text())
    values["skip_tags"] = frozenset(values.get("skip_tags", []))
    return Config(name=path.stem, **{k: v for k, v in values.items() if k != "what"})


class CaseError(AssertionError):
    """A case failed; the text names file, line and what was seen."""


class Runner:
    """Runs cases against one server. The gate, when the configuration has one, lives as long as the runner."""

    def __init__(self, server: Server, config: Config):
        self.server, self.config = server, config
        self.gate: Gate | None = None

    def close(self) -> None:
        if self.gate is not None:
            self.gate.close()

    def address(self) -> tuple[str, int]:
        if self.config.gate is None:
            return self.server.host_port
        if self.gate is None:
            self.gate = Gate(self.server.host_port, seed=self.config.seed, **self.config.gate)
        return self.gate.address

    def run(self, case: Case) -> None:
        _Run(self, case).run()


class _Run:
    def __init__(self, runner: Runner, case: Case):
        self.runner, self.server, self.case = runner, runner.server, case
        self.rng = random.Random(f"{runner.config.seed}/{case.name}")
        host, port = runner.address()
        self.endpoint = f"{host}:{port}"
        self.variables: dict = {
            "unique": "w" + uuid.uuid4().hex[:12], "account": ACCOUNT_ID, "region": self.server.region,
            "endpoint": self.endpoint, "access_key": self.server.access_key_id,
        }
        keys = Keys(self.server.access_key_id, self.server.secret_access_key)
        self.builder = Builder(self.endpoint, keys, self.server.region, self.variables)
        self.connections: dict[str, Connection] = {}
        self.last_on = "main"
        self.pending: Step | None = None  # The request whose answer has not been expected yet.
        self.method = "GET"
        self.answer: Answer | None = None
        self.early: Answer | None = None  # A final answer that came instead of 100 Continue.
        self.early_interim: list[int] = []

    def run(self) -> None:
        try:
            for step in self.case.steps:
                self.step(step)
            if self.pending is not None:
                raise ScriptError("the last request has no expect")
        except (AssertionError, ExpressionError, ScriptError, OSError) as error:
            seen = f"\n  the answer was\n{checks.show(self.answer)}" if self.answer is not None else ""
            text = f"{self.case.path}:{step.line}: {step.kind} {step.words[:200]}\n  {error}{seen}"
            raise CaseError(self.server.describe(text)) from error
        finally:
            for connection in self.connections.values():
                connection.close()

    def step(self, step: Step) -> None:
        if step.kind in ("request", "call"):
            self.maybe_restart()
            self.send(step)
        elif step.kind == "raw":
            if self.pending is None or self.pending.kind != "raw":
                self.maybe_restart()
            self.last_on = step.one("on", "main")
            self.connection(self.last_on).send(to_bytes(evaluate(interpolate(step.words, self.variables), self.variables)))
            self.pending, self.method = step, "GET"
        elif step.kind == "expect":
            self.expect(step)
        elif step.kind == "eventually":
            self.eventually(step)
        elif step.kind == "set":
            name, _, text = step.words.partition("=")
            self.variables[name.strip()] = evaluate(interpolate(text, self.variables), self.variables)
        elif step.kind == "close":
            self.drop_connections()
            self.pending = None
        elif step.kind == "restart":
            self.restart(kill=False)
        elif step.kind == "kill":
            if step.words != "-9":
                raise ScriptError("kill -9")
            self.restart(kill=True)

    # -- connections and restarts -------------------------------------------------------------------------------------

    def connection(self, name: str) -> Connection:
        if name not in self.connections:
            self.connections[name] = Connection(*self.runner.address())
        return self.connections[name]

    def drop(self, name: str) -> None:
        if name in self.connections:
            self.connections.pop(name).close()

    def drop_connections(self) -> None:
        for name in list(self.connections):
            self.drop(name)

    def restart(self, *, kill: bool) -> None:
        self.drop_connections()
        if kill:
            self.server.kill9()
            self.server.start()
        else:
            self.server.restart()

    def maybe_restart(self) -> None:
        if "no-restart" not in self.case.tags and self.rng.random() < self.runner.config.restart_share:
            self.restart(kill=self.rng.random() < self.runner.config.restart_kill_share)

    # -- requests and answers -----------------------------------------------------------------------------------------

    def send(self, step: Step) -> None:
        out: Outgoing = self.builder.build(step)
        self.last_on = step.one("on", "main")
        connection = self.connection(self.last_on)
        self.method, self.pending, self.answer = out.method, step, None
        self.early, self.early_interim = None, []
        if not out.wait_for_continue:
            connection.send(out.head() + out.body)
            return
        connection.send(out.head())
        first = connection.read_interim_or_answer(out.method)
        if first.status == 100:
            self.early_interim = [100]
            connection.send(out.body)
        else:
            self.early = first

    def read(self) -> Answer:
        connection = self.connection(self.last_on)
        if self.early is not None:
            answer, self.early = self.early, None
            # The body was never sent: whether the connection is still in step is for the server to say.
        else:
            answer = connection.read_answer(self.method)
            answer.interim = self.early_interim + answer.interim
        if not answer.keeps_open:
            if not connection.is_closed_within(CLOSE_WITHIN_S):
                raise AnswerError("Connection: close was said, but the connection stays open")
            self.drop(self.last_on)
        return answer

    def expect(self, step: Step) -> None:
        if step.words == "closed":
            self.expect_closed()
            return
        self.answer = self.read()
        self.judge(step.words, step)
        self.pending = None

    def expect_closed(self) -> None:
        try:
            self.answer = self.connection(self.last_on).read_answer(self.method)
        except ClosedError:
            self.drop(self.last_on)
            self.pending = None
            return
        raise AnswerError("the connection was not ended; there is an answer")

    def judge(self, statuses: str, step: Step) -> None:
        if str(self.answer.status) not in statuses.split("|"):
            raise checks.CheckError(f"status {self.answer.status}, expected {statuses}")
        for check in step.checks:
            if check == "closed":
                if self.last_on in self.connections and not self.connections[self.last_on].is_closed_within(CLOSE_WITHIN_S):
                    raise checks.CheckError("the connection stays open")
                self.drop(self.last_on)
            elif check == "open":
                if self.last_on not in self.connections or self.connections[self.last_on].is_closed_within(0.05):
                    raise checks.CheckError("the connection was ended")
            else:
                checks.apply(check, self.answer, self.variables)

    def eventually(self, step: Step) -> None:
        """Repeats the request until all of the expectation holds or the time is over."""
        seconds, statuses = step.words.split(" s ")
        deadline = time.monotonic() + float(seconds)
        asked = self.pending
        if asked is None or asked.kind == "raw":
            raise ScriptError("eventually follows a request or call")
        while True:
            self.answer = self.read()
            try:
                self.judge(statuses, step)
                self.pending = None
                return
            except checks.CheckError as error:
                if time.monotonic() > deadline:
                    raise checks.CheckError(f"not within {seconds} s: {error}") from None
            time.sleep(POLL_PAUSE_S)  # Between two polls; the deadline decides.
            self.send(asked)
