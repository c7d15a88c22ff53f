"""How lanes, tenants and models are spelt in routing keys."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_contracts.grammar import (
    TENANT_PATTERN,
    Lane,
    cancelled_tenant,
    is_tenant,
    lane_and_tenant,
    request_key,
    results_key,
    routing_word,
)
from fleet_contracts.reply import KINDS

TENANTS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
LANES = st.sampled_from(Lane)


@given(st.text())
def test_any_text_makes_one_word_of_a_routing_key(text: str):
    word = routing_word(text)
    assert is_tenant(word)
    assert "." not in word


@given(TENANTS)
def test_a_tenant_is_spelt_as_it_is(tenant: str):
    assert is_tenant(tenant)
    assert routing_word(tenant) == tenant


@given(LANES, TENANTS)
def test_a_request_s_key_is_read_as_it_was_written(lane: Lane, tenant: str):
    assert lane_and_tenant(request_key(lane, tenant)) == (lane, tenant)


@given(st.text())
def test_whatever_the_key_is_a_lane_is_found_and_no_bad_tenant(key: str):
    lane, tenant = lane_and_tenant(key)
    assert lane in Lane
    assert tenant is None or is_tenant(tenant)


@given(TENANTS)
def test_a_cancel_s_key_names_its_tenant(tenant: str):
    assert cancelled_tenant(f"cancel.{tenant}") == tenant
    assert cancelled_tenant(tenant) is None


@given(st.text())
def test_no_cancel_s_key_names_a_bad_tenant(key: str):
    tenant = cancelled_tenant(key)
    assert tenant is None or is_tenant(tenant)


@given(st.sampled_from(sorted(KINDS)), st.text(), st.text())
def test_a_key_on_the_results_has_three_words_within_the_protocol_s_255_bytes(
    kind: str, tenant: str, model: str
):
    key = results_key(kind, tenant, model)
    assert key.count(".") == 2
    assert len(key.encode()) <= 255


@pytest.mark.parametrize("text", ["", "a.b", "a b", "ä", "a" * 65, "acme\n", "acme\0", "*", "#"])
def test_what_is_no_word_names_no_tenant(text: str):
    assert not is_tenant(text)


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_the_printed_pattern_says_the_same_as_the_code(text: str):
    # In Python, as in no JSON Schema, `$` also matches before a newline at the end.
    assert is_tenant(text) == bool(re.search(TENANT_PATTERN.replace("$", r"\Z"), text))


@pytest.mark.parametrize(
    ("key", "lane", "tenant"),
    [
        ("interactive.acme", Lane.INTERACTIVE, "acme"),
        ("batch.acme", Lane.BATCH, "acme"),
        ("batch.acme.more.words", Lane.BATCH, "acme"),
        ("batch", Lane.BATCH, None),
        ("batch.", Lane.BATCH, None),
        ("Batch.acme", Lane.INTERACTIVE, None),
        ("deepseek.requests", Lane.INTERACTIVE, None),
        ("", Lane.INTERACTIVE, None),
    ],
)
def test_a_key_is_read_for_the_tenant_only_behind_a_lane(key: str, lane: Lane, tenant: str | None):
    assert lane_and_tenant(key) == (lane, tenant)


def test_a_model_s_dots_and_slashes_become_underscores():
    assert results_key("result", "acme", "vendor/model-4.1") == "result.acme.vendor_model-4_1"
