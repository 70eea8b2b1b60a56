"""Scores of described items, by the rules that a description names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.benchmarks.base import Items, Score
from conceptbind.benchmarks.description import Scoring, metrics_of
from conceptbind.benchmarks.forming import NONE, fits
from conceptbind.benchmarks.in_common import lost_captions, lost_pictures
from conceptbind.core.names import Metric
from conceptbind.metrics.choices import choice_among, every
from conceptbind.metrics.retrieval import ranks, within
from conceptbind.metrics.triplets import triplet_choice

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.benchmarks.description import Task
    from conceptbind.benchmarks.texts import Alike
    from conceptbind.core.typing import Bools, Floats, Ints

KS = (1, 5, 10)
TILE = 1024
"""Items scored at once: their vectors stay in the processor's cache."""
ALL = "all"
Outcome = tuple["Bools", "Bools"]
Rule = Callable[[str], Mapping[str, Outcome]]
"""From a rule for ties to what became of the items by each metric."""


def scores_with_pictures(
    task: Task,
    items: Items,
    pictures: Float[Floats, "pictures width"],
    captions: Float[Floats, "captions width"],
) -> list[Score]:
    """Scores of a task that compares pictures with captions.

    Args:
        task: with its rules.
        items: arrays of `forming.Formed`.
        pictures: (p, d) unit rows.
        captions: (c, d) unit rows.
    """
    if task.form == "retrieval":
        return _of_retrieval(task, items, pictures, captions)
    if task.form == "triplets":
        return _of_shown(task, items, pictures, captions)
    rule: Rule
    if task.form == "two_by_two":
        rows = items["rows"]
        table = scores_of_groups(pictures, captions, rows)

        def rule(ties: str) -> Mapping[str, Outcome]:
            return both_ways(table, ties)
    else:
        x, y = (pictures, captions) if task.form == "captions" else (captions, pictures)
        table = _among(x, y, items["rows"])

        def rule(ties: str) -> Mapping[str, Outcome]:
            right = items.get("right", np.zeros(len(table), dtype=np.int64))
            return {Metric.ACCURACY: _of_right(table, right, task.positives, ties)}

    return list(_scores(task, items, rule, "both"))


def scores_of_texts(task: Task, items: Items, alike: Alike) -> list[Score]:
    """Scores of a task that compares captions alone.

    Args:
        task: with its rules.
        items: arrays of `forming.Formed`.
        alike: how alike two captions are.
    """
    if task.form == "queries":
        one, two, first, second = items["rows"].T
        both = [np.stack([alike(q, first), alike(q, second)], axis=1) for q in (one, two)]
        table = np.stack(both, axis=1)

        def rule(ties: str) -> Mapping[str, Outcome]:
            return {Metric.PAIR_ACCURACY: _diagonal(table, ties)}

        return list(_scores(task, {**items, "chance": chance_of_queries(items)}, rule, "text"))
    anchor, paraphrase, negative = items["rows"].T
    near, far = alike(anchor, paraphrase), alike(anchor, negative)
    found = triplet_choice(near, far, alike(paraphrase, negative), back=alike(paraphrase, anchor))
    outcomes: dict[str, Outcome] = {Metric.SWAP_NOTICED: (found.correct, found.tied)}
    if task.form == "swaps":
        items = {**items, "chance": chance_of_swaps(items)}
    else:
        outcomes = {
            Metric.PARAPHRASE_ACCURACY: (found.correct, found.tied),
            Metric.PARAPHRASE_ACCURACY_ONE_SIDED: (found.one_sided, found.one_sided_tied),
        }
    return list(_scores(task, items, lambda _: outcomes, "text"))


def chance_of_queries(items: Items) -> Float[Floats, " items"]:
    """(n,) probability that random vectors get an item of two queries right: none where a text is
    there twice.

    Args:
        items: arrays of `forming.Formed`.
    """
    one, two, first, second = items["rows"].T
    return np.where((one == two) | (first == second), 0.0, 1 / 4)


def chance_of_swaps(items: Items) -> Float[Floats, " items"]:
    """(n,) probability that random vectors notice a swap: certain where the swap's spelling is that
    of the caption, so that a text is compared with itself.

    Args:
        items: arrays of `forming.Formed`.
    """
    caption, spelled, swap = items["rows"].T
    alone = np.where(caption == spelled, 1.0, 1 / 3)
    return np.where((swap == caption) | (swap == spelled), 0.0, alone)


def _among(one: Floats, other: Floats, rows: Ints) -> Floats:
    """(n, k) scores of each item's candidates; minus infinity where it has fewer."""
    kind = np.result_type(one, other)
    table = np.full((len(rows), rows.shape[1] - 1), -np.inf, dtype=kind)
    for start in range(0, len(rows), TILE):
        part = rows[start : start + TILE]
        scores = np.einsum("nd,nkd->nk", one[part[:, 0]], other[part[:, 1:]])
        table[start : start + TILE] = np.where(part[:, 1:] == NONE, -np.inf, scores)
    return table


def scores_of_groups(
    pictures: Float[Floats, "pictures width"],
    captions: Float[Floats, "captions width"],
    rows: Int[Ints, "items columns"],
) -> Float[Floats, "items pair pair"]:
    """(n, 2, 2) scores of picture p with caption c.

    Args:
        pictures: (p, d) unit rows.
        captions: (c, d) unit rows.
        rows: (n, 4) numbers of two pictures and two captions.
    """
    table = np.empty((len(rows), 2, 2), dtype=np.result_type(pictures, captions))
    for start in range(0, len(rows), TILE):
        part = rows[start : start + TILE]
        x, y = pictures[part[:, :2]], captions[part[:, 2:]]
        table[start : start + TILE] = np.einsum("npd,ncd->npc", x, y)
    return table


def _of_right(table: Floats, right: Ints, positives: int, ties: str) -> Outcome:
    """Whether all right candidates win."""
    if positives == 1:
        return choice_among(table, right, ties)
    found = []
    for place in range(positives):
        others = [p for p in range(table.shape[1]) if p == place or p >= positives]
        found.append(choice_among(table[:, others], others.index(place), ties))
    return every(found)


def _diagonal(table: Floats, ties: str) -> Outcome:
    """Whether the diagonal of (n, 2, 2) wins in both rows."""
    return every([choice_among(table[:, i], i, ties) for i in (0, 1)])


def both_ways(table: Float[Floats, "items pair pair"], ties: str = "miss") -> dict[str, Outcome]:
    """Text, image and group score, and whether the right matching of the group wins as a whole
    (GroupMatch, arXiv 2510.07632).

    Args:
        table: (n, 2, 2) scores of picture p with caption c.
        ties: see `metrics.choice_among`.
    """
    text, image = _diagonal(table, ties), _diagonal(table.transpose(0, 2, 1), ties)
    matchings = np.stack([table[:, 0, 0] + table[:, 1, 1], table[:, 0, 1] + table[:, 1, 0]], axis=1)
    return {
        Metric.TEXT_SCORE: text,
        Metric.IMAGE_SCORE: image,
        Metric.GROUP_SCORE: every([text, image]),
        Metric.GROUP_MATCH: choice_among(matchings, 0, ties, size=2.0),
    }


def _of_shown(task: Task, items: Items, pictures: Floats, captions: Floats) -> list[Score]:
    """The picture task of triplets: both true captions above the wrong one."""
    shown = np.flatnonzero(items["pictures"] != NONE)
    mine = {name: values[shown] for name, values in items.items()}
    mine |= {"draws": mine["pictures"]}
    table = _among(pictures, captions, np.column_stack([mine["pictures"], mine["rows"]]))

    def rule(ties: str) -> Mapping[str, Outcome]:
        return {Metric.ACCURACY: _of_right(table, np.zeros(len(table), dtype=np.int64), 2, ties)}

    return list(_scores(task, mine, rule, "both", shown))


def _of_retrieval(task: Task, items: Items, pictures: Floats, captions: Floats) -> list[Score]:
    """Recall of pictures by captions and of captions by pictures, within each subset."""
    found = []
    for name in dict.fromkeys(items["subsets"].tolist()):
        chosen = items["subsets"] == name
        mine = items["rows"][chosen]
        said = items["said"][chosen] if "said" in items else None
        seen, place = np.unique(mine[:, 0], return_inverse=True)
        for score in recalls(place, pictures[seen], captions[mine[:, 1]], said):
            subset = " ".join(filter(None, (task.name, name, score.subset)))
            found.append(replace(score, subset=subset))
    return found


def recalls(
    owner: Int[Ints, " texts"],
    pictures: Float[Floats, "pictures width"],
    captions: Float[Floats, "texts width"],
    said: Int[Ints, " texts"] | None = None,
) -> list[Score]:
    """Recall at 1, 5 and 10 both ways. A picture's rank is that of its best caption; a tie ranks
    behind.

    Args:
        owner: (n,) picture of each caption.
        pictures: (p, d) unit rows.
        captions: (n, d) unit rows.
        said: (n,) equal numbers for captions that are equal; None where all differ.
    """
    x, y = pictures, captions
    said = np.arange(len(owner)) if said is None else said
    order = np.lexsort((-np.einsum("cd,cd->c", x[owner], y), owner))
    best = order[np.unique(owner[order], return_index=True)[1]]  # each picture's best caption
    found = []
    for subset, (rank, ties), clusters, candidates, lost in (
        ("text to image", ranks(y, x, owner), owner, len(x), lost_pictures),
        ("image to text", ranks(x, y, best, belongs=owner), None, len(y), lost_captions),
    ):
        for k in KS:
            facts, outcome = {"candidates": candidates}, within(rank, ties, k)
            about: dict[str, Any] = {"facts": facts, "unwinnable": lost(owner, said, k)}
            name = f"recall_at_{k}"
            found.append(Score(name, subset, "strict", *outcome, clusters=clusters, **about))
    return found


def _scores(
    task: Task, items: Items, rule: Rule, modality: Any, rows: Ints | None = None
) -> Iterator[Score]:
    """The scores of all rules, of the items that each is about."""
    found: dict[str, Mapping[str, Outcome]] = {"miss": rule("miss")}
    draws = items.get("draws", items["rows"][:, 0])
    hopeless = items.get("hopeless", np.zeros(len(draws), dtype=bool))
    for scoring in rules_of(task):
        if scoring.ties not in found:
            given, strict = rule(scoring.ties), found["miss"]
            # which items a tie decides is the same by every rule
            found[scoring.ties] = {m: (right, strict[m][1]) for m, (right, _) in given.items()}
        for label, chosen in chosen_by(task, scoring, items):
            groups = None
            if scoring.average == "macro":
                groups = np.unique(items["subsets"][chosen], return_inverse=True)[1]
            for metric, (correct, tied) in found[scoring.ties].items():
                if scoring.metrics and metric not in scoring.metrics:
                    continue
                yield Score(
                    metric,
                    label,
                    scoring.protocol,
                    correct[chosen],
                    tied[chosen],
                    groups,
                    clusters=draws[chosen],
                    modality=modality,
                    rows=None if rows is None else rows[chosen],
                    unwinnable=int(hopeless[chosen].sum()),
                    ties=scoring.ties,
                    facts=_absent(task, items, scoring.of, label) | _chance(items, chosen),
                )


def rules_of(task: Task) -> tuple[Scoring, ...]:
    """All rules of a task in the order of its scores, ours first.

    Args:
        task: with its rules.
    """
    ours = own_rules(task)
    last = [rule for rule in ours if rule.of == "same words"]
    return (*(rule for rule in ours if rule not in last), *task.scores, *last)


def own_rules(task: Task) -> list[Scoring]:
    """Our own rule of all that it is scored of, unless the description says which items count.

    Args:
        task: with its rules.
    """
    told = {rule.of for rule in task.scores if rule.protocol == "strict" and _replaces(rule)}
    return [Scoring("strict", of) for of in task.strict if of not in told]


def _narrows(rule: Scoring) -> bool:
    """Whether a rule counts some items only."""
    return rule.distinct or rule.fewest > 1 or bool(rule.without)


def _replaces(rule: Scoring) -> bool:
    return _narrows(rule) and not rule.called and not rule.metrics


def _chance(items: Items, chosen: Bools) -> dict[str, float]:
    """What random vectors are expected to reach, where that is not the same for every item."""
    return {"chance": float(items["chance"][chosen].mean())} if "chance" in items else {}


def _absent(task: Task, items: Items, of: str, label: str) -> dict[str, str]:
    """How many of a mean's parts are there, where some are not: it is not the published score."""
    if of not in ("all", "families") or task.subset or not task.parts:
        return {}
    pattern = "*"
    if of == "families":
        pattern = next(p for name, p in task.families.items() if called(task, name) == label)
    wanted = [name for name in task.parts if fits(name, pattern)]
    there = {*items["subsets"].tolist()}
    n = sum(name in there for name in wanted)
    return {"parts": f"{n} of {len(wanted)}"} if n < len(wanted) else {}


def chosen_by(
    task: Task, scoring: Scoring, items: Items
) -> Iterator[tuple[str, Bool[Bools, " items"]]]:
    """The items that a rule is about, (n,), by the name of each subset.

    Args:
        task: with its families.
        scoring: the rule.
        items: arrays of `forming.Formed`.
    """
    counted = _counted(scoring, items["subsets"])
    for label, chosen in _subsets_of(task, scoring, items):
        mine = chosen & counted
        if scoring.distinct:
            mine[np.flatnonzero(mine)] = _first_of_equals(items, mine)
        if mine.any():
            yield label, mine


def _counted(scoring: Scoring, subsets: Any) -> Bools:
    """(n,) whether each item is of a subset that counts."""
    names, which, sizes = np.unique(subsets, return_inverse=True, return_counts=True)
    found: Bools = ((sizes >= scoring.fewest) & ~np.isin(names, scoring.without))[which]
    return found


def _first_of_equals(items: Items, chosen: Bools) -> Bools:
    """Which of the chosen items are the first with their pictures and captions."""
    parts = [items["rows"], *([items["right"][:, None]] if "right" in items else [])]
    rows = np.concatenate(parts, axis=1)[chosen]
    first = np.zeros(len(rows), dtype=bool)
    first[np.unique(rows, axis=0, return_index=True)[1]] = True
    return first


def _subsets_of(
    task: Task, scoring: Scoring, items: Items
) -> Iterator[tuple[str, Bool[Bools, " items"]]]:
    """The items of each subset that a rule is about, by its name."""
    subsets = items["subsets"]
    names = list(dict.fromkeys(subsets.tolist()))
    everything = np.ones(len(subsets), dtype=bool)
    several = len(names) > 1
    if scoring.of == "all" or (scoring.of == "each" and not several and not names[0]):
        if several or not _repeats(task, scoring, names[0]):
            yield called(task, scoring.called or ALL), everything
    elif scoring.of == "same words":
        if items["same_words"].any():
            yield called(task, scoring.of), items["same_words"]
    elif scoring.of == "each":
        # what has no name among several is of all items alone
        yield from ((called(task, name), subsets == name) for name in names if name)
    elif scoring.of == "families":
        for family, pattern in task.families.items():
            members = [name for name in names if fits(name, pattern)]
            if members:
                yield called(task, family), np.isin(subsets, members)
    elif "details" in items:
        details = items["details"]
        for name in names:
            mine = subsets == name
            for detail in filter(None, dict.fromkeys(details[mine].tolist())):
                # with its subset, however many of these are there: runs are paired by names
                label = " ".join(filter(None, (name, detail)))
                yield called(task, label), mine & (details == detail)


def _repeats(task: Task, scoring: Scoring, only: str) -> bool:
    """Whether the score of the only subset, or of all items, stands there already.

    Args:
        task: with its rules.
        scoring: of each subset, or of all items.
        only: name of the subset; empty where it has none.
    """
    strict = scoring.protocol == "strict" and scoring.of == "all"
    if _narrows(scoring) or scoring.called or (only and not strict):
        return False  # a published mean is called as it is published
    rules = rules_of(task)
    wanted = {*(scoring.metrics or metrics_of(task))}
    for place, rule in enumerate(rules):
        other = rule.of in ("each", "all") and rule.of != scoring.of and not rule.called
        same = rule.protocol == scoring.protocol and wanted <= {*(rule.metrics or metrics_of(task))}
        first = place < rules.index(scoring) or (not only and _narrows(rule))
        if other and same and first:
            return True
    return False


def called(task: Task, subset: str) -> str:
    """What a subset is called in a record.

    Args:
        task: that it is of.
        subset: its name.
    """
    if not task.name:
        return subset
    return task.name if subset == ALL else f"{task.name} {subset}"
