"""Why a run was not approved: stable codes, and what follows from each.

A code is an identifier for machines; the sentences people read stand in `cases.wording`.
A reason says whether a new photo would mend it (`RETAKE`), whether a new photo *might* mend it
(`MENDABLE`: a misread letter on a blurred page), or whether only a person can go on from here.
"""

from __future__ import annotations

from enum import StrEnum


class PhotoKind(StrEnum):
    """The two pictures a customer sends, and the one the host system holds already."""

    SELFIE = "selfie"
    DOCUMENT = "document"
    ON_FILE = "on_file"


class ReasonCode(StrEnum):
    """One cause each. Grouped by who finds it; the order is the order in which people read them."""

    # The file itself (images.decode); told in the upload's own response.
    IMAGE_EMPTY = "image_empty"
    IMAGE_TOO_LARGE = "image_too_large"  # more bytes than the cap
    IMAGE_TOO_MANY_PIXELS = "image_too_many_pixels"
    IMAGE_TOO_SMALL = "image_too_small"  # fewer pixels than anything can be read from
    IMAGE_FORMAT_UNKNOWN = "image_format_unknown"
    IMAGE_DAMAGED = "image_damaged"
    IMAGE_TOO_SLOW = "image_too_slow"  # the decoder met its time or memory limit
    IMAGE_FOR_TESTS = "image_for_tests"  # a specimen of the sandbox, sent for a customer who is none of its

    # The selfie as a picture (quality, faces.detect).
    SELFIE_BLURRED = "selfie_blurred"
    SELFIE_TOO_DARK = "selfie_too_dark"
    SELFIE_TOO_BRIGHT = "selfie_too_bright"
    NO_FACE_IN_SELFIE = "no_face_in_selfie"
    SEVERAL_FACES_IN_SELFIE = "several_faces_in_selfie"
    FACE_TOO_SMALL = "face_too_small"
    SELFIE_IS_A_DOCUMENT = "selfie_is_a_document"  # print around the only face: a passport was photographed
    SELFIE_UPSIDE_DOWN = "selfie_upside_down"
    FACE_TURNED_AWAY = "face_turned_away"
    FACE_TOO_DARK = "face_too_dark"
    FACE_UNEVENLY_LIT = "face_unevenly_lit"
    FACE_WITHOUT_COLOUR = "face_without_colour"  # a grey picture, a statue, a copy
    EYES_NOT_SEEN = "eyes_not_seen"  # dark glasses
    FACE_COVERED = "face_covered"  # a mask, a scarf, a hand over the mouth

    # The document as a picture (quality, documents.page, documents.mrz_zone).
    DOCUMENT_BLURRED = "document_blurred"
    DOCUMENT_TOO_DARK = "document_too_dark"
    DOCUMENT_TOO_BRIGHT = "document_too_bright"
    DOCUMENT_GLARE = "document_glare"
    DOCUMENT_TOO_SMALL = "document_too_small"  # letters too low to be read
    NO_DOCUMENT_FOUND = "no_document_found"
    DOCUMENT_NOT_KNOWN = "document_not_known"  # a paper with print, but no passport we can read: a licence, a certificate
    SEVERAL_DOCUMENTS = "several_documents"  # two papers on one photo: which of them counts is not for us to choose
    DOCUMENT_MIRRORED = "document_mirrored"  # left and right are exchanged, as front cameras do
    DOCUMENT_CUT_OFF = "document_cut_off"
    DOCUMENT_COVERED = "document_covered"  # a finger, a cloth, another paper over print
    DOCUMENT_HANDWRITTEN = "document_handwritten"  # an old internal passport filled in with a pen: no photo makes it print
    MRZ_NOT_READABLE = "mrz_not_readable"
    PORTRAIT_NOT_FOUND = "portrait_not_found"

    # The document as a paper.
    DOCUMENT_TYPE_NOT_ACCEPTED = "document_type_not_accepted"
    MRZ_CHECK_DIGIT_WRONG = "mrz_check_digit_wrong"
    ZONES_DISAGREE = "zones_disagree"  # printed page against machine-readable zone
    DOCUMENT_EXPIRED = "document_expired"
    EXPIRY_UNKNOWN = "expiry_unknown"
    DOCUMENT_IS_SPECIMEN = "document_is_specimen"
    DOCUMENT_DOUBTED = "document_doubted"  # a hint that the policy lists; which one stands among the measures

    # The claim against the document.
    SURNAME_DIFFERS = "surname_differs"
    GIVEN_NAMES_DIFFER = "given_names_differ"
    PATRONYMIC_DIFFERS = "patronymic_differs"
    DATE_OF_BIRTH_DIFFERS = "date_of_birth_differs"
    SEX_DIFFERS = "sex_differs"
    DOCUMENT_NUMBER_DIFFERS = "document_number_differs"
    OTHER_FIELD_DIFFERS = "other_field_differs"
    FIELD_NOT_READ = "field_not_read"  # claimed, but not found on the document
    FIELD_NOT_CERTAIN = "field_not_certain"  # found and equal, but read too weakly to stand on

    # The claim and the document against the account (continuity).
    NOTHING_CHANGES = "nothing_changes"
    CHANGE_NEEDS_PERSON = "change_needs_person"  # this reason for a change is always decided by a person
    FIELD_MAY_NOT_CHANGE = "field_may_not_change"  # a field changes that the stated reason does not cover
    BIRTH_DATE_NOT_THE_ACCOUNTS = "birth_date_not_the_accounts"
    SEX_NOT_THE_ACCOUNTS = "sex_not_the_accounts"
    NAMES_NOT_THE_ACCOUNTS = "names_not_the_accounts"
    EARLIER_NUMBER_UNCONFIRMED = "earlier_number_unconfirmed"
    CONTINUITY_UNKNOWN = "continuity_unknown"  # nothing of the account could be compared

    # Faces.
    SELFIE_DOCUMENT_FACES_DIFFER = "selfie_document_faces_differ"
    SELFIE_DOCUMENT_FACES_UNSURE = "selfie_document_faces_unsure"
    SELFIE_ON_FILE_FACES_DIFFER = "selfie_on_file_faces_differ"
    SELFIE_ON_FILE_FACES_UNSURE = "selfie_on_file_faces_unsure"
    DOCUMENT_ON_FILE_FACES_DIFFER = "document_on_file_faces_differ"
    DOCUMENT_ON_FILE_FACES_UNSURE = "document_on_file_faces_unsure"
    FACE_NOT_COMPARED = "face_not_compared"
    NO_FACE_ON_FILE = "no_face_on_file"
    VOICES_DISAGREE = "voices_disagree"  # the two face networks contradict each other
    SELFIE_IS_THE_DOCUMENT = "selfie_is_the_document"  # one and the same picture twice
    SELFIE_IS_ON_FILE = "selfie_is_on_file"  # a copy of the picture that the account has already
    SELFIE_SENT_BEFORE = "selfie_sent_before"  # the same picture came with a case of another customer
    LIVENESS_NOT_SHOWN = "liveness_not_shown"  # no head-turn challenge was taken, and this change asks for one
    LIVENESS_DOUBTED = "liveness_doubted"  # the challenge or the selfie may show a picture, a recording, another face

    # The system.
    EVIDENCE_MISSING = "evidence_missing"  # a measure is absent, NaN or out of its range
    EVERYTHING_TO_PEOPLE = "everything_to_people"
    ACCOUNT_UNDER_WATCH = "account_under_watch"  # a request of this account was refused, disputed or put back lately
    CONTACT_CHANGES = "contact_changes"  # a new mail address would be applied with it
    PHOTO_SENT_ANYWAY = "photo_sent_anyway"  # the customer was told that a person would look at it
    ATTEMPTS_USED_UP = "attempts_used_up"
    PROCESSING_FAILED = "processing_failed"
    CUSTOMER_ASKED_FOR_PERSON = "customer_asked_for_person"
    APPROVAL_UNDONE = "approval_undone"  # it was approved by a policy that was found wrong, and taken back
    FACES_BY_EYE = "faces_by_eye"  # no machine may compare these faces: a person does


_SELFIE = frozenset({PhotoKind.SELFIE})
_DOCUMENT = frozenset({PhotoKind.DOCUMENT})
_BOTH = _SELFIE | _DOCUMENT

RETAKE: dict[ReasonCode, frozenset[PhotoKind]] = {
    ReasonCode.SELFIE_BLURRED: _SELFIE,
    ReasonCode.SELFIE_TOO_DARK: _SELFIE,
    ReasonCode.SELFIE_TOO_BRIGHT: _SELFIE,
    ReasonCode.NO_FACE_IN_SELFIE: _SELFIE,
    ReasonCode.SEVERAL_FACES_IN_SELFIE: _SELFIE,
    ReasonCode.FACE_TOO_SMALL: _SELFIE,
    ReasonCode.SELFIE_IS_A_DOCUMENT: _SELFIE,
    ReasonCode.SELFIE_UPSIDE_DOWN: _SELFIE,
    ReasonCode.FACE_TURNED_AWAY: _SELFIE,
    ReasonCode.FACE_TOO_DARK: _SELFIE,
    ReasonCode.FACE_UNEVENLY_LIT: _SELFIE,
    ReasonCode.FACE_WITHOUT_COLOUR: _SELFIE,
    ReasonCode.EYES_NOT_SEEN: _SELFIE,
    ReasonCode.FACE_COVERED: _SELFIE,
    ReasonCode.DOCUMENT_BLURRED: _DOCUMENT,
    ReasonCode.DOCUMENT_TOO_DARK: _DOCUMENT,
    ReasonCode.DOCUMENT_TOO_BRIGHT: _DOCUMENT,
    ReasonCode.DOCUMENT_GLARE: _DOCUMENT,
    ReasonCode.DOCUMENT_TOO_SMALL: _DOCUMENT,
    ReasonCode.NO_DOCUMENT_FOUND: _DOCUMENT,
    ReasonCode.DOCUMENT_NOT_KNOWN: _DOCUMENT,
    ReasonCode.SEVERAL_DOCUMENTS: _DOCUMENT,
    ReasonCode.DOCUMENT_MIRRORED: _DOCUMENT,
    ReasonCode.DOCUMENT_CUT_OFF: _DOCUMENT,
    ReasonCode.DOCUMENT_COVERED: _DOCUMENT,
    ReasonCode.MRZ_NOT_READABLE: _DOCUMENT,
    ReasonCode.PORTRAIT_NOT_FOUND: _DOCUMENT,
    ReasonCode.IMAGE_EMPTY: _BOTH,
    ReasonCode.IMAGE_TOO_LARGE: _BOTH,
    ReasonCode.IMAGE_TOO_MANY_PIXELS: _BOTH,
    ReasonCode.IMAGE_TOO_SMALL: _BOTH,
    ReasonCode.IMAGE_FORMAT_UNKNOWN: _BOTH,
    ReasonCode.IMAGE_DAMAGED: _BOTH,
    ReasonCode.IMAGE_TOO_SLOW: _BOTH,
}
"""Which photo a retake would mend. A reason outside this table never asks for a photo by itself."""

MENDABLE: dict[ReasonCode, frozenset[PhotoKind]] = {
    **RETAKE,
    ReasonCode.MRZ_CHECK_DIGIT_WRONG: _DOCUMENT,
    ReasonCode.ZONES_DISAGREE: _DOCUMENT,
    ReasonCode.EXPIRY_UNKNOWN: _DOCUMENT,
    ReasonCode.FIELD_NOT_READ: _DOCUMENT,
    ReasonCode.FIELD_NOT_CERTAIN: _DOCUMENT,
    ReasonCode.FACE_NOT_COMPARED: _BOTH,
    ReasonCode.SELFIE_DOCUMENT_FACES_UNSURE: _BOTH,
    ReasonCode.SELFIE_ON_FILE_FACES_UNSURE: _SELFIE,
    ReasonCode.DOCUMENT_ON_FILE_FACES_UNSURE: _DOCUMENT,
    ReasonCode.VOICES_DISAGREE: _BOTH,
    ReasonCode.CONTINUITY_UNKNOWN: _DOCUMENT,
}
"""What a better photo might clear up beside a `RETAKE` reason. Everything else goes to a person at once."""
