"""What the client library makes of the replies in a queue: the reader's side of the promise."""

from fleet_client.errors import FleetError
from fleet_client.events import Finished, Restarted, Text
from fleet_client.inbox import Inbox
from fleet_client.reading import read
from simulation.broker import Message


def shown_wrong(cid: str, received: list[Message]) -> list[str]:
    """What a reader of these replies, in their order, is shown that it must not be."""
    inbox, ends, text = Inbox(cid), 0, ""
    wrong: list[str] = []
    for message in received:
        reply = read(message.body)
        if reply is None:
            wrong.append(f"a {message.type} that the client can't read")
            continue
        for item in inbox.take(reply):
            match item:
                case Restarted():
                    text = ""
                case Text(text=more):
                    text += more
                case Finished(answer=answer):
                    ends += 1
                    if answer.text != text:
                        wrong.append("what was shown does not join to the answer")
                case FleetError():
                    ends += 1
                case _:
                    pass
    return wrong if ends == 1 else [*wrong, f"the reader saw {ends} ends"]
