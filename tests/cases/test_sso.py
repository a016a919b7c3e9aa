"""What an identity provider says of a person, read and weighed."""

from __future__ import annotations

import pytest

from cases import sso
from cases.models import Role

CLAIMS = {
    "groups": ["a", "b", 7, None],
    "role": "lead",
    "realm_access": {"roles": ["c"]},
    "https://lender.example/groups": ["d"],
    "empty": [],
    "odd": {"a": 1},
}


@pytest.mark.parametrize(
    ("path", "groups"),
    [
        ("groups", {"a", "b"}),
        ("role", {"lead"}),
        ("realm_access.roles", {"c"}),
        ("https://lender.example/groups", {"d"}),
        ("empty", set()),
        ("odd", None),
        ("missing", None),
        ("realm_access.missing", None),
        ("groups.a", None),
    ],
)
def test_groups_are_found_where_the_settings_say(path, groups):
    assert sso.groups_in(CLAIMS, path) == (None if groups is None else frozenset(groups))


def test_names_of_groups_may_hold_signs_of_equality_and_commas(settings):
    rules = sso.rules_of(settings.model_copy(update={"oidc_roles": " cn=a,dc=x = agent ; /ops=ops;;"}))
    assert dict(rules.roles) == {"cn=a,dc=x": Role.AGENT, "/ops": Role.OPS}


def test_emergency_accounts_are_told_by_their_address_whatever_its_case(settings):
    strict = settings.model_copy(update={"oidc_required": True, "oidc_break_glass": "Fire@lender.test, second@lender.test"})
    assert sso.local_allowed(strict, " FIRE@lender.test") and sso.local_allowed(strict, "second@lender.test")
    assert not sso.local_allowed(strict, "ada@lender.test") and not sso.local_allowed(strict, "")
    assert sso.local_allowed(settings, "ada@lender.test")


def test_two_texts_never_share_a_key_with_two_others():
    assert sso.key_of("a", "bc") != sso.key_of("ab", "c") and sso.key_of("a", "b") == sso.key_of("a", "b")
