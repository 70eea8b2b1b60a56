"""Words that stand in many results, each once: what is measured, beside which control, after which
repair. Files hold the words themselves.
"""

from __future__ import annotations

from enum import StrEnum

from conceptbind.core.errors import UnknownNameError, nearest


class Control(StrEnum):
    """Whose number a record holds: `NONE` is the encoder itself, all others are controls."""

    NONE = "none"
    BAG_OF_CONCEPTS = "bag_of_concepts"
    COUNTS_OF_CONCEPTS = "counts_of_concepts"
    RANDOM_WEIGHTS = "random_weights"
    BAG_TWIN = "bag_twin"
    BLIND_LENGTH = "blind_length"
    BLIND_NORM = "blind_norm"
    BLIND_PLAUSIBILITY = "blind_plausibility"
    BLIND_SURFACE = "blind_surface"
    BAG_OF_WORDS = "bag_of_words"
    RANDOM_VECTORS = "random_vectors"
    SHUFFLED_LABELS = "shuffled_labels"


CONTROL_TEXTS: dict[str, tuple[str, str]] = {
    Control.BAG_OF_CONCEPTS: (
        "Bag of concepts",
        "The same probes, fitted on how often each value occurs in the scene and on nothing else. "
        "They know every concept and no binding. "
        "They recognise objects where the counts allow only one answer (two red objects, say). "
        "Elsewhere a fitted probe prefers one of the objects with the same counts, and may be "
        "right by luck. For the attribute of a "
        "noun: the same classifiers on these counts.",
    ),
    Control.COUNTS_OF_CONCEPTS: (
        "Counts of concepts",
        "An object scores how many of its values are in the scene. Nothing is fitted, and equal "
        "counts tie, which is a miss.",
    ),
    Control.RANDOM_WEIGHTS: (
        "Random weights",
        "The same architecture, untrained: what a probe recognises there is owed to the "
        "architecture and the scenes.",
    ),
    Control.BAG_TWIN: (
        "Bag twin",
        "A model of the same architecture, trained on pictures and captions whose colours were "
        "shuffled at random: binding never helped it.",
    ),
    Control.BLIND_LENGTH: (
        "Blind by length",
        "No picture is seen: the shorter caption wins. Of captions alone: the more alike in "
        "length, the nearer.",
    ),
    Control.BLIND_NORM: (
        "Blind by norm",
        "No picture is seen: the caption with the longer feature vector wins.",
    ),
    Control.BLIND_PLAUSIBILITY: (
        "Blind by plausibility",
        "No picture is seen: the caption whose words follow each other more often in English text "
        "wins. Of captions alone: the more alike in that, the nearer.",
    ),
    Control.BLIND_SURFACE: (
        "Blind by surface",
        "No picture is seen: the caption that looks less as if a program had written it wins. What "
        "counts are spaces before marks, then commas. Of captions alone: the more alike in that, "
        "the nearer.",
    ),
    Control.BAG_OF_WORDS: (
        "Bag of words",
        "The cosine of how often each word occurs in two captions. Captions of the same words in "
        "another order are one to it.",
    ),
    Control.RANDOM_VECTORS: (
        "Random vectors",
        "A random vector for every text, whatever it says: what a rule gives to chance.",
    ),
    Control.SHUFFLED_LABELS: (
        "Shuffled labels",
        "The same embeddings with the labels of other scenes: what noise alone reaches.",
    ),
}
"""What each control is: its name for people, and a description to stand where its numbers are
shown. One name, one thing."""


class Repair(StrEnum):
    """Which captions were scored: as they are, or after a linear map."""

    NONE = "none"
    SB = "SB"
    """Fitted on pairs alone."""
    HNB = "HNB"
    """Fitted on pairs and hard negatives."""
    RIDGE = "ridge"
    """Ridge regression, in closed form."""
    PROCRUSTES = "procrustes"
    """An orthogonal matrix."""
    CCA = "cca"
    """Pictures and captions in the directions in which they correlate."""
    LOW_RANK = "low_rank"
    """The identity and a change of low rank."""
    DIAGONAL = "diagonal"
    """Weights of dimensions, or of principal axes."""
    CONVEX = "convex"
    """Every paraphrase against every swap of a group of captions, a convex problem."""
    ERASURE = "erasure"
    """Without directions that tell only which concepts there are."""
    TWO_LAYER = "two_layer"
    """A small network beside the identity."""
    FT = "FT"
    """Both towers trained further on pairs and hard negatives."""
    ADAPTER = "adapter"
    """A map that was given."""
    DIFFERENCE = "difference"
    """The value after the repair minus that before, item by item."""


class Metric(StrEnum):
    """What was measured. A study of another package may use words of its own."""

    CONCEPT_RECOGNITION = "concept_recognition"
    OBJECT_RECOGNITION = "object_recognition"
    OBJECT_RECOGNITION_BY_NUMBER = "object_recognition_by_number"
    PAIR_RECOGNITION = "pair_recognition"
    ATTRIBUTE_RECOGNITION = "attribute_recognition"
    SEARCH_ACCURACY = "search_accuracy"
    SEARCH_IN_ORDER = "search_in_order"
    BINDING_ACCURACY = "binding_accuracy"
    CONCEPT_ACCURACY = "concept_accuracy"
    SINGLE_OBJECT_ACCURACY = "single_object_accuracy"
    RECALL_AT_1 = "recall_at_1"
    RECALL_AT_5 = "recall_at_5"
    RECALL_AT_10 = "recall_at_10"
    PICTURE_RECALL_AT_1 = "picture_recall_at_1"
    SWAP_ERROR = "swap_error"
    CONCEPT_RETRIEVAL = "concept_retrieval"
    CAPTION_SWAP_COSINE = "caption_swap_cosine"
    PROBE_COSINE = "probe_cosine"
    MODALITY_GAP = "modality_gap"
    ATTRIBUTE_GAIN = "attribute_gain"
    ATTRIBUTE_CHANGE = "attribute_change"
    PARAPHRASE_CHANGE = "paraphrase_change"
    BINDING_CHANGE = "binding_change"
    BINDING_GAIN = "binding_gain"
    RECALL_GAIN = "recall_gain"
    PICTURE_RECALL_GAIN = "picture_recall_gain"
    SINGLE_OBJECT_GAIN = "single_object_gain"
    R2 = "r2"
    MSE = "mse"
    RETRIEVAL_TOP1 = "retrieval_top1"
    VARIANCE_SHARE = "variance_share"
    BINDING_SHARE = "binding_share"
    EDIT_RETRIEVAL = "edit_retrieval"
    EDIT_PROBING = "edit_probing"
    GENERALISATION_SCORE = "generalisation_score"
    BINDING_GAP = "binding_gap"
    PLANTED_GAP = "planted_gap"
    ACCURACY = "accuracy"
    ACCURACY_AT_5 = "accuracy_at_5"
    PAIR_ACCURACY = "pair_accuracy"
    SET_ACCURACY = "set_accuracy"
    TEXT_SCORE = "text_score"
    IMAGE_SCORE = "image_score"
    GROUP_SCORE = "group_score"
    GROUP_MATCH = "group_match"
    PARAPHRASE_ACCURACY = "paraphrase_accuracy"
    PARAPHRASE_ACCURACY_ONE_SIDED = "paraphrase_accuracy_one_sided"
    SWAP_NOTICED = "swap_noticed"
    LEXICAL_DISTANCE = "lexical_distance"
    SEMANTIC_DISTANCE = "semantic_distance"
    SWAP_DISTANCE = "swap_distance"
    PARAPHRASE_AREA = "paraphrase_area"
    LEXICAL_SENSITIVITY = "lexical_sensitivity"
    PARAPHRASE_GAIN = "paraphrase_gain"
    ONE_SIDED_GAIN = "paraphrase_one_sided_gain"
    PARAPHRASE_RECALL_AT_1 = "paraphrase_recall_at_1"
    PARAPHRASE_RECALL_GAIN = "paraphrase_recall_gain"
    NEGATED_ACCURACY = "negated_accuracy"
    AFFIRMATIVE_ACCURACY = "affirmative_accuracy"
    NEGATION_IGNORED = "negation_ignored"
    MENTION_PULL = "mention_pull"
    NEGATION_COSINE = "negation_cosine"
    UNRELATED_COSINE = "unrelated_cosine"
    QUERY_RECALL_AT_1 = "query_recall_at_1"
    QUERY_PRECISION = "query_average_precision"
    QUERY_GAIN = "query_gain"
    QUERY_CHANCE = "query_chance"
    QUERY_CHANCE_PRECISION = "query_chance_precision"
    WITHIN_VALUE_COSINE = "within_value_cosine"
    ACROSS_VALUE_COSINE = "across_value_cosine"
    VALUE_RANK = "value_rank"
    PRODUCTS_NEEDED = "products_needed"


def recognised(concept: object) -> Metric:
    """The recognition of a concept's values, or of objects where the concept is None."""
    return Metric.OBJECT_RECOGNITION if concept is None else Metric.CONCEPT_RECOGNITION


OWN_STUDIES = (
    *("probe", "within", "attribute_probe", "search", "crossmodal"),
    *("repair", "laboratory", "finetune", "negation", "query", "factors", "ceiling"),
    *("probe_kinds", "trained_along"),
    *("controlled", "additive", "spectrum", "removal", "edit", "complexity", "benchmark"),
    *("stress", "audit"),
)
"""What `study` says in records of ours, whose words are members of the enumerations. Where several
have one metric and none is named, the first of these is meant."""
APPROXIMATORS = (
    *("additive", "per_object_product", "global_product"),
    *("per_object_product_alone", "global_product_alone"),
    *("role_filler", "holographic", "tensor_product", "bilinear", "matrix_vector"),
    *("mlp", "mlp_2_layers", "mlp_3_layers", "mlp_per_object_product", "mlp_global_product"),
    *("boosting", "forest"),
)
"""What is fitted from labels to embeddings. Where it is fitted to a controlled model, its name
stands as a control."""
LONGEST_HINT = 120
"""Characters of a hint within a longer message."""
_FURTHER: dict[type[StrEnum], set[str]] = {
    Control: set(APPROXIMATORS),
    Metric: set(),
    Repair: set(),
}
"""Words outside the enumerations: of approximators, and those of other packages that records have
held since the program began."""


def member(kind: type[StrEnum], word: str) -> str:
    """The member of an enumeration that is written so; other words as they are, and remembered."""
    if word in kind._value2member_map_:
        return kind(word)
    _FURTHER[kind].add(word)
    return word


def require_word(column: str, word: str) -> None:
    """Raise where a word stands in no record: neither in the column's enumeration, nor in a record
    that a study of another package made.

    Args:
        column: any column; those without an enumeration hold any word.
        word: what it is asked to hold.

    Raises:
        UnknownNameError: there is no such word; names the nearest ones.
    """
    kind = ENUMERATIONS.get(column)
    if kind is None or word in kind._value2member_map_ or word in _FURTHER[kind]:
        return
    known = sorted({*map(str, kind), *_FURTHER[kind]})
    raise UnknownNameError(f"no record has the {column} '{word:.60}'; {nearest(word, known)}")


def wrong_word(study: str, column: str, word: str) -> str | None:
    """What is wrong with a word of a record that was read from a file; None where nothing is.
    Studies of other packages have metrics and controls of their own.
    """
    kind = ENUMERATIONS.get(column)
    if kind is None or word in kind._value2member_map_:
        return None
    approximated = study == "controlled" and word in APPROXIMATORS
    if approximated or (study not in OWN_STUDIES and kind is not Repair):
        return None
    hint = nearest(word, list(map(str, kind)))
    if len(hint) > LONGEST_HINT:
        hint = f"it is none of the {len(kind)} that this version knows"
    return f"unknown {column} '{word:.60}'; {hint}"


ENUMERATIONS: dict[str, type[StrEnum]] = {"control": Control, "metric": Metric, "repair": Repair}
"""Columns whose words are known."""
