"""The two endpoints that make text: chat, and fill-in-the-middle."""

from aiohttp import web

from fleet_simulator import refusals
from fleet_simulator.answers import altered, blanked, complete, compose
from fleet_simulator.auth import admitted_by_session, authenticate
from fleet_simulator.call import Call
from fleet_simulator.chunks import Envelope, chat_count, chat_messages, fim_count, fim_messages
from fleet_simulator.config import Account, Lengths
from fleet_simulator.documents import chat_document, fim_document, said_in
from fleet_simulator.faults import Facts, Fault, Kind
from fleet_simulator.requests import ChatRequest, FimRequest
from fleet_simulator.settling import Bill, settled
from fleet_simulator.stream import Script, stream
from fleet_simulator.tool_rules import Rules
from fleet_simulator.usage import usage_of
from fleet_simulator.validation import validated_chat, validated_fim
from fleet_simulator.whole import whole


async def chat(call: Call, *, beta: bool) -> web.StreamResponse:
    """Answer `POST /chat/completions`.

    Raises:
        Refusal: What the API answers in place of a 200.
    """
    account = _paying_account(call)
    rules = Rules(beta=beta, every_reasoning=call.simulator.config.every_reasoning)
    request = validated_chat(await call.request.read(), rules)
    _meet_trouble(call, account, request)
    with call.place(account, request.model):
        await _hang_if_scripted(call)
        return await _answer_chat(call, account, request)


async def fim(call: Call) -> web.StreamResponse:
    """Answer `POST /beta/completions`.

    Raises:
        Refusal: What the API answers in place of a 200.
    """
    account = _paying_account(call)
    request = validated_fim(await call.request.read())
    _meet_trouble(call, account, request)
    with call.place(account, request.model):
        await _hang_if_scripted(call)
        return await _answer_fim(call, account, request)


def authorize(call: Call) -> Account:
    """The account that the call's key opens.

    Raises:
        Refusal: 401.
    """
    simulator = call.simulator
    header, accounts = call.request.headers.get("Authorization"), simulator.config.accounts
    if simulator.config.sessions.required:
        account = admitted_by_session(header, accounts, simulator.sessions, simulator.new_uuid())
    else:
        account = authenticate(header, accounts, simulator.new_uuid())
    call.note("authorized", account=account.name)
    return account


def _paying_account(call: Call) -> Account:
    account = authorize(call)
    if call.simulator.left(account).total <= 0:
        raise refusals.insufficient_balance()
    return account


def _meet_trouble(call: Call, account: Account, request: ChatRequest | FimRequest) -> None:
    call.meet_faults(Facts(request.model, request.prompt, account.name, request.stream))
    limit = call.simulator.limits.limit(account.name, request.model)
    if fault := call.plan.get(Kind.STATUS):
        raise _scripted_refusal(call, fault, limit)
    if status := call.simulator.burst_status(request.model):
        raise refusals.of_status(status, limit, call.simulator.new_uuid())


def _scripted_refusal(call: Call, fault: Fault, limit: int) -> refusals.Refusal:
    refusal = refusals.of_status(fault.status, limit, call.simulator.new_uuid())
    if fault.body is not None:
        refusal = refusals.Refusal(fault.status, fault.body.encode(), fault.content_type)
    if fault.retry_after is not None:
        refusal.headers = {"Retry-After": fault.retry_after}
    return refusal


async def _hang_if_scripted(call: Call) -> None:
    if (seconds := call.seconds(Kind.HANG_BEFORE_HEADERS)) is not None:
        call.reason = Kind.HANG_BEFORE_HEADERS.value
        await call.hang(seconds)
        call.reason = "done"


async def _answer_chat(call: Call, account: Account, request: ChatRequest) -> web.StreamResponse:
    answer = altered(compose(request, _lengths(call)), call.plan)
    if request.wants_json and call.simulator.draws_blank_json():
        answer = blanked(answer)
    usage = usage_of(answer, request.prompt_tokens, call.simulator.cached_tokens(account, request))
    envelope = _envelope(call, request, request.logprobs)
    with settled(call, Bill(account, request, usage, said_in(answer, with_tools=bool(request.tools)))):
        if not request.stream:
            return await whole(call, chat_document(envelope, answer, usage), answer.completion_tokens)
        count = chat_count(answer, trailing=envelope.trailing_usage)
        return await stream(call, Script(chat_messages(envelope, answer, usage), count))


async def _answer_fim(call: Call, account: Account, request: FimRequest) -> web.StreamResponse:
    answer = altered(complete(request, _lengths(call)), call.plan)
    usage = usage_of(answer, request.prompt_tokens, call.simulator.cached_tokens(account, request))
    envelope = _envelope(call, request, None)
    with settled(call, Bill(account, request, usage)):
        if not request.stream:
            return await whole(call, fim_document(envelope, answer, usage), answer.completion_tokens)
        count = fim_count(answer, trailing=envelope.trailing_usage)
        return await stream(call, Script(fim_messages(envelope, answer, usage), count))


def _envelope(call: Call, request: ChatRequest | FimRequest, logprobs: int | None) -> Envelope:
    simulator = call.simulator
    return Envelope(
        id=simulator.new_uuid(),
        created=simulator.clock.now_ms() // 1000,
        model=request.model,
        include_usage=request.include_usage,
        trailing_usage=Kind.TRAILING_USAGE in call.plan or simulator.config.trailing_usage,
        logprobs=logprobs,
    )


def _lengths(call: Call) -> Lengths:
    lengths, fault = call.simulator.config.lengths, call.plan.get(Kind.LENGTH)
    if fault is None:
        return lengths
    return Lengths(
        reasoning=_fixed(fault.reasoning_tokens, lengths.reasoning),
        content=_fixed(fault.content_tokens, lengths.content),
    )


def _fixed(asked: int | None, otherwise: tuple[int, int]) -> tuple[int, int]:
    return otherwise if asked is None else (asked, asked)
