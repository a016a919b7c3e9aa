"""What travels: text is compressed, files with a fingerprint are kept for good, no secret is told by the length of a page."""

from __future__ import annotations

import gzip
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.webapp.conftest import Portal, picture
from webapp import http

REMARKS = http.REMARKS["text/javascript"]

PACKED = {"Accept-Encoding": "gzip, deflate"}
SCRIPTS = Path(__file__).resolve().parents[2] / "static" / "js"
TEMPLATES = SCRIPTS.parents[1] / "webapp" / "templates"


def test_a_file_with_its_fingerprint_is_kept_for_good_and_compressed(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    page = browser.get("/").text
    address = re.search(r'href="(/static/css/portal\.css\?v=\w+)"', page)
    assert address
    whole, small = browser.get(address[1]), browser.get(address[1], headers=PACKED)
    assert small.headers["Content-Encoding"] == "gzip"
    lean = gzip.decompress(small.data).decode()
    assert "/*" not in lean and lean.replace("\n", "") == re.sub(
        r"/\*.*?\*/|^ +|\n", "", whole.text, flags=re.DOTALL | re.MULTILINE
    )
    assert len(small.data) < 0.4 * len(whole.data)
    for answer in (whole, small):
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Accept-Encoding" in answer.headers["Vary"]
    again = browser.get(address[1], headers={**PACKED, "If-None-Match": small.headers["ETag"]})
    assert again.status_code == 304 and not again.data


@pytest.mark.parametrize("address", ["/static/css/portal.css", "/static/css/portal.css?v=0123456789"])
def test_a_file_without_its_fingerprint_is_asked_after_each_time(portal: Portal, address: str) -> None:
    assert portal.browser().get(address).headers["Cache-Control"] == "no-cache"


def test_a_page_is_compressed_and_never_kept(portal: Portal) -> None:
    answer = portal.sign_in(portal.customer()).client.get("/request/reason", headers=PACKED)
    assert answer.headers["Content-Encoding"] == "gzip" and answer.headers["Cache-Control"] == "no-store"
    page = gzip.decompress(answer.data).decode()
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert (
        token and page.count(token[1]) == answer.data.count(token[1].encode()) > 1
    )  # each as it is, none found to be like another


def test_a_browser_that_takes_no_gzip_gets_plain_text(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    for told in ({}, {"Accept-Encoding": "identity"}, {"Accept-Encoding": "gzip;q=0"}):
        answer = browser.get("/request/reason", headers=told)
        assert "Content-Encoding" not in answer.headers and "<h1" in answer.text


@pytest.mark.parametrize(("width", "height", "shape"), [(900, 640, (320, 240)), (640, 1138, (320, 240)), (300, 400, (300, 225))])
def test_the_small_copy_of_a_photo_is_what_the_page_shows_of_it(
    portal: Portal, width: int, height: int, shape: tuple[int, int]
) -> None:
    customer = portal.customer()
    case, browser = portal.draft(customer, photos=False), portal.sign_in(customer)
    browser.get(f"/requests/{case}/photos/selfie")
    assert browser.upload(f"/requests/{case}/photos/selfie", picture("selfie", width=width, height=height)).status_code == 303
    small = browser.get(f"/requests/{case}/photos/selfie/view").data
    assert Image.open(io.BytesIO(small)).size == pytest.approx(shape, abs=1)
    assert len(small) < 20_000


def test_a_photo_is_not_compressed_again(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    answer = portal.sign_in(customer).get(f"/requests/{case}/photos/selfie/view", headers=PACKED)
    assert "Content-Encoding" not in answer.headers and answer.data.startswith(b"\xff\xd8")


@pytest.mark.parametrize("order", ["%s {secret}", "{secret} %s"], ids=["before", "behind"])
def test_a_right_guess_of_the_token_makes_a_page_no_shorter(order: str) -> None:
    secret = b"ImE4ZjQ2YzFkOTU3ZTBiMzIi.aSLx9w.Zt0Qk7nVt2m4sXyR1bHc8uJdKpE"
    right, wrong = secret[:40], secret[:40][::-1]
    lines = b"".join(b"<p>Line %d of the page</p>" % n for n in range(40))
    page = b"<form>" + lines + order.encode().replace(b"{secret}", b'<input value="' + secret + b'">') + lines

    def length(guess: bytes, apart: bytes) -> int:
        return len(http._gzipped_apart(page.replace(b"%s", guess), apart))

    assert length(right, b"") < length(wrong, b"")  # this is how it is guessed
    assert length(right, secret) == length(wrong, secret)
    assert gzip.decompress(http._gzipped_apart(page, secret)) == page


def test_all_script_of_the_customers_pages_is_small(portal: Portal) -> None:
    pages = "".join(page.read_text() for page in [*TEMPLATES.glob("portal/*.html"), TEMPLATES / "base.html"])
    mine = [file for file in SCRIPTS.glob("*.js") if f"js/{file.name}" in pages]
    assert {"upload.js", "capture.js", "details.js", "poll.js", "portal.js", "turn.js"} == {file.name for file in mine}
    sizes = {file.name: len(portal.browser().get(f"/static/js/{file.name}", headers=PACKED).data) for file in mine}
    assert sum(sizes.values()) <= 15_000, sizes


def test_what_scripts_lose_on_the_way_is_never_code() -> None:
    for file in SCRIPTS.glob("*.js"):
        script = file.read_text()
        for (
            line
        ) in script.splitlines():  # a text over several lines would lose its indentation; a ` in a pattern or a string is none
            assert re.sub(r"/[^/ ]+/|\"[^\"]*\"", "", line.split(" // ")[0]).count("`") % 2 == 0, f"{file.name}: {line}"
        for lost in REMARKS.findall(script.encode()):
            assert not lost.strip() or lost.strip().startswith(b"//")
    assert (
        REMARKS.sub(b"", b'  say("; // x"); // why\n// all of it\nreturn "http://a";\n')
        == b'say("; // x");\nreturn "http://a";\n'
    )
