"""Photos at the desk: whose link opens what and for how long, what is burned in, how faces are laid over each other."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select, update

from cases import audit, conflicts, conversations, looks, queries, review
from cases.lifecycle import State
from cases.models import Case, Customer, Event, Photo, Role, Staff
from tests.webapp.staff_fixtures import Browser, Office, a_case, face, found, make_office
from tests.webapp.staff_fixtures import page as drawn_page
from verification.evidence import Box, Field
from verification.reasons import PhotoKind
from webapp.desk import links, pictures, watermark

LIFE = links.LIFE.total_seconds()


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def agent(office: Office) -> Browser:
    return office.signed_in(Role.AGENT, name="Ada Agent")


def referred(office: Office, seed: int = 0, **about: Any) -> UUID:
    with office.db.transaction() as db:
        return a_case(db, now=office.clock() - timedelta(minutes=5), seed=seed, **about).id


def held(office: Office, name: str = "Ada Agent", seed: int = 0, **about: Any) -> UUID:
    """A case in the hands of the member of staff of that name."""
    case_id = referred(office, seed, **about)
    hold(office, case_id, name)
    return case_id


def hold(office: Office, case_id: UUID, name: str) -> None:
    with office.db.transaction() as db:
        who = db.scalars(select(Staff).where(Staff.name == name)).one()
        until = office.clock() + timedelta(minutes=10)
        db.execute(update(Case).where(Case.id == case_id).values(owner_id=who.id, owner_until=until))


def page_of(browser: Browser, case_id: UUID) -> str:
    answer = browser.get(f"/desk/cases/{case_id}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def addresses(page: str) -> list[str]:
    """The photos' addresses on a page, each once."""
    return list(dict.fromkeys(html.unescape(a) for a in re.findall(r'(?:src|href)="(/desk/cases/[^"]+/photos/[^"]+)"', page)))


def token_of(browser: Browser, case_id: UUID) -> str:
    """What the button of the first photo sends."""
    found_there = re.search(r'form="looks" name="link" value="([^"]+)"', page_of(browser, case_id))
    assert found_there
    return found_there[1]


def seen(office: Office, kind: str = "photo_opened") -> list[dict[str, Any]]:
    with office.db.reading() as db:
        return [event.details for event in db.scalars(select(Event).where(Event.kind == kind).order_by(Event.id))]


def test_each_photo_of_a_page_has_one_address_and_each_look_is_written_down_first(office, agent):
    case_id = held(office)
    page = page_of(agent, case_id)
    there = addresses(page)
    assert len(there) == 3 and page.count("<image ") + page.count("<img ") >= 4  # the portrait is a part of the document
    assert seen(office) == []
    for number, address in enumerate(there, start=1):
        answer = agent.get(address)
        assert answer.status_code == 200 and answer.mimetype == "image/jpeg"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert len(seen(office)) == number
    assert {look["photo"] for look in seen(office)} == {"selfie", "document", "on_file"}
    assert {look["purpose"] for look in seen(office)} == {"review"}


def test_no_address_on_the_page_names_a_photo_by_its_bare_number(office, agent):
    case_id = held(office)
    page = page_of(agent, case_id)
    with office.db.reading() as db:
        numbers = [str(number) for number in db.scalars(select(Photo.id))]
    assert len(numbers) == 3 and not [number for number in numbers if number in page]
    for number in numbers:
        assert agent.get(f"/desk/cases/{case_id}/photos/{number}").status_code == 403
    assert seen(office) == []


def test_a_link_is_good_for_a_minute_and_then_gone(office, agent):
    case_id = held(office)
    address = addresses(page_of(agent, case_id))[0]
    office.clock.forward(seconds=LIFE)
    assert agent.get(address).status_code == 200
    office.clock.forward(seconds=1)
    assert agent.get(address).status_code == 410
    assert len(seen(office)) == 1


def test_a_link_copied_to_a_colleague_opens_nothing_even_where_she_may_see_the_case(office, agent):
    case_id = held(office)
    address = addresses(page_of(agent, case_id))[0]
    other = office.signed_in(Role.AGENT, name="Ben Second")
    assert other.get(address).status_code == 403
    hold(office, case_id, "Ben Second")
    assert other.get(address).status_code == 403  # she may look, but by links of her own
    assert other.get(addresses(page_of(other, case_id))[0]).status_code == 200
    assert agent.get(address).status_code == 403  # no longer hers
    assert office.browser().get(address).status_code == 303
    assert len(seen(office)) == 1


def test_a_link_opens_nothing_under_another_case(office, agent):
    mine, other = held(office, seed=1), held(office, seed=2)
    address = addresses(page_of(agent, mine))[0]
    assert agent.get(address.replace(str(mine), str(other))).status_code == 403
    assert agent.post(f"/desk/cases/{other}/photos/renew", link=address.rsplit("/", 1)[1]).status_code == 403


def test_a_link_that_was_changed_opens_nothing(office, agent):
    case_id = held(office)
    address = addresses(page_of(agent, case_id))[0]
    changed = address[:-9] + ("A" if address[-9] != "A" else "B") + address[-8:]  # of the last letter, base64 ignores some bits
    for wrong in (changed, address + ".x", address.rsplit("/", 1)[0] + "/x"):
        assert agent.get(wrong).status_code == 403


def test_a_link_for_a_message_opens_no_photo():
    viewer, now = uuid4(), datetime(2026, 11, 23, 12, tzinfo=UTC)
    made = links.sign("secret", "message", "x", subject="c", purpose="review", viewer=viewer, now=now)
    assert links.read("secret", "message", made, subject="c", viewer=viewer, now=now).thing == "x"
    for wrong in ({"kind": "photo"}, {"secret": "other"}, {"subject": "d"}, {"viewer": uuid4()}):
        about = {"secret": "secret", "kind": "message", "subject": "c", "viewer": viewer, **wrong}
        with pytest.raises(links.LinkForeign):
            links.read(about.pop("secret"), about.pop("kind"), made, **about, now=now)  # type: ignore[arg-type]


def test_the_page_renews_an_old_link_and_a_form_without_script_comes_to_the_picture(office, agent):
    case_id = held(office)
    token = token_of(agent, case_id)
    office.clock.forward(minutes=5)
    place = f"/desk/cases/{case_id}/photos/renew"
    answer = agent.client.post(
        place, data={"csrf_token": agent.token, "link": token}, headers={"Accept": "application/json"}
    )  # fmt: skip
    assert answer.status_code == 200 and answer.json["link"] != token and agent.get(answer.json["address"]).status_code == 200
    bare = agent.post(place, link=token)
    assert bare.status_code == 303 and agent.get(bare.location).mimetype == "image/jpeg"
    assert agent.client.post(place, data={"link": token}).status_code == 400  # without the form's token


def test_a_link_is_not_renewed_once_the_case_is_no_longer_hers(office, agent):
    case_id = held(office)
    token = token_of(agent, case_id)
    office.clock.forward(minutes=11)
    assert agent.post(f"/desk/cases/{case_id}/photos/renew", link=token).status_code == 403
    other = office.signed_in(Role.AGENT)
    other.fresh("/staff/sign-in")
    page_of(other, case_id)
    assert other.post(f"/desk/cases/{case_id}/photos/renew", link=token).status_code == 403


def test_a_shredded_photo_is_gone_and_one_of_another_case_is_not_found(office, agent):
    case_id = held(office)
    there = addresses(page_of(agent, case_id))
    with office.db.transaction() as db:
        db.execute(update(Photo).values(shredded_at=office.clock()))
    assert {agent.get(address).status_code for address in there} == {410}
    other = held(office, seed=1)
    with office.db.transaction() as db:
        db.execute(update(Photo).where(Photo.case_id == case_id).values(case_id=other, current=False))
    assert sorted(agent.get(address).status_code for address in there) == [404, 404, 410]


# Who may look


@pytest.mark.parametrize(
    ("role", "holds", "dispute", "sees"),
    [
        (Role.AGENT, True, None, True),
        (Role.AGENT, False, None, False),
        (Role.AGENT, False, "open", False),
        (Role.SENIOR_AGENT, True, None, True),
        (Role.SENIOR_AGENT, False, None, False),
        (Role.SENIOR_AGENT, False, "open", True),
        (Role.SENIOR_AGENT, False, "settled", False),
        (Role.LEAD, False, "open", False),
        (Role.OPS, True, None, False),
        (Role.AUDITOR, True, "open", False),
        (Role.ADMIN, True, "open", False),
    ],
)
def test_photos_are_for_who_holds_the_case_or_settles_a_dispute(office, role, holds, dispute, sees):
    case_id = referred(office)
    email = office.member(role, name="Who Ever")
    if holds:
        hold(office, case_id, "Who Ever")
    with office.db.reading() as db, db.no_autoflush:
        case = db.get_one(Case, case_id)
        if dispute:
            case.state, case.closed_at = State.APPROVED, office.clock()
            case.disputed_at = office.clock()
            case.dispute_settled_at = office.clock() if dispute == "settled" else None
        who = db.scalars(select(Staff).where(Staff.email == email)).one()
        assert looks.may_look(db, case, agent=who, purpose=looks.REVIEW, now=office.clock()) is sees
        assert not looks.may_look(db, case, agent=who, purpose="curiosity", now=office.clock())
        later = office.clock() + timedelta(minutes=11)  # whoever held it has given no sign since
        assert looks.may_look(db, case, agent=who, purpose=looks.REVIEW, now=later) is (sees and not holds)
        db.expunge_all()


def test_nobody_settles_a_dispute_about_an_account_of_her_own(office):
    case_id = referred(office)
    email = office.member(Role.SENIOR_AGENT, name="Sue Senior")
    with office.db.transaction() as db:
        who = db.scalars(select(Staff).where(Staff.email == email)).one()
        customer = db.get_one(Customer, db.get_one(Case, case_id).customer_id)
        conflicts.say(db, who, customer, actor=audit.SYSTEM, now=office.clock())
    with office.db.reading() as db, db.no_autoflush:
        case = db.get_one(Case, case_id)
        case.state, case.disputed_at = State.APPROVED, office.clock()
        who = db.scalars(select(Staff).where(Staff.email == email)).one()
        assert not looks.may_look(db, case, agent=who, purpose=looks.REVIEW, now=office.clock())
        db.expunge_all()


def test_who_may_not_look_gets_no_address(office, agent):
    case_id = held(office, name="Ada Agent")
    other = office.signed_in(Role.SENIOR_AGENT, name="Sue Senior")
    assert addresses(page_of(other, case_id)) == []
    assert "Shown to the agent who holds the case." in page_of(other, case_id)


def test_photos_in_messages_have_links_of_their_own(office, agent):
    case_id = held(office)
    with office.db.transaction() as db:
        conversations.write(db, case_id, uuid4(), text="", photo=face(4, 800, 600), now=office.clock())
    page = page_of(agent, case_id)
    (address,) = {html.unescape(a) for a in re.findall(r'src="([^"]+/messages/photos/[^"]+)"', page)}
    small = agent.get(address)
    assert max(Image.open(io.BytesIO(small.data)).size) == 320 and small.headers["Cache-Control"] == "no-store"
    assert office.signed_in(Role.SENIOR_AGENT).get(address).status_code == 403
    (token,) = re.findall(r'form="message-looks" name="link" value="([^"]+)"', page)
    office.clock.forward(seconds=LIFE + 1)
    assert agent.get(address).status_code == 410
    large = agent.post(f"/desk/cases/{case_id}/photos/renew", link=token, kind="message")
    assert max(Image.open(io.BytesIO(agent.get(large.location).data)).size) == 800
    assert agent.post(f"/desk/cases/{case_id}/photos/renew", link=token).status_code == 403  # not as a photo of the case
    assert [look["purpose"] for look in seen(office, "message_photo_opened")] == ["review", "review"]


# What is burned in


def difference(one: bytes, other: bytes) -> Any:
    a, b = (np.asarray(Image.open(io.BytesIO(data)).convert("L")).astype(int) for data in (one, other))
    return np.abs(a - b)


def test_served_pixels_carry_the_viewers_name_and_the_time(office, agent):
    case_id = held(office)
    with office.db.reading() as db:
        photo = db.scalars(select(Photo).where(Photo.kind == PhotoKind.SELFIE)).one()
        kept = pictures.photo_store.read(db, photo)
    there = addresses(page_of(agent, case_id))
    served = {agent.get(address).data for address in there}
    expected = watermark.burn(kept, "Ada Agent", office.clock())
    assert expected in served and kept not in served


def test_the_mark_is_everywhere_and_differs_by_who_and_when():
    at = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    for picture in (drawn_page(1), face(2, 900, 1200)):
        plain = watermark.burn(picture, "Ada Agent", at)
        assert Image.open(io.BytesIO(plain)).size == Image.open(io.BytesIO(picture)).size
        changed = difference(picture, plain) > watermark.STRENGTH // 2
        height, width = changed.shape
        high, wide = height // 4, width // 4
        parts = [changed[y * high : (y + 1) * high, x * wide : (x + 1) * wide] for y in range(4) for x in range(4)]
        assert min(part.mean() for part in parts) > 0.002  # a part cut out has it too
        assert changed.mean() < 0.12  # and the picture can still be seen
        assert difference(plain, watermark.burn(picture, "Ben Second", at)).max() > 12
        assert difference(plain, watermark.burn(picture, "Ada Agent", at + timedelta(minutes=1))).max() > 12


@pytest.mark.parametrize("name", ["Әлия Қасымова", "Ñandú Güell", "", "A" * 300, "line\nbreak\u202e"])
def test_every_name_can_be_burned_in(name):
    at = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    marked = watermark.burn(face(2, 120, 90), name, at)
    assert Image.open(io.BytesIO(marked)).size == (120, 90)
    assert "\n" not in watermark.words(name, at) and "\u202e" not in watermark.words(name, at)
    assert len(watermark.words(name, at)) < 80


def test_a_grey_picture_is_marked_too():
    out = io.BytesIO()
    Image.new("L", (400, 300), 128).save(out, "JPEG")
    assert difference(out.getvalue(), watermark.burn(out.getvalue(), "Ada", datetime(2026, 11, 23, tzinfo=UTC))).max() > 12


# How a photo is shown


def letters(count: int, degrees: float, start: tuple[float, float] = (500, 400)) -> tuple[Box, ...]:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return tuple(
        (round(start[0] + 24 * at * cos), round(start[1] + 24 * at * sin), 20, 30) for at in range(count)
    )  # fmt: skip


@pytest.mark.parametrize("degrees", [0, 3, -4, 12, 88, 178, -91])
def test_the_slope_is_that_of_most_lines(degrees):
    lines = [
        letters(9, degrees),
        letters(6, degrees, (200, 300)),
        letters(12, degrees + 0.5),
        letters(3, degrees + 40),
        (None,) * 8,
    ]
    assert pictures.slope(lines) == pytest.approx(degrees, abs=1.2)


def test_a_document_that_lies_level_is_not_turned():
    assert pictures.slope([letters(9, 0.3)]) == 0.0 and pictures.slope([]) == 0.0


@pytest.mark.parametrize("degrees", [0, 5, 90, -90, 180, 173])
def test_a_turned_box_is_where_the_picture_shows_it(degrees):
    """Turned by Pillow about the origin, the white field is found where the box says."""
    box = (60, 30, 40, 20)
    image = Image.new("L", (200, 160), 0)
    image.paste(255, (60, 30, 100, 50))
    far = 400
    canvas = Image.new("L", (2 * far, 2 * far), 0)
    canvas.paste(image, (far, far))
    white = np.argwhere(np.asarray(canvas.rotate(-degrees, center=(far, far))) > 127) - far
    x, y, width, height = pictures.turned(box, degrees)
    assert (x + width / 2, y + height / 2) == (
        pytest.approx(white[:, 1].mean(), abs=1.5),
        pytest.approx(white[:, 0].mean(), abs=1.5),
    )
    assert (width > height) is (bool(np.ptp(white[:, 1]) > np.ptp(white[:, 0])))


def case_page(office: Office, case_id: UUID) -> queries.CasePage:
    with office.db.reading() as db:
        return queries.case_page(db, case_id, now=office.clock())


def test_faces_are_shown_the_same_way_and_the_portrait_is_straightened(office, agent):
    evidence = found()
    surname = replace(evidence.reading.fields[Field.SURNAME], letters=letters(9, 6.0))
    reading = replace(evidence.reading, fields={**evidence.reading.fields, Field.SURNAME: surname})
    boxes = {"selfie": (260, 200, 380, 480), "document": (110, 190, 200, 260), "on_file": (200, 200, 200, 260)}
    case_id = held(office, evidence=replace(evidence, reading=reading, faces=replace(evidence.faces, boxes=boxes)))
    frames = pictures.photo_frames(case_page(office, case_id))
    assert set(frames) == {"selfie", "on_file", "portrait", "document"}
    assert frames["portrait"].turn == pytest.approx(-6, abs=0.5) and frames["document"].turn == 0
    for name in ("selfie", "on_file", "portrait"):
        vx, vy, vw, vh = map(float, frames[name].view.split())
        fx, fy, fw, fh = map(float, frames[name].face.split())
        assert vx <= fx and vy <= fy and fx + fw <= vx + vw + 1 and fy + fh <= vy + vh + 1
        assert vw / vh == pytest.approx(0.8, abs=0.01)
    page = page_of(agent, case_id)
    assert f'transform="rotate({frames["portrait"].turn})"' in page and f'viewBox="{frames["selfie"].view}"' in page


def test_a_page_photographed_on_its_side_is_shown_upright(office, agent):
    evidence = found()
    surname = replace(evidence.reading.fields[Field.SURNAME], letters=letters(9, 90.0))
    reading = replace(evidence.reading, fields={**evidence.reading.fields, Field.SURNAME: surname})
    frame = pictures.photo_frames(case_page(office, held(office, evidence=replace(evidence, reading=reading))))["document"]
    assert frame.turn == -90
    _x, _y, width, height = map(float, frame.view.split())
    assert (width, height) == (frame.height, frame.width)


def test_places_found_on_an_earlier_photo_are_not_used(office, agent):
    case_id = held(office)
    with office.db.transaction() as db:
        db.execute(update(Photo).values(created_at=office.clock() + timedelta(minutes=1)))
    assert pictures.photo_frames(case_page(office, case_id)) == {}
    page = page_of(agent, case_id)
    assert "not found on the document" in page and len(addresses(page)) == 3


def test_after_release_her_links_end_at_once(office, agent):
    case_id = held(office)
    address = addresses(page_of(agent, case_id))[0]
    with office.db.transaction() as db:
        review.release(db, case_id, agent=db.scalars(select(Staff).where(Staff.name == "Ada Agent")).one(), now=office.clock())
    assert agent.get(address).status_code == 403
