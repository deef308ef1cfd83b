"""The wire runner judged by itself, against a small server made of canned answers."""

import pathlib
import socket
import threading

import pytest
from harness.signing import V4, Keys, presign_v2
from harness.wire import script
from harness.wire.checks import CheckError
from harness.wire.runner import CaseError, Config, Runner


class CannedServer:
    """Answers each request (head and Content-Length body) with the next canned answer; keeps what it got."""

    secret_access_key, access_key_id, region = "secret", "AKIDTEST", "us-east-1"

    def __init__(self, *answers: bytes):
        self.answers, self.got = list(answers), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host_port = self.listener.getsockname()[:2]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.converse(client)

    def converse(self, client):
        with client, client.makefile("rb") as stream:
            while self.answers and (line := stream.readline()):
                head, size = [line], 0
                while (line := stream.readline()) not in (b"\r\n", b""):
                    head.append(line)
                    if line.lower().startswith(b"content-length:"):
                        size = int(line.split(b":")[1])
                self.got.append((b"".join(head), stream.read(size)))
                client.sendall(self.answers.pop(0))

    def describe(self, text):
        return text

    def close(self):
        self.listener.close()


def answer(body=b"", status=b"200 OK", head=b""):
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), head, body)


def run(text, *answers, config=Config("plain")):
    server = CannedServer(*answers)
    runner = Runner(server, config)
    try:
        for case in script.parse(pathlib.Path("x.wire"), text):
            runner.run(case)
    finally:
        runner.close()
        server.close()
    return server.got


GET = "# name: a\nrequest GET /b/k  as: anonymous\n"


def test_a_matching_answer_passes_and_variables_travel():
    got = run(GET + 'expect 200  save size = header Content-Length\n  header X-A = 1\n  body = "hello"\n'
              "request PUT /b/k${size}  body: repeat(\"ab\", 2)\nexpect 200\n",
              answer(b"hello", head=b"X-A: 1\r\n"), answer())
    assert got[1][0].startswith(b"PUT /b/k5 HTTP/1.1\r\n") and got[1][1] == b"abab"


@pytest.mark.parametrize("check, body", [
    ('body = "hello"', b"hellO"), ("body empty", b"x"), ("body length 3", b"xx"), ("header X-A present", b""),
    ("header Content-Length = 4", b"abc"), ("xml /A/B = 1", b"<A><B>2</B></A>"), ("xml /A/B absent", b"<A><B/></A>"),
    ("xml /A/B count 2", b"<A><B/></A>"), ("json /a/0/b = 1", b'{"a":[{"b":2}]}'), ('json /a = "1"', b'{"a":1}'),
    ("json /a/*/b all [1, 2]", b'{"a":[{"b":1},{"b":3}]}'), ("json /a > 1", b'{"a":1}'), ("interim 100", b""),
    ("json /a =~ x+", b'{"a":"xxy"}'), ("error NoSuchKey", b"<Error><Code>NoSuchBucket</Code></Error>"),
    ("error A exact", b'{"__type":"A","message":"other"}'),
])
def test_each_check_can_fail(check, body):
    with pytest.raises(CaseError) as failed:
        run(GET + f"expect 200\n  {check}\n", answer(body))
    assert isinstance(failed.value.__cause__, CheckError)


def test_an_open_connection_is_not_closed(monkeypatch):
    monkeypatch.setattr("harness.wire.runner.CLOSE_WITHIN_S", 0.1)
    with pytest.raises(CaseError, match="stays open"):
        run(GET + "expect 200  closed\n", answer(), answer())
    with pytest.raises(CaseError, match="stays open"):
        run(GET + "expect 200\n", answer(head=b"Connection: close\r\n"), answer())


def test_the_wrong_status_fails():
    with pytest.raises(CaseError, match="status 200, expected 404"):
        run(GET + "expect 404\n", answer())


@pytest.mark.parametrize("bad", [
    b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nBad Header: 1\r\nContent-Length: 0\r\n\r\n",
])
def test_answers_are_read_strictly(bad):
    with pytest.raises(CaseError):
        run(GET + "expect 200\n", bad)


def test_bytes_left_after_an_answer_are_found_by_the_next_step():
    with pytest.raises(CaseError, match="status line"):
        run(GET + "expect 200\nrequest GET /b  as: anonymous\nexpect 200\n", answer(b"x") + b"left", answer())


@pytest.mark.parametrize("text, wrong", [
    ("request GET /\n", "after a name line"), ("# name: a\nrequest GET\n", "METHOD TARGET"),
    ("# name: a\nrequest GET /\n  colour: red\nexpect 200\n", "no attribute"), ("# name: a\nfly\n", "no step"),
    ("# name: a\nrequest GET /\n", "expects nothing"), ("# name: a\ncall sagemaker X {\n", "does not end"),
])
def test_the_format_is_checked(text, wrong):
    with pytest.raises(script.ScriptError, match=wrong):
        script.parse(pathlib.Path("x.wire"), text)


def test_the_gate_changes_no_byte():
    body = bytes(range(256)) * 300
    config = Config("chaos", gate={"pause_s_max": 0.001}, seed=3)
    got = run("# name: a\nrequest PUT /k  body: random(60000, 5)\nexpect 200\n  body length 76800\n", answer(body),
              config=config)
    import random
    assert got[0][1] == random.Random(5).randbytes(60000)


def test_the_signer_agrees_with_the_published_examples():
    """The GET-object and presigned examples of the S3 API reference ("Authenticating Requests"), its SigV2 example too."""
    import datetime
    keys = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    when = datetime.datetime(2013, 5, 24, tzinfo=datetime.timezone.utc)
    signer = V4(keys, "s3", "us-east-1", when)
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    headers = {"Host": "examplebucket.s3.amazonaws.com", "Range": "bytes=0-9", "x-amz-content-sha256": empty}
    assert signer.authorize("GET", "/test.txt", headers, empty) == \
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    target = signer.presign("GET", "/test.txt", {"Host": "examplebucket.s3.amazonaws.com"}, 86400)
    assert target.endswith("X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
    assert "Signature=" in presign_v2(keys, "GET", "/b/k", {}, 1175139620)
