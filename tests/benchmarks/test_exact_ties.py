"""Hits and ties of every benchmark's rule against arithmetic without rounding."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.benchmarks import benchmark_named
from conceptbind.benchmarks.texts import by_rows
from exact_cosines import cosine, every, unit, whole_numbers, within


def counts(scores):
    return {(s.metric, s.subset): (int(s.correct.sum()), int(s.tied.sum())) for s in scores}


def summed(outcomes):
    return tuple(map(sum, zip(*outcomes, strict=True)))


@pytest.mark.parametrize("seed", range(12))
def test_retrieval_with_shared_captions_and_equal_pictures(seed):
    rng = np.random.default_rng(seed)
    pictures = whole_numbers(rng, 20, 2 + seed % 3)
    pictures[rng.integers(20)] = pictures[0]
    if seed == 11:
        pictures[:] = pictures[0]
    captions = whole_numbers(rng, 50, pictures.shape[1])
    items = {"owner": np.arange(50) % 20, "captions": rng.integers(0, 50, size=50)}
    owner, said = items["owner"], captions[items["captions"]]
    found = counts(benchmark_named("coco").score(items, unit(pictures), unit(captions)))
    for k in (1, 5, 10):
        by_text = []
        for text, mine in zip(said, owner, strict=True):
            scores = [cosine(text, picture) for picture in pictures]
            own = scores.pop(mine)
            by_text.append(within(scores, own, k))
        by_picture = []
        for i, picture in enumerate(pictures):
            scores = [cosine(picture, text) for text in said]
            own = max(score for score, of in zip(scores, owner, strict=True) if of == i)
            by_picture.append(
                within([score for score, of in zip(scores, owner, strict=True) if of != i], own, k)
            )
        assert found[f"recall_at_{k}", "text to image"] == summed(by_text)
        assert found[f"recall_at_{k}", "image to text"] == summed(by_picture)


@pytest.mark.parametrize("seed", range(6))
def test_two_pictures_and_two_captions(seed):
    """A tie beside a choice that is lost decides nothing, so it is not counted."""
    rng = np.random.default_rng(seed)
    pictures, captions = whole_numbers(rng, 15, 3), whole_numbers(rng, 15, 3)
    rows = rng.integers(0, 15, size=(80, 4))
    scores = benchmark_named("winoground").score(
        {"rows": rows, "subsets": np.full(80, "")}, unit(pictures), unit(captions)
    )
    by_metric = {"text_score": [], "image_score": [], "group_score": []}
    for row in rows:
        x, y = pictures[row[:2]], captions[row[2:]]
        text = [cosine(x[i], y[i]) - cosine(x[i], y[1 - i]) for i in (0, 1)]
        image = [cosine(y[i], x[i]) - cosine(y[i], x[1 - i]) for i in (0, 1)]
        for metric, leads in (
            ("text_score", text),
            ("image_score", image),
            ("group_score", text + image),
        ):
            by_metric[metric].append(every(leads))
    found = counts(scores)
    right, ties = found.pop(("group_match", "all"))
    assert found == {(metric, "all"): summed(found) for metric, found in by_metric.items()}
    x, y = (np.asarray(part, dtype=np.float64) for part in (pictures, captions))
    x, y = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (x, y))
    x, y = x[rows[:, :2]], y[rows[:, 2:]]
    table = np.einsum("npd,ncd->npc", x, y)
    lead = np.trace(table, axis1=1, axis2=2) - np.trace(table[:, ::-1], axis1=1, axis2=2)
    assert (right, ties) == ((lead > 1e-9).sum(), (np.abs(lead) < 1e-9).sum())


@pytest.mark.parametrize("seed", range(6))
def test_triplets_of_texts_and_their_picture(seed):
    rng = np.random.default_rng(seed)
    pictures, captions = whole_numbers(rng, 12, 3), whole_numbers(rng, 15, 3)
    rows, shown = rng.integers(0, 15, size=(80, 3)), rng.integers(0, 12, size=80)
    items = {"rows": rows, "subsets": np.full(80, "a"), "draws": shown, "pictures": shown}
    plus, texts = benchmark_named("sugarcrepe_pp"), unit(captions)
    scores = plus.score_texts(items, by_rows(texts, texts))
    scores += plus.score(items, unit(pictures), texts)
    both, one, seen = [], [], []
    for row, picture in zip(rows, pictures[shown], strict=True):
        caption, paraphrase, negative = captions[row]
        asks = cosine(caption, paraphrase) - cosine(caption, negative)
        answers = cosine(paraphrase, caption) - cosine(paraphrase, negative)
        both.append(every([asks, answers]))
        one.append(every([asks]))
        false = cosine(picture, negative)
        seen.append(every([cosine(picture, true) - false for true in (caption, paraphrase)]))
    assert counts(scores) == {
        ("paraphrase_accuracy", "a"): summed(both),
        ("paraphrase_accuracy_one_sided", "a"): summed(one),
        ("accuracy", "a"): summed(seen),
    }
    assert any(tied for _, tied in counts(scores).values())
