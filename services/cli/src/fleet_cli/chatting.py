"""A conversation in a terminal or through a pipe: each line is a turn."""

import secrets
from contextlib import aclosing
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rich.console import Console

from fleet_cli.answer_view import AnswerView, remark
from fleet_cli.asking import CONNECT_TIMEOUT_S, DIAGNOSIS_S
from fleet_cli.connecting import connected
from fleet_cli.lines import Lines
from fleet_cli.wrong_input import WrongInputError
from fleet_client import Answer, BrokerUnreachable, Conversation, Finished, Fleet, FleetError

PROMPT = "> "
HELP = "/clear forgets what was said, /cost sums up, /history shows what is kept, /quit ends"


@dataclass(frozen=True, slots=True)
class Chat:
    """Which conversation, of whom, for how many seconds an answer is wanted, and how it is asked."""

    id: str
    tenant: str
    timeout_s: float
    options: dict[str, Any]


@dataclass(slots=True)
class Spent:
    """What the turns of this session used."""

    turns: int = 0
    prompt: int = 0
    cached: int = 0
    output: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict[str, Decimal])

    def add(self, answer: Answer) -> None:
        """Count one answer."""
        self.turns += 1
        if (usage := answer.usage) is not None:
            self.prompt += usage.prompt_tokens
            self.cached += usage.prompt_cache_hit_tokens or 0
            self.output += usage.completion_tokens
        if (cost := answer.cost) is not None:
            self.amounts[cost.currency] = self.amounts.get(cost.currency, Decimal(0)) + Decimal(cost.amount)

    def __str__(self) -> str:
        money = " + ".join(f"{amount:f} {currency}" for currency, amount in self.amounts.items()) or "no cost"
        share = round(100 * self.cached / self.prompt) if self.prompt else 0
        tokens = f"{self.prompt} + {self.output} tokens, {share} % of the input cached"
        return f"{self.turns} turns, {tokens}, {money}"


async def talk(url: str, chat: Chat) -> None:
    """Talk until the input ends.

    Raises:
        BrokerError: there is no connection to the broker; the text says what to do.
        FleetError: there is no answer, in a pipe; the text says what to do.
        WrongInputError: a line is no text, or in a pipe no command that there is.
    """
    try:
        async with Fleet(
            url, tenant=chat.tenant, timeout_s=chat.timeout_s, connect_timeout_s=CONNECT_TIMEOUT_S
        ) as fleet:
            name = chat.id or f"chat-{secrets.token_hex(4)}"
            await _Session(fleet.conversation(name, **chat.options)).run()
    except BrokerUnreachable:
        # The broker itself says more precisely what is wrong than a client that keeps trying.
        await (await connected(url, "fleet chat", DIAGNOSIS_S)).close()
        raise


class _Session:
    """One sitting of a conversation."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._lines = Lines(PROMPT)
        self._answers = Console(highlight=False)
        self._aside = Console(stderr=True, highlight=False)
        self._spent = Spent()

    async def run(self) -> None:
        kept = await self._conversation.history()
        self._note(f"conversation {kept.id}, {len(kept.messages)} messages kept; {HELP}")
        while (line := await self._lines.next()) is not None:
            said = line.strip()
            if said in {"/quit", "/exit"}:
                break
            if said:
                await self._do(said)

    async def _do(self, said: str) -> None:
        try:
            await (self._command(said) if said.startswith("/") else self._turn(said))
        except (FleetError, WrongInputError) as failure:
            # Whoever sits before it can go on; whatever reads from a pipe must be told by the status.
            if not self._answers.is_terminal:
                raise
            self._note(str(failure), "bold red")

    async def _turn(self, said: str) -> None:
        view = AnswerView(self._answers, self._aside, live=self._answers.is_terminal)
        try:
            async with aclosing(self._conversation.stream(said)) as events:
                async for event in events:
                    view.show(event)
                    if isinstance(event, Finished):
                        self._spent.add(event.answer)
        finally:
            view.close()

    async def _command(self, said: str) -> None:
        match said:
            case "/clear":
                cleared = await self._conversation.clear()
                self._note(f"cleared; version {cleared.version}")
            case "/cost":
                self._note(str(self._spent))
            case "/history":
                for message in (await self._conversation.history()).messages:
                    self._note(f"{message.get('role')}: {message.get('content') or ''}")
            case _:
                raise WrongInputError(f"there is no {said.split(maxsplit=1)[0]}: {HELP}")

    def _note(self, line: str, style: str = "cyan") -> None:
        self._aside.print(remark(line, style), soft_wrap=True)
