"""Exact money: FHIR decimals to minor units. Nothing is rounded; what does not come out whole is refused."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact
from typing import Any

from node.bridges.fhir.values import CHARGE_CENTS_MAX, UNITS_MAX, Unmappable, fields_of

_EXACT = Context(prec=200, traps=[Inexact])
"""Three factors of 30 digits (`reading.DIGITS_MAX`) with exponents up to 30 multiply exactly in here."""


def charge_of(item: dict[str, Any], path: str, currency: str, exponent: int) -> tuple[int, int]:
    """Return (units, charge in minor units) of a claim line.

    The charge is `net`, or else `unitPrice` times quantity times `factor`. If a line gives both, they must agree to
    less than one minor unit, because a line that contradicts itself has no amount.
    """
    units = units_of(item, path)
    factor = _number(item.get("factor", 1), f"{path}.factor")
    net, price = item.get("net"), item.get("unitPrice")
    if net is None and price is None:
        what = "the line has neither net nor unitPrice"
        raise Unmappable(f"{path}.net", "fhir_amount_missing", what, "give the charge of each line")
    product = None if price is None else _money(price, f"{path}.unitPrice", currency)
    if product is not None:
        product = _EXACT.multiply(_EXACT.multiply(product, factor), Decimal(units))
    if net is None:
        assert product is not None
        return units, cents_of(product, f"{path}.unitPrice", currency, exponent)
    amount = _money(net, f"{path}.net", currency)
    if product is not None and abs(_EXACT.subtract(product, amount)).scaleb(exponent, _EXACT) >= 1:
        what = f"net {amount} is not unitPrice × quantity × factor = {product}"
        raise Unmappable(f"{path}.net", "fhir_amount_contradicts", what, "correct the line at the provider")
    return units, cents_of(amount, f"{path}.net", currency, exponent)


def total_of(total: Any, path: str, currency: str, exponent: int) -> int:
    """Return a claim's total in minor units."""
    return cents_of(_money(total, path, currency), path, currency, exponent)


def cents_of(amount: Decimal, path: str, currency: str, exponent: int) -> int:
    """Return `amount` in minor units, exactly.

    >>> cents_of(Decimal("12.5"), "net", "USD", 2)
    1250
    """
    if amount <= 0:
        hint = "leave out lines that cost nothing; file no refunds"
        raise Unmappable(path, "fhir_amount_not_positive", f"the amount {amount} is not above zero", hint)
    minor = amount.scaleb(exponent, _EXACT)
    if minor > CHARGE_CENTS_MAX:
        what = f"the amount {amount} {currency} is above {CHARGE_CENTS_MAX} minor units"
        raise Unmappable(path, "fhir_amount_too_large", what, "check the amount")
    if minor != minor.to_integral_value():
        what = f"the amount {amount} has parts smaller than the minor unit of {currency} ({exponent} decimal places)"
        hint = "give amounts in whole minor units; nothing is rounded here"
        raise Unmappable(path, "fhir_amount_fractional", what, hint)
    return int(minor)


def units_of(item: dict[str, Any], path: str) -> int:
    """Return the units of a line: `quantity.value`, 1 when there is no quantity."""
    quantity = item.get("quantity")
    if quantity is None:
        return 1
    path, given = f"{path}.quantity.value", fields_of(quantity)
    if "value" not in given:
        hint = "give whole units, or no quantity for one unit"
        raise Unmappable(path, "fhir_units", "the quantity has no value", hint)
    value = _number(given["value"], path)
    if value != value.to_integral_value() or not 1 <= value <= UNITS_MAX:
        what = f"{value} units are not a whole number from 1 to {UNITS_MAX}"
        raise Unmappable(path, "fhir_units", what, "give whole units of the code")
    return int(value)


def _money(value: Any, path: str, currency: str) -> Decimal:
    money = fields_of(value)
    given = money.get("currency")
    if given is None:
        hint = f"name it; this co-op keeps its books in {currency}"
        raise Unmappable(f"{path}.currency", "fhir_currency", "the amount names no currency", hint)
    if given != currency:
        what = f"the amount is in {given}; this co-op keeps its books in {currency}"
        hint = "bill in the co-op's currency; nothing is converted here"
        raise Unmappable(f"{path}.currency", "fhir_currency", what, hint)
    if "value" not in money:
        what = "the amount has no value"
        raise Unmappable(f"{path}.value", "fhir_amount_missing", what, "give the charge of each line")
    return _number(money["value"], f"{path}.value")


def _number(value: Any, path: str) -> Decimal:
    if isinstance(value, Decimal) or type(value) is int:
        return Decimal(value)
    hint = "ask the provider's system for valid FHIR R4 (4.0.1)"
    raise Unmappable(path, "fhir_invalid", "the value is not a valid JSON number", hint)
