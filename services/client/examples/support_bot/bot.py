"""A support bot: talks in turns, streams, looks up orders, and hands over to a person.

python bot.py ada@example.com                 # with AMQP_URL set; end with an empty line
python bot.py ada@example.com support-4711    # goes on with a conversation of before, in any process
"""
# ruff: noqa: INP001, TID251, T201 -- a program to copy, whose only setting is AMQP_URL, and which talks

import argparse
import json
import os
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from orders import Orders, create
from pydantic import Field

from fleet_client import FleetError, Restarted, Text, ToolRan
from fleet_client.sync import Fleet

DATABASE = Path("orders.sqlite")
PATIENCE_S = 60
INSTRUCTIONS = (
    "You answer customers of Acme's shop, briefly and kindly. Look up every order before you speak of it, "
    "and say nothing that you have not found. You can't change or refund anything: where the customer is "
    "angry, wants money back or asks for a person, call talk_to_a_person."
)
Number = Annotated[str, Field(description="The order's number", examples=["A-1001", "A-1002", "A-1003"])]
Reason = Annotated[str, Field(description="What the person should know, in one sentence")]


@dataclass
class Desk:
    """What the model may do for one customer: its methods are the tools."""

    orders: Orders
    handed_over: str | None = None
    """Why a person has to take over; None while none has to."""

    def find_order(self, number: Number) -> dict[str, Any]:
        """Look up an order of this customer: its items, its state, and the day on which it is due."""
        return self.orders.find(number) or {"error": f"this customer has no order {number}"}

    def talk_to_a_person(self, reason: Reason) -> str:
        """Hand the conversation over to a person of the support team. It ends after that."""
        self.handed_over = reason
        return "A person takes over. Say goodbye in one sentence."


def talk(customer: str, name: str) -> None:
    """Talk until an empty line, the end of the input, or the hand-over."""
    create(DATABASE)
    desk = Desk(Orders(DATABASE, customer))
    with Fleet(os.environ["AMQP_URL"], tenant="support") as fleet:
        conversation = fleet.conversation(
            name, system=INSTRUCTIONS, tools=[desk.find_order, desk.talk_to_a_person], thinking=False
        )
        while desk.handed_over is None and (question := read()):
            try:
                answer(conversation.stream(question, timeout_s=PATIENCE_S))
            except FleetError as error:
                # Nobody is left alone with a machine that fails. Of a failed turn nothing is kept.
                desk.handed_over = f"the bot could not answer ({error.code})"
    if desk.handed_over is not None:
        # A shop would open a ticket here; whoever takes it reads the conversation by its name.
        print(f"[a person takes over {name}: {desk.handed_over}]")


def read() -> str:
    """What the customer says; empty at the end."""
    try:
        return input("> ").strip()
    except EOFError:
        return ""


def answer(events: Any) -> None:
    """Show an answer as it is written, and what was looked up for it."""
    for event in events:
        match event:
            case Text(text):
                print(text, end="", flush=True)
            case Restarted():
                print("\n[once more, from the start]")
            case ToolRan("find_order", _, result):
                print(f"[{order_of(result)}]")
            case _:
                pass
    print()


def order_of(result: str) -> str:
    """The order that was found, in a line: the customer sees what the model was told."""
    found: dict[str, str] = json.loads(result)
    if "error" in found:
        return found["error"]
    return f"{found['number']}: {found['items']}, {found['state']}, due {found['due']}"


def main() -> int:
    """Run; the status of the program."""
    asked = argparse.ArgumentParser(description="Talk with the shop's support.")
    asked.add_argument("customer", help="who is signed in, as in ada@example.com")
    asked.add_argument("name", nargs="?", default=f"support-{uuid.uuid4().hex[:12]}", help="to go on with")
    given = asked.parse_args()
    try:
        talk(given.customer, given.name)
    except FleetError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
