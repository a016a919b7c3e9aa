"""Links to the phone: made on one device, opened and confirmed on one other, over at the first thing that is wrong."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from cases import device_links, intake, retention, runs
from cases.audit import KINDS
from cases.device_links import ENDS, LIFETIME, REFUSALS, SUSPICIOUS, Device, LinkGone, TooManyRefusals
from cases.lifecycle import IllegalTransition
from cases.models import DeviceLink, Event
from tests import factories as a
from verification.reasons import ReasonCode

COMPUTER = Device(browser="chrome", system="windows")
PHONE = Device(browser="safari", system="ios")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def case(session, now):
    return a.a_draft(session, now=now, photos=False)


@pytest.fixture
def made(session, case, now):
    return device_links.make(session, case.id, device=COMPUTER, now=now)


def opened(session, token, now, account=None, key=None):
    """Another device opens the link; returns the link and the key that this device has."""
    key = key or device_links.draw_key()
    return device_links.opened(session, token, key=key, device=PHONE, account=account, now=now), key


def wrong(link):
    return next(number for number in link.offered if number != link.number)


def events(session):
    return [(e.kind.removeprefix("device_link_"), e.details.get("why")) for e in session.scalars(
        select(Event).where(Event.kind.startswith("device_link")).order_by(Event.id)
    )]  # fmt: skip


def why_gone(session, token, now):
    with pytest.raises(LinkGone) as gone:
        device_links.look(session, token, now=now)
    return gone.value.why


def test_the_right_number_connects_one_phone(session, case, made, now):
    token, link = made
    _link, key = opened(session, token, now)
    device_links.confirm(session, link.id, key, link.number, now=now + MINUTE)
    assert device_links.connected(session, link.id) is link
    assert (link.phone_browser, link.phone_system) == ("safari", "ios")
    assert why_gone(session, token, now + LIFETIME) == "used"
    assert events(session) == [("made", None), ("opened", None), ("confirmed", None)]


def test_looking_uses_nothing_up(session, made, now):
    token, link = made
    for _scanner in range(5):
        assert device_links.look(session, token, now=now) is link
    assert link.opened_at is None and events(session) == [("made", None)]


def test_the_token_is_kept_as_its_hash_only(session, made):
    token, link = made
    assert len(token) >= 43  # 256 bits in base64
    assert all(token not in str(value) for value in vars(link).values())
    assert token not in str(events(session))


@pytest.mark.parametrize("chosen", ["other", "outside", "none"])
def test_a_wrong_number_ends_the_link_for_both(session, made, now, chosen):
    token, link = made
    _link, key = opened(session, token, now)
    number = {"other": wrong(link), "outside": next(n for n in range(10, 99) if n not in link.offered), "none": None}[chosen]
    device_links.confirm(session, link.id, key, number, now=now)
    assert link.ended_why == "wrong_number" and device_links.connected(session, link.id) is None
    with pytest.raises(LinkGone, match="wrong_number"):  # there is one try
        device_links.confirm(session, link.id, key, link.number, now=now)
    assert why_gone(session, token, now) == "wrong_number"
    assert events(session)[-1] == ("ended", "wrong_number")


def test_a_second_device_that_opens_the_link_ends_it(session, made, now):
    token, link = made
    _link, key = opened(session, token, now)
    assert opened(session, token, now)[0].ended_why == "opened_twice"
    with pytest.raises(LinkGone, match="opened_twice"):
        device_links.confirm(session, link.id, key, link.number, now=now)


def test_the_same_device_that_says_yes_again_has_the_same_opening(session, made, now):
    token, link = made
    _link, key = opened(session, token, now)
    assert opened(session, token, now + MINUTE, key=key)[0].ended_at is None
    assert link.opened_at == now
    device_links.confirm(session, link.id, key, link.number, now=now + MINUTE)
    assert opened(session, token, now + MINUTE, key=key)[0].ended_at is None
    assert events(session) == [("made", None), ("opened", None), ("confirmed", None)]


@pytest.mark.parametrize(("answer", "why"), [("yes", "opened_twice"), ("no", "declined")])
def test_a_second_device_ends_the_link_also_after_the_number_was_chosen(session, made, now, answer, why):
    token, link = made
    _link, key = opened(session, token, now)
    device_links.confirm(session, link.id, key, link.number, now=now)
    late = now + LIFETIME
    if answer == "yes":
        opened(session, token, late - MINUTE)
    else:
        device_links.decline(session, token, now=late - MINUTE)
    assert link.ended_why == why and device_links.connected(session, link.id) is None


def test_after_its_time_a_connected_link_cannot_be_ended_by_its_address(session, made, now):
    token, link = made
    _link, key = opened(session, token, now)
    device_links.confirm(session, link.id, key, link.number, now=now)
    with pytest.raises(LinkGone, match="used"):
        opened(session, token, now + LIFETIME)
    assert device_links.connected(session, link.id) is link


def test_a_phone_that_is_another_accounts_by_now_cannot_choose_the_number(session, made, now):
    token, link = made
    _link, key = opened(session, token, now)
    device_links.confirm(session, link.id, key, link.number, account=uuid4(), now=now)
    assert link.ended_why == "other_account"


def test_only_the_device_that_opened_it_may_choose(session, made, now):
    token, link = made
    opened(session, token, now)
    with pytest.raises(LinkGone, match="unknown"):
        device_links.confirm(session, link.id, "another key", link.number, now=now)
    assert link.ended_at is None


def test_a_phone_of_another_account_ends_it(session, made, now):
    token, link = made
    opened(session, token, now, account=uuid4())
    assert link.ended_why == "other_account"


def test_a_phone_of_the_same_account_may_open_it(session, case, made, now):
    assert opened(session, made[0], now, account=case.customer_id)[0].ended_at is None


def test_who_did_not_start_it_ends_it(session, made, now):
    device_links.decline(session, made[0], now=now)
    assert why_gone(session, made[0], now) == "declined"
    assert events(session)[-1] == ("ended", "declined")


@pytest.mark.parametrize("end", ["declined", "other_account", "wrong_number", "stopped"])
def test_a_case_that_somebody_else_disowned_is_decided_by_a_person(session, now, end):
    case = a.a_draft(session, now=now)
    token, link = device_links.make(session, case.id, device=COMPUTER, now=now)
    if end == "declined":
        device_links.decline(session, token, now=now)
    elif end == "other_account":
        opened(session, token, now, account=uuid4())
    elif end == "wrong_number":
        _link, key = opened(session, token, now)
        device_links.confirm(session, link.id, key, wrong(link), now=now)
    else:
        device_links.end(session, link.id, "stopped", now=now)
    device_links.forget(session, before=now + timedelta(days=2))
    intake.submit(session, case.id, consent_version="1", now=now)
    order = runs.begin(session, case.id, now=now)
    assert (ReasonCode.ACCOUNT_UNDER_WATCH in order.standing) is (end in ("declined", "other_account"))


def test_its_time_is_a_quarter_of_an_hour_for_opening_and_choosing(session, made, now):
    token, link = made
    assert LIFETIME == 15 * MINUTE
    late = now + LIFETIME
    _link, key = opened(session, token, late - MINUTE)
    with pytest.raises(LinkGone, match="expired"):
        device_links.confirm(session, link.id, key, link.number, now=late)
    assert why_gone(session, token, late) == "expired"
    assert why_gone(session, "no token of ours", now) == "unknown"


def test_a_new_link_ends_the_one_before_and_its_phone(session, case, made, now):
    token, first = made
    _link, key = opened(session, token, now)
    device_links.confirm(session, first.id, key, first.number, now=now)
    _token, second = device_links.make(session, case.id, device=COMPUTER, now=now)
    assert first.ended_why == "replaced" and device_links.connected(session, first.id) is None
    assert device_links.living(session, case.id) is second


def test_the_database_allows_one_living_link_per_case(session, made, now):
    _token, link = made
    twin = {c.name: getattr(link, c.name) for c in DeviceLink.__table__.columns} | {"id": uuid4(), "token_hash": "0" * 64}
    with pytest.raises(IntegrityError), session.begin_nested():
        session.add(DeviceLink(**twin))
        session.flush()


def test_after_three_strange_ends_nobody_connects_a_phone_that_day(session, case, now):
    for _time in range(REFUSALS):
        token, _link = device_links.make(session, case.id, device=COMPUTER, now=now)
        device_links.decline(session, token, now=now)
    with pytest.raises(TooManyRefusals):
        device_links.make(session, case.id, device=COMPUTER, now=now + 23 * 60 * MINUTE)
    device_links.make(session, case.id, device=COMPUTER, now=now + 24 * 60 * MINUTE)


def test_stopping_and_leaving_are_no_strange_ends(session, case, now):
    for _time in range(REFUSALS + 2):
        _token, link = device_links.make(session, case.id, device=COMPUTER, now=now)
        device_links.end(session, link.id, "stopped", now=now)
    assert set(SUSPICIOUS) < set(ENDS)


def test_a_case_that_was_sent_takes_no_phone(session, now):
    case = a.a_submitted(session, now=now)
    with pytest.raises(IllegalTransition):
        device_links.make(session, case.id, device=COMPUTER, now=now)


def test_three_numbers_cannot_be_taken_for_each_other():
    for _draw in range(200):
        numbers = device_links.draw_numbers()
        assert len(numbers) == 3 and all(10 <= n <= 99 for n in numbers)
        texts = [str(n) for n in numbers]
        assert all(x[0] != y[0] and x[1] != y[1] and x != y[::-1] for x in texts for y in texts if x is not y)


def test_the_right_number_stands_in_every_place(session, case, now):
    places = set()
    for _draw in range(40):
        _token, link = device_links.make(session, case.id, device=COMPUTER, now=now)
        places.add(link.offered.index(link.number))
    assert places == {0, 1, 2}


def test_the_phone_leaves_a_sign_now_and_then(session, made, now):
    _token, link = made
    _link, key = opened(session, made[0], now)
    device_links.confirm(session, link.id, key, link.number, now=now)
    device_links.seen(session, link, now=now + timedelta(seconds=10))
    assert link.seen_at == now
    device_links.seen(session, link, now=now + MINUTE)
    assert link.seen_at == now + MINUTE


def test_old_links_are_forgotten_with_the_others(session, made, now):
    retention.forget_links(session, now=now + retention.LINK_GRACE)
    assert session.get(DeviceLink, made[1].id) is not None
    retention.forget_links(session, now=now + LIFETIME + retention.LINK_GRACE + MINUTE)
    session.expire_all()
    assert session.get(DeviceLink, made[1].id) is None


def test_both_devices_change_the_same_photo_and_the_newest_counts(session, case, now):
    from verification.reasons import PhotoKind

    older = intake.attach_photo(session, case.id, PhotoKind.DOCUMENT, a.jpeg(1), a.GOOD_QUALITY, now=now)
    newer = intake.attach_photo(session, case.id, PhotoKind.DOCUMENT, a.jpeg(2), a.GOOD_QUALITY, now=now)
    session.refresh(older)
    assert intake.photo(session, case, PhotoKind.DOCUMENT) is newer and not older.current


def test_the_trail_carries_ids_and_codes_only():
    assert KINDS["device_link_ended"].details == {"device_link_id", "why"}
    assert KINDS["device_link_made"].details == {"device_link_id", "expires_at"}
