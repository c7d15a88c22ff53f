"""What crosses the wire between a backend and the fleet."""

from fleet_contracts.codes import EXPLANATIONS, ErrorCode, Explanation
from fleet_contracts.completion import ChatCompletion, TextCompletion, Usage
from fleet_contracts.conversation import Conversation
from fleet_contracts.grammar import ConversationAction, Lane, OnBreak, RequestType
from fleet_contracts.reply import (
    Accepted,
    Chunk,
    Cost,
    Delta,
    Failure,
    History,
    Partial,
    Reply,
    Restarted,
    Result,
    Timings,
    UpstreamError,
    Waiting,
)
from fleet_contracts.request import CancelRequest, ChatRequest, ConversationRequest, FimRequest

__all__ = [
    "EXPLANATIONS",
    "Accepted",
    "CancelRequest",
    "ChatCompletion",
    "ChatRequest",
    "Chunk",
    "Conversation",
    "ConversationAction",
    "ConversationRequest",
    "Cost",
    "Delta",
    "ErrorCode",
    "Explanation",
    "Failure",
    "FimRequest",
    "History",
    "Lane",
    "OnBreak",
    "Partial",
    "Reply",
    "RequestType",
    "Restarted",
    "Result",
    "TextCompletion",
    "Timings",
    "UpstreamError",
    "Usage",
    "Waiting",
]
