"""The citation text: addresses that are declared, and none that is made up."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from conceptbind.report.citing import citation, declared, home

ROOT = Path(__file__).parents[2]
PAPERS = ["https://arxiv.org/abs/2605.31503", "https://arxiv.org/abs/2502.03566"]


@pytest.mark.parametrize(
    ("urls", "found"),
    [
        ([], None),
        (["Changelog, https://example.org/changes"], None),
        (
            ["Source, https://example.org/code", "Homepage, https://example.org"],
            "https://example.org",
        ),
        (["repository,https://example.org/code"], "https://example.org/code"),
    ],
)
def test_the_address_to_cite_is_one_that_the_metadata_declare(urls, found):
    assert declared(urls) == found


def test_each_paper_has_its_address_and_the_program_has_one_where_it_is_declared():
    def addresses(text):
        return re.findall(r"url = \{(.*)\}", text)

    assert addresses(citation("0.1.0")) == PAPERS
    assert addresses(citation("0.1.0", "https://example.org")) == ["https://example.org", *PAPERS]
    for text in (citation("0.1.0"), citation("0.1.0", "https://example.org")):
        assert text.count("{") == text.count("}")


def test_the_three_places_agree():
    """The page, CITATION.cff and pyproject.toml name the same addresses."""
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert [one["url"] for one in cff["references"]] == PAPERS
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})
    told = declared(f"{label}, {address}" for label, address in urls.items())
    assert cff.get("url", cff.get("repository-code")) == told
    assert home() in (None, told)
