"""The days of a service as heights. The day is the calendar day written in the source, in its own time zone.

Taken is, in this order: the line's `servicedDate` or `servicedPeriod`, the periods of the encounters the line names if
they are in the file, the claim's `billablePeriod`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from node.bridges.fhir.values import CharterContext, FhirResource, Unmappable, fields_of

_USABLE_ENCOUNTER = frozenset(("arrived", "triaged", "in-progress", "onleave", "finished", "unknown"))


def days_of(
    claim: dict[str, Any],
    item: dict[str, Any],
    path: str,
    encounters: Sequence[FhirResource | None],
    context: CharterContext,
) -> tuple[int, int]:
    """Return (first, last) height of a line; `encounters` are those it names, None for one that is elsewhere."""
    periods = [encounter.content.get("period") if encounter is not None else None for encounter in encounters]
    if item.get("servicedDate"):
        path = f"{path}.servicedDate"
        first = last = day_in(item["servicedDate"], path)
    elif item.get("servicedPeriod"):
        path = f"{path}.servicedPeriod"
        first, last = _period(item["servicedPeriod"], path)
    elif encounters and all(periods):
        path = f"{path}.encounter"
        spans = [
            _period(period, f"{encounter.label}.period")
            for encounter, period in zip(encounters, periods, strict=True)
            if encounter is not None
        ]
        first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    elif claim.get("billablePeriod"):
        path = "Claim.billablePeriod"
        first, last = _period(claim["billablePeriod"], path)
    elif encounters:
        number = periods.index(next(period for period in periods if not period))
        what = "the encounter is not in the file or has no period, and neither line nor claim has a date of its own"
        hint = "put the Encounter into the file, or give servicedDate"
        raise Unmappable(f"{path}.encounter[{number}]", "fhir_date_missing", what, hint)
    else:
        what = "the line has no service date, no encounter, and the claim no billablePeriod"
        hint = "give servicedDate, or put the Encounter into the file"
        raise Unmappable(f"{path}.servicedDate", "fhir_date_missing", what, hint)
    return _heights(first, last, path, context)


def check_took_place(encounter: FhirResource, path: str) -> None:
    """Raise Unmappable for a visit that was planned, cancelled or entered in error."""
    status = encounter.content.get("status")
    if status not in _USABLE_ENCOUNTER:
        what = f"{encounter.label} is {status}: the visit did not take place"
        raise Unmappable(path, "fhir_encounter_status", what, "file visits that took place")


def day_in(text: Any, path: str) -> date:
    """Return the calendar day of a FHIR date or dateTime; a year or month alone is refused.

    >>> day_in("2026-03-01T23:30:00-05:00", "servicedDate")
    datetime.date(2026, 3, 1)
    """
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        what = f"{str(text)[:40]!r} is not a full date"
        raise Unmappable(path, "fhir_date_partial", what, "give year, month and day") from None


def _period(period: Any, path: str) -> tuple[date, date]:
    ends = fields_of(period)
    for end in ("start", "end"):
        if not ends.get(end):
            hint = "give both ends; file a stay when it is over"
            raise Unmappable(f"{path}.{end}", "fhir_date_missing", f"the period has no {end}", hint)
    return day_in(ends["start"], f"{path}.start"), day_in(ends["end"], f"{path}.end")


def _heights(first: date, last: date, path: str, context: CharterContext) -> tuple[int, int]:
    if last < first:
        what = f"the service ends on {last}, before it begins on {first}"
        raise Unmappable(path, "fhir_date_order", what, "correct the dates at the provider")
    if context.height_of(last) > context.height:
        what = f"{last} is in the future: the co-op's today is day {context.height}, the day of its next block"
        raise Unmappable(path, "fhir_date_future", context.dated(what), "file a service when its last day has come")
    if context.height_of(first) < 1:
        what = f"{first} is before {context.day_one}, the first day of the co-op"
        raise Unmappable(path, "fhir_date_early", what, "nothing before the first day is covered")
    return context.height_of(first), context.height_of(last)
