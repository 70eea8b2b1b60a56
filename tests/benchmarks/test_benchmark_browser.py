"""The page of many benchmarks on a phone: addresses without a space break."""

from __future__ import annotations

import pytest

from browsing import OPEN_ALL, TOO_WIDE, chromium, in_browser, opened
from conceptbind.benchmarks import BENCHMARKS, write_benchmark_report
from conceptbind.benchmarks.declared import published_rule
from conceptbind.core.records import Record, Records

pytestmark = [in_browser, pytest.mark.slow]


def score(name, value, control="none"):
    told = {"study": "benchmark", "modality": "both", "metric": "accuracy", "split": "all"}
    told |= {"protocol": "strict", "average": "micro", "repair": "none", "control": control}
    return Record.of(**told, value=value, n=100, ties=0, scenes=name, encoder="e", level=None)


def test_published_addresses_fit_a_phone(tmp_path):
    names = [name for name, one in BENCHMARKS.items() if published_rule(one)]
    records = [score(name, 0.8) for name in names]
    records += [score(name, 0.5, "blind_length") for name in names]
    about = {
        name: {
            **{"title": BENCHMARKS[name].title, "published": BENCHMARKS[name].published},
            **{"captions": 5, "pictures": 5, **published_rule(BENCHMARKS[name])},
        }
        for name in names
    }
    facts = {"conceptbind": "9.9", "benchmarks": about}
    path = tmp_path / "report.html"
    write_benchmark_report(path, Records(records), ["x" * 200], facts)
    with chromium() as browser:
        page, wrong = opened(browser, path, 390, 844)
        page.evaluate(OPEN_ALL)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate(TOO_WIDE, 390) == []
        assert wrong == []
