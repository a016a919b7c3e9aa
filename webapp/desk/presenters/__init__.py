"""Facts of a case in words and shapes for the agent. No request but its language; no database but for one thing: what the scores
of a run meant by the own calibration that held then.

`table`: the details side by side. `bars`: a measure as a place on the policy's line. `scores`: faces, readings and agreement on
such lines. `papers`: what document, account and hints
say. `past`: other cases, other accounts, what happened. `words`: times and codes.
"""

from webapp.desk.presenters.bars import Bar, bar
from webapp.desk.presenters.papers import Check, HintLine, checks, continuity, hints, rate_words
from webapp.desk.presenters.past import PastCase, Twin, happened, past_cases, twins
from webapp.desk.presenters.scores import Score, pair_name, percentage_words, same_faces, scores, strangers
from webapp.desk.presenters.table import Cell, Line, lines, marked, rule_words
from webapp.desk.presenters.words import (
    HEAVY,
    Clock,
    action_words,
    by_words,
    clock,
    heavy_first,
    outcome_words,
    risk_words,
    span,
    stage_words,
)

__all__ = [
    "HEAVY", "Bar", "Cell", "Check", "Clock", "HintLine", "Line", "PastCase", "Score", "Twin", "action_words", "bar", "by_words",
    "checks", "clock", "continuity", "happened", "heavy_first", "hints", "lines", "marked", "outcome_words", "pair_name",
    "past_cases", "percentage_words", "rate_words", "risk_words", "rule_words", "same_faces", "scores", "span", "stage_words",
    "strangers", "twins",
]  # fmt: skip
