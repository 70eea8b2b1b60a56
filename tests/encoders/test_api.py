"""`api:` against a real server of this machine, which answers with the rows of `tiny` and
misbehaves on demand.
"""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from conceptbind.cli import main
from conceptbind.core.errors import (
    EndpointError,
    MismatchError,
    ModalityError,
    UnknownNameError,
    ValueRangeError,
)
from conceptbind.encoders import endpoint, resolve
from conceptbind.encoders.api import PROBES, ApiEncoder, fingerprint
from conceptbind.encoders.options import Opening
from conceptbind.rows import embeddings, encoding, shards
from conceptbind.scenes import text20

CAPTIONS = [
    "a red circle and a blue square",
    "a green square",
    "a blue square and a red circle",
    "a red square and a blue circle",
]
SECRET = "sk-secret-0123456789"


class Served:
    """What the server does, and what it was asked. `faults` are taken one a request, first in,
    first out; `always` is done to every answer.
    """

    def __init__(self, encoder):
        self.encoder, self.dialect = encoder, "infinity"
        self.asked, self.headers, self.faults, self.always = [], [], [], None
        self.key, self.name = None, "tiny"

    def rows(self, question):
        """Embeddings of what is asked, in the dialect that this server speaks."""
        if "messages" in question and self.dialect == "vllm":
            (message,) = question["messages"]
            urls = [part["image_url"]["url"] for part in message["content"]]
            return self.encoder.encode_images([self.picture(url) for url in urls])
        inputs = question["input"]
        if question.get("modality") == "image" and self.dialect == "infinity":
            return self.encoder.encode_images([self.picture(url) for url in inputs])
        return np.stack([self.row(text) for text in inputs]) if inputs else np.empty((0, 1))

    def row(self, text):
        """A caption's row; of what `tiny` does not know the row of its hash."""
        try:
            return self.encoder.encode_texts([text])[0]
        except UnknownNameError:
            seed = sum(text.encode()) if self.dialect != "deaf" else len(text)
            noise = np.random.default_rng(seed)
            return noise.normal(size=self.encoder.dimension).astype(np.float32)

    @staticmethod
    def picture(url):
        head, _, body = url.partition(",")
        assert head == "data:image/png;base64"
        return Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB")


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        served = self.server.served
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        served.asked.append(question)
        served.headers.append(dict(self.headers))
        if served.key and self.headers.get("Authorization") != f"Bearer {served.key}":
            got = self.headers.get("Authorization", "")
            return self.answer(401, json.dumps({"error": {"message": f"wrong key: {got}"}}))
        if self.path != "/v1/embeddings":
            return self.answer(404, json.dumps({"detail": "Not Found"}))
        fault = served.faults.pop(0) if served.faults else served.always
        rows = served.rows(question)
        if "dimensions" in question:
            rows = rows[:, : question["dimensions"]]
        found = [self.part(row, i, question) for i, row in enumerate(rows)]
        answer = {"object": "list", "model": served.name, "data": found[::-1]}
        if fault is None:
            return self.answer(200, json.dumps(answer))
        return fault(self, answer)

    @staticmethod
    def part(row, index, question):
        values = np.asarray(row, dtype="<f4")
        said = (
            base64.b64encode(values.tobytes()).decode()
            if question["encoding_format"] == "base64"
            else values.astype(float).tolist()
        )
        return {"object": "embedding", "index": index, "embedding": said}

    def answer(self, status, text, kind="application/json", **headers):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def tiny():
    return resolve("tiny", device="cpu")


@pytest.fixture
def served(tiny):
    """A server and its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.served = Served(tiny)
    server.served.url = f"http://127.0.0.1:{server.server_port}/v1"
    server.served.stop = server.shutdown
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.served
    server.shutdown()
    server.server_close()
    thread.join()


def opened(served, more="", **how):
    slept = []
    encoder = ApiEncoder(
        f"{served.url}?model=tiny{more}", Opening(device="cpu", **how), slept.append
    )
    encoder.slept = slept
    served.asked.clear()
    return encoder


def same(rows, expected):
    """Equal but for the last digits, which batches of another size change."""
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, expected, atol=5e-6)


def drawn(n):
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(0, 255, (40, 40 + i % 3, 3), dtype=np.uint8)) for i in range(n)
    ]


# What is asked, and what comes back


@pytest.mark.parametrize("form", ["float", "base64"])
def test_rows_are_those_of_the_model_itself(served, tiny, form):
    encoder = opened(served, f"&format={form}&batch=3")
    assert (encoder.dimension, encoder.modalities) == (tiny.dimension, ("text",))
    same(encoder.encode_texts(CAPTIONS), tiny.encode_texts(CAPTIONS))
    assert [len(question["input"]) for question in served.asked] == [3, 1]
    assert served.asked[0] == {
        "model": "tiny",
        "input": CAPTIONS[:3],
        "encoding_format": form,
    }
    assert encoder.encode_texts([]).shape == (0, tiny.dimension)


def test_pictures_go_in_the_way_of_infinity_32_at_a_time(served, tiny):
    encoder = opened(served, "&pictures=infinity&batch=200")
    assert encoder.modalities == ("text", "image")
    pictures = drawn(40)
    same(encoder.encode_images(pictures), tiny.encode_images(pictures))
    assert [len(question["input"]) for question in served.asked] == [32, 8]
    assert {question["modality"] for question in served.asked} == {"image"}
    assert encoder.encode_images([]).shape == (0, tiny.dimension)


def test_pictures_go_in_the_way_of_vllm_one_a_request(served, tiny):
    served.dialect = "vllm"
    encoder = opened(served, "&pictures=vllm")
    pictures = drawn(3)
    same(encoder.encode_images(pictures), tiny.encode_images(pictures))
    assert len(served.asked) == 3
    assert all("input" not in question for question in served.asked)


def test_a_server_that_reads_a_picture_as_a_caption_is_refused(served):
    served.dialect = "text only"
    with pytest.raises(ModalityError, match="reads pictures as if their addresses were captions"):
        opened(served, "&pictures=infinity")


def test_pictures_are_only_asked_for_where_the_name_says_so(served):
    with pytest.raises(ModalityError, match="add &pictures=infinity or &pictures=vllm"):
        opened(served).encode_images(drawn(1))


def test_dimensions_are_asked_for(served, tiny):
    encoder = opened(served, "&dimensions=8")
    assert encoder.dimension == 8
    same(encoder.encode_texts(CAPTIONS), tiny.encode_texts(CAPTIONS)[:, :8])


def test_a_server_that_does_not_cut_its_rows_is_refused(served):
    served.always = lambda handler, answer: handler.answer(
        200,
        json.dumps(answer | {"data": [p | {"embedding": [1.0] * 9} for p in answer["data"]]}),
    )
    with pytest.raises(EndpointError, match="asked for 8 dimensions, got 9"):
        opened(served, "&dimensions=8")


# Answers that cannot be used


def changed(**parts):
    """Every row of an answer with other parts; one of None is left out."""

    def fault(handler, answer):
        data = [
            {key: value for key, value in (part | parts).items() if value is not None}
            for part in answer["data"]
        ]
        handler.answer(200, json.dumps(answer | {"data": data}))

    return fault


def text(body, status=200, kind="application/json", **headers):
    return lambda handler, _: handler.answer(status, body, kind, **headers)


def other_model(handler, answer):
    handler.answer(200, json.dumps(answer | {"model": "another"}))


def one_fewer(handler, answer):
    handler.answer(200, json.dumps(answer | {"data": answer["data"][1:]}))


BROKEN = {
    "page": (text("<!doctype html><html>hello", kind="text/html"), r"a web page \(HTML\), not"),
    "no JSON": (text("ok"), "the answer is no JSON"),
    "deep": (text("[" * 100_000), "the answer is no JSON"),
    "no data": (text('{"embeddings": []}'), "has no list 'data' of embeddings"),
    "a list": (text("[[1.0, 2.0]]"), "has no list 'data' of embeddings"),
    "count": (one_fewer, "asked for 4 rows, got 3"),
    "no index": (changed(index=None), r"must state their index, 0 to 3 once each; got \[None"),
    "one index": (changed(index=1), r"must state their index, 0 to 3 once each; got \[1"),
    "width": (changed(embedding=[1.0, 2.0]), "a row has 2 numbers, the others have"),
    "NaN": (changed(embedding=[float("nan")] * 256), "row index 0 of an answer holds NaN"),
    "null": (changed(embedding=[None] * 256), "must be a list of numbers or base64"),
    "huge": (changed(embedding=[10**400] + [0.5] * 255), "must be a list of numbers or base64"),
    "texts": (changed(embedding=["0.5"] * 256), "must be a list of numbers or base64"),
    "truths": (changed(embedding=[True] * 256), "must be a list of numbers or base64"),
    "zeros": (changed(embedding=[-0.0] * 256), "row index 0 of an answer is all zeros"),
    "nested": (changed(embedding=[[1.0]]), "must be a list of numbers or base64"),
    "words": (changed(embedding={"a": 1}), "must be a list of numbers or base64"),
    "base64": (changed(embedding="%%%"), "must be a list of numbers or base64"),
    "model": (other_model, "now answers as 'another', before as 'tiny'"),
    "no such": (text('{"detail": "no model tiny"}', 404), "HTTP 404: no model tiny; .*model="),
    "too many": (text('{"error": {"message": "batch > 4"}}', 422), "422: batch > 4; .*&batch=8"),
    "too large": (text("", 413), "HTTP 413; ask for fewer at once, as in &batch=8"),
    "elsewhere": (text("", 302, Location="http://127.0.0.1:9/"), "sends elsewhere .*not followed"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_answers_that_cannot_be_used_are_one_line_at_once(served, name):
    fault, said = BROKEN[name]
    encoder = opened(served)
    served.always = fault
    with pytest.raises(EndpointError, match=said) as caught:
        encoder.encode_texts(CAPTIONS)
    assert "\n" not in str(caught.value)
    assert (len(served.asked), encoder.slept) == (1, [])


def equal(handler, answer):
    first = answer["data"][0]["embedding"]
    data = [part | {"embedding": first} for part in answer["data"]]
    handler.answer(200, json.dumps(answer | {"data": data}))


def test_equal_rows_for_different_captions_are_asked_for_again_and_then_refused(served, tiny):
    encoder = opened(served)
    served.faults = [equal, equal]
    same(encoder.encode_texts(CAPTIONS), tiny.encode_texts(CAPTIONS))
    assert encoder.slept == [0.5, 1.0]
    served.always = equal
    with pytest.raises(EndpointError, match="equal rows for the different inputs 'a .* asked 6"):
        encoder.encode_texts(CAPTIONS)
    constant = json.dumps({"data": [{"index": 0, "embedding": [1.0, 2.0]}]})
    served.always = text(constant)
    with pytest.raises(EndpointError, match="equal rows for the different inputs"):
        opened(served)
    served.always = equal
    assert len(opened(served, "&equal=allow").encode_texts(CAPTIONS)) == 4


def test_equal_rows_are_found_across_requests_too(served):
    served.dialect = "vllm"
    encoder = opened(served, "&pictures=vllm&batch=1")
    frozen = json.dumps({"data": [{"index": 0, "embedding": [1.0] * encoder.dimension}]})
    served.always = text(frozen)
    with pytest.raises(EndpointError, match="equal rows"):
        encoder.encode_texts(CAPTIONS)
    with pytest.raises(EndpointError, match="equal rows"):
        encoder.encode_images(drawn(2))


def test_a_bag_of_words_may_give_a_caption_and_its_swap_one_row(served):
    """That is what is measured; only rows of other words are a fault."""
    served.encoder = resolve("tiny-bag", device="cpu")
    rows = opened(served).encode_texts([*CAPTIONS, CAPTIONS[1], "A green square!"])
    np.testing.assert_array_equal(rows[4], rows[1])
    swapped = opened(served, "&batch=1").encode_texts([CAPTIONS[0], CAPTIONS[2]])
    assert len(swapped) == 2


# Servers that are busy, slow or away


BUSY = text('{"error": "busy"}', 429, Retry_After="7")


def test_a_busy_server_is_asked_again_after_the_pause_that_it_names(served, tiny):
    encoder = opened(served)
    served.faults = [
        BUSY,
        text("", 503),
        text("", 429, Retry_After="100000"),
        text("", 500, Retry_After="Fri, 01 Jan 2999 00:00:05 GMT"),
    ]
    same(encoder.encode_texts(CAPTIONS), tiny.encode_texts(CAPTIONS))
    assert encoder.slept == [7.0, 1.0, 60.0, 60.0]


def test_a_server_that_stays_busy_is_given_up(served):
    encoder = opened(served)
    served.always = text("", 503)
    with pytest.raises(EndpointError, match=r"busy or fails \(HTTP 503\); asked 6 times"):
        encoder.encode_texts(CAPTIONS)
    assert encoder.slept == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_a_connection_that_breaks_is_made_again(served, tiny):
    def broken(handler, answer):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"data"')
        handler.close_connection = True

    def closed(handler, answer):
        handler.close_connection = True

    encoder = opened(served)
    served.faults = [closed, broken]
    same(encoder.encode_texts(CAPTIONS), tiny.encode_texts(CAPTIONS))
    assert encoder.slept == [0.5]  # of a kept connection that was closed nothing is waited for


def test_a_slow_server_is_asked_again_and_given_up(served):
    encoder = opened(served, "&timeout=1")
    encoder._endpoint._timeout = 0.05
    encoder._endpoint._close()
    done = threading.Event()
    served.always = lambda *_: done.wait(5)
    with pytest.raises(EndpointError, match=r"no answer within 0.05 s .*asked 6 times"):
        encoder.encode_texts(CAPTIONS)
    done.set()


def test_a_server_that_is_not_there_is_one_line_at_once():
    with pytest.raises(EndpointError, match=r"no server answers there \(.*; start the server"):
        ApiEncoder("http://127.0.0.1:9/v1?model=tiny", sleep=lambda _: pytest.fail("waited"))
    with pytest.raises(EndpointError, match=r"no server answers there"):
        ApiEncoder("http://no-such-host.invalid/v1?model=tiny")


# Keys


@pytest.mark.parametrize(
    "command",
    ["embed", pytest.param("measure", marks=pytest.mark.long)],
)
def test_the_key_is_read_from_the_environment_and_shown_nowhere(
    served, tmp_path, monkeypatch, command
):
    served.key = SECRET
    monkeypatch.setenv("MY_KEY", SECRET)
    name = f"api:{served.url}?model=tiny&key=MY_KEY"
    folder = tmp_path / "out"
    more = {"embed": ["--modality", "text"], "measure": ["--complexity", "none"]}[command]
    asked = [command, name, "--scenes", "text20:3x3", *more, "--out", str(folder)]
    assert main(asked) == 0
    assert served.headers[-1]["Authorization"] == f"Bearer {SECRET}"
    for path in folder.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
    (manifest,) = list(folder.rglob("manifest.json"))[:1]
    assert "model=tiny&key=MY_KEY" in manifest.read_text()


@pytest.mark.parametrize("key", [None, "sk-wrong"])
def test_a_wrong_key_is_one_line_without_the_key(served, monkeypatch, key, capsys, tmp_path):
    served.key = SECRET
    if key:
        monkeypatch.setenv("CONCEPTBIND_API_KEY", key)
    command = ["embed", f"api:{served.url}?model=tiny", "--scenes", "text20:2x2"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert ("refuses the key" if key else "asks for a key") in said[0]
    assert "CONCEPTBIND_API_KEY" in said[0]
    assert "sk-" not in said[0]
    assert len(served.asked) == 1


def test_a_server_that_repeats_the_key_does_not_bring_it_into_a_message(served, monkeypatch):
    monkeypatch.setenv("CONCEPTBIND_API_KEY", SECRET)
    served.always = text(json.dumps({"error": {"message": f"{SECRET} has no quota"}}), 402)
    with pytest.raises(EndpointError, match=r"HTTP 402: \(not repeated here, since a key"):
        opened(served)


KEY = "sk-Abc/def+gh/SECRET=="
WRITTEN = {
    "as it came": KEY,
    "escaped slashes": KEY.replace("/", r"\/"),
    "escaped letters": "".join(f"\\u{ord(letter):04x}" for letter in KEY),
    "for an address": quote(KEY, safe=""),
    "twice for an address": quote(quote(KEY, safe=""), safe=""),
    "for HTML": KEY.replace("/", "&#x2F;"),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 of the header": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "hexadecimal": KEY.encode().hex(),
    "upper case": KEY.upper(),
    "without its middle": f"{KEY[:5]}...{KEY[-4:]}",
    "reversed": KEY[::-1],
    "numbers": str([*KEY.encode()]),
    "spaced": " ".join(KEY),
}


@pytest.mark.parametrize("way", WRITTEN)
@pytest.mark.parametrize("body", ['{"error": {"message": "bad key KEY"}}', "bad key KEY"])
def test_no_form_of_the_key_is_repeated(served, monkeypatch, way, body):
    monkeypatch.setenv("CONCEPTBIND_API_KEY", KEY)
    served.always = text(body.replace("KEY", WRITTEN[way]), 400)
    with pytest.raises(EndpointError) as caught:
        opened(served)
    assert str(caught.value).endswith("HTTP 400: (not repeated here, since a key is set)")
    for fault in (changed(embedding=WRITTEN[way]), changed(index=WRITTEN[way])):
        served.always = fault
        with pytest.raises(EndpointError, match=r"got \(not repeated here, since a key is set\)"):
            opened(served)
    served.always, served.name = None, f"tiny {WRITTEN[way]}"
    told = opened(served)
    assert re.fullmatch("another name, [0-9a-f]{8}", told.details["server_model"])
    assert told.revision.startswith(told.details["server_model"])


def test_the_name_that_was_asked_for_is_told_beside_a_key(served, monkeypatch):
    monkeypatch.setenv("CONCEPTBIND_API_KEY", "tiny")
    assert opened(served).details["server_model"] == "tiny"


def _drip(handler, over, head):
    """An answer of which a byte comes now and then."""
    with suppress(OSError):
        handler.send_response(200)
        for name, value in head.items():
            handler.send_header(name, value)
        handler.end_headers()
        while not over.wait(0.02):
            handler.wfile.write(b" ")


def _drip_head(handler, over, _):
    with suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not over.wait(0.02):
            handler.wfile.write(b"x")


DRIPS = {
    "a long answer": (_drip, {"Content-Length": "100000"}),
    "the last answer": (_drip, {"Content-Length": "100000", "Connection": "close"}),
    "without a length": (_drip, {}),
    "in its head": (_drip_head, {}),
}


@pytest.mark.parametrize("name", DRIPS)
def test_a_server_that_drips_is_given_up(served, monkeypatch, name):
    """Each byte is in time, and the answer never ends."""
    encoder = opened(served, "&timeout=1")
    monkeypatch.setattr(endpoint, "WHOLE", 0.2)
    monkeypatch.setattr(endpoint, "TRIES", 2)
    over, (drip, head) = threading.Event(), DRIPS[name]
    served.always = lambda handler, _: drip(handler, over, head)
    try:
        with pytest.raises(EndpointError, match="no whole answer within 0.2 s .*asked 2 times"):
            encoder.encode_texts(CAPTIONS)
    finally:
        over.set()


def test_waiting_in_silence_is_told(served, monkeypatch, capsys):
    encoder = opened(served)
    monkeypatch.setattr(endpoint, "TOLD_FROM", 0.0)
    served.faults = [text("busy", 503)]
    encoder.encode_texts(CAPTIONS)
    assert "asking again in 0.5 s" in capsys.readouterr().err


def test_a_long_pause_is_told(served, capsys):
    encoder = opened(served)
    served.faults = [text("busy", 429, Retry_After="30")]
    encoder.encode_texts(CAPTIONS)
    assert encoder.slept == [30]
    said = capsys.readouterr().err
    assert "the server is busy or fails (HTTP 429); asking again in 30 s" in said


@pytest.mark.parametrize(
    "name",
    [
        f"http://user:{SECRET}@127.0.0.1:9/v1?model=tiny",
        f"http://127.0.0.1:9/v1?model=tiny&api_key={SECRET}",
        f"http://127.0.0.1:9/v1?model=tiny&key={SECRET}",
        f"http://127.0.0.1:9/v1?model=tiny&key={SECRET.replace('-', '')}",
        f"http://127.0.0.1:9/v1?model=tiny&format={SECRET}",
        f"http://127.0.0.1:9/v1?model=tiny&batch={SECRET}",
        f"http://127.0.0.1:9/v1?model=tiny#{SECRET}",
    ],
)
def test_a_key_in_the_wrong_place_is_refused_and_not_repeated(name, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["measure", f"api:{name}", "--scenes", "text20:2x2", "--out", str(out)]) == 2
    said = capsys.readouterr()
    assert "secret" not in said.err + said.out
    assert not any(b"secret" in path.read_bytes() for path in out.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("127.0.0.1:9/v1?model=a", ValueRangeError, "expected an address such as api:http://"),
        ("ftp://127.0.0.1/v1?model=a", ValueRangeError, "expected an address such as api:http"),
        ("http://127.0.0.1:99999/v1?model=a", ValueRangeError, "one that cannot be read"),
        ("http://127.0.0.1:9/v1", ValueRangeError, "needs the model's name on the server"),
        ("http://127.0.0.1:9/v1?modle=a", UnknownNameError, "did you mean 'model'"),
        ("http://127.0.0.1:9/v1?model=", ValueRangeError, "must be there once and have a value"),
        ("http://127.0.0.1:9/v1?model=a&model=b", ValueRangeError, "must be there once"),
        ("http://127.0.0.1:9/v1?model=a&batch=0", ValueRangeError, "whole number of at least 1"),
        ("http://127.0.0.1:9/v1?model=a&pictures=x", UnknownNameError, "infinity, none, vllm"),
    ],
)
def test_names_that_cannot_be_are_refused_before_anything_is_sent(name, error, said):
    with pytest.raises(error, match=said):
        resolve(f"api:{name}", device="cpu")


def test_long_captions_cannot_be_refused_where_nobody_counts_them(served):
    with pytest.raises(ValueRangeError, match="does not tell how many tokens"):
        opened(served, long_captions="refuse")


# Which model it is


def test_another_model_behind_the_same_address_is_noticed(served, tmp_path):
    first, again = opened(served, "&pictures=infinity"), opened(served, "&pictures=infinity")
    assert first.revision == again.revision
    assert first.revision.startswith("tiny:")
    table = text20(2, 2)
    embeddings.embed(first, table, "text", tmp_path / "rows")
    served.encoder = resolve("tiny-bound", device="cpu")  # of the same width, by the same name
    other = opened(served, "&pictures=infinity")
    assert (other.id, other.dimension) == (first.id, first.dimension)
    assert other.revision != first.revision
    with pytest.raises(MismatchError, match="revision"):
        embeddings.embed(other, table, "text", tmp_path / "rows")


def test_a_fingerprint_knows_a_trained_model_and_overlooks_the_last_digits():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(len(PROBES), 256)).astype(np.float32)
    noisy = [rows + 1e-7 * rng.normal(size=rows.shape).astype(np.float32) for _ in range(50)]
    moved = [rows + 0.05 * rng.normal(size=rows.shape).astype(np.float32) for _ in range(50)]
    own = fingerprint(rows)
    assert [fingerprint(one) == own for one in noisy].count(True) >= 49
    assert [fingerprint(one) != own for one in moved].count(True) == 50
    assert fingerprint(rows * 2) != own
    assert fingerprint(rows[:, :255]) != own


# A whole command


def test_rows_that_are_done_are_kept_when_the_server_fails(
    served, tmp_path, monkeypatch, capsys, tiny
):
    monkeypatch.setattr(shards, "SHARD_ROWS", 16)
    monkeypatch.setattr(encoding, "TEXT_BATCH", 16)
    monkeypatch.setattr(endpoint, "FIRST_PAUSE", 1e-4)
    command = ["embed", f"api:{served.url}?model=tiny&batch=8", "--scenes", "text20:4x4"]
    command += ["--modality", "text", "--out", str(tmp_path / "out")]
    served.faults = [None] * (len(PROBES) + 6)
    served.always = text("", 502)
    assert main(command) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "busy or fails (HTTP 502); asked 6 times; run the same command again" in said
    assert len(served.asked) == len(PROBES) + 6 + 6
    assert len(list((tmp_path / "out").rglob("rows-*.safetensors"))) == 3
    served.always = None
    served.asked.clear()
    assert main(command) == 0
    table = text20(4, 4)
    assert len(served.asked) == len(PROBES) + (len(table) - 3 * 16) // 8
    (manifest,) = (tmp_path / "out").rglob("manifest.json")
    rows = embeddings.load(manifest.parent)
    same(rows.values, tiny.encode_texts(list(table.captions(0, len(table)))))
    assert rows.details["text"] == "as the server prepares it"


def test_the_network_is_not_reached_for_any_other_name(monkeypatch):
    monkeypatch.setattr(endpoint.Endpoint, "__init__", lambda *_: pytest.fail("reached out"))
    assert resolve("tiny", device="cpu").dimension
