"""The chaos gate: a TCP proxy that passes every byte on unchanged, in slices of odd sizes and with pauses.

The first bytes of a connection are cut finest, since heads, chunk lines and trailers are where parsers keep state; a
large body passes in larger pieces so that a run stays short. The sizes come from a seeded generator per connection.
"""

from __future__ import annotations

import random
import socket
import threading
import time

FINE_BYTES = 6000
FINE_SLICE_BYTES_MAX = 60
COARSE_SLICE_BYTES_MAX = 40_000
PAUSE_BUDGET_S = 0.02


class Gate:
    """Listens on a loopback port of its own and connects each client to `target`."""

    def __init__(self, target: tuple[str, int], *, seed: int, pause_s_max: float):
        self._target, self._seed, self._pause_s_max = target, seed, pause_s_max
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._num_connections = 0
        self._closing = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        return self._listener.getsockname()[:2]

    def close(self) -> None:
        self._closing = True
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._num_connections += 1
            threading.Thread(target=self._serve, args=(client, self._num_connections), daemon=True).start()

    def _serve(self, client: socket.socket, number: int) -> None:
        try:
            server = socket.create_connection(self._target, 10)
        except OSError:
            client.close()
            return
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        there = threading.Thread(target=self._pump, args=(client, server, random.Random(f"{self._seed}/{number}/there")),
                                 daemon=True)
        back = threading.Thread(target=self._pump, args=(server, client, random.Random(f"{self._seed}/{number}/back")),
                                daemon=True)
        there.start()
        back.start()
        there.join()
        back.join()
        client.close()
        server.close()

    def _pump(self, source: socket.socket, sink: socket.socket, rng: random.Random) -> None:
        passed, paused_s = 0, 0.0
        try:
            while data := source.recv(262144):
                at = 0
                while at < len(data):
                    fine = passed < FINE_BYTES
                    size = rng.randint(1, FINE_SLICE_BYTES_MAX if fine else COARSE_SLICE_BYTES_MAX)
                    sink.sendall(data[at : at + size])
                    passed += len(data[at : at + size])
                    at += size
                    if paused_s < PAUSE_BUDGET_S and rng.random() < 0.2:
                        pause_s = rng.random() * self._pause_s_max
                        paused_s += pause_s
                        time.sleep(pause_s)  # The pause is what the gate is for; no test waits for anything by it.
        except OSError:
            _end(source)
        finally:
            try:
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass


def _end(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
