"""One connection whose every step has an end in time: connecting, TLS, sending, reading."""

from __future__ import annotations

import os
import socket
import ssl
from time import monotonic
from types import TracebackType

from pipe_agents.network.connecting import PENDING, socket_address
from pipe_agents.network.waiting import READ, WRITE, Stop


class Line:
    """A TCP connection, perhaps with TLS around it. Not for more than one thread."""

    def __init__(self, address: str, port: int, until: float, stop: Stop) -> None:
        """Connects; raises OSError, TimeoutError among them."""
        self.until = until
        self._stop = stop
        family, place = socket_address(address, port)
        self.socket: socket.socket | ssl.SSLSocket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self.socket.setblocking(False)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = self.socket.connect_ex(place)
            if number in PENDING:
                stop.wait(self.socket, WRITE, until)
                number = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                raise OSError(number, os.strerror(number))
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> Line:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def secure(self, context: ssl.SSLContext, name: str | None) -> ssl.SSLSocket:
        """Shake hands; raises ssl.SSLError, OSError, TimeoutError."""
        secured = context.wrap_socket(self.socket, server_hostname=name, do_handshake_on_connect=False)
        self.socket = secured
        while True:
            try:
                secured.do_handshake()
                return secured
            except ssl.SSLWantReadError:
                self._stop.wait(secured, READ, self.until)
            except ssl.SSLWantWriteError:
                self._stop.wait(secured, WRITE, self.until)

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self.socket.send(view) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._stop.wait(self.socket, WRITE, self.until)
            except ssl.SSLWantReadError:
                self._stop.wait(self.socket, READ, self.until)

    def read(self, most: int = 65536) -> bytes:
        """What has come, at least a byte; nothing at the end."""
        while True:
            if monotonic() > self.until:  # one that sends byte by byte for ever
                raise TimeoutError
            self._stop.check()
            try:
                return self.socket.recv(most)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._stop.wait(self.socket, READ, self.until)
            except ssl.SSLWantWriteError:
                self._stop.wait(self.socket, WRITE, self.until)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
