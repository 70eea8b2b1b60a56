"""Captions that people wrote: no negative is its caption, words stay, and few captions go
without.
"""

import importlib.util
import json
import re
from collections import Counter
from itertools import groupby

import pytest

from conceptbind.repairs.negatives import hard_negatives, load_tagger, read_negclip
from conceptbind.repairs.negatives.permutations import same_words

PACKAGES = {"spacy": "spacy", "hanta": "HanTa"}


@pytest.fixture(scope="module")
def captions(shared_data):
    """(captions, number of the picture) of NegCLIP's and SugarCrepe's files; SugarCrepe tells
    several things of a picture.
    """
    texts = [caption for caption, _ in read_negclip(shared_data / "negclip_captions.tsv").pairs]
    pictures = [f"negclip {row}" for row in range(len(texts))]
    for path in sorted((shared_data / "sugarcrepe").glob("*.json")):
        # half of them, for time
        items = list(json.loads(path.read_text(encoding="utf-8")).values())[::2]
        texts += [text for item in items for text in (item["caption"], item["negative_caption"])]
        pictures += [item["filename"] for item in items for _ in range(2)]
    numbers = {picture: number for number, picture in enumerate(dict.fromkeys(pictures))}
    return texts, [numbers[picture] for picture in pictures]


@pytest.fixture(scope="module", params=list(PACKAGES))
def negatives(request, captions):
    if importlib.util.find_spec(PACKAGES[request.param]) is None:
        pytest.skip(f"{PACKAGES[request.param]} is not installed")
    return hard_negatives(captions[0], tagger=load_tagger(request.param), groups=captions[1])


def words(text):
    return Counter("a" if word == "an" else word for word in re.findall(r"\w+", text.lower()))


def test_words_and_marks_stay(captions, negatives):
    for row in negatives.rows:
        caption, negative = captions[0][row], negatives.texts[row]
        assert words(negative) == words(caption)
        assert Counter(re.findall(r"\W", negative)) == Counter(re.findall(r"\W", caption))
        assert (
            negative[0].isupper() == caption[0].isupper()
            or not negative[0].isalpha()
            or negative.split()[0][1:] != negative.split()[0][1:].lower()
        )


def test_no_negative_is_a_caption_of_its_picture(captions, negatives):
    rows = sorted(range(len(captions[0])), key=captions[1].__getitem__)
    for _, picture in groupby(rows, key=captions[1].__getitem__):
        members = list(picture)
        own = {same_words(captions[0][row]) for row in members}
        assert not own & {
            same_words(negatives.texts[row]) for row in members if negatives.texts[row] is not None
        }


def test_the_same_caption_has_the_same_negative(captions, negatives):
    """Duplicates of a caption, in pictures where nothing is in the way, all get one negative."""
    found = {}
    for row in negatives.rows:
        found.setdefault(captions[0][row], set()).add(negatives.texts[row])
    several = sum(len(texts) > 1 for texts in found.values())
    assert several <= 0.01 * len(found)


def test_few_captions_go_without(captions, negatives):
    print(
        f"\n{negatives.tagger}: {negatives.skipped_share:.2%} of {len(captions[0])} captions "
        f"without: {negatives.skipped}"
    )
    assert negatives.skipped_share < 0.02
    assert sum(negatives.skipped.values()) == negatives.texts.count(None)


def test_the_control_without_fixed_articles_has_wrong_ones(captions, negatives):
    texts, wrong = (
        captions[0][:500],
        re.compile(r"\ba (umbrella|orange|apple|elephant|airplane|oven|animal)\b", re.IGNORECASE),
    )
    kept = hard_negatives(texts, tagger=load_tagger(negatives.tagger), articles="keep")
    assert sum(bool(wrong.search(kept.texts[row])) for row in kept.rows) >= 5
    moved = [row for row in negatives.rows if row < 500 and not wrong.search(captions[0][row])]
    assert not any(wrong.search(negatives.texts[row]) for row in moved)
