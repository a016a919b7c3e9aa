"""A month of runs of nobody, written straight into the tables: for charts that need more than a few."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import create_engine, insert, text

from cases import replays
from cases.models import Case, Customer, DataKey, Disposition, ProfileVersion, Run, Staff
from cases.ops_tables import RunRecord
from tests import factories as a
from verification.decision import Outcome
from verification.replay import OUTCOMES


def write(url: str, *, now: datetime, count: int = 1_500, seed: int = 4) -> None:
    """Runs of the last month: most approved by the machine, a tenth at the desk, some refused, some overturned."""
    dice = np.random.default_rng(seed)
    one = np.frombuffer(
        replays.packed_row(
            Run(id=UUID(int=2), attempt=1, outcome="approve", policy_version=1),
            Case(id=UUID(int=1), locale="ru", country="UTO"), a.good_measures(), standing=(), sex="F", age=3,
        ),
        replays.ROW,
    )  # fmt: skip
    rows = np.repeat(one, count)
    kind = dice.choice(["auto", "agent", "rejected", "reverted", "open"], count, p=[0.78, 0.1, 0.05, 0.015, 0.055])
    middle = np.select([kind == "auto", kind == "agent", kind == "rejected", kind == "reverted"], [9.6, 6.1, 2.2, 7.3], 5.9)
    spread = np.where(kind == "auto", 1.1, 1.0)
    rows["run"]["similarity"] = dice.normal(middle[:, None], spread[:, None], (count, 3))
    rows["run"]["similarity"][kind == "auto"] = np.maximum(rows["run"]["similarity"][kind == "auto"], 6.75)
    rows["run"]["fmr"] = 10 ** -dice.uniform(3.2, 6.5, (count, 3))
    rows["run"]["confidence"] = np.minimum(1.0, dice.normal(0.95, 0.05, rows["run"]["confidence"].shape))
    rows["run"]["days_to_expiry"] = dice.integers(-40, 3600, count)
    rows["run"]["attempt"] = dice.choice([1, 2, 3], count, p=[0.8, 0.15, 0.05])
    rows["outcome"] = np.where(
        np.isin(kind, ["auto", "reverted"]), OUTCOMES.index(Outcome.APPROVE), OUTCOMES.index(Outcome.REFER)
    )
    rows["sex"] = dice.choice([b"F", b"M"], count)
    rows["age_band"] = dice.integers(2, 7, count)
    rows["country"] = dice.choice([b"RUS", b"KAZ", b"ESP", b"MEX"], count)
    ids = [(uuid4(), uuid4()) for _ in range(count)]
    rows["run_id"] = [run.bytes for run, _case in ids]
    rows["case_id"] = [case.bytes for _run, case in ids]
    engine = create_engine(url)  # a plain one: on SQLite it asks for no foreign keys
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = replica"))
        key, customer, version, staff = uuid4(), uuid4(), uuid4(), uuid4()
        early = now - timedelta(days=40)
        connection.execute(insert(DataKey).values(id=key, wrapped=b"x", master_version=1, created_at=early))
        connection.execute(insert(Customer).values(id=customer, external_id="x", locale="ru", data_key_id=key, created_at=early))
        connection.execute(
            insert(ProfileVersion).values(
                id=version, customer_id=customer, number=1, source="host", profile_sealed=b"x", created_at=early
            )
        )
        connection.execute(
            insert(Staff).values(
                id=staff, email="past@example.test", name="Past Agent", active=True, roles_held=["agent"],
                fs_uniquifier="past", created_at=early,
            )
        )  # fmt: skip
        whole, size = rows.tobytes(), replays.ROW.itemsize
        at = [now - timedelta(days=29) + timedelta(minutes=27 * n) for n in range(count)]
        connection.execute(
            insert(RunRecord),
            [{"run_id": ids[n][0], "finished_at": at[n], "packed": whole[n * size : (n + 1) * size]} for n in range(count)],
        )
        state = {"auto": "approved", "agent": "approved", "rejected": "rejected", "reverted": "reverted", "open": "withdrawn"}
        connection.execute(
            insert(Case),
            [
                {
                    "id": ids[n][1], "customer_id": customer, "state": state[kind[n]], "locale": "ru",
                    "change_reason": "marriage",
                    "data_key_id": key, "base_version_id": version, "opened_at": at[n], "updated_at": at[n], "closed_at": at[n],
                    "consented_at": at[n],
                    "applied_version_id": version if kind[n] in ("auto", "agent", "reverted") else None,
                    "prior_version_id": version if kind[n] in ("auto", "agent", "reverted") else None,
                }
                for n in range(count)
            ],
        )  # fmt: skip
        answer = {"agent": "approve", "rejected": "reject"}
        connection.execute(
            insert(Disposition),
            [
                {
                    "id": uuid4(), "case_id": ids[n][1], "staff_id": staff, "action": answer[kind[n]], "reasons": [],
                    "created_at": at[n] + timedelta(hours=1),
                }
                for n in range(count)
                if kind[n] in answer
            ],
        )  # fmt: skip
    engine.dispose()
