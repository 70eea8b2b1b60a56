"""The page as a server: who may ask, what is refused, and what many ask at once."""

from __future__ import annotations

import io
import json
import socket
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.by_hand import Bound
from app.serving import served
from conceptbind.app import Model, Page, listening
from conceptbind.app import server as serving
from conceptbind.app.guard import Guard
from conceptbind.core.errors import FileError, ValueRangeError

CAPTION = "a red square and a blue circle"
DRAWN = {"objects": [{"color": "red", "shape": "square", "x": 0.5, "y": 0.5}]}
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def png(width=32, height=32, **options):
    held = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(held, "PNG", **options)
    return held.getvalue()


def animated(kind):
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    held = io.BytesIO()
    frames[0].save(held, kind, save_all=True, append_images=frames[1:], duration=50)
    return held.getvalue()


def test_the_page_comes_with_its_key_and_a_strict_policy(site):
    status, headers, content = site.send("GET", f"/?key={site.page.key}")
    assert status == 200
    assert b"Try tiny" in content
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "connect-src 'self'" in policy
    assert "script-src 'nonce-" in policy
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"
    assert b"http://" not in content and b"https://" not in content  # nothing is fetched


def test_without_the_key_nothing_is_answered(site):
    for path in ("/", "/?key=", "/?key=wrong", f"/?other={site.page.key}"):
        status, _, content = site.send("GET", path)
        assert (status, b"needs its key" in content) == (403, True)
    body = json.dumps(DRAWN).encode()
    assert site.send("POST", "/draw", body)[0] == 403
    assert site.send("POST", "/draw", body, {"x-key": "wrong"})[0] == 403
    assert site.send("POST", f"/draw?key={site.page.key}", body)[0] == 403


def test_another_host_is_refused_also_with_the_key(site):
    """A foreign name that was led to 127.0.0.1 (DNS rebinding)."""
    page = f"/?key={site.page.key}"
    names = ("evil.example", f"evil.example:{site.port}", "127.0.0.1", "127.0.0.1:1", "localhost")
    for host in (*names, f"127.0.0.1:{site.port}.evil.example"):
        assert site.send("GET", page, host=host)[0] == 421, host
    assert site.send("GET", page, host=["127.0.0.1:1", f"127.0.0.1:{site.port}"])[0] in (400, 421)
    assert site.send("GET", page, host=f"localhost:{site.port}")[0] == 200


def test_on_port_80_browsers_leave_the_port_out():
    async def app(*_):
        raise NotImplementedError

    def refusal(port, host):
        headers = [(b"host", host), (b"origin", b"http://127.0.0.1"), (b"x-key", b"k")]
        scope = {"type": "http", "method": "POST", "path": "/draw", "headers": headers}
        return Guard(app, port, "k").refusal(scope)

    assert refusal(80, b"127.0.0.1") is None
    assert refusal(80, b"evil.example")[0] == 421
    assert refusal(8765, b"127.0.0.1")[0] == 421


def test_the_builder_offers_what_the_model_reads(site):
    content = site.send("GET", f"/?key={site.page.key}")[2].decode()
    for word in ("red", "white", "square", "ring"):
        assert f"<option>{word}</option>" in content
    for word in ("lime", "navy", "arrow", "crescent"):
        assert f"<option>{word}</option>" not in content


def test_a_page_of_another_site_is_refused_also_with_the_key(site):
    body = json.dumps(DRAWN).encode()

    def status(**headers):
        told = {"x-key": site.page.key, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return site.send("POST", "/draw", body, told)[0]

    own = f"http://127.0.0.1:{site.port}"
    assert status(origin=own, sec_fetch_site="same-origin") == 200
    for origin in ("http://evil.example", "null", own + "0", own.replace("http", "https")):
        assert status(origin=origin) == 403, origin
    assert status(sec_fetch_site="cross-site") == 403
    assert status(sec_fetch_site="same-site") == 403
    assert site.send("OPTIONS", "/draw", headers={"x-key": site.page.key})[0] == 405
    # a link in a mail or a terminal may open the page, and cannot read it
    link = {"sec-fetch-site": "cross-site"}
    assert site.send("GET", f"/?key={site.page.key}", headers=link)[0] == 200


def test_no_other_machine_can_reach_it(site):
    """The socket is of the loopback device alone, and the address that other machines know this one
    by refuses.
    """
    open_files = Path("/proc/net/tcp")
    if not open_files.exists():
        pytest.skip("no /proc/net/tcp")
    rows = [line.split() for line in open_files.read_text().splitlines()[1:]]
    own = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{site.port:04X}")]
    assert own == [f"0100007F:{site.port:04X}"]  # 127.0.0.1 in the kernel's order
    six = Path("/proc/net/tcp6")
    if six.exists():
        assert f":{site.port:04X} 0000" not in six.read_text()
    # 127.0.0.2 is this machine, and another address
    others = {"127.0.0.2", *socket.gethostbyname_ex(socket.gethostname())[2]} - {"127.0.0.1"}
    for address in others:
        with pytest.raises(OSError, match="refused|timed out|unreachable"):
            socket.create_connection((address, site.port), timeout=2)


def test_a_port_in_use_and_no_port_are_said(site):
    with pytest.raises(FileError, match=rf"port {site.port} of this machine cannot be used"):
        listening(site.port)
    with pytest.raises(ValueRangeError, match="--port must lie between 0 and 65535; got 70000"):
        listening(70_000)


def test_a_drawing_is_compared_with_captions(site):
    drawn = site.ask("/draw", DRAWN)
    assert drawn["picture"].startswith("data:image/png;base64,")
    again = site.ask("/draw", DRAWN)
    assert again["id"] == drawn["id"]
    found = site.ask("/score", {"id": drawn["id"], "captions": [CAPTION, MARKUP]})
    roles = [line["role"] for line in found["trial"]["lines"]]
    assert roles == ["caption", "swap"] * 4
    (refused,) = found["trial"]["refused"]
    assert MARKUP[:30] in refused  # as text: the page shows it with textContent
    assert "draw_placed" in found["python"]
    assert MARKUP not in found["python"]


def test_a_picture_that_is_no_longer_kept_is_asked_for_once_more(site, monkeypatch):
    status, answer = site.post("/score", {"id": "0" * 32, "captions": [CAPTION]})
    assert (status, answer["error"]) == (409, serving.AGAIN)
    monkeypatch.setattr(serving, "KEPT", 2)
    placed = [{"objects": [{**DRAWN["objects"][0], "x": x}]} for x in (0.2, 0.3, 0.4)]
    ids = [site.ask("/draw", one)["id"] for one in placed]
    assert len(site.page.kept) == 2
    assert site.post("/score", {"id": ids[0], "captions": [CAPTION]})[0] == 409
    assert site.post("/score", {"id": ids[2], "captions": [CAPTION]})[0] == 200


def test_a_dropped_picture_is_seen_as_every_command_sees_it(site):
    name = MARKUP.replace("/", "") + ".png"
    from urllib.parse import quote

    answer = site.ask("/picture", png(300, 200), {"x-name": quote(name)})
    assert answer["name"].startswith("<script>")
    assert answer["size"] == "300 x 200 pixels"
    row = site.page.kept[answer["id"]].row
    want = site.page.model.picture(Image.new("RGB", (300, 200), "red"))
    assert np.array_equal(row, want)


def bomb(side):
    """A PNG that says it has so many pixels along each side, in a few bytes."""

    def chunk(kind, data):
        content = kind + data
        return len(data).to_bytes(4, "big") + content + zlib.crc32(content).to_bytes(4, "big")

    size = side.to_bytes(4, "big")
    head = chunk(b"IHDR", size + size + bytes([8, 2, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"", "is no picture that can be read", id="empty"),
        pytest.param(b"GIF89a" + b"\0" * 40, "it.png", id="broken"),
        pytest.param(png(64, 64)[:-40], "cannot be read", id="cut off"),
        pytest.param(animated("GIF"), "is animated or has pages (2 of them)", id="gif"),
        pytest.param(animated("WEBP"), "is animated or has pages (2 of them)", id="webp"),
        pytest.param(bomb(30_000), "has too many pixels", id="bomb"),
        pytest.param(bomb(8_000), "8,000 x 8,000 pixels", id="huge"),
        pytest.param(
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n",
            "is no picture that can be read",
            id="PostScript",  # which Pillow would hand to a program
        ),
        pytest.param(png(400_000, 1), "at most 100 times as long as the other", id="thin"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no picture", id="svg"),
    ],
)
def test_bad_pictures_are_refused_in_one_line(site, data, said):
    status, answer = site.post("/picture", data, {"x-name": "it.png"})
    assert status == 400
    assert said in answer["error"]
    assert "\n" not in answer["error"]


def test_what_is_too_large_is_refused_before_it_is_read(site):
    status, answer = site.post("/picture", b"\0" * ((20 << 20) + 2), {"x-name": "large.png"})
    assert (status, answer["error"]) == (
        413,
        "expected at most 20 MiB; got more; make it smaller",
    )
    status, answer = site.post("/score", b"[" * ((1 << 18) + 1))
    assert status == 413


@pytest.mark.parametrize(
    "content",
    [b"", b"nothing", b"\xff\xfe", b"[" * 100_000, b"{}", b'{"id": 3, "captions": []}', b"null"],
)
def test_a_request_of_another_form_is_one_line(site, content):
    status, answer = site.post("/score", content)
    assert status == 400
    assert answer["error"].startswith("the request is not what the page sends")


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        ([{**DRAWN["objects"][0], "color": "blurple"}], "knows no colour 'blurple'"),
        ([{**DRAWN["objects"][0], "shape": "dragon"}], "knows no shape 'dragon'"),
        ([{**DRAWN["objects"][0], "x": 7}], "not what the page sends"),
        (DRAWN["objects"] * 13, "at most 12 objects; got 13"),
    ],
)
def test_what_cannot_be_drawn_is_said(site, objects, said):
    status, answer = site.post("/draw", {"objects": objects})
    assert (status, said in answer["error"]) == (400, True)


def test_long_captions_are_refused_and_cut_ones_are_marked(site):
    drawn = site.ask("/draw", DRAWN)["id"]
    status, answer = site.post("/score", {"id": drawn, "captions": ["a " * 5_000]})
    assert status == 400
    assert "at most 2,000 characters; got one of 9,999" in answer["error"]
    long = " and ".join(["a red square"] * 30)
    (line,) = site.ask("/score", {"id": drawn, "captions": [long]})["trial"]["lines"]
    assert "its end was cut off" in line["note"]


def test_a_fault_of_ours_is_said_and_the_page_goes_on(site, monkeypatch):
    def broken(*_):
        raise RuntimeError("not today")

    monkeypatch.setattr(serving, "try_picture", broken)
    drawn = site.ask("/draw", DRAWN)["id"]
    status, answer = site.post("/score", {"id": drawn, "captions": [CAPTION]})
    assert status == 500
    assert "fault of conceptbind: RuntimeError: not today" in answer["error"]
    monkeypatch.undo()
    assert site.post("/score", {"id": drawn, "captions": [CAPTION]})[0] == 200


def test_twenty_ask_at_once_and_each_gets_its_own_answer(site):
    """Every one draws another picture; the answers are those of one who asks alone."""
    colours = ["red", "blue", "green", "purple"]

    def asks(place):
        one = {"color": colours[place % 4], "shape": "square", "x": 0.2 + place / 40, "y": 0.5}
        drawn = site.ask("/draw", {"objects": [one]})["id"]
        return site.ask("/score", {"id": drawn, "captions": [CAPTION]})["trial"]

    with ThreadPoolExecutor(20) as pool:
        together = list(pool.map(asks, range(20)))
    assert together == [asks(place) for place in range(20)]


def test_an_encoder_of_captions_alone_compares_with_a_text():
    class Reads(Bound):
        modalities = ("text",)

    with served(Page(Model(Reads()))) as site:
        assert b"Text to compare with" in site.send("GET", f"/?key={site.page.key}")[2]
        status, answer = site.post("/draw", DRAWN)
        assert (status, "embeds captions alone" in answer["error"]) == (400, True)
        text = site.ask("/text", {"text": CAPTION})["id"]
        found = site.ask("/score", {"id": text, "captions": [CAPTION]})
        assert "nearer to the text than its swap" in found["trial"]["sentences"][0]
        assert "a text; got none; type one" in site.post("/text", {"text": " "})[1]["error"]


def test_a_tab_that_opens_while_the_encoder_works_holds_up_nobody():
    """The page asks which words are read; other requests are answered meanwhile."""
    working, done = threading.Event(), threading.Event()

    class Slow(Bound):
        def encode_texts(self, texts):
            working.set()
            done.wait(30)
            return super().encode_texts(texts)

    with served(Page(Model(Slow()))) as site, ThreadPoolExecutor(1) as pool:
        opened = pool.submit(site.send, "GET", f"/?key={site.page.key}")
        assert working.wait(30)
        assert site.post("/search", {"text": "x"})[0] == 400
        assert not opened.done()
        done.set()
        assert opened.result()[0] == 200


def test_one_thread_decodes_all_pictures(site, monkeypatch):
    """Each thread of the server would keep memory for the largest picture that it saw."""
    threads = set()
    real = serving.read_dropped

    def read(*told):
        threads.add(threading.get_ident())
        return real(*told)

    monkeypatch.setattr(serving, "read_dropped", read)
    data = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(data, "png")

    def drop(_):
        return site.send("POST", "/picture", data.getvalue(), {"x-key": site.page.key})[0]

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(drop, range(8)))
    assert set(made) == {200}
    assert len(threads) == 1


def test_an_encoder_that_is_a_server_is_named_as_where_things_go():
    class Far(Bound):
        id = "api:http://far.example?model=x"

    with served(Page(Model(Far()))) as site:
        content = site.send("GET", f"/?key={site.page.key}")[2].decode()
        assert "goes to the server that api:http://far.example?model=x names" in content
        assert "Nothing leaves this machine" not in content
    with served(Page(Model(Bound()))) as site:
        assert b"Nothing leaves this machine" in site.send("GET", f"/?key={site.page.key}")[2]
