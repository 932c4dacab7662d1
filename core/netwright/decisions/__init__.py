"""Decisions: a question and its answer are typed, and rules or a language model may take it; checks trust neither."""

from netwright.decisions.decide import decide
from netwright.decisions.question import Choice, ChoiceQuestion, Decision, Question

__all__ = ["Choice", "ChoiceQuestion", "Decision", "Question", "decide"]
