"""One small page (a box, a button, a score) in four libraries: how large, how quick, how accessible
each is, and whether it reaches out of the machine.

Each library lies in a virtual environment of its own, so that none is measured with what another
brought:

    for name in gradio nicegui panel; do
        python -m venv VENVS/$name && VENVS/$name/bin/pip install $name
    done
    python -m venv VENVS/starlette && VENVS/starlette/bin/pip install starlette uvicorn
    python bench/page_libraries.py VENVS
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from browsing import RULES, chromium

RUNS = 3
GRADIO = """
import sys, gradio
with gradio.Blocks(title="Try") as page:
    gradio.Markdown("# Try a caption")
    text, button = gradio.Textbox(label="Caption"), gradio.Button("Score")
    said = gradio.Markdown()
    button.click(lambda text: "caption 0.41", text, said)
page.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), quiet=True)
"""
NICEGUI = """
import sys
from nicegui import ui
@ui.page("/")
def page():
    ui.label("Try a caption").classes("text-h4")
    ui.input("Caption")
    said = ui.label("")
    ui.button("Score", on_click=lambda: said.set_text("caption 0.41"))
ui.run(host="127.0.0.1", port=int(sys.argv[1]), show=False, reload=False, title="Try")
"""
PANEL = """
import sys, panel
def page():
    text, button = panel.widgets.TextInput(name="Caption"), panel.widgets.Button(name="Score")
    said = panel.pane.Markdown("")
    button.on_click(lambda _: setattr(said, "object", "caption 0.41"))
    return panel.Column("# Try a caption", text, button, said)
panel.serve(page, port=int(sys.argv[1]), address="127.0.0.1", show=False, title="Try")
"""
STARLETTE = '''
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route
PAGE = """<!doctype html><html lang="en"><title>Try</title><main><h1>Try a caption</h1>
<form><label>Caption <input></label> <button>Score</button></form><p role="status"></p></main>
<script>document.forms[0].onsubmit = async event => {
  event.preventDefault();
  const answer = await (await fetch("/score", {method: "POST"})).json();
  document.querySelector("p").textContent = "caption " + answer.caption;
}</script></html>"""
async def page(request):
    return HTMLResponse(PAGE)
async def score(request):
    return JSONResponse({"caption": 0.41})
routes = [Route("/", page), Route("/score", score, methods=["POST"])]
uvicorn.run(Starlette(routes=routes), port=int(sys.argv[1]), log_level="warning")
'''
PAGES = {"gradio": GRADIO, "nicegui": NICEGUI, "panel": PANEL, "starlette": STARLETTE}
WATCH = """
import sys
def watch(event, told):
    if event in ("socket.getaddrinfo", "socket.connect"):
        where = told[0] if event == "socket.getaddrinfo" else told[1]
        where = where[0] if isinstance(where, tuple) else where
        if str(where) not in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "None", "", "b''"):
            with open(sys.argv[2], "a") as file:
                file.write(f"{where}\\n")
sys.addaudithook(watch)
"""
"""Notes in a file every host that the server asks for, whether or not it is reached."""
FOCUSED = """() => {
  let inner = document.activeElement;
  while (inner.shadowRoot?.activeElement) inner = inner.shadowRoot.activeElement;
  return [inner.tagName, inner.innerText || ''];
}"""


def kilobytes(folder: Path) -> int:
    told = subprocess.run(["du", "-sk", folder], capture_output=True, text=True, check=True)
    return int(told.stdout.split()[0])


def packages(python: Path) -> int:
    command = [str(python), "-m", "pip", "list", "--format=freeze"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return len([line for line in listed.splitlines() if not line.startswith(("pip=", "setup"))])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def started(
    python: Path, script: Path, outside: Path
) -> tuple[subprocess.Popen[bytes], str, float]:
    """The server, its address, and the seconds until it answered."""
    port, begin = free_port(), time.perf_counter()
    command = [str(python), str(script), str(port), str(outside)]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=quiet, stderr=quiet, cwd=script.parent)
    address = f"http://127.0.0.1:{port}/"
    while server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                answer.read()
            return server, address, time.perf_counter() - begin
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"{script} ended with {server.returncode}")


def tabs_until(page: Any, wanted: Any, most: int = 30) -> int | None:
    """How often Tab is pressed until what has the focus is wanted; None where it never is."""
    for count in range(1, most):
        page.keyboard.press("Tab")
        if wanted(*page.evaluate(FOCUSED)):
            return count
    return None


def by_keyboard(page: Any) -> str:
    """Whether a caption is scored without a pointer, and how often Tab is pressed for it."""
    box = tabs_until(page, lambda tag, _: tag in ("INPUT", "TEXTAREA"))
    page.keyboard.type("a red square")
    button = tabs_until(page, lambda _, text: text.strip().lower() == "score")
    page.keyboard.press("Enter")
    page.get_by_text("0.41").first.wait_for(timeout=5_000)
    return f"{box} + {button} tabs"


def measured(browser: Any, name: str, venvs: Path, work: Path) -> str:
    python, script, outside = (
        venvs / name / "bin/python",
        work / f"page_of_{name}.py",
        work / "outside",
    )
    script.write_text(WATCH + PAGES[name])
    outside.write_text("")
    starts = []
    for _ in range(RUNS):
        server, address, seconds = started(python, script, outside)
        starts.append(seconds)
        if len(starts) < RUNS:
            server.terminate()
            server.wait()
    paints, fetched = [], 0
    asked: set[str] = set()
    for _ in range(RUNS):
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.on("request", lambda request: asked.add(request.url.split("/")[2]))
        begin = time.perf_counter()
        page.goto(address)
        page.get_by_role("button", name="Score").wait_for()
        paints.append(time.perf_counter() - begin)
        page.wait_for_timeout(500)
        fetched = page.evaluate(
            "performance.getEntriesByType('resource').reduce((sum, one) => sum + one.transferSize,"
            "performance.getEntriesByType('navigation')[0].transferSize)"
        )
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

    options = {"runOnly": RULES, "resultTypes": ["violations"]}
    broken = Axe().run(page, options=options).response["violations"]
    keyboard = by_keyboard(page)
    server.terminate()
    server.wait()
    hosts = sorted({*outside.read_text().split(), *(a for a in asked if "127.0.0.1" not in a)})
    cells = (
        name,
        f"{kilobytes(venvs / name) / 1024:.0f} MiB",
        f"{packages(python)}",
        f"{min(starts):.2f} s",
        f"{min(paints):.2f} s",
        f"{fetched / 1000:.0f} kB",
        ", ".join(hosts) or "none",
        ", ".join(one["id"] for one in broken) or "none",
        keyboard,
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    venvs = Path(sys.argv[1]).resolve()
    os.environ.pop("PYTHONPATH", None)
    print(
        "| library | environment | packages | start | button seen | page | asks for | axe | keys |"
    )
    print(f"|{'---|' * 9}")
    with tempfile.TemporaryDirectory() as work, chromium() as browser:
        for name in PAGES:
            print(measured(browser, name, venvs, Path(work)), flush=True)


if __name__ == "__main__":
    main()
