"""Create the cases: customers and their profile versions, cases, photos, runs, dispositions, policies, the audit trail.

Revision ID: 0001
Revises: nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cases import immutability

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

IMMUTABLE = ("profile_versions", "dispositions", "policies", "events")

CIRCLES = (
    ("fk_customers_current_profile", "customers", "profile_versions", "profile_version_id"),
    ("fk_profile_versions_case", "profile_versions", "cases", "case_id"),
)
"""Keys between tables that point at each other. SQLite takes them inline (`use_alter` does not apply there)."""

TABLES = (
    "runs",
    "photos",
    "notifications",
    "links",
    "dispositions",
    "cases",
    "profile_versions",
    "policy_activations",
    "policies",
    "customers",
    "automation_switches",
    "throttles",
    "staff",
    "heartbeats",
    "events",
    "data_keys",
)
"""In the order in which they can be dropped."""


def upgrade() -> None:
    """Make all tables, keys, indexes and triggers."""
    op.create_table(
        "data_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("master_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name=op.f("ck_data_keys_destroyed_exactly_when_unwrappable")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_keys")),
    )
    op.create_table(
        "events",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="1, 2, 3 … without a gap",
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("actor_kind", sa.String(length=20), nullable=False, comment="customer, staff, machine, host or system"),
        sa.Column("actor_id", sa.String(length=64), nullable=True),
        sa.Column("case_id", sa.Uuid(), nullable=True, comment="No foreign key: the trail outlives what it speaks of"),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("hash", name=op.f("uq_events_hash")),
    )
    op.create_index("ix_events_case", "events", ["case_id", "id"], unique=False)
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeats")),
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=True, comment="argon2id"),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("roles_held", sa.JSON(), nullable=False, comment="Values of Role"),
        sa.Column("fs_uniquifier", sa.String(length=64), nullable=False, comment="Changing it ends every session"),
        sa.Column("tf_primary_method", sa.String(length=64), nullable=True),
        sa.Column("tf_totp_secret", sa.String(length=255), nullable=True),
        sa.Column("last_totp", sa.BigInteger(), nullable=True, comment="Time step of the last code used; no code works twice"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
        sa.UniqueConstraint("fs_uniquifier", name=op.f("uq_staff_fs_uniquifier")),
    )
    op.create_table(
        "throttles",
        sa.Column("key", sa.String(length=64), nullable=False, comment="SHA-256 of purpose and subject"),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", "window_start", name=op.f("pk_throttles")),
    )
    op.create_table(
        "automation_switches",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("to_people", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("proposed_by_id", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by_id", sa.Uuid(), nullable=True),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "confirmed_by_id IS NULL OR confirmed_by_id <> proposed_by_id",
            name=op.f("ck_automation_switches_nobody_confirms_his_own"),
        ),
        sa.CheckConstraint(
            "effective_at IS NULL OR withdrawn_at IS NULL", name=op.f("ck_automation_switches_effective_or_withdrawn")
        ),
        sa.CheckConstraint(
            "to_people OR effective_at IS NULL OR confirmed_by_id IS NOT NULL", name=op.f("ck_automation_switches_off_needs_two")
        ),
        sa.ForeignKeyConstraint(["confirmed_by_id"], ["staff.id"], name=op.f("fk_automation_switches_confirmed_by_id")),
        sa.ForeignKeyConstraint(["proposed_by_id"], ["staff.id"], name=op.f("fk_automation_switches_proposed_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_automation_switches")),
    )
    op.create_table(
        "customers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=False, comment="The host system's own id"),
        sa.Column("locale", sa.String(length=8), nullable=False),
        sa.Column("data_key_id", sa.Uuid(), nullable=False),
        sa.Column("profile_version_id", sa.Uuid(), nullable=True, comment="The current version; written by cases.profiles only"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name=op.f("fk_customers_data_key_id")),
        sa.ForeignKeyConstraint(
            ["profile_version_id"], ["profile_versions.id"], name="fk_customers_current_profile", use_alter=True
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("external_id", name=op.f("uq_customers_external_id")),
    )
    op.create_table(
        "policies",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.JSON(), nullable=False, comment="verification.policy.Policy"),
        sa.Column("reason", sa.String(length=500), nullable=False, comment="Why it was drafted; no personal data"),
        sa.Column("author_id", sa.Uuid(), nullable=True, comment="NULL: shipped with the system"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["staff.id"], name=op.f("fk_policies_author_id")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_policies")),
    )
    op.create_table(
        "policy_activations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("against_version", sa.Integer(), nullable=True, comment="What held when it was proposed"),
        sa.Column("loosens", sa.Boolean(), nullable=False, comment="Against the version that held when it was proposed"),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("proposed_by_id", sa.Uuid(), nullable=True, comment="NULL: shipped with the system"),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by_id", sa.Uuid(), nullable=True),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "NOT loosens OR effective_at IS NULL OR confirmed_by_id IS NOT NULL OR proposed_by_id IS NULL",
            name=op.f("ck_policy_activations_loosening_needs_two"),
        ),
        sa.CheckConstraint(
            "confirmed_by_id IS NULL OR confirmed_by_id <> proposed_by_id",
            name=op.f("ck_policy_activations_nobody_confirms_his_own"),
        ),
        sa.CheckConstraint(
            "effective_at IS NULL OR withdrawn_at IS NULL", name=op.f("ck_policy_activations_effective_or_withdrawn")
        ),
        sa.CheckConstraint(
            "proposed_by_id IS NOT NULL OR (version = 1 AND NOT loosens)",
            name=op.f("ck_policy_activations_only_the_shipped_one_has_no_proposer"),
        ),
        sa.ForeignKeyConstraint(["against_version"], ["policies.version"], name=op.f("fk_policy_activations_against_version")),
        sa.ForeignKeyConstraint(["confirmed_by_id"], ["staff.id"], name=op.f("fk_policy_activations_confirmed_by_id")),
        sa.ForeignKeyConstraint(["proposed_by_id"], ["staff.id"], name=op.f("fk_policy_activations_proposed_by_id")),
        sa.ForeignKeyConstraint(["version"], ["policies.version"], name=op.f("fk_policy_activations_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_activations")),
    )
    op.create_index("ix_policy_activations_effective", "policy_activations", ["effective_at"], unique=False)
    op.create_table(
        "profile_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="1, 2, 3 … per customer"),
        sa.Column(
            "source",
            sa.Enum("host", "case", name="profilesource", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column(
            "profile_sealed",
            sa.LargeBinary(),
            nullable=False,
            comment="verification.evidence.Profile and e-mail as JSON, under the customer's key",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(source = 'case') = (case_id IS NOT NULL)", name=op.f("ck_profile_versions_case_named_exactly_when_from_case")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_profile_versions_case", use_alter=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_profile_versions_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile_versions")),
        sa.UniqueConstraint("customer_id", "number", name=op.f("uq_profile_versions_customer_id_number")),
    )
    op.create_index(op.f("ix_profile_versions_customer_id"), "profile_versions", ["customer_id"], unique=False)
    op.create_index(
        "one_version_per_case",
        "profile_versions",
        ["case_id"],
        unique=True,
        postgresql_where=sa.text("case_id IS NOT NULL"),
        sqlite_where=sa.text("case_id IS NOT NULL"),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "submitted",
                "verifying",
                "needs_retake",
                "in_review",
                "approved",
                "rejected",
                "withdrawn",
                "expired",
                "reverted",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
            comment="Written through cases.lifecycle.next_state only",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="Counts every change of the row; a stale page is told so"),
        sa.Column("locale", sa.String(length=8), nullable=False),
        sa.Column(
            "change_reason",
            sa.Enum(
                "marriage",
                "divorce",
                "court",
                "new_passport",
                "mistake",
                "other",
                name="changereason",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("country", sa.String(length=3), nullable=True, comment="Issuing country as the customer says"),
        sa.Column("data_key_id", sa.Uuid(), nullable=False, comment="Photos, claim and readings of this case"),
        sa.Column(
            "claim_sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="verification.evidence.Claim and a new e-mail as JSON; NULL once shredded",
        ),
        sa.Column("base_version_id", sa.Uuid(), nullable=False, comment="The profile the customer saw"),
        sa.Column("applied_version_id", sa.Uuid(), nullable=True, comment="What approval made current"),
        sa.Column("prior_version_id", sa.Uuid(), nullable=True, comment="What revert makes current again"),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="Submissions so far"),
        sa.Column(
            "fence", sa.Integer(), nullable=False, comment="Grows with every run; a run with an older number may not write"
        ),
        sa.Column("runs_this_attempt", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False, comment="Reason codes of the last decision or disposition"),
        sa.Column("retake", sa.JSON(), nullable=False, comment="Photo kinds to take again while needs_retake"),
        sa.Column("consent_version", sa.String(length=40), nullable=True),
        sa.Column("consented_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True, comment="Of the current attempt"),
        sa.Column(
            "enqueued_at", sa.DateTime(timezone=True), nullable=True, comment="When a worker was last rung; NULL = ring now"
        ),
        sa.Column("referred_at", sa.DateTime(timezone=True), nullable=True, comment="Since when it waits at the desk"),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True, comment="Until when a person answers"),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True, comment="UTC; starts the retention clock"),
        sa.Column("shredded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "disputed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The customer says that it was not her; the desk sees it first",
        ),
        sa.Column(
            "dispute_settled_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="A person looked and the change stands, or was reverted",
        ),
        sa.Column("owner_id", sa.Uuid(), nullable=True, comment="The agent who took it"),
        sa.Column("owner_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state IN ('approved', 'expired', 'rejected', 'reverted', 'withdrawn')) = (closed_at IS NOT NULL)",
            name=op.f("ck_cases_closed_at_is_set_exactly_when_closed"),
        ),
        sa.CheckConstraint(
            "(state IN ('approved', 'reverted')) = (applied_version_id IS NOT NULL)", name=op.f("ck_cases_approved_means_applied")
        ),
        sa.CheckConstraint(
            "state = 'draft' OR state IN ('withdrawn', 'expired') OR consented_at IS NOT NULL",
            name=op.f("ck_cases_consent_before_submission"),
        ),
        sa.CheckConstraint("(owner_id IS NULL) = (owner_until IS NULL)", name=op.f("ck_cases_owner_has_a_deadline")),
        sa.CheckConstraint(
            "attempt >= 0 AND fence >= 0 AND runs_this_attempt >= 0 AND version >= 1",
            name=op.f("ck_cases_counters_never_negative"),
        ),
        sa.CheckConstraint(
            "dispute_settled_at IS NULL OR disputed_at IS NOT NULL", name=op.f("ck_cases_only_a_dispute_is_settled")
        ),
        sa.ForeignKeyConstraint(["applied_version_id"], ["profile_versions.id"], name=op.f("fk_cases_applied_version_id")),
        sa.ForeignKeyConstraint(["base_version_id"], ["profile_versions.id"], name=op.f("fk_cases_base_version_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_cases_customer_id")),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name=op.f("fk_cases_data_key_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_cases_owner_id")),
        sa.ForeignKeyConstraint(["prior_version_id"], ["profile_versions.id"], name=op.f("fk_cases_prior_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
    )
    op.create_index(op.f("ix_cases_customer_id"), "cases", ["customer_id"], unique=False)
    op.create_index("ix_cases_desk", "cases", ["state", "referred_at"], unique=False)
    op.create_index(
        "ix_cases_disputed",
        "cases",
        ["disputed_at"],
        unique=False,
        postgresql_where=sa.text("disputed_at IS NOT NULL"),
        sqlite_where=sa.text("disputed_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_cases_owner_id"), "cases", ["owner_id"], unique=False)
    op.create_index("ix_cases_waiting", "cases", ["state", "enqueued_at"], unique=False)
    op.create_index(
        "one_open_case_per_customer",
        "cases",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
        sqlite_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "dispositions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True, comment="For staff only, under the case's key"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "action IN ('approve', 'reject', 'ask_retake', 'revert', 'settle')", name=op.f("ck_dispositions_action_is_an_agents")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_dispositions_case_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_dispositions_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispositions")),
    )
    op.create_index(op.f("ix_dispositions_case_id"), "dispositions", ["case_id"], unique=False)
    op.create_index(op.f("ix_dispositions_staff_id"), "dispositions", ["staff_id"], unique=False)
    op.create_table(
        "links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column(
            "token_hash", sa.String(length=64), nullable=False, comment="SHA-256 of the token; the token itself is nowhere"
        ),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("purpose IN ('hand_over', 'case', 'not_me')", name=op.f("ck_links_purpose_is_known")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_links_case_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_links_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_links_token_hash")),
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("locale", sa.String(length=8), nullable=False),
        sa.Column("recipient_sealed", sa.LargeBinary(), nullable=False, comment="Address under the customer's key"),
        sa.Column("to_old_address", sa.Boolean(), nullable=False, comment="Goes to the address held before the change"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False, comment="Not before"),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True, comment="Being sent; nobody else may until then"),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_notifications_case_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_notifications_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    op.create_index(op.f("ix_notifications_case_id"), "notifications", ["case_id"], unique=False)
    op.create_index("ix_notifications_owed", "notifications", ["sent_at", "next_at"], unique=False)
    op.create_table(
        "photos",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column(
            "kind",
            sa.Enum("selfie", "document", "on_file", name="photokind", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("current", sa.Boolean(), nullable=False, comment="False once a newer photo of the same kind was sent"),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="The attempt it was first submitted with"),
        sa.Column("data_key_id", sa.Uuid(), nullable=False),
        sa.Column("blob", sa.String(length=32), nullable=False, comment="32 hex digits, random; the name in the store"),
        sa.Column("sha256", sa.String(length=64), nullable=False, comment="Of the clear bytes"),
        sa.Column("size", sa.Integer(), nullable=False, comment="Clear bytes"),
        sa.Column("quality", sa.JSON(), nullable=False, comment="verification.evidence.Quality"),
        sa.Column("accepted_despite", sa.JSON(), nullable=False, comment="Problems the customer was told of and sent anyway"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shredded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(kind = 'on_file') = (case_id IS NULL)", name=op.f("ck_photos_only_the_face_on_file_has_no_case")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_photos_case_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_photos_customer_id")),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name=op.f("fk_photos_data_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photos")),
        sa.UniqueConstraint("blob", name=op.f("uq_photos_blob")),
    )
    op.create_index(op.f("ix_photos_case_id"), "photos", ["case_id"], unique=False)
    op.create_index(op.f("ix_photos_customer_id"), "photos", ["customer_id"], unique=False)
    op.create_index(
        "one_current_photo_per_kind",
        "photos",
        ["case_id", "kind"],
        unique=True,
        postgresql_where=sa.text("current AND case_id IS NOT NULL"),
        sqlite_where=sa.text("current AND case_id IS NOT NULL"),
    )
    op.create_index(
        "one_face_on_file",
        "photos",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("current AND case_id IS NULL"),
        sqlite_where=sa.text("current AND case_id IS NULL"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("running", "finished", "abandoned", name="runstate", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column(
            "policy_version", sa.Integer(), nullable=False, comment="In force at the decision; at the beginning until then"
        ),
        sa.Column("profile_version_id", sa.Uuid(), nullable=False, comment="The profile it was compared with"),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=True, comment="approve, retake or refer"),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("measures", sa.JSON(), nullable=True, comment="verification.evidence.Measures"),
        sa.Column(
            "readings_sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="DocumentReading and comparisons as JSON, under the case's key",
        ),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.CheckConstraint("(state = 'finished') = (outcome IS NOT NULL)", name=op.f("ck_runs_outcome_exactly_when_finished")),
        sa.CheckConstraint(
            "(state = 'running') = (finished_at IS NULL)", name=op.f("ck_runs_finished_at_is_set_exactly_when_ended")
        ),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome <> 'approve' OR measures IS NOT NULL", name=op.f("ck_runs_no_approval_without_measures")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_runs_case_id")),
        sa.ForeignKeyConstraint(["policy_version"], ["policies.version"], name=op.f("fk_runs_policy_version")),
        sa.ForeignKeyConstraint(["profile_version_id"], ["profile_versions.id"], name=op.f("fk_runs_profile_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("case_id", "fence", name=op.f("uq_runs_case_id_fence")),
    )
    op.create_index(op.f("ix_runs_case_id"), "runs", ["case_id"], unique=False)
    op.create_index("ix_runs_lease", "runs", ["state", "lease_until"], unique=False)
    op.create_index(
        "one_running_run_per_case",
        "runs",
        ["case_id"],
        unique=True,
        postgresql_where=sa.text("state = 'running'"),
        sqlite_where=sa.text("state = 'running'"),
    )

    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        for name, table, other, column in CIRCLES:
            op.create_foreign_key(name, table, other, [column], ["id"])
    for statement in immutability.statements(dialect, IMMUTABLE):
        op.execute(statement)


def downgrade() -> None:
    """Drop everything, with all data."""
    dialect = op.get_bind().dialect.name
    for statement in immutability.removal(dialect, IMMUTABLE):
        op.execute(statement)
    if dialect == "postgresql":
        for name, table, _other, _column in CIRCLES:
            op.drop_constraint(name, table, type_="foreignkey")
    else:
        op.execute("PRAGMA defer_foreign_keys=ON")
        for table in TABLES:
            op.execute(f"DELETE FROM {table}")  # SQLite checks keys while it drops a table that has rows
    for table in TABLES:
        op.drop_table(table)
