"""Every state and reason in people's words: one table for portal, desk and mail.

Code stores codes; sentences appear only at the edge. Texts stand here in English, marked with `N_`; catalogues under
`translations/` hold the others. A customer is never told which security check spoke against her (faces, details of
the account): a thief would learn what to mend. What she typed against what her own document shows may be told.
"""

from __future__ import annotations

import gettext as _gettext
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from cases.desk_tables import Dropped, PaperKind, RiskSign
from cases.lifecycle import State
from verification.challenge import Sign
from verification.evidence import ChangeReason, Field, Side
from verification.hints import Hint
from verification.reasons import RETAKE, PhotoKind, ReasonCode

TRANSLATIONS = Path(__file__).with_name("translations")

LANGUAGES = {"ru": "Русский", "kk": "Қазақша", "es": "Español", "en": "English"}
"""Every language we speak, by its own name, in the order of the switch. Each has a catalogue and a text of every mail."""

SOURCE = "en"
"""The language that texts are written in where they stand in the code."""


def N_(text: str) -> str:
    """Mark a text for translation and leave it as it is."""
    return text


@dataclass(frozen=True)
class Words:
    """One code in words: what the customer reads, what she can do now (may be empty), what staff read."""

    customer: str
    advice: str
    agent: str


@dataclass(frozen=True)
class Meaning:
    """A soft hint in words for staff: what was seen, and why it may matter. Customers are never told of hints."""

    seen: str
    why: str


_LOOKS = N_("A person needs to look at your request.")
_NOTHING_TO_DO = N_("You do not need to do anything. We will write to you.")
_SELFIE_AGAIN = N_("Take the selfie again: face a window, hold the phone at arm's length, look straight into the camera.")
_PAGE_AGAIN = N_("Lay the passport flat in even light, fill the frame with the page and hold still.")
_OTHER_FILE = N_("Take a new photo with your phone, or choose another file.")

REASONS: dict[ReasonCode, Words] = {
    ReasonCode.IMAGE_EMPTY: Words(N_("The file is empty."), _OTHER_FILE, N_("The file was empty.")),
    ReasonCode.IMAGE_TOO_LARGE: Words(
        N_("The file is too large: at most 12 MB."),
        N_("Take the photo with the normal camera setting, or choose a smaller file."),
        N_("The file was larger than 12 MB."),
    ),
    ReasonCode.IMAGE_TOO_MANY_PIXELS: Words(
        N_("The picture is too large: at most 40 megapixels."),
        N_("Take the photo with the normal camera setting, or choose a smaller file."),
        N_("The picture had more than 40 megapixels."),
    ),
    ReasonCode.IMAGE_TOO_SMALL: Words(
        N_("The picture is too small to see anything on it."),
        N_("Send the photo itself, not a preview or a screenshot."),
        N_("The picture has too few pixels to be read."),
    ),
    ReasonCode.IMAGE_FORMAT_UNKNOWN: Words(
        N_("This file is not a photo we can open."),
        N_("Send a photo as JPEG, PNG, WebP or HEIC."),
        N_("The file is not JPEG, PNG, WebP or HEIC."),
    ),
    ReasonCode.IMAGE_DAMAGED: Words(
        N_("The photo is damaged and does not open."), _OTHER_FILE, N_("The photo is damaged and could not be decoded.")
    ),
    ReasonCode.IMAGE_TOO_SLOW: Words(
        N_("The photo could not be opened in time."), _OTHER_FILE, N_("Decoding the photo met its time or memory limit.")
    ),
    ReasonCode.IMAGE_FOR_TESTS: Words(
        N_("This is a test picture for developers."),
        N_("Take a photo of your own document, or of yourself."),
        N_("The picture is a specimen of the sandbox, and the customer is a real one."),
    ),
    ReasonCode.SELFIE_BLURRED: Words(
        N_("Your selfie is blurred."), N_("Wipe the lens, hold the phone still and take it again."), N_("The selfie is blurred.")
    ),
    ReasonCode.SELFIE_TOO_DARK: Words(
        N_("Your selfie is too dark."), N_("Face a window or a lamp and take it again."), N_("The selfie is too dark.")
    ),
    ReasonCode.SELFIE_TOO_BRIGHT: Words(
        N_("Your selfie is too bright."), N_("Turn away from strong light and take it again."), N_("The selfie is overexposed.")
    ),
    ReasonCode.NO_FACE_IN_SELFIE: Words(
        N_("We see no face on your selfie."), _SELFIE_AGAIN, N_("No face was found on the selfie.")
    ),
    ReasonCode.SEVERAL_FACES_IN_SELFIE: Words(
        N_("There is more than one face on your selfie."),
        N_("Take it again with only you in the picture, also no portrait on the wall."),
        N_("More than one face was found on the selfie."),
    ),
    ReasonCode.FACE_TOO_SMALL: Words(
        N_("Your face is too small on the selfie."),
        N_("Come closer: your face should fill half of the picture."),
        N_("The face on the selfie is too small."),
    ),
    ReasonCode.SELFIE_IS_A_DOCUMENT: Words(
        N_("This is a photo of a document, not of you."),
        N_("Turn the camera to your own face and take the selfie; the page has its own step."),
        N_("The selfie shows a printed portrait with print around it: a document."),
    ),
    ReasonCode.SELFIE_UPSIDE_DOWN: Words(
        N_("Your selfie stands on its head."),
        N_("Hold the phone upright and take it again."),
        N_("The selfie is upside down."),
    ),
    ReasonCode.FACE_TURNED_AWAY: Words(
        N_("Your face is turned away on the selfie."),
        N_("Look straight into the camera and take it again."),
        N_("The face on the selfie is turned far to one side."),
    ),
    ReasonCode.FACE_TOO_DARK: Words(
        N_("Your face is in the dark on the selfie."),
        N_("Turn until the window or the lamp is before you, not behind you, and take it again."),
        N_("The face on the selfie is too dark."),
    ),
    ReasonCode.FACE_UNEVENLY_LIT: Words(
        N_("Half of your face lies in shadow on the selfie."),
        N_("Turn until light falls on your whole face and take it again."),
        N_("One half of the face on the selfie is much darker than the other."),
    ),
    ReasonCode.FACE_WITHOUT_COLOUR: Words(
        N_("Your selfie has no colours."),
        N_("Switch off filters and black and white, and take a new photo of your own face."),
        N_("The face on the selfie is without colour: a grey picture, a statue or a copy."),
    ),
    ReasonCode.EYES_NOT_SEEN: Words(
        N_("We cannot see your eyes on the selfie."),
        N_("Take off dark glasses, move hair out of your eyes and take it again."),
        N_("The eyes on the selfie are not seen: dark glasses, perhaps."),
    ),
    ReasonCode.FACE_COVERED: Words(
        N_("Something covers the lower part of your face on the selfie."),
        N_("Take off the mask or the scarf, keep hands away from your face and take it again."),
        N_("Mouth and nose on the selfie are covered."),
    ),
    ReasonCode.DOCUMENT_BLURRED: Words(
        N_("The photo of your passport is blurred."), _PAGE_AGAIN, N_("The document photo is blurred.")
    ),
    ReasonCode.DOCUMENT_TOO_DARK: Words(
        N_("The photo of your passport is too dark."),
        N_("Take it again in daylight or under a lamp."),
        N_("The document photo is too dark."),
    ),
    ReasonCode.DOCUMENT_TOO_BRIGHT: Words(
        N_("The photo of your passport is too bright."),
        N_("Take it again without flash, away from strong light."),
        N_("The document photo is overexposed."),
    ),
    ReasonCode.DOCUMENT_GLARE: Words(
        N_("Light reflects on your passport and hides a part of it."),
        N_("Switch off the flash and tilt the passport until the reflection is gone."),
        N_("Glare hides a part of the document."),
    ),
    ReasonCode.DOCUMENT_TOO_SMALL: Words(
        N_("The letters on the photo of your passport are too small to be read."),
        N_("Come closer: the page should fill the frame."),
        N_("The document's letters are too small to be read."),
    ),
    ReasonCode.NO_DOCUMENT_FOUND: Words(
        N_("We see no passport on this photo."),
        N_("Photograph the open page that has your portrait on it."),
        N_("No document was found on the photo."),
    ),
    ReasonCode.DOCUMENT_NOT_KNOWN: Words(
        N_("We see print on this photo, but no passport that we can read."),
        N_("Photograph the page of your passport that has your portrait on it, with the whole page in the frame."),
        N_("There is print on the photo, but of no kind of document we can read."),
    ),
    ReasonCode.SEVERAL_DOCUMENTS: Words(
        N_("There is more than one document on this photo."),
        N_("Take it again with one document only: lay all other papers aside."),
        N_("More than one document was found on the photo."),
    ),
    ReasonCode.DOCUMENT_MIRRORED: Words(
        N_("The photo of your passport is a mirror image: its letters run backwards."),
        N_("Take it again with the camera on the back of your phone, not with the one above the screen."),
        N_("The document photo is mirrored."),
    ),
    ReasonCode.DOCUMENT_CUT_OFF: Words(
        N_("A part of the page is missing on the photo."),
        N_("Take it again with the whole page in the frame, also the lines of letters at its edge."),
        N_("The page is cut off."),
    ),
    ReasonCode.DOCUMENT_COVERED: Words(
        N_("Something lies over a part of the page on the photo."),
        N_("Hold it by its edges, with no finger over the print, and take it again."),
        N_("A finger or something else covers print on the document photo."),
    ),
    ReasonCode.DOCUMENT_HANDWRITTEN: Words(
        N_("Your passport is filled in by hand, so a person needs to read it."),
        _NOTHING_TO_DO,
        N_("The page is written by hand: names and places were not read."),
    ),
    ReasonCode.MRZ_NOT_READABLE: Words(
        N_("We could not read the lines of letters and arrows at the edge of the page."),
        N_("Take it again: these lines must be sharp, whole and without reflections."),
        N_("The machine-readable zone could not be read."),
    ),
    ReasonCode.PORTRAIT_NOT_FOUND: Words(
        N_("We could not find the portrait on the page."),
        N_("Take it again: no finger and no reflection on the portrait."),
        N_("The printed portrait was not found."),
    ),
    ReasonCode.DOCUMENT_TYPE_NOT_ACCEPTED: Words(
        N_("We cannot check this kind of document automatically."),
        _NOTHING_TO_DO,
        N_("The policy does not accept this type of document."),
    ),
    ReasonCode.MRZ_CHECK_DIGIT_WRONG: Words(
        _LOOKS, _NOTHING_TO_DO, N_("A check digit of the machine-readable zone does not hold.")
    ),
    ReasonCode.ZONES_DISAGREE: Words(
        _LOOKS, _NOTHING_TO_DO, N_("The printed page and the machine-readable zone do not say the same.")
    ),
    ReasonCode.DOCUMENT_EXPIRED: Words(
        N_("Your document is no longer valid."),
        N_("If you have a newer one, withdraw this request and start again with it."),
        N_("The document has expired."),
    ),
    ReasonCode.EXPIRY_UNKNOWN: Words(
        N_("We could not read until when your document is valid."),
        _NOTHING_TO_DO,
        N_("The date of expiry was not read with enough confidence."),
    ),
    ReasonCode.DOCUMENT_IS_SPECIMEN: Words(_LOOKS, _NOTHING_TO_DO, N_("The document is a specimen, not a real passport.")),
    ReasonCode.DOCUMENT_DOUBTED: Words(
        _LOOKS, _NOTHING_TO_DO, N_("The document shows a hint that the policy sends to a person; see the hints.")
    ),
    ReasonCode.SURNAME_DIFFERS: Words(
        N_("The surname you typed is not the one on your document."),
        N_("Compare it letter by letter with the page and correct it."),
        N_("The surname claimed differs from the document."),
    ),
    ReasonCode.GIVEN_NAMES_DIFFER: Words(
        N_("The given names you typed are not those on your document."),
        N_("Compare them letter by letter with the page and correct them."),
        N_("The given names claimed differ from the document."),
    ),
    ReasonCode.PATRONYMIC_DIFFERS: Words(
        N_("The patronymic you typed is not the one on your document."),
        N_("Compare it letter by letter with the page and correct it."),
        N_("The patronymic claimed differs from the document."),
    ),
    ReasonCode.DATE_OF_BIRTH_DIFFERS: Words(
        N_("The date of birth you typed is not the one on your document."),
        N_("Compare it with the page and correct it."),
        N_("The date of birth claimed differs from the document."),
    ),
    ReasonCode.SEX_DIFFERS: Words(
        N_("The sex you stated is not the one on your document."),
        N_("Compare it with the page and correct it."),
        N_("The sex claimed differs from the document."),
    ),
    ReasonCode.DOCUMENT_NUMBER_DIFFERS: Words(
        N_("The number you typed is not the one on your document."),
        N_("Compare it digit by digit with the page and correct it."),
        N_("The document number claimed differs from the document."),
    ),
    ReasonCode.OTHER_FIELD_DIFFERS: Words(
        N_("Something you typed is not what your document shows."),
        N_("Compare each detail with the page and correct it."),
        N_("Another claimed field differs from the document."),
    ),
    ReasonCode.FIELD_NOT_READ: Words(
        N_("We could not find everything you typed on your document."),
        _NOTHING_TO_DO,
        N_("A claimed field was not found on the document."),
    ),
    ReasonCode.FIELD_NOT_CERTAIN: Words(
        N_("We could not read everything on your document with certainty."),
        _NOTHING_TO_DO,
        N_("A field agrees, but was read too weakly to stand on."),
    ),
    ReasonCode.NOTHING_CHANGES: Words(
        N_("All you typed is what we hold already."),
        N_("If something is to change, withdraw this request and start again."),
        N_("Nothing would change."),
    ),
    ReasonCode.CHANGE_NEEDS_PERSON: Words(
        N_("A change of this kind is always looked at by a person."),
        _NOTHING_TO_DO,
        N_("This reason for a change is always decided by a person."),
    ),
    ReasonCode.FIELD_MAY_NOT_CHANGE: Words(_LOOKS, _NOTHING_TO_DO, N_("A field changes that the stated reason does not cover.")),
    ReasonCode.BIRTH_DATE_NOT_THE_ACCOUNTS: Words(
        _LOOKS, _NOTHING_TO_DO, N_("The document's date of birth is not the account's.")
    ),
    ReasonCode.SEX_NOT_THE_ACCOUNTS: Words(_LOOKS, _NOTHING_TO_DO, N_("The document's sex is not the account's.")),
    ReasonCode.NAMES_NOT_THE_ACCOUNTS: Words(_LOOKS, _NOTHING_TO_DO, N_("Names that must stay are not the account's.")),
    ReasonCode.EARLIER_NUMBER_UNCONFIRMED: Words(
        _LOOKS, _NOTHING_TO_DO, N_("The account's earlier document number was not seen on the papers sent.")
    ),
    ReasonCode.CONTINUITY_UNKNOWN: Words(
        _LOOKS, _NOTHING_TO_DO, N_("Nothing of the account could be compared with the document.")
    ),
    ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER: Words(
        _LOOKS, _NOTHING_TO_DO, N_("Selfie and printed portrait look like two people.")
    ),
    ReasonCode.SELFIE_DOCUMENT_FACES_UNSURE: Words(
        _LOOKS, _NOTHING_TO_DO, N_("Not sure that selfie and printed portrait are one person.")
    ),
    ReasonCode.SELFIE_ON_FILE_FACES_DIFFER: Words(_LOOKS, _NOTHING_TO_DO, N_("Selfie and face on file look like two people.")),
    ReasonCode.SELFIE_ON_FILE_FACES_UNSURE: Words(
        _LOOKS, _NOTHING_TO_DO, N_("Not sure that selfie and face on file are one person.")
    ),
    ReasonCode.DOCUMENT_ON_FILE_FACES_DIFFER: Words(
        _LOOKS, _NOTHING_TO_DO, N_("Printed portrait and face on file look like two people.")
    ),
    ReasonCode.DOCUMENT_ON_FILE_FACES_UNSURE: Words(
        _LOOKS, _NOTHING_TO_DO, N_("Not sure that printed portrait and face on file are one person.")
    ),
    ReasonCode.FACE_NOT_COMPARED: Words(_LOOKS, _NOTHING_TO_DO, N_("Two faces that had to be compared could not be.")),
    ReasonCode.NO_FACE_ON_FILE: Words(_LOOKS, _NOTHING_TO_DO, N_("The account has no face on file to compare with.")),
    ReasonCode.VOICES_DISAGREE: Words(_LOOKS, _NOTHING_TO_DO, N_("The two face networks contradict each other.")),
    ReasonCode.SELFIE_IS_THE_DOCUMENT: Words(_LOOKS, _NOTHING_TO_DO, N_("Selfie and document are one and the same picture.")),
    ReasonCode.SELFIE_IS_ON_FILE: Words(
        _LOOKS, _NOTHING_TO_DO, N_("The selfie is a copy of the picture on file, not a new one.")
    ),
    ReasonCode.SELFIE_SENT_BEFORE: Words(
        _LOOKS, _NOTHING_TO_DO, N_("The same selfie was sent with a request of another customer.")
    ),
    ReasonCode.LIVENESS_NOT_SHOWN: Words(
        _LOOKS, _NOTHING_TO_DO, N_("The customer left out the turn of the head that this change asks for.")
    ),
    ReasonCode.LIVENESS_DOUBTED: Words(
        _LOOKS, _NOTHING_TO_DO, N_("The turn of the head or the selfie does not show a living face clearly enough.")
    ),
    ReasonCode.EVIDENCE_MISSING: Words(_LOOKS, _NOTHING_TO_DO, N_("A measure is missing or out of its range.")),
    ReasonCode.CONTACT_CHANGES: Words(_LOOKS, _NOTHING_TO_DO, N_("A new e-mail address comes with the request.")),
    ReasonCode.PHOTO_SENT_ANYWAY: Words(_LOOKS, _NOTHING_TO_DO, N_("The customer sent a photo although it was found unfit.")),
    ReasonCode.ACCOUNT_UNDER_WATCH: Words(
        _LOOKS, _NOTHING_TO_DO, N_("A request of this account was rejected, disputed or put back lately.")
    ),
    ReasonCode.EVERYTHING_TO_PEOPLE: Words(
        _LOOKS, _NOTHING_TO_DO, N_("Automatic decisions were off, for all requests or for those like this one.")
    ),
    ReasonCode.ATTEMPTS_USED_UP: Words(
        N_("After several photos we could not finish this automatically; a person goes on from here."),
        _NOTHING_TO_DO,
        N_("The allowed attempts are used up."),
    ),
    ReasonCode.PROCESSING_FAILED: Words(
        N_("Something went wrong on our side; a person goes on from here."),
        _NOTHING_TO_DO,
        N_("Processing failed several times: a technical referral."),
    ),
    ReasonCode.CUSTOMER_ASKED_FOR_PERSON: Words(
        N_("You asked for a person to look at your request."), _NOTHING_TO_DO, N_("The customer asked for a person.")
    ),
    ReasonCode.APPROVAL_UNDONE: Words(
        N_("We check this change once more; until then your earlier details hold."),
        _NOTHING_TO_DO,
        N_("It was approved by a policy that was found wrong; the approval was taken back."),
    ),
    ReasonCode.FACES_BY_EYE: Words(
        N_("A person, not a computer, compares your photos."),
        _NOTHING_TO_DO,
        N_("No machine compares these faces: compare them by eye."),
    ),
}

STATES: dict[State, Words] = {
    State.DRAFT: Words(
        N_("Your request is not sent yet."), N_("Go on where you stopped."), N_("The customer is still filling it in.")
    ),
    State.SUBMITTED: Words(
        N_("We have your request and will check it in a moment."),
        N_("You may close this page. We will write to you."),
        N_("Waiting for a worker."),
    ),
    State.VERIFYING: Words(
        N_("We are checking your documents."),
        N_("You may close this page. We will write to you."),
        N_("A worker is looking at it."),
    ),
    State.NEEDS_RETAKE: Words(
        N_("We need a new photo from you."),
        N_("Take the photo again. Everything else is kept."),
        N_("The customer was asked for a new photo."),
    ),
    State.IN_REVIEW: Words(N_("A person is looking at your request."), _NOTHING_TO_DO, N_("Waiting for an agent.")),
    State.APPROVED: Words(
        N_("Your details are changed."),
        N_("If this was not you, tell us at once with the link in our mail."),
        N_("Approved: the profile is changed."),
    ),
    State.REJECTED: Words(
        N_("A person looked at your request and did not approve it."),
        N_("If you think this is wrong, ask for another person to look, or start a new request."),
        N_("Rejected by an agent."),
    ),
    State.WITHDRAWN: Words(
        N_("You withdrew this request. Nothing was changed."),
        N_("You may start a new request."),
        N_("Withdrawn by the customer."),
    ),
    State.EXPIRED: Words(
        N_("This request was not finished in time and is closed. Nothing was changed."),
        N_("You may start a new request."),
        N_("Expired."),
    ),
    State.REVERTED: Words(
        N_("The change was undone: your earlier details hold again."),
        N_("If you did not expect this, write to us."),
        N_("Reverted: the earlier profile holds."),
    ),
}

FIELDS: dict[Field, str] = {
    Field.SURNAME: N_("Surname"),
    Field.GIVEN_NAMES: N_("Given names"),
    Field.PATRONYMIC: N_("Patronymic"),
    Field.SURNAME_NATIVE: N_("Surname (in the other script)"),
    Field.GIVEN_NAMES_NATIVE: N_("Given names (in the other script)"),
    Field.DOCUMENT_NUMBER: N_("Document number"),
    Field.DATE_OF_BIRTH: N_("Date of birth"),
    Field.ISSUED_ON: N_("Date of issue"),
    Field.EXPIRES_ON: N_("Date of expiry"),
    Field.ISSUER: N_("Issued by"),
    Field.ISSUER_CODE: N_("Code of the issuing office"),
    Field.SEX: N_("Sex"),
    Field.NATIONALITY: N_("Nationality"),
    Field.PLACE_OF_BIRTH: N_("Place of birth"),
    Field.PERSONAL_NUMBER: N_("Personal number"),
}

CHANGE_REASONS: dict[ChangeReason, str] = {
    ChangeReason.MARRIAGE: N_("Marriage"),
    ChangeReason.DIVORCE: N_("Divorce"),
    ChangeReason.COURT: N_("Name changed by a court or registry office"),
    ChangeReason.NEW_PASSPORT: N_("New passport"),
    ChangeReason.MISTAKE: N_("A mistake in my details"),
    ChangeReason.OTHER: N_("Another reason"),
}

KINDS: dict[PhotoKind, str] = {
    PhotoKind.SELFIE: N_("Selfie"),
    PhotoKind.DOCUMENT: N_("Passport"),
    PhotoKind.ON_FILE: N_("Face on file"),
}

PAPER_KINDS: dict[PaperKind, str] = {
    PaperKind.MARRIAGE_CERTIFICATE: N_("Marriage certificate"),
    PaperKind.DIVORCE_CERTIFICATE: N_("Divorce certificate"),
    PaperKind.NAME_CHANGE_CERTIFICATE: N_("Name change certificate"),
    PaperKind.EARLIER_PASSPORTS: N_("Passport page with earlier passports"),
    PaperKind.FAMILY_STATUS: N_("Passport page with marriage or divorce"),
    PaperKind.REGISTRATION: N_("Passport page with the registered address"),
}
"""Names both sides read: a customer has to find the page without knowing its number."""

STATE_LABELS: dict[State, str] = {
    State.DRAFT: N_("Draft"),
    State.SUBMITTED: N_("Sent"),
    State.VERIFYING: N_("Checking"),
    State.NEEDS_RETAKE: N_("New photo needed"),
    State.IN_REVIEW: N_("With a person"),
    State.APPROVED: N_("Changed"),
    State.REJECTED: N_("Not changed"),
    State.WITHDRAWN: N_("Withdrawn"),
    State.EXPIRED: N_("Closed unfinished"),
    State.REVERTED: N_("Undone"),
}

SIDES: dict[Side, str] = {
    Side.TOP: N_("the upper edge of the page"),
    Side.RIGHT: N_("the right edge of the page"),
    Side.BOTTOM: N_("the lower edge of the page"),
    Side.LEFT: N_("the left edge of the page"),
    Side.TOP_LEFT: N_("the upper left corner"),
    Side.TOP_RIGHT: N_("the upper right corner"),
    Side.BOTTOM_RIGHT: N_("the lower right corner"),
    Side.BOTTOM_LEFT: N_("the lower left corner"),
}

HINTS: dict[Hint, Meaning] = {
    Hint.ISSUE_DATE_IMPOSSIBLE: Meaning(
        N_("The date of issue cannot be"),
        N_("It lies before the age at which the paper is given, in the future, or not before the date of expiry."),
    ),
    Hint.SERIES_NOT_THE_YEARS: Meaning(
        N_("Series and year of issue do not go together"),
        N_("The third and fourth digit of the series are the year of the blank: usually within three years of the issue."),
    ),
    Hint.SERIES_NOT_THE_REGIONS: Meaning(
        N_("Series and issuing office are of different regions"),
        N_("The first two digits of the series stand for a region, the unit code for that of the office. Offices have erred."),
    ),
    Hint.SERIES_UNKNOWN: Meaning(N_("The series is of no region we know"), N_("Our table of regions may lack old or new ones.")),
    Hint.OFFICE_CODE_IMPOSSIBLE: Meaning(
        N_("The unit code has an impossible form"),
        N_("Three digits, a hyphen, three digits; the first two stand for a region, the third runs from 0 to 3."),
    ),
    Hint.NUMBER_OUT_OF_RANGE: Meaning(
        N_("The passport number is below those in use"), N_("Numbers of Russian internal passports begin with 000101.")
    ),
    Hint.SEX_NOT_THE_PATRONYMICS: Meaning(
        N_("Sex and patronymic do not go together"),
        N_("The patronymic ends as those of the other sex do."),
    ),
    Hint.PERSONAL_NUMBER_WRONG: Meaning(N_("The personal number cannot be"), N_("Its own check digit or letter does not hold.")),
    Hint.PERSONAL_NUMBER_NOT_THE_BIRTH_DATES: Meaning(
        N_("The personal number says another date of birth"),
        N_("The number is built from a date of birth, and it is not the printed one."),
    ),
    Hint.PERSONAL_NUMBER_NOT_THE_SEXES: Meaning(
        N_("The personal number says another sex"), N_("The number states the sex, and it is not the printed one.")
    ),
    Hint.PERSONAL_NUMBER_NOT_THE_NAMES: Meaning(
        N_("The personal number is built from other names"),
        N_("Its letters are initials of names, and not of the printed ones. Names may have changed since it was given."),
    ),
    Hint.ZONE_TYPEFACE_ODD: Meaning(
        N_("The machine-readable zone is not printed in OCR-B"),
        N_("Passports print it in this typeface; drawing programs do not have it. A strong slant or blur can look alike."),
    ),
    Hint.ZONE_SPACING_ODD: Meaning(
        N_("Letters of the machine-readable zone stand unevenly"),
        N_("The zone has one step from letter to letter; a text that was set or edited has not."),
    ),
    Hint.SEEN_ON_SCREEN: Meaning(
        N_("The picture looks like the photo of a screen"),
        N_("One fine pattern runs over the whole page, as a screen's grid does. So does the raster of a printed picture."),
    ),
    Hint.WITHOUT_COLOUR: Meaning(
        N_("The document has no colour"),
        N_("It looks like a photocopy, or a photo taken in grey. Passports are printed in colour."),
    ),
}

SIGNS: dict[Sign, Meaning] = {
    Sign.FRAMES_REPEATED: Meaning(
        N_("The same picture came twice"),
        N_("Two frames are equal to the last pixel, as of a still picture fed to the browser. A camera that hangs does so too."),
    ),
    Sign.TIMES_IMPOSSIBLE: Meaning(
        N_("The times of the frames cannot be"),
        N_("They run backwards, or longer than the server waited. Our page does not do that; a clock that was set may."),
    ),
    Sign.CAMERA_VIRTUAL: Meaning(
        N_("The camera is a program"),
        N_("Its name is one that such programs use. Some are honest: a phone used as a webcam, a room that is blurred."),
    ),
    Sign.SCREEN_PATTERN: Meaning(
        N_("A fine pattern lies over face and ground"),
        N_("The dots of a screen or the raster of a print beat so with a camera. Fine cloth or a blind behind the head may too."),
    ),
    Sign.PICTURE_EDGES: Meaning(
        N_("Straight edges frame the face"),
        N_("A print, a phone or a monitor held up looks so. So do a door, a window or a picture on the wall behind the head."),
    ),
    Sign.GLASS_GLARE: Meaning(
        N_("The face is burnt out in one patch"),
        N_("Glass and glossy paper mirror a lamp so. Spectacles, wet skin and a hard flash may too."),
    ),
}
"""Weak signs against a living face. Customers are never told of them."""

RISK_SIGNS: dict[RiskSign, str] = {
    RiskSign.NOTHING_TIES: N_("Name and passport both change, and nothing but the papers ties them to this account."),
    RiskSign.ACCOUNT_WATCHED: N_("Somebody was turned away in this account, or its owner objected."),
    RiskSign.WEIGHTY_REASON: N_("The checks found a weighty reason against it."),
    RiskSign.OLD_PORTRAIT: N_("The portrait is old, and there is no face on file beside it."),
    RiskSign.NEW_EMAIL: N_("The e-mail address changes: our letters would go elsewhere."),
    RiskSign.DISPUTED: N_("The customer says that this request is not hers."),
    RiskSign.APPEALED: N_("The request was rejected before, and the customer appealed."),
    RiskSign.FACES_BY_EYE: N_("No machine compared selfie and passport: eyes alone decide."),
}
"""Why two people have to come to the same answer, for agents."""

DROPPED: dict[Dropped, str] = {
    Dropped.CUSTOMER_WROTE: N_("The customer wrote before your answer left."),
    Dropped.CASE_CHANGED: N_("The request or the account changed before your answer left."),
    Dropped.CASE_CLOSED: N_("The request was closed before your answer left."),
    Dropped.ACCOUNT_CLOSED: N_("The staff account was closed before the answer left."),
    Dropped.FAILED: N_("Your answer could not be carried out. Please tell the technicians."),
}
"""Why an answer was never carried out, for its maker."""

REASON_LABELS: dict[ReasonCode, str] = {code: words.agent for code, words in REASONS.items()}

HINT_LABELS: dict[Hint, str] = {hint: meaning.seen for hint, meaning in HINTS.items()}

SIGN_LABELS: dict[Sign, str] = {sign: meaning.seen for sign, meaning in SIGNS.items()}

Code = ReasonCode | State | Field | ChangeReason | PhotoKind | Side | Hint | Sign | PaperKind | RiskSign | Dropped


def customer_sentence(code: ReasonCode | State, locale: str) -> str:
    """What a state or reason means, for the customer. Says nothing that would help a thief."""
    return gettext(locale)(_words(code).customer)


def advice(code: ReasonCode | State, locale: str) -> str:
    """What the customer can do now."""
    return gettext(locale)(_words(code).advice)


def agent_sentence(code: ReasonCode | State, locale: str) -> str:
    """What a state or reason means, for staff."""
    return gettext(locale)(_words(code).agent)


def hint_sentence(hint: Hint, locale: str) -> str:
    """Why a hint may matter, for staff."""
    return gettext(locale)(HINTS[hint].why)


def sign_sentence(sign: Sign, locale: str) -> str:
    """Why a sign against a living face may matter, and what else may cause it, for staff."""
    return gettext(locale)(SIGNS[sign].why)


def label(code: Code, locale: str) -> str:
    """The short name of a field, state, reason for a change, photo kind, side of a page, hint, sign or reason. Or KeyError."""
    return gettext(locale)(_labels()[type(code), code])


@cache
def _labels() -> dict[tuple[type, object], str]:
    """By type too: codes are strings, and the same one may stand in two tables."""
    tables: tuple[dict[object, str], ...] = (  # type: ignore[assignment]
        FIELDS, STATE_LABELS, CHANGE_REASONS, KINDS, SIDES, HINT_LABELS, SIGN_LABELS, REASON_LABELS, PAPER_KINDS, RISK_SIGNS,
        DROPPED,
    )  # fmt: skip
    return {(type(code), code): text for table in reversed(tables) for code, text in table.items()}


def customer_sentences(codes: tuple[ReasonCode, ...], locale: str) -> list[str]:
    """What several reasons mean, each sentence once, in their order."""
    return list(dict.fromkeys(customer_sentence(code, locale) for code in codes))


HERS_TO_MEND = frozenset(RETAKE) | {
    ReasonCode.SURNAME_DIFFERS,
    ReasonCode.GIVEN_NAMES_DIFFER,
    ReasonCode.PATRONYMIC_DIFFERS,
    ReasonCode.DATE_OF_BIRTH_DIFFERS,
    ReasonCode.SEX_DIFFERS,
    ReasonCode.DOCUMENT_NUMBER_DIFFERS,
    ReasonCode.OTHER_FIELD_DIFFERS,
}
"""What a customer who is asked for a photo can do something about: the photo, and what she typed."""


def told(reasons: Iterable[ReasonCode], locale: str, *, asked: bool) -> list[ReasonCode]:
    """The reasons a customer is told, each sentence once; `asked`: for a new photo.

    A reason she is not told (a face, her account) reads "a person needs to look"; on a page that asks her to do something it
    would only puzzle, so it is left out. So is what only follows from a bad photo.
    """
    kept = [reason for reason in reasons if REASONS[reason].customer != _LOOKS]
    if asked:
        kept = [reason for reason in kept if reason in HERS_TO_MEND] or kept
    shown: dict[str, ReasonCode] = {}
    for reason in kept:
        shown.setdefault(customer_sentence(reason, locale), reason)
    return list(shown.values())


def gettext(locale: str) -> Callable[[str], str]:
    """Return the function that translates a text into `locale`; unknown languages leave it in English."""
    return translations(locale).gettext


def ngettext(locale: str) -> Callable[[str, str, int], str]:
    """Return the function that chooses among plural forms."""
    return translations(locale).ngettext


def language_of(locale: str | None) -> str | None:
    """The language of a locale such as kk, es-MX or ru_RU if we speak it, else None."""
    language = (locale or "").replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else None


def translations(locale: str) -> _gettext.NullTranslations:
    """The catalogue of a language, read from its `.po` file once a process: a page asks for hundreds of sentences."""
    return _translations(locale.replace("_", "-").partition("-")[0].lower())


@lru_cache(maxsize=32)
def _translations(language: str) -> _gettext.NullTranslations:
    if not language.isalpha():
        return _gettext.NullTranslations()
    try:
        with (TRANSLATIONS / language / "LC_MESSAGES" / "messages.po").open("rb") as source:
            catalogue = read_po(source)
    except FileNotFoundError:
        return _gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return _gettext.GNUTranslations(compiled)


def _words(code: ReasonCode | State) -> Words:
    return REASONS[code] if isinstance(code, ReasonCode) else STATES[code]
