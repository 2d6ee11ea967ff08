import json
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import MutuaError
from node.bridges.fhir.amounts import cents_of
from node.bridges.fhir.mapping import map_claims
from node.bridges.fhir.reading import read_fhir
from node.bridges.fhir.values import CHARGE_CENTS_MAX, CharterContext, ImportMapping, Unmappable

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


@QUICK
@given(st.integers(1, CHARGE_CENTS_MAX), st.sampled_from([0, 2, 3]), st.integers(0, 4))
def test_every_whole_number_of_minor_units_survives_the_way_through_a_decimal(cents, exponent, zeros):
    written = f"{Decimal(cents).scaleb(-exponent):f}"
    padded = written + ("0" * zeros if "." in written else "")
    assert cents_of(Decimal(padded), "net", "USD", exponent) == cents


@QUICK
@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=6),
    st.sampled_from([0, 2, 3]),
)
def test_an_amount_is_either_exact_or_refused_never_rounded(amount, exponent):
    try:
        cents = cents_of(amount, "net", "USD", exponent)
    except Unmappable as reason:
        assert amount <= 0 or (amount * 10**exponent) % 1 != 0 or amount * 10**exponent > CHARGE_CENTS_MAX
        assert reason.code.startswith("fhir_amount")
    else:
        assert Decimal(cents) == amount * 10**exponent


@QUICK
@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=12), st.data())
def test_a_claims_lines_sum_to_what_the_file_says(make, charges, data):
    days = data.draw(st.lists(st.integers(0, 9), min_size=len(charges), max_size=len(charges)))
    day_one = date(2026, 1, 1)
    items = [
        make.item(f"T{1000 + number}", servicedDate=(day_one + timedelta(days=day)).isoformat(), net=0)
        for number, day in enumerate(days)
    ]
    text = json.dumps(make.claim(*items))
    for charge in charges:
        text = text.replace('"value": 0,', f'"value": {charge // 100}.{charge % 100:02},', 1)
    context = CharterContext("USD", 2, day_one, 10, {"urn:example:clinics|north": b"N" * 32})
    plan = map_claims(read_fhir(text.encode()), ImportMapping(), context)
    assert [line.charge_cents for line in plan.claims[0].lines] == charges
    assert [line.first_day for line in plan.claims[0].lines] == [day + 1 for day in days]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200) | st.text(alphabet='{}[]":,0123456789.eE-\\ \nresourceTypClm', max_size=80).map(str.encode)
)
def test_no_bytes_bring_the_reader_down(context, data):
    check_bytes(data, context)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 12), st.binary(max_size=4)), min_size=1, max_size=3))
def test_no_damage_to_a_file_brings_the_reader_down(make, context, damages):
    data = make.bytes(make.bundle(make.encounter(), make.claim(make.item(encounter=[{"reference": "Encounter/e1"}]))))
    for at, length, put in damages:
        at %= len(data)
        data = data[:at] + put + data[at + length :]
    check_bytes(data, context)


def check_bytes(data, context):
    try:
        plan = map_claims(read_fhir(data), ImportMapping(), context)
    except MutuaError as error:
        assert error.code == "fhir_malformed"
        assert error.hint
    else:
        assert bool(plan.claims) != bool(plan.refusals)
        for claim in plan.claims:
            claim.resource.encode()


HOLDERS = {
    "claim": ["item", "patient", "provider", "insurance", "total", "payee", "contained", "billablePeriod", "status"],
    "item": [
        "encounter",
        "net",
        "quantity",
        "factor",
        "productOrService",
        "modifier",
        "servicedDate",
        "servicedPeriod",
    ],
    "visit": ["period", "status", "identifier", "id", "class", "contained"],
    "clinic": ["identifier", "id", "contained", "resourceType"],
    "bundle": ["type", "total", "link", "meta"],
    "entry": ["fullUrl", "search", "resource"],
}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([(holder, name) for holder, names in HOLDERS.items() for name in names]),
    json_values
    | st.recursive(
        st.sampled_from(["#x", "#", "Encounter/e1", "urn:uuid:1", "a?identifier=b|c", "http://[/Patient/1", "\ud800"]),
        lambda inner: (
            st.fixed_dictionaries(
                {},
                optional=dict.fromkeys(["reference", "identifier", "value", "system", "coding", "code", "id"], inner),
            )
            | st.lists(inner, max_size=2)
        ),
        max_leaves=6,
    ),
)
def test_any_value_in_any_place_gives_a_plan_or_says_what_is_wrong(make, context, place, value):
    item = make.item(encounter=[{"reference": "Encounter/e1"}])
    claim = make.claim(item, provider={"reference": "Organization/o"})
    clinic = {"resourceType": "Organization", "id": "o", "identifier": [{"value": "south"}]}
    bundle = make.bundle(make.encounter(), clinic, claim)
    entry, visit, holder = bundle["entry"][2], bundle["entry"][0]["resource"], place[0]
    held = {
        "claim": claim,
        "item": claim["item"][0],
        "visit": visit,
        "clinic": clinic,
        "bundle": bundle,
        "entry": entry,
    }
    held[holder][place[1]] = value
    check_bytes(json.dumps(bundle).encode(), context)
