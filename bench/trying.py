"""How soon the page of `conceptbind try` is there and answers: the command in a real Chromium.

python bench/trying.py RUN
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from browsing import chromium

STARTS, VISITS, ANSWERS, TABS = 3, 5, 20, 20
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
TIMED = """async () => {
  const box = document.querySelector('#caption');
  const start = performance.now();
  box.value = box.value.endsWith(' ') ? box.value.trim() : box.value + ' ';
  await answer();
  return performance.now() - start;
}"""
"""One answer as a person sees it: asked, computed, drawn into the page."""


def started() -> tuple[subprocess.Popen[str], str, float]:
    """The command, the address of its page, and the seconds until it said that."""
    begin = time.perf_counter()
    words = [sys.executable, "-m", "conceptbind", "try", "--run", sys.argv[1], "--port", "0"]
    server = subprocess.Popen([*words, "--no-browser"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    found = re.search(r"http://\S+", server.stdout.readline())
    assert found is not None
    return server, found[0], time.perf_counter() - begin


def opened(browser: Any, address: str) -> Any:
    page = browser.new_context().new_page()
    page.goto(address)
    page.locator("#answer[aria-busy='false']").wait_for()
    return page


def main() -> None:
    starts, paints, firsts = [], [], []
    with chromium() as browser:
        for number in range(STARTS):
            server, address, seconds = started()
            starts.append(seconds)
            if number < STARTS - 1:
                server.terminate()
                server.wait()
        for _ in range(VISITS):
            begin = time.perf_counter()
            page = opened(browser, address)
            firsts.append(time.perf_counter() - begin)
            paints.append(page.evaluate(PAINTED) / 1000)
            page.context.close()
        page = opened(browser, address)
        answers = sorted(page.evaluate(TIMED) / 1000 for _ in range(ANSWERS))
        tabs = [opened(browser, address) for _ in range(TABS)]
        begin = time.perf_counter()
        for tab in tabs:
            tab.evaluate("() => { answer(); }")
        for tab in tabs:
            tab.locator("#answer[aria-busy='false']").wait_for()
        together = time.perf_counter() - begin
        server.terminate()
        server.wait()
    print(f"start of the command to the address   {min(starts):.2f} s (least of {STARTS})")
    print(f"visit to the first paint              {min(paints):.3f} s (least of {VISITS})")
    print(f"visit to the first answer             {min(firsts):.3f} s (least of {VISITS})")
    print(f"an answer, in the page                {answers[0]:.3f} s (least of {ANSWERS})")
    print(f"                                      {answers[ANSWERS // 2]:.3f} s (median)")
    print(f"{TABS} tabs that ask at once              {together:.2f} s until all have answers")


if __name__ == "__main__":
    main()
