"""Who may ask the page: this browser, with the key of this start, under the names of this machine.

A page of another site could send requests here, and a name of a foreign domain can be led to
127.0.0.1 (DNS rebinding). So each request has to name this machine as its host, come from no other
page, and carry the key, which stands in the address that the terminal shows.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEY = "x-key"
"""Header that carries the key."""
NAMES = ("127.0.0.1", "localhost")
USUAL = 80
"""Port of addresses that name none."""
NO_KEY = (
    "This page needs its key. Open the address that the terminal shows, with all that stands "
    "behind “?key=”.\n"
)
HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Guard:
    """An application behind the three questions.

    Args:
        app: the application.
        port: where it is served.
        key: of this start.
    """

    def __init__(self, app: ASGIApp, port: int, key: str) -> None:
        self.app, self.key = app, key.encode()
        hosts = {f"{name}:{port}".encode() for name in NAMES}
        if port == USUAL:  # browsers then leave it out
            hosts |= {name.encode() for name in NAMES}
        self.hosts = frozenset(hosts)
        self.origins = frozenset(b"http://" + host for host in self.hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say why not."""
        if scope["type"] != "http":  # nothing here speaks through a websocket
            return
        reason = self.refusal(scope)
        if reason is not None:
            await _refuse(send, *reason)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self.app(scope, receive, answer)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """The status and the reason with which a request is refused; None where it is not."""
        if [*_values(scope, b"host")] not in [[host] for host in self.hosts]:
            return 421, "This page is served under 127.0.0.1 and localhost alone.\n"
        origins = [*_values(scope, b"origin")]
        site = [*_values(scope, b"sec-fetch-site")]
        foreign = any(origin not in self.origins for origin in origins)
        followed = scope["method"] == "GET" and scope["path"] == "/"
        # a link on another page may lead here, where it has the key; nothing else may
        elsewhere = not followed and not set(site) <= {b"same-origin", b"none"}
        if foreign or elsewhere:
            return 403, "Requests of other pages are refused.\n"
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405, "Only GET and POST are known.\n"
        given = self._given(scope)
        if given is None or not hmac.compare_digest(given, self.key):
            return 403, NO_KEY
        return None

    def _given(self, scope: Scope) -> bytes | None:
        """The key that a request carries: in a header, or of the page itself in its address."""
        if scope["method"] == "POST":
            return next(_values(scope, KEY.encode()), None)
        parts = scope.get("query_string", b"").split(b"&")
        return next((part[4:] for part in parts if part.startswith(b"key=")), None)


def _values(scope: Scope, name: bytes) -> Iterator[bytes]:
    """Every value of a header."""
    return (value for header, value in scope["headers"] if header == name)


async def _refuse(send: Send, status: int, reason: str) -> None:
    kind = (b"content-type", b"text/plain; charset=utf-8")
    headers = [kind, *HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": reason.encode()})
