"""Asking a server over HTTP: patient where that helps, plain where it does not.

A question is asked again, after longer and longer pauses, where the server says that it is busy
(429), fails (5xx), is too slow, or breaks off. `Retry-After` is heeded. All else is an error at
once. Redirects are not followed, so that a key never goes to another address.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from threading import Lock, Timer
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from conceptbind.core.errors import EndpointError, ValueRangeError, cut
from conceptbind.core.streams import tell

TRIES = 6
"""How often a question is asked."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
"""Seconds before the second try, doubled before each further one; and the most that a server may
ask for."""
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
"""Answers after which the same question may be answered."""
REACH = 10.0
"""Seconds in which a server must take a connection."""
WHOLE = 5
"""An answer may take so many times as long as the server may be silent, however it drips."""
TOLD_FROM = 5.0
"""That it is asked again is told where it pauses so many seconds, or has waited for so many."""
MOST_BYTES = 1 << 28
"""Of an answer."""
HIDDEN = "(not repeated here, since a key is set)"
"""What stands in the place of a server's words."""
KEY = "CONCEPTBIND_API_KEY"
"""The environment variable that holds the key where none is named."""

Read = TypeVar("Read")


class AskAgain(Exception):  # noqa: N818 - a signal, which no user sees
    """An answer that may be another if it is asked for again."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


class Endpoint:
    """One address that takes JSON and answers in JSON.

    Args:
        address: http or https, the host, and the path to which questions are posted.
        key_name: the environment variable that holds the key; None for `KEY`, where it is set.
        timeout: seconds that a server may be silent.
        sleep: waits for so many seconds.

    Raises:
        ValueRangeError: it is no such address, or there is no such variable.
    """

    def __init__(
        self,
        address: str,
        key_name: str | None = None,
        timeout: float = 60,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._parts = _split_address(address)
        self._key = _key_of(key_name)
        self._key_name, self._timeout, self._sleep = key_name or KEY, timeout, sleep
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._lock = Lock()  # one connection answers one question at a time
        self._answered = False
        self.place = f"{self._parts.scheme}://{self._parts.netloc}{self._parts.path}"

    def ask(self, question: dict[str, Any], read: Callable[[Any], Read]) -> Read:
        """What `read` makes of the answer.

        Args:
            question: is posted as JSON.
            read: turns the JSON of the answer into a result; raises `AskAgain` where another try
                may help.

        Raises:
            EndpointError: there is no answer, or none that can be used; says why in one line.
        """
        body = json.dumps(question).encode()
        began = time.monotonic()
        for turn in range(TRIES):
            try:
                with self._lock:
                    answer = self._answer(body)
                self._answered = True
                return read(answer)
            except AskAgain as again:
                if turn == TRIES - 1:
                    raise EndpointError(
                        f"{self.place}: {again}; asked {TRIES} times; run the same command again "
                        "when the server is well, and it continues"
                    ) from again
                pause = FIRST_PAUSE * 2**turn if again.pause is None else again.pause
                pause = min(pause, LONGEST_PAUSE)
                if pause >= TOLD_FROM or time.monotonic() - began >= TOLD_FROM:
                    tell(f"{self.place}: {again}; asking again in {pause:g} s", "")
                self._sleep(pause)
        raise AssertionError  # the last try returns or raises

    def _answer(self, body: bytes) -> Any:
        """The JSON of one answer.

        Raises:
            AskAgain: another try may help.
            EndpointError: none will.
        """
        late: list[bool] = []
        try:
            with self._deadline(late):
                response, text = self._exchange(body)
            if late:
                raise TimeoutError
        except TimeoutError as error:
            self._close()
            raise self._too_late(late) from error
        except EndpointError:
            raise
        except (OSError, http.client.HTTPException) as error:
            self._close()
            if late:
                raise self._too_late(late) from error
            raise AskAgain(f"the connection broke ({type(error).__name__})") from error
        if response.status != 200:
            raise self._refusal(response, text)
        return self._json(response, text)

    def _too_late(self, late: list[bool]) -> AskAgain:
        """That the server was silent, or that its answer did not end."""
        if late:
            return AskAgain(
                f"no whole answer within {WHOLE * self._timeout:g} s (&timeout=SECONDS)"
            )
        return AskAgain(f"no answer within {self._timeout:g} s (&timeout=SECONDS)")

    @contextmanager
    def _deadline(self, late: list[bool]) -> Iterator[None]:
        """Breaks the connection of an answer that comes byte by byte: each of them is in time, and
        the whole never ends. `late` is filled then.
        """

        def end() -> None:
            late.append(True)
            # the connection itself lets go of a socket that the server will close
            with suppress(OSError, AttributeError):
                self._socket.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]

        timer = Timer(WHOLE * self._timeout, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _exchange(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        """Post to the kept connection, or to a fresh one where the server has closed it."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "conceptbind",
        }
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        fresh = self._connection is None
        connection = self._connection or self._connected()
        self._connection = connection
        try:
            connection.request("POST", self._parts.path, body, headers)
            response = connection.getresponse()
        except ConnectionError:
            self._close()
            if fresh:
                raise
            return self._exchange(body)
        text = response.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            self._close()
            raise EndpointError(f"{self.place}: the answer is longer than {MOST_BYTES:,} bytes")
        if response.length:  # reading a given number of bytes does not tell of an early end
            raise http.client.IncompleteRead(text, response.length)
        if response.will_close:
            self._close()
        return response, text

    def _connected(self) -> http.client.HTTPConnection:
        """A connection to the server.

        Raises:
            AskAgain: there is none, and there was one before.
            EndpointError: there never was one.
        """
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        made = kinds[self._parts.scheme](
            str(self._parts.hostname), self._parts.port, timeout=min(REACH, self._timeout)
        )
        try:
            made.connect()
        except OSError as error:
            told = f"no server answers there ({cut(error.strerror or type(error).__name__)})"
            if self._answered:  # it may be starting again
                raise AskAgain(told) from error
            raise EndpointError(
                f"{self.place}: {told}; start the server, or mend the address"
            ) from error
        made.sock.settimeout(self._timeout)
        self._socket = made.sock
        return made

    def __del__(self) -> None:
        if hasattr(self, "_connection"):  # not where the address was refused
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _refusal(self, response: http.client.HTTPResponse, text: bytes) -> Exception:
        """What an answer other than 200 is raised as."""
        status = response.status
        if status in BUSY:
            return AskAgain(f"the server is busy or fails (HTTP {status})", _pause_of(response))
        if status in (401, 403):  # some servers show parts of the key here: nothing is repeated
            told = "the server refuses the key" if self._key else "the server asks for a key"
            return EndpointError(
                f"{self.place}: {told} (HTTP {status}); put the right one into the environment "
                f"variable {self._key_name}"
            )
        if 300 <= status < 400:
            return EndpointError(
                f"{self.place}: the server sends elsewhere (HTTP {status}), which is not "
                "followed; name the address itself"
            )
        hint = "; the address is that before /embeddings, such as http://HOST:PORT/v1"
        advice = {
            404: f"{hint}, and model= must be one that the server has",
            405: hint,
            413: "; ask for fewer at once, as in &batch=8",
            422: "; where it says that there are too many inputs, ask for fewer, as in &batch=8",
        }
        return EndpointError(
            f"{self.place}: HTTP {status}{self._said(text)}{advice.get(status, '')}"
        )

    def _said(self, text: bytes) -> str:
        """The server's own words on one line, without the key and without HTML."""
        said = text[:4000].decode("utf-8", "replace")
        if said.lstrip().startswith("<"):
            return " with a web page"
        found = re.search(r'"(?:message|detail|error)"\s*:\s*"((?:[^"\\]|\\.)+)', said)
        words = " ".join((found.group(1) if found else said).split())
        return f": {cut(self.without_key(words), 200)}" if words else ""

    def without_key(self, text: str) -> str:
        """What a server said; where a key is set nothing of it. A server may repeat the key in any
        form: escaped, encoded, reversed, or in part.
        """
        return HIDDEN if self._key else text

    def _json(self, response: http.client.HTTPResponse, text: bytes) -> Any:
        """Raise EndpointError for what is no JSON."""
        kind = response.headers.get_content_type()
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            page = text.lstrip()[:1] == b"<" or kind == "text/html"
            came = "a web page (HTML)" if page else "no JSON"
            raise EndpointError(
                f"{self.place}: the answer is {came}, not embeddings; the address must be that of "
                "the API, such as http://HOST:PORT/v1"
            ) from error


def _split_address(address: str) -> SplitResult:
    """The parts of an address.

    Raises:
        ValueRangeError: it is none, or it holds a key, which no message repeats.
    """
    expected = "expected an address such as api:http://127.0.0.1:8000/v1?model=NAME"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise ValueRangeError(f"{expected}; got one that cannot be read") from error
    if "@" in parts.netloc:
        raise ValueRangeError(
            f"{expected}; names and keys do not belong into it: put the key into the environment "
            f"variable {KEY}"
        )
    usable = parts.scheme in ("http", "https") and parts.hostname and port != 0
    plain = address.isascii() and address.isprintable() and " " not in address
    if not usable or not plain or parts.query or parts.fragment:
        raise ValueRangeError(f"{expected}; got '{cut(address.partition('#')[0])}'")
    return parts


def _key_of(name: str | None) -> str | None:
    """The key that an environment variable holds; None where none is named and `KEY` is not set.

    Raises:
        ValueRangeError: there is no such variable. What was given may be a key, so it is not shown.
    """
    if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueRangeError(
            "the option 'key' must be the name of an environment variable that holds the key, "
            "not the key itself"
        )
    found = os.environ.get(name or KEY)
    if name is not None and not found:
        raise ValueRangeError(
            "the environment variable that the option 'key' names is not set; set it to the key"
        )
    if found and not (found.isascii() and found.isprintable()):
        raise ValueRangeError(f"the environment variable {name or KEY} holds what is no key")
    return found or None


def _pause_of(response: http.client.HTTPResponse) -> float | None:
    """Seconds that `Retry-After` asks for: a number, or a date, which is compared with the server's
    own.
    """
    said = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", said):
        return float(said)
    try:
        until = parsedate_to_datetime(said)
        return max((until - parsedate_to_datetime(response.headers["Date"])).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None
