"""Whether what the machine found is kept from an agent until she has answered, where the policy asks for it (`hide_opinion`).

For who may decide alone: a lead, an auditor or an ops person has nothing to judge and sees it in any case.
"""

from __future__ import annotations

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from cases import policies
from cases import staff as people
from cases.desk_tables import Answer, AnswerState
from cases.lifecycle import State
from cases.models import Case, Staff

_MAY_ANSWER_ANEW = (AnswerState.WAITING, AnswerState.TAKEN_BACK, AnswerState.DROPPED)
"""An answer that she can take back opens nothing: else she could answer, look, and answer anew."""


def hidden(session: Session, case: Case, agent: Staff) -> bool:
    """Whether she is not to see it now: it waits for a person, and she has not answered since it came to the desk."""
    if case.state is not State.IN_REVIEW or not people.may(agent, "decide") or not policies.hides_opinion(session, case.id):
        return False
    answered = exists().where(Answer.case_id == case.id, Answer.staff_id == agent.id, Answer.state.not_in(_MAY_ANSWER_ANEW))
    if case.referred_at is not None:
        answered = answered.where(Answer.given_at >= case.referred_at)
    return not session.scalar(select(answered))
