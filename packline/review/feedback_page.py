"""Feedback: how far each check agrees with people, and where they overrule it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from packline.agreement import LEAST, CheckAgreement, Suggestion, agreement, overrulings
from packline.ledger.figures import MOST_SAID
from packline.report.figures import plain_name
from packline.review.decision_page import shot_address
from packline.review.guard import Desk, Viewer

router = APIRouter()
_EXAMPLES = 12


@router.get("/feedback")
def feedback(
    request: Request, desk: Desk, visitor: Viewer, catalog: str = "", check: str = "", further: int = 0
) -> Response:
    """Each check against people, and examples; of one catalogue or all, of one check or all."""
    figures = desk.ledger.figures
    catalogs = figures.catalogs()
    catalog = catalog if catalog in catalogs else ""
    decisions = figures.said(catalog)
    checks = agreement(decisions)
    known = [one.check for one in checks]
    check = check if check in known else ""
    against = [one for one in overrulings(decisions) if check in ("", one.check)]
    further = min(max(0, further), len(against))
    shown = against[further : further + _EXAMPLES]
    return desk.page(
        request,
        visitor,
        "feedback.html",
        catalogs=catalogs,
        catalog=catalog,
        check=check,
        known=known,
        checks=[(one, suggested(one)) for one in checks],
        decisions=len(decisions),
        all_of_them=len(decisions) < MOST_SAID,
        examples=[(one, shot_address(one.said.catalog, one.said.shot)) for one in shown],
        further=further,
        next=further + _EXAMPLES if further + _EXAMPLES < len(against) else 0,
        against=len(against),
        least=LEAST,
    )


def suggested(one: CheckAgreement) -> str:
    """What is known of a better threshold, in words."""
    if one.suggestion is None:
        approved, rejected = one.more
        wanted = [
            *([f"{approved} more approved"] if approved else []),
            *([f"{rejected} more rejected for {plain_name(one.check)}"] if rejected else []),
        ]
        return f"Too few pictures to suggest one: it takes {' and '.join(wanted)}."
    return _suggestion(one.suggestion)


def _suggestion(one: Suggestion) -> str:
    if one.agrees == one.agreed:
        return f"No threshold agrees with more of {one.of} decisions than {one.present:g}, with {one.agreed}."
    if not one.better:
        return (
            f"{one.threshold:g} would have agreed with {one.agrees} of {one.of} decisions instead of "
            f"{one.agreed}, which may be chance."
        )
    gains = []
    if one.freed or one.freed_wrongly:
        wrongly = f", and {_pictures(one.freed_wrongly)} that they rejected" if one.freed_wrongly else ""
        gains.append(f"let through {_pictures(one.freed)} that people approved{wrongly}")
    if one.held or one.held_wrongly:
        wrongly = f", and {_pictures(one.held_wrongly)} that they approved" if one.held_wrongly else ""
        gains.append(f"held back {_pictures(one.held)} that people rejected{wrongly}")
    return (
        f"{one.threshold:g} would have agreed with {one.agrees} of {one.of} decisions instead of "
        f"{one.agreed}: it would have {'; '.join(gains)}."
    )


def _pictures(many: int) -> str:
    return f"{many:,} picture{'' if many == 1 else 's'}"
