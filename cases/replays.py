"""What-if: what a policy would have decided on past runs, from stored measures alone. No photo and no reading is opened.

Every finished run leaves one packed record (`verification.replay`), some seven hundred bytes; a million of them are decided anew
in seconds. What is replayed is the run, not the customer: whoever would have been asked for another photo instead might have sent
one. The list of cases that a person refused, or put back, and that the draft would have approved is kept with the
report, and each of them, of all reports, has to be opened before the draft may be proposed. A report counts for a week, and only
where it looked far enough back (docs/decisions/0022).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from cases import audit, figures, policies
from cases import staff as people
from cases.lifecycle import State
from cases.models import Case, Disposition, Event, Run, RunState, Staff
from cases.ops_tables import ReplayReport, ReplayWrong, RunRecord
from verification.decision import Decision, Outcome, decide
from verification.evidence import ChangeReason, Field, Measures, Profile
from verification.policy import Policy
from verification.reasons import ReasonCode
from verification.replay import CHUNK, OUTCOMES, REASONS, RECORD, TYPES, VERSION, decide_all, moved_reasons, pack

ROW = np.dtype(
    [
        ("run", RECORD),
        ("run_id", "S16"),
        ("case_id", "S16"),
        ("policy_version", "<u4"),
        ("outcome", "i1"),  # index in OUTCOMES: what was decided then
        ("sex", "S1"),  # M, F, X; empty = not known
        ("age_band", "u1"),  # full tens of years, 0 = not known
        ("country", "S4"),
        ("locale", "S4"),
    ]
)
"""What is kept of one run: its record and what it is counted by."""

GROUPS = ("country", "document_type", "locale", "sex", "age_band")
"""By what approval shares are compared."""

LEAST_GROUP = 100
"""Runs of a group below which a shift of its share is chance as likely as not: of 100, five points are five people."""

SHIFT = 0.05
"""A group whose approval share moves this much otherwise than everybody else's is warned of."""

MOST_WRONG = 1_000
"""Would-be wrong approvals kept for opening; a draft with more is not a draft but a mistake, and cannot be proposed."""

AGENT_SECONDS = 90.0
"""Of an agent's work on one referred case where nothing was measured: the desk's own target for its median."""


WORK_WINDOW = timedelta(days=28)
LEAST_TIMED = 30
"""Work of agents is measured on their newest answers of four weeks; fewer than this say little, and the target stands in."""


REPORT_HOLDS = timedelta(days=7)
"""A report counts for a proposal as long: of a month's runs and answers a quarter are others by then."""

LEAST_WINDOW = timedelta(days=28)
"""How far back a report looks at least, or to the first run: each weekday four times, and the turn of a month."""


LONGEST_WINDOW = timedelta(days=366)
"""How far back a report can look, by page or command. Older runs oblige nobody."""


class Lack(StrEnum):
    """Why no report of a version counts for a proposal."""

    NO_REPORT = "no_report"
    TOO_OLD = "too_old"  # than REPORT_HOLDS
    SKIPPED_MOST = "skipped_most"  # it left out more runs than it looked at
    SAW_NOTHING = "saw_nothing"  # it looked at no run, and there are some
    TOO_SHORT = "too_short"  # there are runs before its window, within LEAST_WINDOW


class NotReplayed(Exception):
    """The version has no replay that counts, against the policy that holds now."""

    def __init__(self, lack: Lack) -> None:
        super().__init__(f"no replay of it counts: {lack.value}")
        self.lack = lack


class Unopened(Exception):
    """Somebody has to look at `count` cases first that the draft would have approved and a person did not."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} would-be wrong approvals were not opened")
        self.count = count


# Keeping records


def keep(
    session: Session,
    run: Run,
    case: Case,
    measures: Measures,
    *,
    standing: tuple[ReasonCode, ...],
    profile: Profile,
    now: datetime,
) -> None:
    """Keep the record of a run that has just finished; the caller commits."""
    packed = packed_row(
        run, case, measures, standing=standing, sex=profile.values.get(Field.SEX, ""),
        age=_age_band(profile.values.get(Field.DATE_OF_BIRTH), now.date()),
    )  # fmt: skip
    session.add(RunRecord(run_id=run.id, finished_at=now, packed=packed))


def packed_row(
    run: Run, case: Case, measures: Measures, *, standing: tuple[ReasonCode, ...], sex: str = "", age: int = 0
) -> bytes:
    """Return one ROW. `run.outcome` and `run.policy_version` say what was decided, and by what."""
    row = np.zeros((), ROW)
    row["run"] = np.frombuffer(pack(measures, attempt=run.attempt, standing=standing), RECORD)[0]
    row["run_id"], row["case_id"] = run.id.bytes, case.id.bytes
    row["policy_version"] = run.policy_version
    row["outcome"] = OUTCOMES.index(Outcome(run.outcome or ""))
    row["sex"], row["age_band"] = sex[:1].encode("ascii", "ignore"), age
    row["country"] = (measures.country or case.country or "").encode("ascii", "ignore")[:3]
    row["locale"] = case.locale[:2].encode("ascii", "ignore")
    return row.tobytes()


def backfill(session: Session, *, limit: int = 1_000) -> int:
    """Pack finished runs that have no record of this version yet; returns how many. The caller commits and asks again until 0.

    Of runs before records were kept, standing reasons are those of the run's reasons that its measures do not give under its own
    policy; sex and age stay unknown, unless the record that is replaced tells them. What a customer had erased stays forgotten.
    """
    missing: Any = session.execute(
        select(Run, Case, RunRecord)
        .join(Case, Case.id == Run.case_id)
        .outerjoin(RunRecord, RunRecord.run_id == Run.id)
        .where(
            Run.state == RunState.FINISHED,
            Run.measures.is_not(None),
            or_(RunRecord.run_id.is_(None), func.substr(RunRecord.packed, 1, 1) != bytes([VERSION])),
            ~_never_kept(),
        )
        .order_by(Run.finished_at, Run.id)
        .limit(limit)
    ).all()
    for run, case, old in missing:
        assert run.measures is not None and run.finished_at is not None
        measures = Measures.from_json(run.measures)
        about: dict[str, Any] = {}
        if old is not None and len(old.packed) == ROW.itemsize:
            before = np.frombuffer(old.packed, ROW)[0]
            about = {"sex": bytes(before["sex"]).decode("ascii", "ignore"), "age": int(before["age_band"])}
        packed = packed_row(run, case, measures, standing=_standing(session, run, measures), **about)
        if old is not None:
            old.packed = packed
        else:
            session.add(RunRecord(run_id=run.id, finished_at=run.finished_at, packed=packed))
    session.flush()
    return len(missing)


def _never_kept() -> ColumnElement[bool]:
    """Of a joined Case: its runs have no record and shall get none. It is a trial, or the customer wished it gone."""
    shredded = exists().where(
        Event.kind == "deletion_asked", Event.customer_id == Case.customer_id, Event.at == Case.shredded_at
    )  # fmt: skip
    erased = exists().where(Event.kind == "erased", Event.customer_id == Case.customer_id)
    return or_(Case.trial, and_(Case.shredded_at.is_not(None), or_(shredded, erased)))


def _standing(session: Session, run: Run, measures: Measures) -> tuple[ReasonCode, ...]:
    """Reasons of a run that its measures do not give under its own policy: they stood beside them."""
    found = decide(measures, policies.get(session, run.policy_version), attempt=run.attempt).reasons
    return tuple(
        ReasonCode(code) for code in run.reasons if code not in found and code != ReasonCode.ATTEMPTS_USED_UP.value
    )  # fmt: skip


def forget(session: Session, case_ids: list[UUID]) -> int:
    """Delete the records of these cases: a person is to be forgotten. Returns how many."""
    runs = list(session.scalars(select(Run.id).where(Run.case_id.in_(case_ids))))
    found = session.scalars(select(RunRecord).where(RunRecord.run_id.in_(runs))).all()
    for record in found:
        session.delete(record)
    session.flush()
    return len(found)


def _age_band(born: str | None, on: date) -> int:
    """Full tens of years of age on a day, at most 9; 0 = not known (nobody under ten has a passport of her own to change)."""
    try:
        birth = date.fromisoformat(born or "")
    except ValueError:
        return 0
    years = on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))
    return min(max(years // 10, 0), 9)


# Replaying


@dataclass(frozen=True, kw_only=True)
class Group:
    """How one group's approval share would move. Shares are 0-1."""

    kind: str  # of GROUPS
    value: str
    runs: int
    was: float
    now: float
    apart: float  # its shift less everybody else's
    warned: bool


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A case that a person refused or put back, and that would have been approved."""

    case_id: UUID
    run_id: UUID
    answer: str  # "rejected", "reverted"


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What `policy` would have decided, against `against`, on the runs of a time. Counts are of runs."""

    version: int
    against: int
    since: datetime
    until: datetime
    runs: int
    skipped: int  # without a record, or with one of another version of the packing: run `flask policy pack`
    flows: dict[str, int]  # "approve>refer" → runs; unchanged ones among them
    reasons: tuple[tuple[str, int, int], ...]  # reason, runs that get it, runs that lose it; most moved first
    answered: int  # cases newly approved which a person answered
    right: int  # of these: a person approved as well
    wrong: int  # of these: a person refused, or the approval was put back
    seconds_each: float  # of an agent's work on one referred case
    measured: bool  # whether that was measured
    hours_per_week: float  # of agents' work added (saved where negative)
    groups: tuple[Group, ...]
    timed: int = 0  # answers of agents on which `seconds_each` was measured

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` reads it back."""
        plain = asdict(self)
        plain["since"], plain["until"] = self.since.isoformat(), self.until.isoformat()
        return plain

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Replay:
        """Read what `to_json` wrote."""
        d = dict(data)
        return cls(
            **{
                **d,
                "since": datetime.fromisoformat(d["since"]),
                "until": datetime.fromisoformat(d["until"]),
                "reasons": tuple((name, more, less) for name, more, less in d["reasons"]),
                "groups": tuple(Group(**g) for g in d["groups"]),
            }
        )

    def count(self, was: Outcome, now: Outcome) -> int:
        """Runs that would go from one outcome to another."""
        return self.flows.get(f"{was.value}>{now.value}", 0)

    @property
    def moved(self) -> int:
        """Runs with another outcome."""
        return sum(count for flow, count in self.flows.items() if len(set(flow.split(">"))) == 2)

    @property
    def warned(self) -> tuple[Group, ...]:
        """Groups that would be treated otherwise than everybody else."""
        return tuple(group for group in self.groups if group.warned)

    def share(self, outcome: Outcome, *, now: bool) -> float | None:
        """Share of runs with an outcome, before or now; None without runs."""
        at = 1 if now else 0
        found = sum(count for flow, count in self.flows.items() if flow.split(">")[at] == outcome.value)
        return found / self.runs if self.runs else None


def replay(
    session: Session,
    policy: Policy,
    *,
    against: Policy,
    since: datetime,
    until: datetime,
    seconds_each: float | None = None,
    timed: int = 0,
) -> tuple[Replay, tuple[Wrong, ...]]:
    """Decide every kept run of a time under both policies. Changes nothing; the list of wrong ones ends at MOST_WRONG + 1.

    Both sides are decided anew, so that what differs is the policy alone and not what was changed since. `seconds_each` is the
    measured work of an agent on a referred case, on `timed` answers. A case counts once, however often it was tried.
    """
    refused, approved = _answers(session)
    flows = np.zeros((len(OUTCOMES), len(OUTCOMES)), np.int64)
    more = np.zeros(len(REASONS), np.int64)
    less = np.zeros(len(REASONS), np.int64)
    tallies: dict[tuple[str, str], npt.NDArray[np.int64]] = {}
    total = 0
    right: set[UUID] = set()
    wrong: dict[UUID, Wrong] = {}
    approve = OUTCOMES.index(Outcome.APPROVE)
    firsts = np.array(sorted({id.int >> 64 for id in (*refused, *approved)}), np.uint64)
    for rows in kept_rows(session, since, until):
        good = rows["run"]["version"] == VERSION
        rows = rows[good]
        old, new = decide_all(rows["run"], against), decide_all(rows["run"], policy)
        total += len(rows)
        flows += np.bincount(
            old.outcomes.astype(np.int64) * len(OUTCOMES) + new.outcomes, minlength=len(OUTCOMES) ** 2
        ).reshape(flows.shape)  # fmt: skip
        for reason in moved_reasons(old, new):
            at, had, has = REASONS.index(reason), old.with_reason(reason), new.with_reason(reason)
            more[at] += int((has & ~had).sum())
            less[at] += int((had & ~has).sum())
        was, now = old.outcomes == approve, new.outcomes == approve
        _tally(tallies, rows, was, now)
        gained = np.flatnonzero(now & ~was)
        if not len(firsts):
            continue
        heads = np.ascontiguousarray(rows["case_id"][gained]).view(">u8")[::2].astype(np.uint64)
        for at in gained[np.isin(heads, firsts)]:
            case_id = _uuid(rows["case_id"][at])
            if case_id in refused:
                if len(wrong) <= MOST_WRONG:
                    wrong[case_id] = Wrong(case_id=case_id, run_id=_uuid(rows["run_id"][at]), answer=refused[case_id])
            elif case_id in approved:
                right.add(case_id)
    refer = OUTCOMES.index(Outcome.REFER)
    added = int(flows[:, refer].sum() - flows[refer].sum())
    each = AGENT_SECONDS if seconds_each is None else seconds_each
    weeks = max((until - since) / timedelta(weeks=1), 1 / 7)
    answer = Replay(
        version=policy.version,
        against=against.version,
        since=since,
        until=until,
        runs=total,
        skipped=_left_out(session, since, until, read=total),
        flows={
            f"{was.value}>{now.value}": int(flows[i, j])
            for i, was in enumerate(OUTCOMES)
            for j, now in enumerate(OUTCOMES)
            if flows[i, j]
        },
        reasons=tuple(
            (REASONS[at].value, int(more[at]), int(less[at]))
            for at in np.argsort(-(more + less), kind="stable")
            if more[at] or less[at]
        ),
        answered=len(right) + len(wrong),
        right=len(right),
        wrong=len(wrong),
        seconds_each=each,
        measured=seconds_each is not None,
        hours_per_week=added * each / 3600 / weeks,
        groups=_groups(tallies),
        timed=timed,
    )
    return answer, tuple(wrong.values())


def _tally(
    tallies: dict[tuple[str, str], npt.NDArray[np.int64]], rows: npt.NDArray[np.void], was: npt.NDArray[np.bool_],
    now: npt.NDArray[np.bool_],
) -> None:  # fmt: skip
    """Add runs, approvals before and approvals now, for each value of each group. Codes are counted as whole numbers."""
    codes = {
        "country": np.ascontiguousarray(rows["country"]).view("<u4"),
        "document_type": rows["run"]["document_type"].astype(np.int64) + 1,
        "locale": np.ascontiguousarray(rows["locale"]).view("<u4"),
        "sex": np.ascontiguousarray(rows["sex"]).view("u1"),
        "age_band": rows["age_band"],
    }
    said: dict[str, Callable[[int], str]] = {
        "country": _letters,
        "document_type": lambda code: TYPES[code - 1].value if code else "",
        "locale": _letters,
        "sex": _letters,
        "age_band": str,
    }
    for kind in GROUPS:
        values, places = np.unique(codes[kind], return_inverse=True)
        counts = [np.bincount(places, weights=weight, minlength=len(values)) for weight in (None, was, now)]
        for at, value in enumerate(values):
            tally = tallies.setdefault((kind, said[kind](int(value))), np.zeros(3, np.int64))
            tally += np.array([int(count[at]) for count in counts])


def _letters(code: int) -> str:
    """The letters that stand in a number, first one lowest."""
    return code.to_bytes(4, "little").rstrip(b"\0").decode()


def _groups(tallies: dict[tuple[str, str], npt.NDArray[np.int64]]) -> tuple[Group, ...]:
    """Each group against everybody else of its kind; what is not known is a group of its own, and never warned of."""
    found = []
    for kind in GROUPS:
        mine = {value: tally for (its, value), tally in tallies.items() if its == kind}
        every: npt.NDArray[np.int64] = sum(mine.values(), np.zeros(3, np.int64))
        for value, tally in sorted(mine.items()):
            runs, was, now = (int(n) for n in tally)
            others, others_was, others_now = (int(n) for n in every - tally)
            shift = (now - was) / runs
            apart = shift - ((others_now - others_was) / others if others else shift)
            known = value not in ("", "0")
            found.append(
                Group(
                    kind=kind,
                    value=value,
                    runs=runs,
                    was=was / runs,
                    now=now / runs,
                    apart=apart,
                    warned=known and runs >= LEAST_GROUP and others >= LEAST_GROUP and abs(apart) > SHIFT,
                )
            )
    return tuple(found)


def _answers(session: Session) -> tuple[dict[UUID, str], frozenset[UUID]]:
    """Cases that a person refused or put back, and cases that a person approved and that stand."""
    refused = {
        id: state.value
        for id, state in session.execute(select(Case.id, Case.state).where(Case.state.in_((State.REJECTED, State.REVERTED))))
    }
    approved = frozenset(
        session.scalars(
            select(Disposition.case_id)
            .join(Case, Case.id == Disposition.case_id)
            .where(Disposition.action == "approve", Case.state == State.APPROVED)
        )
    )
    return refused, approved


def _left_out(session: Session, since: datetime, until: datetime, *, read: int) -> int:
    """Of `read` and other runs of a time, those others that could be packed: no record holds them, or one of another packing.

    What is never kept is not missed. Counted from an index, and joined only where some have no record.
    """
    kept = select(func.count()).select_from(RunRecord).where(RunRecord.finished_at >= since, RunRecord.finished_at < until)
    missing = _count(session, kept) - read
    of_the_time = (
        Run.finished_at >= since, Run.finished_at < until, Run.state == RunState.FINISHED, Run.measures.is_not(None)
    )  # fmt: skip
    finished = _count(session, select(func.count()).select_from(Run).where(*of_the_time)) - read
    if finished > missing:
        gone = (
            select(func.count())
            .select_from(Run)
            .join(Case, Case.id == Run.case_id)
            .where(*of_the_time, _never_kept(), ~_packed())
        )
        missing = max(missing, finished - _count(session, gone))
    return max(missing, 0)


def _packed() -> ColumnElement[bool]:
    return exists().where(RunRecord.run_id == Run.id)


def _count(session: Session, query: Select[Any]) -> int:
    return session.scalar(query) or 0


def _any_run(session: Session, *, since: datetime | None = None, until: datetime) -> bool:
    """Whether there is a run of a time that could be replayed, packed or not."""
    found = (
        select(Run.id)
        .join(Case, Case.id == Run.case_id)
        .where(Run.finished_at < until, Run.state == RunState.FINISHED, Run.measures.is_not(None), ~_never_kept())
    )
    if since is not None:
        found = found.where(Run.finished_at >= since)
    return session.scalars(found.limit(1)).first() is not None


def kept_rows(session: Session, since: datetime, until: datetime) -> Iterator[npt.NDArray[np.void]]:
    """The kept rows of a time, CHUNK at a time, so that a million runs never lie in memory together.

    Read past SQLAlchemy's rows, which cost more than deciding them: SQLite's own cursor, PostgreSQL's binary COPY.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        yield from _copied(connection, since, until)
        return
    wanted = (
        select(RunRecord.packed)
        .where(RunRecord.finished_at >= since, RunRecord.finished_at < until)
        .order_by(RunRecord.finished_at)
    )
    cursor = connection.execute(wanted).cursor
    assert cursor is not None
    while part := cursor.fetchmany(CHUNK):
        yield np.frombuffer(b"".join(packed for (packed,) in part if len(packed) == ROW.itemsize), ROW)


COPIED = np.dtype([("fields", ">i2"), ("length", ">i4"), ("row", ROW)])
"""A tuple of one bytea as `COPY … (FORMAT binary)` writes it. Source: PostgreSQL documentation, COPY, "Binary Format"."""

COPY_HEAD = 19
"""Bytes before the first tuple: signature of 11, flags of 4, length of an extension of 4, which is 0 in every version so far."""


def _copied(connection: Connection, since: datetime, until: datetime) -> Iterator[npt.NDArray[np.void]]:
    driver: Any = connection.connection.driver_connection
    rest, begun = b"", False
    with (
        driver.cursor() as cursor,
        cursor.copy(
            "COPY (SELECT packed FROM run_records WHERE finished_at >= %s AND finished_at < %s AND length(packed) = %s "
            "ORDER BY finished_at) TO STDOUT (FORMAT binary)",
            (since, until, ROW.itemsize),
        ) as copy,
    ):
        pieces: list[bytes] = []
        held = 0
        for block in copy:
            pieces.append(bytes(block))
            held += len(block)
            if held < CHUNK * COPIED.itemsize:
                continue
            rest, begun, rows = _tuples(rest + b"".join(pieces), begun)
            pieces, held = [], 0
            yield rows
        rest, begun, rows = _tuples(rest + b"".join(pieces), begun)
        yield rows


def _tuples(data: bytes, begun: bool) -> tuple[bytes, bool, npt.NDArray[np.void]]:
    """Split what was copied so far: what is left over, that the head is behind us, and the whole rows."""
    if not begun:
        data = data[COPY_HEAD:]
    count = len(data) // COPIED.itemsize
    rows = np.frombuffer(data, COPIED, count)["row"]
    return data[count * COPIED.itemsize :], True, np.ascontiguousarray(rows)


def _uuid(raw: bytes) -> UUID:
    return UUID(bytes=bytes(raw).ljust(16, b"\0"))


# Reports


def weigh(session: Session, version: int, *, since: datetime, now: datetime) -> tuple[Replay, tuple[Wrong, ...]]:
    """Replay a version against the policy that holds, with the work of agents as measured lately. Changes nothing.

    A million runs take seconds: read in a transaction of its own and `keep_report` in another, nobody waits meanwhile.
    """
    held, version_policy = policies.current(session), policies.get(session, version)
    work = figures.work(session, since=now - WORK_WINDOW, until=now)
    known = work.value if work.n >= LEAST_TIMED else None
    return replay(
        session, version_policy, against=held, since=since, until=now, seconds_each=known, timed=work.n if known else 0
    )  # fmt: skip


def attach(session: Session, version: int, *, since: datetime, by: Staff, now: datetime) -> ReplayReport:
    """Replay a version against the policy that holds, and keep the report with it."""
    people.require(by, "propose_policy")
    return keep_report(session, *weigh(session, version, since=since, now=now), by=by, now=now)


def keep_report(session: Session, answer: Replay, wrong: tuple[Wrong, ...], *, by: Staff, now: datetime) -> ReplayReport:
    """Keep what `weigh` found with its version. Raises policies.Outdated when another policy holds by now."""
    people.require(by, "propose_policy")
    if policies.current(session).version != answer.against:
        raise policies.Outdated("another policy holds by now")
    report = ReplayReport(
        id=uuid4(),
        version=answer.version,
        against_version=answer.against,
        since=answer.since,
        until=answer.until,
        runs=answer.runs,
        wrong=answer.wrong,
        document=answer.to_json(),
        by_id=by.id,
        created_at=now,
    )
    session.add(report)
    session.flush()
    for found in wrong[:MOST_WRONG]:
        session.add(ReplayWrong(report_id=report.id, case_id=found.case_id, run_id=found.run_id, answer=found.answer))
    session.flush()
    audit.record(
        session, "policy_replayed", actor=audit.Actor.staff(by), now=now,
        policy_version=answer.version, report_id=report.id, count=answer.runs, wrong=answer.wrong,
    )  # fmt: skip
    return report


def attached(session: Session, version: int) -> ReplayReport | None:
    """The newest report of a version against the policy that holds now; None: it has to be replayed (again)."""
    return next(iter(_reports(session, version)), None)


def _reports(session: Session, version: int) -> list[ReplayReport]:
    """All reports of a version against the policy that holds now, newest first."""
    return list(
        session.scalars(
            select(ReplayReport)
            .where(ReplayReport.version == version, ReplayReport.against_version == policies.current(session).version)
            .order_by(ReplayReport.created_at.desc(), ReplayReport.id)
        )
    )


def of(report: ReplayReport) -> Replay:
    """The figures of a report."""
    return Replay.from_json(report.document)


def wrongs(session: Session, report: ReplayReport) -> list[ReplayWrong]:
    """Its would-be wrong approvals, unopened ones first."""
    return list(
        session.scalars(
            select(ReplayWrong)
            .where(ReplayWrong.report_id == report.id)
            .order_by(ReplayWrong.opened_at.is_not(None), ReplayWrong.case_id)
        )
    )


def open_wrong(session: Session, report_id: UUID, case_id: UUID, *, by: Staff, now: datetime) -> ReplayWrong:
    """Note that somebody who may propose policies looked at one of them. Raises NoResultFound."""
    people.require(by, "propose_policy")
    found = session.execute(
        select(ReplayWrong)
        .where(ReplayWrong.report_id == report_id, ReplayWrong.case_id == case_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()
    if found.opened_at is None:
        found.opened_by_id, found.opened_at = by.id, now
        session.flush()
        audit.record(
            session, "would_be_approval_opened", actor=audit.Actor.staff(by), now=now,
            case=session.get_one(Case, case_id), report_id=report_id,
        )  # fmt: skip
    return found


@dataclass(frozen=True, kw_only=True)
class PersonsAnswer:
    """What a person said about a case, in codes."""

    action: str
    reasons: tuple[ReasonCode, ...]
    at: datetime


@dataclass(frozen=True, kw_only=True)
class WrongPage:
    """One would-be wrong approval, without a name, number or pixel of anybody."""

    wrong: ReplayWrong
    report: ReplayReport
    state: State
    change_reason: ChangeReason
    attempt: int
    attempts: int  # of the case, in all
    finished_at: datetime
    measures: Measures
    old: Policy  # that held when it was replayed
    new: Policy
    was: Decision
    now: Decision
    answers: tuple[PersonsAnswer, ...]  # newest first


def wrong_page(session: Session, report_id: UUID, case_id: UUID) -> WrongPage:
    """All that can be told of one of them. Raises NoResultFound."""
    wrong, report, run, case, record = session.execute(
        select(ReplayWrong, ReplayReport, Run, Case, RunRecord)
        .join(ReplayReport, ReplayReport.id == ReplayWrong.report_id)
        .join(Run, Run.id == ReplayWrong.run_id)
        .join(Case, Case.id == ReplayWrong.case_id)
        .outerjoin(RunRecord, RunRecord.run_id == ReplayWrong.run_id)  # gone where she had herself forgotten
        .where(ReplayWrong.report_id == report_id, ReplayWrong.case_id == case_id)
    ).one()
    assert run.measures is not None and run.finished_at is not None
    measures = Measures.from_json(run.measures)
    packed = _packed_standing(record) if record is not None else None
    standing = _standing(session, run, measures) if packed is None else packed
    old, new = policies.get(session, report.against_version), policies.get(session, report.version)
    given = session.scalars(
        select(Disposition).where(Disposition.case_id == case_id).order_by(Disposition.created_at.desc(), Disposition.id)
    )
    known = {code.value for code in ReasonCode}
    return WrongPage(
        wrong=wrong,
        report=report,
        state=case.state,
        change_reason=case.change_reason,
        attempt=run.attempt,
        attempts=case.attempt,
        finished_at=run.finished_at,
        measures=measures,
        old=old,
        new=new,
        was=decide(measures, old, attempt=run.attempt, standing=standing),
        now=decide(measures, new, attempt=run.attempt, standing=standing),
        answers=tuple(
            PersonsAnswer(
                action=row.action, reasons=tuple(ReasonCode(code) for code in row.reasons if code in known), at=row.created_at
            )
            for row in given
        ),
    )


def _packed_standing(record: RunRecord) -> tuple[ReasonCode, ...] | None:
    """The standing reasons that a record holds as bits; None where another version packed it."""
    if len(record.packed) != ROW.itemsize or record.packed[0] != VERSION:
        return None
    words = np.frombuffer(record.packed, ROW)[0]["run"]["standing"]
    return tuple(reason for at, reason in enumerate(REASONS) if int(words[at // 64]) >> (at % 64) & 1)


@dataclass(frozen=True, kw_only=True)
class ToOpen:
    """A would-be wrong approval of a version, once, however many reports found it."""

    case_id: UUID
    report_id: UUID  # the newest that found it
    answer: str  # "rejected", "reverted"
    opened_at: datetime | None  # first, from any of the reports


def to_open(session: Session, version: int) -> list[ToOpen]:
    """The would-be wrong approvals of all reports of a version against the policy that holds, unopened ones first.

    Of all, and not of the newest: another look, at other days or a year later, makes none of them right.
    """
    found: dict[UUID, ToOpen] = {}
    for wrong, _newest_last in session.execute(
        select(ReplayWrong, ReplayReport.created_at)
        .join(ReplayReport, ReplayReport.id == ReplayWrong.report_id)
        .where(ReplayReport.version == version, ReplayReport.against_version == policies.current(session).version)
        .order_by(ReplayReport.created_at, ReplayReport.id.desc())
    ):
        before = found.get(wrong.case_id)
        opened = [at for at in (wrong.opened_at, before.opened_at if before else None) if at is not None]
        found[wrong.case_id] = ToOpen(
            case_id=wrong.case_id, report_id=wrong.report_id, answer=wrong.answer, opened_at=min(opened, default=None)
        )
    return sorted(found.values(), key=lambda one: (one.opened_at is not None, one.case_id))


def next_unopened(session: Session, version: int) -> ToOpen | None:
    """A would-be wrong approval of a version that nobody opened yet."""
    return next((one for one in to_open(session, version) if one.opened_at is None), None)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was looked at of a version, before it may be proposed."""

    report: ReplayReport | None  # the newest that counts
    lack: Lack | None  # why none does
    unopened: int
    excess: int  # would-be wrong approvals beyond those that a report keeps; such a draft cannot be proposed

    @property
    def left(self) -> int:
        """Would-be wrong approvals that nobody has opened, or that are too many to be."""
        return max(self.unopened, self.excess)

    @property
    def state(self) -> str:
        """In one word: "not_replayed", "unopened", "ready"."""
        if self.lack is not None:
            return "not_replayed"
        return "unopened" if self.left else "ready"

    @property
    def blind(self) -> bool:
        """It may be proposed although nothing could be looked at: there is no finished run yet."""
        return self.report is not None and self.report.runs == 0


def seen(session: Session, version: int, *, now: datetime) -> Seen:
    """What `require_seen` weighs, for pages too."""
    reports = _reports(session, version)
    fresh = [(report, _lack(session, report, now=now)) for report in reports if now - report.created_at <= REPORT_HOLDS]
    counts = next((report for report, lack in fresh if lack is None), None)
    newest = fresh[0][1] if fresh else Lack.TOO_OLD if reports else Lack.NO_REPORT
    return Seen(
        report=counts,
        lack=newest if counts is None else None,
        unopened=sum(one.opened_at is None for one in to_open(session, version)),
        excess=max((report.wrong - MOST_WRONG for report in reports if report.wrong > MOST_WRONG), default=0),
    )


def _lack(session: Session, report: ReplayReport, *, now: datetime) -> Lack | None:
    """Why a report that is new enough does not count; None: it does."""
    found = of(report)
    if found.skipped > found.runs:
        return Lack.SKIPPED_MOST
    if not found.runs:
        return Lack.SAW_NOTHING if _any_run(session, since=found.until - LONGEST_WINDOW, until=now) else None
    first = found.until - LEAST_WINDOW
    return Lack.TOO_SHORT if found.since > first and _any_run(session, since=first, until=found.since) else None


def require_seen(session: Session, version: int, *, now: datetime) -> ReplayReport:
    """Before a version may be proposed or confirmed. Raises NotReplayed or Unopened; returns the report that counts."""
    found = seen(session, version, now=now)
    if found.report is None:
        raise NotReplayed(found.lack or Lack.NO_REPORT)
    if found.left:
        raise Unopened(found.left)
    return found.report


def upper_bound(wrong: int, n: int, confidence: float = 0.95) -> float | None:
    """At most so large a share is wrong, one-sided Clopper-Pearson; None without cases.

    With none wrong of n it is 1 - (1 - confidence)^(1/n), "the rule of three" for large n. Source: Clopper and Pearson,
    Biometrika 26 (1934) 404. Found by bisection of the binomial tail, exact to 1e-9.
    """
    if n <= 0:
        return None
    if wrong >= n:
        return 1.0
    low, high = wrong / n, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        tail = math.fsum(
            math.exp(
                math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
                + k * math.log(middle) + (n - k) * math.log1p(-middle)
            )
            for k in range(wrong + 1)
        )  # fmt: skip
        low, high = (middle, high) if tail > 1 - confidence else (low, middle)
    return high
