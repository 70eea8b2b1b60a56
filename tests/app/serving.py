"""A page that is really served, on a port of this machine, and how tests ask it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from conceptbind.app import Page, listening, server_of


@dataclass(frozen=True)
class Served:
    """A page that answers."""

    page: Page
    address: str
    port: int

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        host: str | list[str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        sent: dict[str, str | list[str]] = {"host": host or f"127.0.0.1:{self.port}"}
        sent |= headers or {}
        if body is not None:
            sent["content-length"] = str(len(body))
        for name, value in sent.items():
            for one in value if isinstance(value, list) else [value]:
                connection.putheader(name, one)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, content

    def post(
        self, path: str, content: Any, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and content of a question of the page."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        told = {"x-key": self.page.key, **(headers or {})}
        status, _, answer = self.send("POST", path, body, told)
        return status, json.loads(answer)

    def ask(self, path: str, content: Any, headers: Mapping[str, str] | None = None) -> Any:
        """What a question is answered; it has to be."""
        status, answer = self.post(path, content, headers)
        assert status == 200, answer
        return answer


@contextmanager
def served(page: Page) -> Iterator[Served]:
    """A page that is served while a test runs."""
    pytest.importorskip("uvicorn")
    bound, started = listening(0), threading.Event()
    address: list[str] = []

    def on_start(where: str) -> None:
        address.append(where)
        started.set()

    server = server_of(page, bound, on_start)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    assert started.wait(60)
    yield Served(page, address[0], bound.getsockname()[1])
    server.should_exit = True
    thread.join(30)
    bound.close()
    assert not thread.is_alive()
