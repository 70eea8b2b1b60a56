"""The page as a server of this machine: what is asked for, and what answers it."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import sys
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

import msgspec

from conceptbind.app import recipes
from conceptbind.app.guard import Guard
from conceptbind.app.model import Model
from conceptbind.app.page import page_of
from conceptbind.app.pictures import (
    MOST_BYTES,
    Placed,
    as_address,
    draw,
    read_dropped,
    shown_by,
)
from conceptbind.app.trial import LONGEST, Shown, require_captions, try_picture
from conceptbind.core.errors import (
    ConceptBindError,
    FileError,
    MissingExtraError,
    ModalityError,
    ValueRangeError,
    cut,
)

if TYPE_CHECKING:
    from jaxtyping import Float
    from PIL.Image import Image
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from conceptbind.app.explore import Explored
    from conceptbind.app.search import Searched
    from conceptbind.core.typing import Floats

    Answering = Callable[["Page", bytes, "Request"], Any]

T = TypeVar("T")
HOST = "127.0.0.1"
MOST_TEXT = 1 << 18
"""Bytes of a request that is no picture."""
KEPT = 512
"""Pictures whose rows are kept; of more, the one that was asked for longest ago goes."""
AGAIN = "this picture is no longer kept here"
"""What the page is told so that it sends a picture once more."""


class Drawing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Objects to draw."""

    objects: list[Placed]


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text in the place of a picture."""

    text: str


class Scored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Captions to compare with what was sent before."""

    id: str
    captions: list[str]


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A query of one or several parts."""

    text: str
    way: str = "sum"


class Failing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which failures of a run to list."""

    question: int
    values: dict[str, str] = {}
    first: int = 0


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scene of a run."""

    row: int


class Edited(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An object of a scene exchanged inside its embedding."""

    modality: str
    edit: int
    row: int
    strength: float


@dataclass(frozen=True, eq=False)
class Compared:
    """What captions are compared with: a picture, or a text."""

    row: Float[Floats, " width"]
    objects: tuple[Placed, ...] | None = None
    """What was drawn."""
    file: str | None = None
    """Name of a picture that was dropped."""
    text: str | None = None
    shown: Shown | None = None
    """Colour and shape of each drawn object, where all are seen."""


@dataclass(frozen=True, eq=False)
class Page:
    """What the page can answer."""

    model: Model
    searched: Searched | None = None
    explored: Explored | None = None
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    kept: OrderedDict[str, Compared] = field(default_factory=OrderedDict)
    holding: threading.Lock = field(default_factory=threading.Lock)
    decoding: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    """One thread decodes all pictures: many large ones at once, or the memory that each thread
    keeps for its next one, would fill the memory.
    """

    def keep(self, identity: str, make: Callable[[], Compared]) -> str:
        """The id under which what is compared is kept."""
        name = hashlib.sha256(identity.encode()).hexdigest()[:32]
        with self.holding:
            known = name in self.kept
        made = None if known else make()
        with self.holding:
            if made is not None:
                self.kept[name] = made
            if name in self.kept:
                self.kept.move_to_end(name)
            while len(self.kept) > KEPT:
                self.kept.popitem(last=False)
        return name

    def compared(self, name: str) -> Compared | None:
        """What was kept; None where it is gone."""
        with self.holding:
            found = self.kept.get(name)
            if found is not None:
                self.kept.move_to_end(name)
            return found

    def require_eyes(self) -> None:
        """Raise ModalityError unless the encoder embeds pictures."""
        if not self.model.sees:
            raise ModalityError(
                f"'{self.model.id}' embeds captions alone; compare captions with a text"
            )


def _read(data: bytes, kind: type[T]) -> T:
    """A request as what it should be.

    Raises:
        ValueRangeError: it is of another form.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueRangeError(
            f"the request is not what the page sends: {cut(error, 200)}"
        ) from error


def _drawn(page: Page, data: bytes, _: Request) -> Any:
    page.require_eyes()
    objects = _read(data, Drawing).objects
    picture = draw(objects)
    identity = "drawn " + repr(objects)

    def make() -> Compared:
        row = page.model.picture(picture)
        return Compared(row, objects=tuple(objects), shown=shown_by(objects))

    return {"id": page.keep(identity, make), "picture": as_address(picture)}


def _dropped(page: Page, data: bytes, request: Request) -> Any:
    page.require_eyes()
    name = cut(unquote(request.headers.get("x-name", "")) or "picture", 200)
    identity = f"dropped {hashlib.sha256(data).hexdigest()} {name}"
    row, shown, size = page.decoding.submit(_decoded, page, data, name).result()
    kept = page.keep(identity, lambda: Compared(row, file=name))
    return {"id": kept, "picture": shown, "name": name, "size": size}


def _decoded(page: Page, data: bytes, name: str) -> tuple[Float[Floats, " width"], str, str]:
    """The row of a picture file, a small one to show, and its size in words."""
    picture: Image = read_dropped(data, name)
    size = f"{picture.width:,} x {picture.height:,} pixels"
    return page.model.picture(picture), as_address(picture), size


def _texted(page: Page, data: bytes, _: Request) -> Any:
    text = _read(data, Text).text.strip()
    if not text:
        raise ValueRangeError("expected a text; got none; type one, such as a red square")
    if len(text) > LONGEST:
        raise ValueRangeError(
            f"expected a text of at most {LONGEST:,} characters; got {len(text):,}; shorten it"
        )

    def make() -> Compared:
        return Compared(page.model.captions([text])[0][0], text=text)

    return {"id": page.keep(f"text {text}", make)}


def _scored(page: Page, data: bytes, _: Request) -> Any:
    asked = _read(data, Scored)
    found = page.compared(asked.id)
    if found is None:
        raise FileError(AGAIN)
    captions = require_captions(asked.captions)
    trial = try_picture(page.model, found.row, captions, found.shown)
    python = ""
    if trial.lines:
        lines = [line.caption for line in trial.lines]
        lines += [one.text for one in trial.blanks if one.text not in lines]
        lines = list(dict.fromkeys(lines))
        told = {"objects": found.objects, "file": found.file, "text": found.text}
        python = recipes.of_trial(page.model, lines, **told)  # type: ignore[arg-type]
    return {"trial": trial, "python": python}


def _searched(page: Page, data: bytes, _: Request) -> Any:
    asked = _read(data, Asked)
    if page.searched is None:
        raise ValueRangeError("there is nothing to search; start with --search or --run")
    return page.searched.found(page.model, asked.text, asked.way)


def _explored(page: Page) -> Explored:
    if page.explored is None:
        raise ValueRangeError("there is no run to explore; start with --run")
    return page.explored


def _failures(page: Page, data: bytes, _: Request) -> Any:
    asked = _read(data, Failing)
    return _explored(page).failures(asked.question, asked.values, asked.first)


def _item(page: Page, data: bytes, _: Request) -> Any:
    return _explored(page).item(_read(data, Item).row)


def _edited(page: Page, data: bytes, _: Request) -> Any:
    asked = _read(data, Edited)
    return _explored(page).edited(asked.modality, asked.row, asked.edit, asked.strength)


ANSWERS: dict[str, tuple[int, Answering]] = {
    "/draw": (MOST_TEXT, _drawn),
    "/picture": (MOST_BYTES + 1, _dropped),
    "/text": (MOST_TEXT, _texted),
    "/score": (MOST_TEXT, _scored),
    "/search": (MOST_TEXT, _searched),
    "/failures": (MOST_TEXT, _failures),
    "/item": (MOST_TEXT, _item),
    "/edit": (MOST_TEXT, _edited),
}
"""What is asked for by POST: bytes of a request at most, and what answers it."""


def application(page: Page, port: int) -> ASGIApp:
    """The page as an ASGI application, behind its guard.

    Args:
        page: what it can answer.
        port: where it is served.

    Raises:
        MissingExtraError: the packages of the extra `app` are not installed.
    """
    return Guard(_routes(page), port, page.key)


def _routes(page: Page) -> Starlette:
    try:
        from starlette.applications import Starlette
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtraError("starlette", "app", "conceptbind try") from error

    def route(path: str, most: int, answering: Answering) -> Route:
        async def answer(request: Request) -> Response:
            return await _answered(page, request, most, answering)

        return Route(path, answer, methods=["POST"])

    async def front(_: Request) -> Response:
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import HTMLResponse

        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; "
            "img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        # the encoder is asked which words it reads, and others are answered meanwhile
        html = await run_in_threadpool(page_of, page.model, page.searched, page.explored, nonce)
        return HTMLResponse(html, headers={"content-security-policy": policy})

    posts = [route(path, most, answering) for path, (most, answering) in ANSWERS.items()]
    return Starlette(routes=[Route("/", front), *posts])


async def _answered(page: Page, request: Request, most: int, answering: Answering) -> Response:
    """The answer to a request as JSON; an error of the user's as one line."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response

    def response(content: Any, status: int = 200) -> Response:
        return Response(msgspec.json.encode(content), status, media_type="application/json")

    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > most:
            size = f"{most >> 20:,} MiB" if most >> 20 else f"{most >> 10:,} KiB"
            told = f"expected at most {size}; got more; make it smaller"
            return response({"error": told}, 413)
    try:
        return response(await run_in_threadpool(answering, page, bytes(data), request))
    except ConceptBindError as error:
        return response({"error": str(error)}, 409 if str(error) == AGAIN else 400)
    except Exception as error:
        if debugging():
            traceback.print_exc(file=sys.stderr)
        told = f"this is a fault of conceptbind: {type(error).__name__}: {cut(error, 200)}"
        return response({"error": f"{told}; please report it"}, 500)


def debugging() -> bool:
    """Whether faults are printed as they are."""
    return os.environ.get("CONCEPTBIND_DEBUG", "") not in ("", "0")


def listening(port: int) -> socket.socket:
    """A socket of this machine alone.

    Args:
        port: 0 for any that is free.

    Raises:
        FileError: the port is in use.
        ValueRangeError: there is no such port.
    """
    if not 0 <= port <= 65_535:
        raise ValueRangeError(f"--port must lie between 0 and 65535; got {port}")
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere this would share the port with another program
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((HOST, port))
        found.listen(128)
    except OSError as error:
        found.close()
        raise FileError(
            f"port {port} of this machine cannot be used ({error.strerror}); name another with "
            "--port, or --port 0 for any that is free"
        ) from error
    return found


def server_of(page: Page, bound: socket.socket, on_start: Callable[[str], None]) -> Any:
    """What answers until its `should_exit` is set, as a server of uvicorn.

    Args:
        page: what is served.
        bound: see `listening`.
        on_start: called with the address of the page when it answers.

    Raises:
        MissingExtraError: the packages of the extra `app` are not installed.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtraError("uvicorn", "app", "conceptbind try") from error
    port = int(bound.getsockname()[1])

    class Server(uvicorn.Server):
        """Says when it answers."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_start(f"http://{HOST}:{port}/?key={page.key}")

    config = uvicorn.Config(
        application(page, port),
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        # what is cut off in the middle and what is asked of another kind is no news to the user
        log_level="warning" if debugging() else "critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    return Server(config)


def serve(page: Page, bound: socket.socket, on_start: Callable[[str], None]) -> None:
    """Answer until the process is interrupted.

    Args:
        page: what is served.
        bound: see `listening`.
        on_start: called with the address of the page when it answers.
    """
    server_of(page, bound, on_start).run(sockets=[bound])
