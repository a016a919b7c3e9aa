"""The states of a case and the only table that says which action leads where. Pure.

*Approved* means applied: the profile changes in the same transaction as the state.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a case stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    VERIFYING = "verifying"
    NEEDS_RETAKE = "needs_retake"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    REVERTED = "reverted"


class Action(StrEnum):
    """What somebody or something may do to a case."""

    SUBMIT = "submit"  # customer
    BEGIN = "begin"  # worker
    REQUEUE = "requeue"  # upkeep: a run's lease ended
    APPROVE = "approve"  # worker by policy, or an agent
    REFER = "refer"  # worker, or upkeep after too many runs
    ASK_RETAKE = "ask_retake"  # worker or agent
    REJECT = "reject"  # agents only
    WITHDRAW = "withdraw"  # customer
    EXPIRE = "expire"  # upkeep
    REVERT = "revert"  # a senior agent who did not approve it, also after the customer's "this was not me"
    APPEAL = "appeal"  # customer
    UNDO = "undo"  # two people at once for many: approvals of a bad policy, which then wait for a person


TRANSITIONS: dict[tuple[State, Action], State] = {
    (State.DRAFT, Action.SUBMIT): State.SUBMITTED,
    (State.NEEDS_RETAKE, Action.SUBMIT): State.SUBMITTED,
    (State.SUBMITTED, Action.BEGIN): State.VERIFYING,
    (State.SUBMITTED, Action.REFER): State.IN_REVIEW,
    (State.VERIFYING, Action.REQUEUE): State.SUBMITTED,
    (State.VERIFYING, Action.APPROVE): State.APPROVED,
    (State.VERIFYING, Action.REFER): State.IN_REVIEW,
    (State.VERIFYING, Action.ASK_RETAKE): State.NEEDS_RETAKE,
    (State.IN_REVIEW, Action.APPROVE): State.APPROVED,
    (State.IN_REVIEW, Action.REJECT): State.REJECTED,
    (State.IN_REVIEW, Action.ASK_RETAKE): State.NEEDS_RETAKE,
    (State.NEEDS_RETAKE, Action.REFER): State.IN_REVIEW,
    (State.DRAFT, Action.WITHDRAW): State.WITHDRAWN,
    (State.SUBMITTED, Action.WITHDRAW): State.WITHDRAWN,
    (State.VERIFYING, Action.WITHDRAW): State.WITHDRAWN,
    (State.NEEDS_RETAKE, Action.WITHDRAW): State.WITHDRAWN,
    (State.IN_REVIEW, Action.WITHDRAW): State.WITHDRAWN,
    (State.DRAFT, Action.EXPIRE): State.EXPIRED,
    (State.NEEDS_RETAKE, Action.EXPIRE): State.EXPIRED,
    (State.APPROVED, Action.REVERT): State.REVERTED,
    (State.APPROVED, Action.UNDO): State.IN_REVIEW,
    (State.REJECTED, Action.APPEAL): State.IN_REVIEW,
}

CLOSED = frozenset({State.APPROVED, State.REJECTED, State.WITHDRAWN, State.EXPIRED, State.REVERTED})
"""A case in one of these has `closed_at` set; an appeal opens it again."""

OPEN = frozenset(State) - CLOSED


class IllegalTransition(Exception):
    """The case is not in a state from which this action leads anywhere: somebody was first.

    `state` is where the case stands now, so that a page can say what already happened.
    """

    def __init__(self, state: State, action: Action) -> None:
        super().__init__(f"{action.value} does not apply to a case that is {state.value}")
        self.state = state
        self.action = action


def next_state(state: State, action: Action) -> State:
    """Return where `action` leads from `state`. Raises IllegalTransition.

    >>> next_state(State.IN_REVIEW, Action.REJECT).value
    'rejected'
    """
    try:
        return TRANSITIONS[state, action]
    except KeyError:
        raise IllegalTransition(state, action) from None
