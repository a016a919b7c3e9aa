"""An SMTP server of a few commands, for tests: takes mails, or refuses as told."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Box(socketserver.ThreadingTCPServer):
    """What came in, and what to answer."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: list[str] = []
        self.recipients: list[str] = []
        self.answers: dict[str, bytes] = {}  # command -> what to say instead of yes

    @property
    def url(self) -> str:
        """As for MAIL_URL."""
        return f"smtp://127.0.0.1:{self.server_address[1]}"


class _Session(socketserver.StreamRequestHandler):
    server: Box

    def handle(self) -> None:
        """Talk to one client."""
        self.wfile.write(b"220 test\r\n")
        while line := self.rfile.readline():
            command = line.decode().strip().split(" ")[0].split(":")[0].upper()
            if command in self.server.answers:
                self.wfile.write(self.server.answers[command] + b"\r\n")
            elif command == "DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b""
                while not text.endswith(b"\r\n.\r\n"):
                    text += self.rfile.readline()
                self.server.mails.append(text.decode())
                self.wfile.write(self.server.answers.get("END", b"250 taken") + b"\r\n")
            elif command == "QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                if command == "RCPT":
                    self.server.recipients.append(line.decode().split("<")[1].split(">")[0])
                self.wfile.write(b"250 yes\r\n")


@contextmanager
def mail_server() -> Iterator[Box]:
    """A running server."""
    with Box() as box:
        thread = threading.Thread(target=box.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield box
        finally:
            box.shutdown()
            thread.join()
