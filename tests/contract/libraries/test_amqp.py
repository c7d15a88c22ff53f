"""What is needed of aio-pika, aiormq and pamqp beyond their documentation, without a broker.

With one: tests/integration/libraries.
"""

from inspect import signature
from typing import Any

import aio_pika
import aiormq
from aio_pika import RobustChannel, RobustConnection, exceptions
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from pamqp import encode
from yarl import URL

from fleet_chassis.broker import HEARTBEAT_S, with_heartbeat
from fleet_worker.replies.wire import TappedConnection
from harness.habits import are, relied_on

WIRE = "services/worker/src/fleet_worker/replies/wire.py"
PLAIN = "set FLEET_PLAIN_PUBLISH=true where the library must be new before it is mended"


async def test_a_connection_gives_its_options_to_the_one_below():
    url = URL("amqp://guest:guest@127.0.0.1:1/")
    connection = TappedConnection(url)
    relied_on(
        "aio-pika",
        isinstance(connection.kwargs.get("transport_factory"), TransportFactory),
        "a RobustConnection hands its `kwargs` to aiormq, whose transport_factory opens the socket",
        f"find how a socket is opened now, and mend TappedConnection in {WIRE}; {PLAIN}",
    )


async def test_a_socket_is_opened_by_a_factory_that_can_be_given():
    class Mine(TransportFactory):
        async def create(self, url: Any, **options: Any) -> Any:
            raise NotImplementedError(url, options)

    mine = Mine()
    below: Any = aiormq.Connection("amqp://127.0.0.1:1/", transport_factory=mine)
    relied_on(
        "aiormq",
        below._transport_factory is mine
        and all(hasattr(each, "create") for each in (TCPTransportFactory, TLSTransportFactory)),
        "aiormq.Connection opens its socket by transport_factory.create(url, ...)",
        f"find how a socket is opened now, and mend the taps in {WIRE}; {PLAIN}",
    )


async def test_a_channel_tells_when_it_was_opened_anew_and_a_connection_whether_it_stands():
    connection = RobustConnection(URL("amqp://127.0.0.1:1/"))
    channel = RobustChannel(connection)
    relied_on(
        "aio-pika",
        hasattr(channel, "reopen_callbacks")
        and hasattr(channel, "get_underlay_channel")
        and hasattr(connection, "reconnect_callbacks")
        and connection.connected.is_set() is False,
        "a channel's reopen_callbacks and underlay channel, a connection's connected and reconnect_callbacks",
        f"mend WirePublisher in {WIRE} and Watch in the client's broker/link.py",
    )


async def test_the_heartbeat_of_the_url_counts_and_three_missed_ones_end_a_connection():
    below = aiormq.Connection(with_heartbeat("amqp://127.0.0.1:1/"))
    relied_on(
        "aiormq",
        (below.heartbeat_timeout, aiormq.Connection.HEARTBEAT_GRACE_MULTIPLIER) == (HEARTBEAT_S, 3),
        "?heartbeat= of a URL is asked for, and (heartbeat + 1) * 3 s of silence end a connection",
        "reckon anew how long a worker that is cut off keeps what it holds: fleet_chassis.broker",
    )


def test_every_error_of_the_broker_is_of_a_known_kind():
    mine = (aiormq.exceptions.ChannelNotFoundEntity, aiormq.exceptions.ChannelAccessRefused)
    more = (aiormq.exceptions.ChannelPreconditionFailed, aiormq.exceptions.ChannelLockedResource)
    publishing = (exceptions.PublishError, exceptions.DeliveryError)
    everything = (
        *mine,
        *more,
        *publishing,
        exceptions.AuthenticationError,
        exceptions.ProbableAuthenticationError,
    )
    relied_on(
        "aio-pika",
        are(exceptions.AMQPError, *everything)
        and are(exceptions.DeliveryError, exceptions.PublishError)
        and are(RuntimeError, aiormq.exceptions.ChannelInvalidStateError),
        "errors are AMQPErrors; what comes back raises PublishError, a DeliveryError; a closed channel a "
        "RuntimeError",
        "mend what is caught: door/subscribing.py, replies/publisher.py, the client's broker/trouble.py",
    )


def test_a_channel_is_silent_about_what_comes_back_unless_it_is_told_otherwise():
    default = signature(RobustConnection.channel).parameters["on_return_raises"].default
    relied_on(
        "aio-pika",
        default is False and "on_return_raises" in signature(aio_pika.Connection.channel).parameters,
        "without on_return_raises=True a publish that no queue takes looks like one that was taken",
        "nothing breaks; drop the argument where every channel raises now",
    )


def test_a_headers_value_is_encoded_by_the_function_that_is_imported():
    relied_on(
        "pamqp",
        encode.encode_table_value("é") == b"S\x00\x00\x00\x02\xc3\xa9"
        and encode.encode_table_value([None, True]) == b"A\x00\x00\x00\x03Vt\x01",
        "pamqp.encode.encode_table_value writes one value of a header table with its kind before it",
        "find its successor for fleet_worker/replies/frames.py, which test_frames.py holds to",
    )


def test_a_consumer_that_the_broker_cancels_is_told_where_the_client_listens():
    annotations = aiormq.channel.Channel.__init__.__code__.co_names
    relied_on(
        "aiormq",
        "on_consumer_cancel_callbacks" in annotations and "consumers" in annotations,
        "the channel below has `consumers` by their tags, and on_consumer_cancel_callbacks",
        "mend Watch in the client's broker/link.py and is_known_below in the worker's door/subscribing.py",
    )
