from email.utils import formatdate

import httpx
import pytest

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.deepseek import Endpoints
from fleet_worker.deepseek.auth import auth_of
from fleet_worker.deepseek.probe import Probe
from harness.clock import HandClock
from harness.upstream import KEY, Body, Upstream, silence

MODELS = b'{"object":"list","data":[{"id":"deepseek-flash"},{"id":"deepseek-v4-pro"}]}'
BALANCE = b'{"is_available":true,"balance_infos":[{"currency":"CNY","total_balance":"110.00"}]}'


def a_probe(
    upstream: Upstream, *, deadline_s: float = 5, base: str = "https://upstream.test"
) -> tuple[Probe, HandClock]:
    clock = HandClock()
    http = httpx.AsyncClient(transport=httpx.MockTransport(upstream.answer))
    return Probe(http, auth_of(KEY), Endpoints(base), clock, deadline_s), clock


async def test_the_models_are_asked_for_with_the_key_and_without_a_body():
    upstream = Upstream(Body(MODELS))
    probe, _ = a_probe(upstream)
    assert (await probe.models()).names == ("deepseek-flash", "deepseek-v4-pro")
    (call,) = upstream.calls
    assert (call.method, str(call.url)) == ("GET", "https://upstream.test/models")
    assert call.headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("base", "address"),
    [
        ("https://u.test/v1", "https://u.test/v1/user/balance"),
        ("https://u.test/beta", "https://u.test/user/balance"),
    ],
)
async def test_the_balance_is_below_the_base_and_never_below_beta(base: str, address: str):
    upstream = Upstream(Body(BALANCE))
    probe, _ = a_probe(upstream, base=base)
    balance = await probe.balance()
    assert (balance.available, balance.amounts) == (True, ("110.00 CNY",))
    assert str(upstream.calls[0].url) == address


async def test_the_upstreams_date_tells_how_far_this_clock_is_ahead():
    upstream = Upstream(Body(MODELS))
    probe, clock = a_probe(upstream)
    upstream.headers["Date"] = formatdate(clock.now_ms() / 1000 - 60, usegmt=True)
    ahead_s = (await probe.models()).ahead_s
    assert ahead_s == pytest.approx(60, abs=1)


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}])
async def test_an_upstream_without_a_date_tells_nothing_about_clocks(headers: dict[str, str]):
    probe, _ = a_probe(Upstream(Body(MODELS), headers=headers))
    assert (await probe.models()).ahead_s is None


async def test_a_refused_key_is_an_error_that_never_holds_it():
    probe, _ = a_probe(Upstream(Body(KEY.encode()), status=401))
    with pytest.raises(CompletionError) as refused:
        await probe.models()
    assert refused.value.code is ErrorCode.UNAUTHORIZED
    assert KEY not in f"{refused.value} {refused.value.upstream}"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"data": 3}'])
async def test_an_answer_of_another_shape_is_an_error(body: bytes):
    probe, _ = a_probe(Upstream(Body(body)))
    with pytest.raises(CompletionError):
        await probe.models()


async def test_an_answer_without_end_is_cut():
    probe, _ = a_probe(Upstream(Body(forever=b"x" * 500_000)))
    with pytest.raises(CompletionError, match="longer than"):
        await probe.models()


async def test_an_upstream_that_stays_silent_is_given_up():
    probe, _ = a_probe(Upstream(Body(MODELS), before=silence), deadline_s=0.05)
    with pytest.raises(CompletionError) as silent:
        await probe.models()
    assert silent.value.code is ErrorCode.UPSTREAM_TIMEOUT


async def test_an_upstream_that_breaks_off_is_unreachable():
    probe, _ = a_probe(Upstream(Body(b"{", httpx.ReadError("cut"))))
    with pytest.raises(CompletionError) as broken:
        await probe.models()
    assert broken.value.code is ErrorCode.UPSTREAM_UNAVAILABLE
