"""`api:URL`, a model behind an address that speaks the `/v1/embeddings` form.

Captions go as a list under `input`. Pictures go as PNG in data URLs, in infinity's way (a list with
`modality: image`) or in vLLM's (`messages`, one picture a request). Answers are sorted by `index`.
A server that answers with another dimension, another model, NaN, or one row for different inputs is
refused: its rows would be measured as if they were the model's.
"""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import (
    EndpointError,
    ModalityError,
    UnknownNameError,
    ValueRangeError,
    counted,
    cut,
    nearest,
    quoted,
)
from conceptbind.encoders.asked import split_name, whole_number
from conceptbind.encoders.brief import Brief
from conceptbind.encoders.endpoint import AskAgain, Endpoint
from conceptbind.encoders.options import CPU, Opening

if TYPE_CHECKING:
    from jaxtyping import Float
    from PIL.Image import Image

    from conceptbind.core.typing import Floats, Modality

OPTIONS = ("model", "pictures", "dimensions", "format", "key", "timeout", "batch", "equal")
CHOICES = {
    "pictures": ("none", "infinity", "vllm"),
    "format": ("float", "base64"),
    "equal": ("refuse", "allow"),
}
BATCH = 32
"""Inputs of one request: what text-embeddings-inference and infinity take as they are installed."""
PROBES = (
    "a red square and a blue circle",
    "Two dogs run across a wet street.",
    "the theory of numbers",
    "left of 7 green cups",
)
"""Captions by whose rows a model is known."""
COORDINATES, STEP = 64, 0.25
"""A fingerprint's numbers, and the step to which they are rounded, in standard deviations."""


class ApiEncoder(Brief):
    """A model behind an address. The network is reached because the user names it.

    Args:
        name: `http://HOST:PORT/v1?model=NAME`, with the options of `OPTIONS`.
        how: see `Opening`; device and precision are the server's own business.
        sleep: waits for so many seconds.

    Raises:
        ValueRangeError: the address or an option is wrong.
        EndpointError: the server does not answer as it should.
        ModalityError: it takes no pictures.
    """

    def __init__(
        self, name: str, how: Opening = CPU, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        address, options = split_name(name, OPTIONS, "api")
        if how.long_captions == "refuse":
            raise ValueRangeError(
                "--long-captions refuse cannot be kept with 'api:': a server does not tell how "
                "many tokens it reads"
            )
        chosen = {key: _choice(options, key) for key in CHOICES}
        self._way, self._format = chosen["pictures"], chosen["format"]
        self._ties = chosen["equal"] == "allow"
        self._model = options.get("model")
        if self._model is None:
            raise ValueRangeError(
                "'api:' needs the model's name on the server, as in "
                "api:http://127.0.0.1:8000/v1?model=NAME"
            )
        self._batch = whole_number(options, "batch", BATCH)
        self._asked_dimension = whole_number(options, "dimensions", 0) or None
        timeout = whole_number(options, "timeout", 60)
        path = address.rstrip("/").removesuffix("/embeddings") + "/embeddings"
        self._endpoint = Endpoint(path, options.get("key"), timeout, sleep)
        self.id = f"api:{name}"
        self.dimension = 0
        self._told: str | None = None
        self.modalities: tuple[Modality, ...] = ("text",)
        self._open()

    def _open(self) -> None:
        """Ask for what the model is known by."""
        made = Seen(self._ties)
        # one a request: other captions beside it may change a row's last digits
        rows = np.concatenate(
            [self._asked([text], self._ask_text, _words, made) for text in PROBES]
        )
        self.details: dict[str, str] = {
            "server_model": cut(self._told or "not said", 200),
            "text": "as the server prepares it",
            "rows": "of length 1" if _unit(rows) else "raw",
        }
        if self._way != "none":
            self.modalities = ("text", "image")
            seen = self.encode_images(_probe_pictures())
            self._require_sight(seen[0])
            rows = np.concatenate([rows, seen])
            self.details["pictures"] = f"PNG in data URLs ({self._way}), then as the server does"
        self.revision = f"{cut(self._told or self._model, 60)}:{fingerprint(rows)}"

    def _require_sight(self, row: Floats) -> None:
        """Raise ModalityError where a data URL is read as if it were a caption."""
        url = _data_url(_probe_pictures()[0])
        try:
            as_caption = self._text_rows([url])[0]
        except EndpointError:
            return  # a server that refuses it as a caption has told them apart
        if np.allclose(row, as_caption, rtol=1e-3, atol=1e-6):
            raise ModalityError(
                f"{self._endpoint.place} reads pictures as if their addresses were captions; it "
                "takes no pictures: leave pictures= out, or see which way the server knows"
            )

    def encode_texts(self, texts: Sequence[str]) -> Float[Floats, "captions width"]:
        """Rows (n, d) as the server gives them.

        Raises:
            EndpointError: the server does not answer as it should.
        """
        return self._text_rows(texts)

    def encode_images(self, images: Sequence[Image]) -> Float[Floats, "pictures width"]:
        """Rows (n, d) of RGB pictures as the server gives them.

        Raises:
            ModalityError: pictures were not asked for in the name.
            EndpointError: the server does not answer as it should.
        """
        if "image" not in self.modalities:
            raise ModalityError(
                f"'{cut(self.id)}' encodes text, not images; where the server takes pictures, "
                "add &pictures=infinity or &pictures=vllm"
            )
        batch = 1 if self._way == "vllm" else min(self._batch, BATCH)
        ask = self._ask_messages if self._way == "vllm" else self._ask_pictures
        made, rows = Seen(self._ties), [np.empty((0, self.dimension), dtype=np.float32)]
        for start in range(0, len(images), batch):
            urls = [_data_url(image) for image in images[start : start + batch]]
            rows.append(self._asked(urls, ask, _content, made))
        return np.concatenate(rows)

    def _text_rows(self, texts: Sequence[str]) -> Floats:
        """(n, d) of some texts, a batch a request."""
        made, rows = Seen(self._ties), [np.empty((0, self.dimension), dtype=np.float32)]
        for start in range(0, len(texts), self._batch):
            some = list(texts[start : start + self._batch])
            rows.append(self._asked(some, self._ask_text, _words, made))
        return np.concatenate(rows)

    def _asked(
        self,
        inputs: list[str],
        ask: Callable[[list[str]], dict[str, Any]],
        what: Callable[[str], object],
        made: Seen,
    ) -> Floats:
        """(b, d) of one request; asked again while different inputs have one row."""

        def read(answer: Any) -> Floats:
            rows = self._checked(answer, len(inputs))
            made.add(rows, inputs, what)
            return rows

        return self._endpoint.ask(ask(inputs), read)

    def _ask_text(self, inputs: list[str]) -> dict[str, Any]:
        question: dict[str, Any] = {
            "model": self._model,
            "input": inputs,
            "encoding_format": self._format,
        }
        if self._asked_dimension is not None:
            question["dimensions"] = self._asked_dimension
        return question

    def _ask_pictures(self, inputs: list[str]) -> dict[str, Any]:
        return self._ask_text(inputs) | {"modality": "image"}

    def _ask_messages(self, inputs: list[str]) -> dict[str, Any]:
        (url,) = inputs
        content = [{"type": "image_url", "image_url": {"url": url}}]
        question = self._ask_text([]) | {"messages": [{"role": "user", "content": content}]}
        question.pop("input")
        return question

    def _checked(self, answer: Any, n: int) -> Floats:
        """(n, d) of an answer, in the order of its question.

        Raises:
            EndpointError: it is not what was asked for; says what came.
        """
        place = self._endpoint.place
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, list) or not all(isinstance(part, dict) for part in data):
            raise EndpointError(
                f"{place}: the answer has no list 'data' of embeddings; the address must be that "
                "of an API of the /v1/embeddings form"
            )
        told = answer.get("model")
        if isinstance(told, str):
            told = self._named(told)
            if self._told not in (None, told):
                raise EndpointError(
                    f"{place}: the server now answers as '{cut(told)}', before as "
                    f"'{cut(self._told)}'; rows of two models must not mix"
                )
            self._told = told
        if len(data) != n:
            raise EndpointError(f"{place}: asked for {counted(n, 'row')}, got {len(data):,}")
        rows = np.empty((n, self.dimension), dtype=np.float32)
        show = self._endpoint.without_key
        for at, part in zip(_order(data, place, show), data, strict=True):
            row = _numbers(part.get("embedding"), place, show)
            if not self.dimension:
                self._take_dimension(len(row), n)
                rows = np.empty((n, self.dimension), dtype=np.float32)
            if len(row) != self.dimension:
                raise EndpointError(
                    f"{place}: a row has {len(row):,} numbers, the others have "
                    f"{self.dimension:,}; let one model answer at this address"
                )
            rows[at] = row
        if not np.isfinite(rows).all():
            bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
            raise EndpointError(
                f"{place}: row index {bad} of an answer holds NaN or infinity; look at the server, "
                "and run the same command again"
            )
        if not rows.any(axis=1).all():
            bad = int(np.flatnonzero(~rows.any(axis=1))[0])
            raise EndpointError(
                f"{place}: row index {bad} of an answer is all zeros, which has no direction; look "
                "at the server, and run the same command again"
            )
        return rows

    def _named(self, told: str) -> str:
        """The model's name as a server tells it. Where that may hold the key and is not the name
        that was asked for, a hash of it tells two models apart.
        """
        if told == self._model or self._endpoint.without_key(told) == told:
            return told
        return f"another name, {sha256(told.encode()).hexdigest()[:8]}"

    def _take_dimension(self, found: int, n: int) -> None:
        """The width of the first row is that of all."""
        if self._asked_dimension not in (None, found) or not found:
            raise EndpointError(
                f"{self._endpoint.place}: asked for {self._asked_dimension} dimensions, got "
                f"{found:,}; leave dimensions= out where the server cannot cut its rows"
            )
        self.dimension = found


class Seen:
    """The rows of one call, by which a server is caught that gives one row for several inputs.

    Args:
        ties: several inputs may have one row.
    """

    def __init__(self, ties: bool) -> None:
        self._ties = ties
        self._inputs: dict[bytes, tuple[object, str]] = {}

    def add(
        self,
        rows: Float[Floats, "inputs width"],
        inputs: Sequence[str],
        what: Callable[[str], object],
    ) -> None:
        """Take in (b, d) rows of b inputs, or none of them.

        Args:
            rows: of an answer.
            inputs: what was asked for.
            what: of an input must be another for rows that are another. Captions of the same words
                may share a row: that is how a bag of words binds nothing.

        Raises:
            AskAgain: two inputs that differ have one row; shows both.
        """
        found = {} if self._ties else dict(self._of(rows, inputs, what))
        for key, (content, shown) in found.items():
            other, before = self._inputs.get(key, (content, shown))
            if other != content:
                raise AskAgain(_equal(before, shown))
        self._inputs |= found

    def _of(
        self, rows: Floats, inputs: Sequence[str], what: Callable[[str], object]
    ) -> Iterable[tuple[bytes, tuple[object, str]]]:
        """Each row's digest with its input; raises AskAgain as `add` does."""
        own: dict[bytes, tuple[object, str]] = {}
        for row, text in zip(rows, inputs, strict=True):
            key, content = sha256((row + 0.0).tobytes()).digest(), what(text)  # -0.0 is 0.0
            other, before = own.setdefault(key, (content, text))
            if other != content:
                raise AskAgain(_equal(before, text))
        return own.items()


def _equal(one: str, other: str) -> str:
    return (
        f"equal rows for the different inputs {quoted(one)} and {quoted(other)}; a server under "
        "load may do so, or captions are cut to one beginning; where the model does so, add "
        "&equal=allow"
    )


def _words(text: str) -> object:
    """The words of a caption, without their order."""
    return frozenset(re.findall(r"\w+", text.lower())) or text


def _content(url: str) -> object:
    return url


def _choice(options: dict[str, str], key: str) -> str:
    """One of the words that an option knows; the first where nothing is said."""
    said, known = options.get(key, CHOICES[key][0]), CHOICES[key]
    if said not in known:
        raise UnknownNameError(f"the option '{key}' has another value; {nearest('', known)}")
    return said


def _order(data: Sequence[dict[str, Any]], place: str, show: Callable[[str], str]) -> list[int]:
    """Where each row of an answer belongs.

    Raises:
        EndpointError: an index is missing, twice there, or no place.
    """
    found: list[Any] = [part.get("index") for part in data]
    if any(type(at) is not int for at in found) or sorted(found) != list(range(len(data))):
        raise EndpointError(
            f"{place}: the rows of an answer must state their index, 0 to {len(data) - 1} once "
            f"each; got {show(quoted(found))}"
        )
    return found


def _numbers(embedding: Any, place: str, show: Callable[[str], str]) -> Floats:
    """(d,) from a list of numbers, or from the base64 of little-endian single precision."""
    try:
        if isinstance(embedding, str):
            return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
        if not isinstance(embedding, list) or not set(map(type, embedding)) <= {int, float}:
            raise TypeError("no list of numbers")
        row = np.asarray(embedding, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise EndpointError(
            f"{place}: an embedding must be a list of numbers or base64 of float32; got "
            f"{show(quoted(embedding))}"
        ) from error
    with np.errstate(over="ignore"):
        return row.astype(np.float32)


def _unit(rows: Floats) -> bool:
    return bool(np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3))


def fingerprint(rows: Float[Floats, "probes width"]) -> str:
    """By which another model behind the same address is noticed: 16 hexadecimal digits.

    The rows of fixed inputs, on `COORDINATES` fixed random directions, in standard deviations,
    rounded to a quarter, with the rows' lengths to an eighth of a doubling. Single precision on
    another machine changes numbers in the sixth digit, which hardly ever crosses a step. A model
    that was trained a little further crosses many.

    Args:
        rows: of the probes.
    """
    directions = np.random.default_rng(0).normal(size=(rows.shape[1], COORDINATES))
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    unit = rows / np.maximum(lengths, 1e-30)
    steps = np.rint((unit @ directions) / STEP).astype(np.int64)
    sizes = np.rint(8 * np.log2(np.maximum(lengths, 1e-30))).astype(np.int64)
    said = f"{rows.shape} {steps.tolist()} {sizes.tolist()}"
    return sha256(said.encode()).hexdigest()[:16]


def _data_url(image: Image) -> str:
    """A picture as PNG, which loses nothing."""
    held = io.BytesIO()
    image.convert("RGB").save(held, format="PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}"


def _probe_pictures() -> list[Image]:
    """Two pictures of 64 x 64: stripes upright and lying, in colours that change across."""
    from PIL import Image as Pillow

    ramp = np.arange(64, dtype=np.uint8)
    across, down = np.broadcast_to(ramp, (64, 64)), np.broadcast_to(ramp[:, None], (64, 64))
    upright = np.stack([across // 8 % 2 * 255, across * 3, 255 - down * 3], axis=2)
    lying = np.stack([down * 3, down // 8 % 2 * 255, across * 2], axis=2)
    return [Pillow.fromarray(part.astype(np.uint8)) for part in (upright, lying)]
