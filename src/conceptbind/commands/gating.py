"""Requirements that make a command a gate: options, and what is refused before the work."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from conceptbind.commands.command import Command
from conceptbind.commands.shared import GivenPath

if TYPE_CHECKING:
    from pathlib import Path

    from conceptbind.benchmarks.base import Data
    from conceptbind.core.typing import Encoder
    from conceptbind.report.gates import Requirement
    from conceptbind.report.shown import Judgeable
    from conceptbind.scenes.table import Scenes

G = TypeVar("G", bound="Judgeable")


@dataclass(frozen=True, kw_only=True)
class Gated(Command[G]):
    """A command whose result may be held against requirements."""

    GROUP = "The gate"

    require: Sequence[str] = ()
    """Requirement that the result has to meet, such as "across>=60%"; exit code 1 where it is not
    met. May be given several times. NAME[.WHERE][.low] OP NUMBER: a level (decodable, within,
    across), a metric or STUDY.METRIC, a modality or benchmark, low for the interval's lower end.
    """
    junit: GivenPath | None = None
    """File for the outcome of every requirement, as JUnit XML."""

    def run(self) -> G:
        """Do it, and hold the result against the requirements.

        Raises:
            ConceptBindError: the input cannot be used; the message says what to do.
        """
        from conceptbind.core.errors import ConceptBindError

        file = self._file()
        try:
            wanted = self.requirements()
            result = super().run()
        except ConceptBindError as error:
            if file is not None:  # else the file of an earlier run would still say that all is well
                from conceptbind.report.gates import write_error

                write_error(file, str(error))
            raise
        if not wanted:
            return result
        from conceptbind.report.gates import judge

        gate = judge(wanted, result.by_run)
        if file is not None:
            gate.write_junit(file)
        return replace(result, gate=gate)

    def requirements(self) -> tuple[Requirement, ...]:
        """What has to be met.

        Raises:
            ValueRangeError: one has another form.
            UnknownNameError: one names no level, metric or study.
        """
        from conceptbind.commands.kinds import require_kind

        require_kind("require", Sequence[str], self.require)
        texts = (self.require,) if isinstance(self.require, str) else self.require
        if not texts:
            return ()
        from conceptbind.report.gates import requirements

        return requirements(texts)

    def _file(self) -> Path | None:
        """The file for JUnit XML.

        Raises:
            ValueRangeError: nothing is required.
            FileError: it is a folder.
        """
        from conceptbind.core.errors import FileError, ValueRangeError
        from conceptbind.core.files import user_path

        if self.junit is None:
            return None
        if not self.require:
            raise ValueRangeError("--junit writes what became of requirements; add --require")
        file = user_path(self.junit)
        if file.is_dir():
            raise FileError(f"--junit must be a file; {file} is a folder")
        return file


def refuse_unmeasured(
    wanted: Sequence[Requirement],
    studies: Collection[str],
    modalities: Collection[str],
    table: Scenes,
) -> None:
    """Refuse requirements on levels that a measurement will not hold, before it begins.

    Args:
        wanted: the requirements.
        studies: that will be asked, by name.
        modalities: that will be measured.
        table: the scenes.

    Raises:
        ValueRangeError: a level needs a study or a modality that is left out.
        UnknownNameError: a study is named that is not ours, and none of another package is asked;
            or a word of which no record of ours will be.
    """
    from conceptbind.core.errors import UnknownNameError, ValueRangeError, nearest
    from conceptbind.core.names import OWN_STUDIES
    from conceptbind.report.gates import MEASURED_BY
    from conceptbind.report.levels import LEVELS
    from conceptbind.studies.registry import ON_REQUEST, OWN

    ours = {*OWN, *ON_REQUEST}
    for one in wanted:
        if one.study not in (None, *OWN_STUDIES) and set(studies) <= ours:
            known = (*LEVELS, *OWN_STUDIES)
            raise UnknownNameError(
                f"--require '{one.text:.80}': there is no level, metric or study '{one.study:.60}' "
                f"in this run; {nearest(str(one.study), known)}"
            )
        if set(studies) <= ours:
            _refuse_unknown_words(one, modalities, table)
        if one.name not in LEVELS:
            continue
        start, study = f"--require '{one.text:.80}'", MEASURED_BY.get(one.name)
        if study is None:
            if set(studies) <= ours:
                raise ValueRangeError(
                    f"{start}: no study of this run judges the level '{one.name}'; "
                    f"measured here: {', '.join(MEASURED_BY)}"
                )
            continue
        if study not in studies:
            raise ValueRangeError(
                f"{start} needs the study {study}, which is left out; add it to --studies, or "
                "leave the requirement out"
            )
        missing = {"text", "image"} & set(one.where) - set(modalities)
        if one.name == "across":
            missing = {"text", "image"} - set(modalities)
        if missing:
            raise ValueRangeError(
                f"{start} needs the modality {' and '.join(sorted(missing))}; this run measures "
                f"{' and '.join(modalities)}"
            )


def refuse_inapplicable(wanted: Sequence[Requirement], missing: Mapping[str, str]) -> None:
    """Refuse requirements on levels whose study has nothing to work on, before the work.

    Args:
        wanted: the requirements.
        missing: why a study that was asked for does not apply, by its name.

    Raises:
        ValueRangeError: a level will not be measured; says why.
    """
    from conceptbind.core.errors import ValueRangeError
    from conceptbind.report.gates import MEASURED_BY

    for one in wanted:
        study = MEASURED_BY.get(one.name)
        if study is not None and study in missing:
            raise ValueRangeError(
                f"--require '{one.text:.80}' needs the study {study}, which cannot be asked here: "
                f"{missing[study]}; leave the requirement out"
            )


def _refuse_unknown_words(wanted: Requirement, modalities: Collection[str], table: Scenes) -> None:
    """Raise UnknownNameError for a word that no record of a measurement can hold."""
    from conceptbind.core.errors import UnknownNameError, nearest
    from conceptbind.report.gates import MEASURED_BY, WORDS

    kept = WORDS["any"] if wanted.name not in MEASURED_BY else WORDS[wanted.name]
    concepts = () if wanted.name in MEASURED_BY else table.space.concepts
    known = (*modalities, *kept, *concepts, table.name)
    for word in wanted.where:
        # A modality that is not measured has a message of its own.
        if word not in (*known, "text", "image"):
            raise UnknownNameError(
                f"--require '{wanted.text:.80}': no record of {wanted.name} has the word "
                f"'{word:.60}'; {nearest(word, known)}"
            )


def refuse_unscored(
    wanted: Sequence[Requirement],
    encoder: Encoder,
    items: Mapping[str, tuple[Data | None, Path]],
) -> None:
    """Refuse requirements on numbers that no benchmark of an evaluation will have.

    Args:
        wanted: the requirements.
        encoder: that will be scored.
        items: of each benchmark, and the folder of its files; None where they are not made yet. As
            long as that is so, only what needs no items is refused.

    Raises:
        UnknownNameError: a metric will not be scored, or no score of it has a word; names the
            nearest.
    """
    from conceptbind.benchmarks.promised import promised_records
    from conceptbind.core.errors import UnknownNameError, nearest
    from conceptbind.report.gates import refuse_unknown
    from conceptbind.report.levels import LEVELS

    if not wanted:
        return
    found = {name: promised_records(encoder, name, *there) for name, there in items.items()}
    known = {name: records for name, records in found.items() if records is not None}
    if len(known) < len(found):
        return
    metrics = {str(record.metric) for records in known.values() for record in records}
    for one in wanted:
        metric = str(LEVELS[one.name]["metric"] if one.called in LEVELS else one.name)
        if metric not in metrics:
            raise UnknownNameError(
                f"--require '{one.text:.80}': these benchmarks have no {one.name}; "
                f"{nearest(one.name, metrics)}"
            )
    refuse_unknown(wanted, known)
