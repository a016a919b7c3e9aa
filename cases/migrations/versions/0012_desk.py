"""What the desk keeps with a case, a customer and a member of staff; answers that wait before they are carried out.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

NEW = ("rescue", "document_index", "second_at", "answered_at", "escalated_at", "risk")


def upgrade() -> None:
    """Add columns and tables; cases that wait now are of ordinary risk until they are referred again."""
    op.add_column(
        "cases",
        sa.Column(
            "risk",
            sa.String(20),
            nullable=False,
            server_default="ordinary",
            comment="cases.risk.Risk, told anew at each referral",
        ),
    )
    op.add_column(
        "cases",
        sa.Column(
            "escalated_at", sa.DateTime(timezone=True), nullable=True, comment="Since when only a senior agent may answer it"
        ),
    )
    op.add_column(
        "cases",
        sa.Column(
            "answered_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="An agent's answer is given and not carried out: it may be taken back still, or waits for a second person",
        ),
    )
    op.add_column(
        "cases",
        sa.Column(
            "second_at", sa.DateTime(timezone=True), nullable=True, comment="Since when it waits for a second person's own answer"
        ),
    )
    op.add_column(
        "cases",
        sa.Column(
            "document_index",
            sa.String(64),
            nullable=True,
            comment="Keyed hash of the document number, for searching; NULL: none known, or shredded",
        ),
    )
    op.add_column(
        "cases",
        sa.Column(
            "rescue",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="cases.rescue: how badly this customer needs somebody who ends it",
        ),
    )
    op.create_index(op.f("ix_cases_document_index"), "cases", ["document_index"], unique=False)
    op.add_column(
        "customers",
        sa.Column(
            "by_eye",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="No machine compares her face: agents do, by eye",
        ),
    )
    op.add_column(
        "staff",
        sa.Column(
            "skills",
            sa.JSON(),
            nullable=False,
            server_default="{}",
            comment="cases.queue.Skills: languages, countries; empty: all",
        ),
    )
    op.add_column(
        "staff",
        sa.Column(
            "practising",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="A new agent: specimen cases only, until the pass mark",
        ),
    )

    op.create_table(
        "staff_accounts",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column(
            "how", sa.String(length=10), nullable=False, comment="email: both have the same address; said: an admin wrote it down"
        ),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("how IN ('email', 'said')", name=op.f("ck_staff_accounts_how_is_known")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_staff_accounts_customer_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_accounts_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", "customer_id", name=op.f("pk_staff_accounts")),
    )
    op.create_index(op.f("ix_staff_accounts_customer_id"), "staff_accounts", ["customer_id"], unique=False)
    op.create_table(
        "case_notes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("data_key_id", sa.Uuid(), nullable=False, comment="Of the case; once shredded, of the customer"),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('note', 'escalation')", name=op.f("ck_case_notes_kind_is_known")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_notes_case_id")),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name=op.f("fk_case_notes_data_key_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_case_notes_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_notes")),
    )
    op.create_index("ix_case_notes_case", "case_notes", ["case_id", "created_at"], unique=False)
    op.create_table(
        "answers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False, comment="Its maker"),
        sa.Column(
            "state",
            sa.Enum(
                "waiting",
                "first",
                "disagreed",
                "carried_out",
                "followed",
                "overruled",
                "taken_back",
                "dropped",
                name="answerstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("retake", sa.JSON(), nullable=False, comment="Photo kinds to take again"),
        sa.Column("fields", sa.JSON(none_as_null=True), nullable=True, comment="Details accepted; NULL: all that were claimed"),
        sa.Column(
            "with_email", sa.Boolean(), server_default=sa.true(), nullable=False, comment="A new e-mail is accepted as well"
        ),
        sa.Column("held", sa.JSON(), nullable=False, comment="Details asked for and not accepted; 'email' for a new e-mail"),
        sa.Column("checked", sa.JSON(), nullable=False, comment="Rows that its maker ticked as compared"),
        sa.Column("data_key_id", sa.Uuid(), nullable=False, comment="Of the case"),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True, comment="For staff only, under the case's key"),
        sa.Column(
            "words_sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="What the customer is told in the agent's words, under the same key",
        ),
        sa.Column(
            "needs_second",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Another person has to come to the same by herself",
        ),
        sa.Column("why", sa.JSON(), nullable=False, comment="Codes: why a second person is needed, or why it was dropped"),
        sa.Column(
            "first_id", sa.Uuid(), nullable=True, comment="The answer that this one, given without seeing it, is the second to"
        ),
        sa.Column("first_staff_id", sa.Uuid(), nullable=True, comment="Who made that; never the same person"),
        sa.Column("second_id", sa.Uuid(), nullable=True, comment="The other of two that disagreed, which this one settles"),
        sa.Column("second_staff_id", sa.Uuid(), nullable=True, comment="Who made that; never the same person"),
        sa.Column(
            "case_version",
            sa.Integer(),
            nullable=False,
            comment="cases.version while it waits: another means that the case changed",
        ),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "until",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Its maker may take it back before; upkeep goes on from then",
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True, comment="Its maker was shown that it was dropped"),
        sa.Column("disposition_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "(disposition_id IS NOT NULL) = (state = 'carried_out')", name=op.f("ck_answers_carried_out_has_its_disposition")
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (state IN ('waiting', 'first', 'disagreed'))", name=op.f("ck_answers_ended_exactly_when_over")
        ),
        sa.CheckConstraint("action IN ('approve', 'reject', 'ask_retake')", name=op.f("ck_answers_action_is_an_agents")),
        sa.CheckConstraint("(first_id IS NULL) = (first_staff_id IS NULL)", name=op.f("ck_answers_the_first_has_a_maker")),
        sa.CheckConstraint("(second_id IS NULL) = (second_staff_id IS NULL)", name=op.f("ck_answers_the_second_has_a_maker")),
        sa.CheckConstraint(
            "NOT needs_second OR disposition_id IS NULL", name=op.f("ck_answers_a_first_answer_is_never_carried_out")
        ),
        sa.CheckConstraint("first_staff_id IS NULL OR first_staff_id <> staff_id", name=op.f("ck_answers_nobody_checks_her_own")),
        sa.CheckConstraint(
            "second_staff_id IS NULL OR second_staff_id <> staff_id", name=op.f("ck_answers_nobody_settles_her_own")
        ),
        sa.CheckConstraint("until >= given_at", name=op.f("ck_answers_time_to_take_back")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_answers_case_id")),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name=op.f("fk_answers_data_key_id")),
        sa.ForeignKeyConstraint(["disposition_id"], ["dispositions.id"], name=op.f("fk_answers_disposition_id")),
        sa.ForeignKeyConstraint(["first_id", "first_staff_id"], ["answers.id", "answers.staff_id"], name="fk_answers_first"),
        sa.ForeignKeyConstraint(["second_id", "second_staff_id"], ["answers.id", "answers.staff_id"], name="fk_answers_second"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_answers_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answers")),
        sa.UniqueConstraint("disposition_id", name=op.f("uq_answers_disposition_id")),
        sa.UniqueConstraint("id", "staff_id", name=op.f("uq_answers_id_staff_id")),
    )
    op.create_index(op.f("ix_answers_case_id"), "answers", ["case_id"], unique=False)
    op.create_index("ix_answers_staff", "answers", ["staff_id", "given_at"], unique=False)
    op.create_index("ix_answers_until", "answers", ["state", "until"], unique=False)
    op.create_index(
        "one_waiting_answer_per_case",
        "answers",
        ["case_id"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("answers")
    op.drop_table("case_notes")
    op.drop_table("staff_accounts")
    op.drop_column("staff", "practising")
    op.drop_column("staff", "skills")
    op.drop_column("customers", "by_eye")
    op.drop_index(op.f("ix_cases_document_index"), table_name="cases")
    for name in NEW:
        op.drop_column("cases", name)
