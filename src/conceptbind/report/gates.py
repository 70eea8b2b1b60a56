"""Requirements on the numbers of a run: what `--require` says, whether it is met, and JUnit XML.

A requirement is `NAME[.WHERE...][.low|.high] OP NUMBER`. NAME is a level of binding (`decodable`,
`within`, `across`), a metric of `results.json`, or STUDY.METRIC as its records say, also those of
other packages. Each WHERE is a modality, a benchmark, a subset or another word of its records. It
must hold for every record that it names, so the record nearest to failing decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from conceptbind.core.errors import UnknownNameError, ValueRangeError, counted, cut, nearest
from conceptbind.core.escape import html_table, one_line
from conceptbind.core.files import write_whole
from conceptbind.core.names import OWN_STUDIES, Metric
from conceptbind.core.scored import unit_of
from conceptbind.report.levels import LEVELS, own_records
from conceptbind.report.numbers import interval_of, shown, value_of

if TYPE_CHECKING:
    from conceptbind.core.columns import Value
    from conceptbind.core.records import Asked, Record, Records

Operator = Literal[">=", "<=", ">", "<"]
MEASURED_BY = {"decodable": "probe", "within": "within", "across": "crossmodal"}
"""The study of `measure` that judges a level."""
PLACES = (
    *("modality", "scenes", "split", "concept", "order", "protocol", "setting", "queries"),
    *("form", "chooser"),
)
"""Columns of which a requirement may name a value."""
WORDS: Mapping[str, tuple[str, ...]] = {
    "decodable": ("test",),
    "within": ("all", "neutral", "trap", "as listed", "reversed"),
    "across": ("both", "all", "either"),
    "any": (
        *("both", "symbols", "all", "test", "train", "unseen", "mixed"),
        *("either", "as listed", "reversed", "neutral", "trap", "strict", "paper", "own"),
        *("clause", "alone", "exchanged", "caption", "scene"),
    ),
}
"""What records of our studies of scenes hold in `PLACES` besides names of scenes, concepts and the
modalities: of each level, and of any metric."""
ENDS = {"low": "ci_low", "high": "ci_high"}
FORM = "write NAME[.WHERE][.low] OP NUMBER, for example decodable.image.low>=50%"
_FORM = re.compile(r"\s*([^<>=!]+?)\s*(>=|<=|>|<)\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*(%?)\s*")
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Requirement:
    """What a number has to be."""

    text: str
    """As it was written."""
    name: str
    where: tuple[str, ...]
    """Words that its records hold."""
    end: str | None
    """`low` or `high` end of the interval; None for the value."""
    operator: Operator
    bound: float
    """A share from 0 to 1, or what the metric is counted in."""
    study: str | None = None
    """Whose metric it is; None for the first study of ours that has it."""
    unit: str | None = None
    """`share` where it was written in per cent; None where the metric decides."""

    def __str__(self) -> str:
        metric = str(LEVELS.get(self.name, {}).get("metric", self.name))
        end = [] if self.end is None else [self.end]
        named = ".".join((self.called, *self.where, *end))
        return f"{named} {self.operator} {shown(metric, self.bound, self.unit)}"

    @property
    def called(self) -> str:
        """The level or metric, after its study where that is named."""
        return self.name if self.study is None else f"{self.study}.{self.name}"

    def holds(self, number: float) -> bool:
        """Whether a number is as it has to be."""
        return {
            ">=": number >= self.bound,
            "<=": number <= self.bound,
            ">": number > self.bound,
            "<": number < self.bound,
        }[self.operator]


@dataclass(frozen=True)
class Judged:
    """A requirement, and what came."""

    run: str
    """Name of the run that was judged."""
    requirement: Requirement
    met: bool
    reason: str
    """What came, with its interval and n; or why it cannot be judged."""

    def __str__(self) -> str:
        word = "met" if self.met else "not met"
        return one_line(f"{word}: {self.run}: {self.requirement}; {self.reason}")


@dataclass(frozen=True, repr=False)
class Gate:
    """All requirements of a command, judged."""

    judged: tuple[Judged, ...]

    @property
    def met(self) -> bool:
        """Whether all are met."""
        return all(one.met for one in self.judged)

    def __repr__(self) -> str:
        failed = sum(not one.met for one in self.judged)
        total = len(self.judged)
        return f"<Gate: {total - failed} of {counted(total, 'requirement')} met>"

    def _repr_html_(self) -> str:
        rows = [
            ("met" if one.met else "not met", one.run, str(one.requirement), one.reason)
            for one in self.judged
        ]
        return html_table(("", "run", "requirement", "what came"), rows)

    def __str__(self) -> str:
        failed = sum(not one.met for one in self.judged)
        total = len(self.judged)
        head = f"Gate: {total - failed} of {counted(total, 'requirement')} met."
        return "\n".join((head, *(f"  {one}" for one in self.judged)))

    def junit(self) -> str:
        """JUnit XML, one test case per requirement and run; no times, so that the same run gives
        the same file.
        """
        return _junit(
            _Case(
                one.run,
                one.requirement.text,
                None if one.met else _Fault("failure", "requirement", one.reason, str(one)),
            )
            for one in self.judged
        )

    def write_junit(self, path: Path) -> None:
        """Write `junit` into a file.

        Raises:
            FileError: the file cannot be written.
        """
        write_whole(path, self.junit())


def write_error(path: Path, message: str) -> None:
    """Write JUnit XML that says that nothing could be judged.

    Args:
        path: the file.
        message: why not.

    Raises:
        FileError: the file cannot be written.
    """
    fault = _Fault("error", "error", message, message)
    write_whole(path, _junit([_Case("conceptbind", "the command", fault)]))


def requirement(text: str) -> Requirement:
    """A requirement from its text.

    Args:
        text: such as `decodable.image.low>=0.5`; a share may be written in per cent (`50%`).

    Raises:
        ValueRangeError: it has another form, or a share above 1 without a per cent sign.
        UnknownNameError: there is no such level or metric.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        # a list is written with commas, so that 0,9 comes as two
        point = ", and decimals with a point (0.9)" if text.strip(" %").isdecimal() else ""
        raise ValueRangeError(f"--require '{cut(text, 80)}' is not a requirement; {FORM}{point}")
    words, operator, digits, per_cent = found.groups()
    name, *where = (word.strip() for word in words.split("."))
    study = None
    ours = (*LEVELS, *map(str, Metric))
    if name not in ours and where and where[0] not in ENDS:
        study, name, *where = name, *where
    if name not in ours and study in (None, *OWN_STUDIES):
        of, hint = "metric", ""
        if study is None:
            of, hint = "level or metric", " (that of another package is written STUDY.METRIC)"
        raise UnknownNameError(
            f"--require '{cut(text, 80)}': there is no {of} '{name:.60}'{hint}; "
            f"{nearest(name, ours)}"
        )
    if not all((name, *where)):
        raise ValueRangeError(f"--require '{cut(text, 80)}' has an empty part; {FORM}")
    end = where.pop() if where and where[-1] in ENDS else None
    if set(where) & set(ENDS):
        raise ValueRangeError(
            f"--require '{cut(text, 80)}' names an end of the interval that is not its last "
            f"word, or two; {FORM}"
        )
    bound = float(digits) / 100 if per_cent else float(digits)
    share = name in LEVELS or unit_of(name) == "share"
    if share and not 0 <= bound <= 1:
        raise ValueRangeError(
            f"--require '{cut(text, 80)}': {name} is a share between 0 and 1, which "
            f"{digits}{per_cent} is not; 90 % is written 0.9 or 90%"
        )
    # of a metric of another package only the sign says that it is a share
    unit = "share" if per_cent and name not in ours else None
    return Requirement(text, name, tuple(where), end, _operator(operator), bound, study, unit)


def _operator(word: str) -> Operator:
    known: tuple[Operator, ...] = (">=", "<=", ">", "<")
    return next(one for one in known if one == word)


def requirements(texts: Iterable[str]) -> tuple[Requirement, ...]:
    """Requirements from their texts; see `requirement`."""
    return tuple(map(requirement, texts))


def judge(wanted: Sequence[Requirement], runs: Mapping[str, Records]) -> Gate:
    """What became of requirements.

    Args:
        wanted: the requirements.
        runs: records of each run, by its name.

    Raises:
        UnknownNameError: no run has a metric of the study that a requirement names.
    """
    there = {f"{record.study}.{record.metric}" for found in runs.values() for record in found}
    for one in wanted:
        if one.study is not None and one.called not in there:
            raise UnknownNameError(
                f"--require '{cut(one.text, 80)}': no record has '{one.called:.60}'; "
                f"{nearest(one.called, there)}"
            )
    return Gate(tuple(_judged(run, one, found) for run, found in runs.items() for one in wanted))


def refuse_unknown(
    wanted: Sequence[Requirement], runs: Mapping[str, Records], also: Iterable[str] = ()
) -> None:
    """Refuse words that no record of a requirement's metric holds, before anything is computed. A
    metric that no run has is left to `judge`.

    Args:
        wanted: the requirements.
        runs: records of each run, or those that it will have, by its name.
        also: words that are right though none of these records holds them.

    Raises:
        UnknownNameError: there is such a word; names the nearest.
    """
    for one in wanted:
        there = [record for found in runs.values() for record in own_records(found, _asked(one))]
        held = {str(cell) for record in there for cell in _held(record) if cell is not None}
        known = sorted({*held, *also})
        wrong = next((word for word in one.where if word not in known), None)
        if there and wrong is not None:
            raise UnknownNameError(
                f"--require '{one.text:.80}': no record of {one.called} has the word "
                f"'{wrong:.60}'; {nearest(wrong, known)}"
            )


def _judged(run: str, wanted: Requirement, records: Records) -> Judged:
    """One requirement of one run."""
    named = _named(wanted, records)
    if not named:
        reason = "cannot be judged: the run has no such number"
        return Judged(run, wanted, False, reason)
    numbers = [(_number(wanted, record), record) for record in named]
    unknown = [record for number, record in numbers if number is None]
    if unknown:
        what = "value" if wanted.end is None else "interval"
        reason = f"cannot be judged: {_told(unknown[0])} has no {what} (n = {unknown[0].n:,})"
        return Judged(run, wanted, False, reason)
    known = [(number, record) for number, record in numbers if number is not None]
    sign = 1 if wanted.operator in (">=", ">") else -1
    number, record = min(known, key=lambda pair: sign * pair[0])
    value = "" if wanted.end is None else f"value {value_of(record)}, "
    reason = (
        f"came {shown(record.metric, number, record.get('unit'))} in {_told(record)} "
        f"({value}95 % interval {interval_of(record)}, n = {record.n:,})"
    )
    met = wanted.holds(number)
    if met and wanted.end is None:
        reason += _by_luck(wanted, record)
    return Judged(run, wanted, met, reason)


def _by_luck(wanted: Requirement, record: Record) -> str:
    """What has to be known of a value that is as it has to be, and whose interval is not."""
    end = "low" if wanted.operator in (">=", ">") else "high"
    bound = record.get(ENDS[end])
    if bound is None or wanted.holds(float(bound)):
        return ""
    named = ".".join((wanted.called, *wanted.where, end))
    return f"; its interval reaches beyond the bound, so it may be luck: {named} asks for more"


def _named(wanted: Requirement, records: Records) -> list[Record]:
    """The records that a requirement names: of the encoder itself, without a repair."""
    there = own_records(records, _asked(wanted))
    own = [record for record in there if _held(record) >= set(wanted.where)]
    if wanted.study is None and wanted.name in LEVELS:
        return own
    studies = [record.study for record in own]
    first = next((study for study in OWN_STUDIES if study in studies), None)
    if first is not None:
        own = [record for record in own if record.study == first]
    orders = {record.get("order") for record in own}
    if "either" in orders and not orders & set(wanted.where):
        own = [record for record in own if record.get("order") == "either"]
    return _whole(own, wanted)


def _whole(own: list[Record], wanted: Requirement) -> list[Record]:
    """Of negation those where captions choose, over all forms and wordings, unless another is
    named.
    """
    if not any(record.get("chooser") for record in own):
        return own
    for place, usual in (("chooser", "caption"), ("form", None), ("wording", None)):
        named = {record.get(place) for record in own} & set(wanted.where)
        if not named:
            own = [record for record in own if record.get(place) == usual]
    return own


def _asked(wanted: Requirement) -> Mapping[str, Asked]:
    """What the records of a level or metric hold."""
    asked: Mapping[str, Asked] = {"metric": wanted.name}
    if wanted.study is not None:
        asked = {**asked, "study": wanted.study}
    return LEVELS.get(wanted.called, asked)


def _held(record: Record) -> set[Value]:
    """The words by which a requirement may name a record."""
    return {record.get(place) for place in PLACES}


def _number(wanted: Requirement, record: Record) -> float | None:
    if wanted.end is None:
        return record.value
    return record.ci_low if wanted.end == "low" else record.ci_high


def _told(record: Record) -> str:
    """Which record, in words."""
    places = (record.get(place) for place in ("modality", "scenes", "split", "concept", "setting"))
    held = ", ".join(str(place) for place in places if place is not None)
    return f"{record.metric.replace('_', ' ')} ({held})"


class _Fault(NamedTuple):
    """Why a test case of JUnit XML did not pass."""

    element: Literal["failure", "error"]
    type: str
    message: str
    text: str


class _Case(NamedTuple):
    """A test case of JUnit XML."""

    classname: str
    name: str
    fault: _Fault | None


def _junit(cases: Iterable[_Case]) -> str:
    """JUnit XML of test cases, in one suite."""
    from xml.etree import ElementTree

    cases = tuple(cases)
    elements = [case.fault.element for case in cases if case.fault is not None]
    counts = {
        "tests": str(len(cases)),
        "failures": str(elements.count("failure")),
        "errors": str(elements.count("error")),
    }
    top = ElementTree.Element("testsuites", {"name": "conceptbind", **counts})
    suite = ElementTree.SubElement(top, "testsuite", {"name": "requirements", **counts})
    for case in cases:
        named = {"classname": _xml(case.classname), "name": _xml(case.name)}
        made = ElementTree.SubElement(suite, "testcase", named)
        if case.fault is not None:
            said = {"message": _xml(one_line(case.fault.message)), "type": case.fault.type}
            ElementTree.SubElement(made, case.fault.element, said).text = _xml(case.fault.text)
    ElementTree.indent(top)
    body = ElementTree.tostring(top, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _xml(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return _NO_XML.sub(" ", text)
