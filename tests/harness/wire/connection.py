"""One TCP connection and a strict HTTP/1.1 reader. Whatever the standard forbids in an answer is an AnswerError."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass, field

TIMEOUT_S = 30.0
HEAD_BYTES_MAX = 65536
HEADER_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class AnswerError(AssertionError):
    """What came over the connection is not a correct answer."""


class ClosedError(AnswerError):
    """The connection ended where an answer was due."""


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    interim: list[int] = field(default_factory=list)
    keeps_open: bool = True

    def header(self, name: str) -> str | None:
        """The value, several of the same name joined by ", " as the standard has it; None when absent."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


class Connection:
    def __init__(self, host: str, port: int):
        self._socket = socket.create_connection((host, port), TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Sends all of it; a peer that stops reading and closes is noticed when the answer is read."""
        self._socket.settimeout(TIMEOUT_S)
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def is_closed_within(self, seconds: float) -> bool:
        """Whether the peer ends the connection within the time, with nothing more to read."""
        if self._buffer:
            raise AnswerError(f"bytes after the answer: {self._buffer[:200]!r}")
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(4096)
        except (socket.timeout, TimeoutError):
            return False
        except ConnectionResetError:
            return True
        if data:
            raise AnswerError(f"bytes after the answer: {data[:200]!r}")
        return True

    def read_answer(self, method: str, timeout_s: float = TIMEOUT_S) -> Answer:
        """The next final answer; 1xx answers before it are listed in `interim`."""
        interim: list[int] = []
        deadline = time.monotonic() + timeout_s
        while True:
            answer = self._read_one(method, deadline)
            if answer.status >= 200 or answer.status == 101:
                answer.interim = interim
                return answer
            interim.append(answer.status)

    def read_interim_or_answer(self, method: str) -> Answer:
        return self._read_one(method, time.monotonic() + TIMEOUT_S)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _receive(self, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        if left <= 0:
            raise AnswerError(f"no complete answer in time; so far: {self._buffer[:300]!r}")
        self._socket.settimeout(left)
        try:
            return self._socket.recv(262144)
        except (socket.timeout, TimeoutError):
            raise AnswerError(f"no complete answer in time; so far: {self._buffer[:300]!r}") from None
        except ConnectionResetError:
            return b""

    def _until(self, mark: bytes, deadline: float, limit: int) -> bytes:
        while (at := self._buffer.find(mark)) < 0:
            if len(self._buffer) > limit:
                raise AnswerError(f"no {mark!r} within {limit} bytes: {self._buffer[:200]!r}")
            data = self._receive(deadline)
            if not data:
                raise ClosedError(f"the connection ended early; so far: {self._buffer[:300]!r}")
            self._buffer += data
        taken, self._buffer = self._buffer[:at], self._buffer[at + len(mark) :]
        return taken

    def _exactly(self, size: int, deadline: float) -> bytes:
        pieces, have = [self._buffer[:size]], min(size, len(self._buffer))
        self._buffer = self._buffer[size:]
        while have < size:
            data = self._receive(deadline)
            if not data:
                raise AnswerError(f"the body ended after {have} of {size} bytes")
            pieces.append(data[: size - have])
            self._buffer = data[size - have :]
            have += len(pieces[-1])
        return b"".join(pieces)

    def _read_one(self, method: str, deadline: float) -> Answer:
        head = self._until(b"\r\n\r\n", deadline, HEAD_BYTES_MAX).split(b"\r\n")
        found = re.fullmatch(rb"HTTP/1\.1 (\d{3}) ?([ -~]*)", head[0])
        if not found:
            raise AnswerError(f"not a status line: {head[0]!r}")
        status = int(found.group(1))
        headers = [_header(line) for line in head[1:]]
        answer = Answer(status, headers, b"")
        answer.keeps_open = (answer.header("connection") or "").lower() != "close"
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        chunked = (answer.header("transfer-encoding") or "").lower() == "chunked"
        if len(lengths) > 1 or (lengths and chunked):
            raise AnswerError(f"the length of the body is given twice: {headers}")
        if status < 200 or status in (204, 304) or method == "HEAD":
            if method == "HEAD" and chunked:
                raise AnswerError("a HEAD answer is chunked")
            if status < 200 and (lengths or chunked):
                raise AnswerError("an interim answer has a length")
            return answer
        if chunked:
            answer.body = self._chunked(deadline)
        elif lengths:
            if not lengths[0].isdigit():
                raise AnswerError(f"Content-Length: {lengths[0]!r}")
            answer.body = self._exactly(int(lengths[0]), deadline)
        else:
            raise AnswerError(f"neither Content-Length nor chunked: {headers}")
        return answer

    def _chunked(self, deadline: float) -> bytes:
        pieces = []
        while True:
            size_text = self._until(b"\r\n", deadline, 200).split(b";")[0].strip()
            size = int(size_text, 16)
            if size == 0:
                while self._until(b"\r\n", deadline, HEAD_BYTES_MAX):
                    pass
                return b"".join(pieces)
            pieces.append(self._exactly(size, deadline))
            if self._exactly(2, deadline) != b"\r\n":
                raise AnswerError("a chunk does not end with CRLF")


def _header(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not HEADER_NAME.fullmatch(name):
        raise AnswerError(f"not a header line: {line!r}")
    return name.decode(), value.strip().decode("utf-8", "surrogateescape")
