"""kill -9 right behind a DeleteLogGroup and a PutRetentionPolicy: what they took from sight stays away, and its storage is
freed by the next server."""

from __future__ import annotations

import sqlite3
import time

from harness.clients import Clients
from harness.polling import poll

EVENTS_PER_CALL = 10_000
DAY = 86_400_000


def test_what_was_deleted_or_has_expired_is_freed_after_a_crash(server_factory):
    server = server_factory()
    logs = Clients(server).logs
    now = int(time.time() * 1000)
    for group, calls, begin in (("deleted", 2, now), ("expired", 1, now - 3 * DAY), ("kept", 1, now)):
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName="s")
        for _ in range(calls):
            logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[
                {"timestamp": begin, "message": f"{group} {i}"} for i in range(EVENTS_PER_CALL)])
    logs.put_retention_policy(logGroupName="expired", retentionInDays=1)
    logs.delete_log_group(logGroupName="deleted")
    server.kill9()
    server.start()
    assert [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]] == ["expired", "kept"]
    assert logs.filter_log_events(logGroupName="expired")["events"] == []

    def stored() -> list[str]:
        with sqlite3.connect(f"file:{server.data_dir / 'espalier.db'}?mode=ro", uri=True, timeout=10) as database:
            return [row[0] for row in database.execute(
                "SELECT DISTINCT substr(message, 1, instr(message, ' ') - 1) FROM log_events")]

    assert poll(lambda: stored() == ["kept"], 60), stored()
    assert len(logs.get_log_events(logGroupName="kept", logStreamName="s")["events"]) == EVENTS_PER_CALL
    (stream,) = logs.describe_log_streams(logGroupName="expired")["logStreams"]
    assert "firstEventTimestamp" not in stream and stream["lastEventTimestamp"] == now - 3 * DAY
