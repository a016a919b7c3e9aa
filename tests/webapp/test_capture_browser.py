"""The camera within the page in headless Chromium, fed by drawn frames: what it says, what it takes, what is left without it.

Pictures land in tests/.shots/ (not kept in the repository) for people to look at.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from cases.models import Photo
from tests.conftest import CHROMIUM
from tests.webapp import fake_camera
from tests.webapp.conftest import Portal, picture
from tests.webapp.test_portal_browser import RULES, SHOTS, SIZES, address, come_in, send_photo
from tests.webapp.waiting import shot, soon
from verification.reasons import PhotoKind

__all__ = ["address"]  # a fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WORDS = """() => {
  window.said = []; window.spoken = [];
  const watch = (name, into) => new MutationObserver(() => {
    const text = document.querySelector(`[data-${name}]`).textContent;
    if (text && into.at(-1)?.text !== text) into.push({ text, at: performance.now() });
  }).observe(document.querySelector(`[data-${name}]`), { childList: true, characterData: true, subtree: true });
  watch("say", said); watch("spoken", spoken);
}"""


@contextmanager
def phone_that_sees(chromium: Any, film: Path | None, *, allowed: bool = True, **options: Any) -> Iterator[Any]:
    """A page on a phone whose camera shows this film."""
    browser = chromium.browser_type.launch(executable_path=CHROMIUM, args=fake_camera.flags(film, allowed=allowed))
    try:
        page = browser.new_context(viewport=SIZES["phone"], **options).new_page()
        page.broken = []
        page.on("pageerror", lambda error: page.broken.append(str(error)))
        page.on("console", lambda line: page.broken.append(line.text) if "Security Policy" in line.text else None)
        yield page
        assert page.broken == []
    finally:
        browser.close()


def shoot(page: Any, name: str) -> None:
    SHOTS.mkdir(exist_ok=True)
    shot(page, SHOTS / f"camera-{name}.png")


def milliseconds(page: Any) -> float:
    """Median time of one look at the live video while the CPU is made four times slower."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    taken = page.evaluate(
        """async () => {
          const { look } = await import(document.querySelector("script[src*=capture]").src);
          const video = document.querySelector("video"), box = { x: 0, y: 390, w: 720, h: 500 }, times = [];
          for (let number = 0, seen; number < 21; number++) {
            const began = performance.now();
            seen = look(video, box, box, seen?.light);
            times.push(performance.now() - began);
            await new Promise((next) => setTimeout(next, 20));
          }
          return times.sort((a, b) => a - b)[10];
        }"""
    )
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    return float(taken)


def accessible(page: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    violations = axe.run(page, options={"runOnly": RULES}).response["violations"]
    assert not violations, [(v["id"], v["nodes"][0]["html"][:200]) for v in violations]


def kept(demo: Portal, kind: PhotoKind) -> tuple[tuple[int, int], list[str]]:
    """Width and height of the photo on the server, and the problems it was sent in spite of."""
    with demo.db.reading() as session:
        photo = session.scalars(select(Photo).where(Photo.kind == kind, Photo.current)).one()
        return (photo.quality["width"], photo.quality["height"]), photo.accepted_despite


def test_the_camera_says_what_is_wrong_and_takes_a_good_page_by_itself(
    demo: Portal, address: str, chromium: Any, tmp_path: Path
) -> None:
    film = fake_camera.film(tmp_path / "film.y4m", ["table", "dark", "glare", "cut off", "far", "blurred", "good", "good"])
    who = demo.customer(locale="en")
    case_id = demo.draft(who, photos=False, values={**_travel()})
    with phone_that_sees(chromium, film) as page:
        come_in(page, demo, address, who, "en")
        page.goto(f"{address}/requests/{case_id}/photos/document")
        page.evaluate(WORDS)
        soon(lambda: page.locator("#camera").is_hidden())
        page.locator("[data-open-camera]").click()
        soon(lambda: page.locator("[data-auto]").is_checked())
        for words, name in (
            ("Too dark: more light, please", "dark"),
            ("Glare: tilt the page a little", "glare"),
            ("The lines at the bottom are cut off", "cut-off"),
        ):
            page.locator("[data-say]", has_text=words).wait_for()
            shoot(page, name)
        page.locator("[data-review]").wait_for(timeout=60000)
        soon(lambda: page.locator("[data-finding]").inner_text() == "This looks good.")
        shoot(page, "review")
        accessible(page)
        told = page.evaluate("said.map(({ text }) => text)")
        order = ["Show the page with your photo", "Too dark: more light, please", "Glare: tilt the page a little"]
        order += ["The lines at the bottom are cut off", "Come closer", "Not sharp: a little further away, and hold still"]
        assert set(order) <= set(told) and "Good! Hold still …" in told
        times = page.evaluate("spoken.map(({ at }) => at)")
        assert all(later - earlier >= 1990 for earlier, later in pairwise(times))
        print(f"one look at 4x slower CPU: {milliseconds(page):.1f} ms")  # told, not judged: other work shares this machine
        page.locator("[data-zoom]").click()
        soon(lambda: page.locator("[data-zoom]").get_attribute("aria-pressed") == "true")
        page.locator("[data-use]").click()
        page.wait_for_url("**/photos/selfie")
    (width, height), despite = kept(demo, PhotoKind.DOCUMENT)
    assert 500 < height < width <= 2048 and despite == []


def _travel() -> dict[Any, str]:
    from verification.evidence import Field

    return {Field.SURNAME: "PETROVA", Field.DOCUMENT_NUMBER: "751234567"}


def test_a_dark_selfie_is_named_refused_and_taken_again(demo: Portal, address: str, chromium: Any, tmp_path: Path) -> None:
    film = fake_camera.film(tmp_path / "film.y4m", ["dark face", "face", "face"])
    who = demo.customer()
    case_id = demo.draft(who, photos=False)
    with phone_that_sees(chromium, film) as page:
        come_in(page, demo, address, who, "en")
        page.goto(f"{address}/requests/{case_id}/photos/selfie")
        page.locator("[data-open-camera]").click()
        page.locator("[data-say]", has_text="Too dark: more light, please").wait_for()
        page.locator("[data-shoot]").click()
        page.locator("[data-finding]", has_text="This photo is dark. More light will help.").wait_for()
        page.locator("[data-use]").click()
        page.locator("#problems", has_text="dark").wait_for()
        again = page.locator("[data-open-camera]")
        soon(lambda: again.inner_text() == "Take it again with the camera")
        again.click()
        soon(lambda: not page.locator("[data-auto]").is_checked())
        page.locator("[data-say]", has_text="Good! Now take the photo").wait_for(timeout=60000)
        shoot(page, "selfie")
        accessible(page)
        page.set_viewport_size({"width": 844, "height": 390})
        page.wait_for_timeout(400)
        shoot(page, "selfie-landscape")
        page.set_viewport_size(SIZES["phone"])
        # In the background the camera is let go; on return it begins again
        track = page.evaluate_handle("document.querySelector('video').srcObject.getVideoTracks()[0]")
        page.evaluate(
            "() => { Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
            " document.dispatchEvent(new Event('visibilitychange')); }"
        )
        soon(lambda: page.evaluate("(track) => track.readyState", track) == "ended")
        page.evaluate("() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); }")
        page.wait_for_function(
            "(old) => { const now = document.querySelector('video').srcObject?.getVideoTracks()[0];"
            " return now && now !== old && now.readyState === 'live'; }",
            arg=track,
        )
        page.locator("[data-say]", has_text="Good! Now take the photo").wait_for(timeout=60000)
        page.locator("[data-shoot]").click()
        page.locator("[data-finding]", has_text="This looks good.").wait_for()
        shoot(page, "selfie-review")
        page.locator("[data-use]").click()
        page.wait_for_url(f"{address}/requests/{case_id}/photos/document")
    assert max(kept(demo, PhotoKind.SELFIE)[0]) <= 1280


def test_a_camera_that_is_not_allowed_leaves_a_way(demo: Portal, address: str, chromium: Any, tmp_path: Path) -> None:
    who = demo.customer()
    case_id = demo.draft(who, photos=False)
    agent = (
        "Mozilla/5.0 (Linux; Android 14; SM-A546B) AppleWebKit/537.36 SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36"
    )
    with phone_that_sees(chromium, None, allowed=False, user_agent=agent) as page:
        come_in(page, demo, address, who, "en")
        page.goto(f"{address}/requests/{case_id}/photos/document")
        opener = page.locator("[data-open-camera]")
        page.locator("[data-open-camera]:visible, [data-blocked]:visible").first.wait_for()
        if opener.is_visible():
            opener.click()
            page.locator("h3", has_text="The camera is not allowed").wait_for()
            shoot(page, "denied")
            soon(lambda: "Samsung Internet" in page.locator("[data-help]").inner_text())
            page.locator("[data-help] [data-close]").click()
        else:
            soon(lambda: "Samsung Internet" in page.locator("[data-blocked]").inner_text())
        send_photo(page, tmp_path, picture("document"))
        page.wait_for_url("**/photos/selfie")


def test_a_camera_that_stays_black_is_begun_again_and_then_explained(
    demo: Portal, address: str, chromium: Any, tmp_path: Path
) -> None:
    who = demo.customer()
    case_id = demo.draft(who, photos=False)
    with phone_that_sees(chromium, fake_camera.film(tmp_path / "film.y4m", ["black"])) as page:
        come_in(page, demo, address, who, "en")
        page.goto(f"{address}/requests/{case_id}/photos/selfie")
        page.evaluate(
            "() => { window.begun = 0; const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
            " navigator.mediaDevices.getUserMedia = (what) => { begun++; return ask(what); }; }"
        )
        page.locator("[data-open-camera]").click()
        page.locator("h3", has_text="The camera shows only black").wait_for(timeout=60000)
        soon(lambda: page.evaluate("begun") == 3)
        shoot(page, "black")
        accessible(page)
        with page.expect_file_chooser():
            page.locator("[data-input=camera]").click()
        page.goto(f"{address}/requests/{case_id}/photos/selfie")  # the phone closed the page while its camera app was open
        soon(lambda: page.locator("[data-came-back]").is_visible())


def test_without_a_camera_a_chosen_file_is_turned_upright_and_made_smaller(
    demo: Portal, address: str, chromium: Any, tmp_path: Path
) -> None:
    who = demo.customer()
    case_id = demo.draft(who, photos=False)
    context = chromium.new_context(viewport=SIZES["phone"])
    page = context.new_page()
    come_in(page, demo, address, who, "en")
    page.goto(f"{address}/requests/{case_id}/photos/document")
    soon(lambda: page.locator("[data-own-camera]").is_visible() and page.locator("[data-open-camera]").is_hidden())
    file = tmp_path / "dark.jpg"
    file.write_bytes(picture("document", dark=True))
    page.locator("#file").set_input_files(file)
    page.locator("[data-note]", has_text="This photo is dark. More light will help.").wait_for()
    lying = Image.open(io.BytesIO(picture("document", width=3000, height=2100)))
    exif = lying.getexif()
    exif[0x0112] = 6  # upright only after a quarter turn
    exif.get_ifd(0x8825)[1] = "N"  # a place
    file = tmp_path / "large.jpg"
    lying.save(file, quality=95, exif=exif)
    page.locator("#file").set_input_files(file)
    with page.expect_request(lambda request: request.method == "PUT") as sent:
        page.locator("main form .actions button").click()
    page.wait_for_url("**/photos/selfie")
    body = sent.value.post_data_buffer
    if body is not None:
        small = Image.open(io.BytesIO(body))
        assert small.size == (1434, 2048) and not small.getexif() and len(body) < file.stat().st_size
    assert kept(demo, PhotoKind.DOCUMENT)[0] == (1434, 2048)
    context.close()


def test_without_script_both_ways_to_choose_a_photo_are_there(demo: Portal, address: str, chromium: Any, tmp_path: Path) -> None:
    who = demo.customer()
    case_id = demo.draft(who, photos=False)
    context = chromium.new_context(viewport=SIZES["phone"], java_script_enabled=False)
    page = context.new_page()
    come_in(page, demo, address, who, "en")
    page.goto(f"{address}/requests/{case_id}/photos/document")
    soon(lambda: page.locator("[data-open-camera]").is_hidden() and page.locator("dialog").is_hidden())
    soon(lambda: page.locator("#camera").get_attribute("capture") == "environment" and page.locator("#camera").is_visible())
    soon(lambda: page.locator("#file").is_visible())
    send_photo(page, tmp_path, picture("document"))
    page.wait_for_url("**/photos/selfie")
    page.goto(f"{address}/requests/{case_id}/turn")
    soon(lambda: page.locator("[data-start]").is_hidden())  # it would do nothing
    way = page.locator("a.button", has_text="Go on without this step")
    soon(lambda: way.is_visible() and way.get_attribute("href") == f"/requests/{case_id}/check")
    context.close()
