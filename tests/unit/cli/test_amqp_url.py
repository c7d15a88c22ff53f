import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_cli.amqp_url import place_of
from fleet_cli.wrong_input import WrongInputError

WORDS = st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True)


def test_a_short_url_has_the_usual_port_user_and_virtual_host():
    place = place_of("amqp://host/")
    assert (place.port, place.vhost, place.user, place.tls) == (5672, "/", "guest", False)
    assert str(place) == "host:5672"


def test_what_is_encoded_in_a_url_is_shown_decoded_and_tls_is_noticed():
    place = place_of("amqps://a%40b:secret@host/my%2Fvhost")
    assert (place.port, place.vhost, place.user, place.tls) == (5671, "my/vhost", "a@b", True)


@given(user=WORDS, password=WORDS.map("pw-{}".format), port=st.integers(1, 65535), vhost=WORDS)
def test_a_place_holds_every_part_but_the_password(user: str, password: str, port: int, vhost: str):
    place = place_of(f"amqp://{user}:{password}@host:{port}/{vhost}")
    assert (place.user, place.port, place.vhost) == (user, port, vhost)
    assert password not in f"{place!r} {place}"


@pytest.mark.parametrize(
    "url",
    [
        "localhost",
        "localhost:5672",
        "http://localhost/",
        "amqp://",
        "amqp:///vhost",
        "amqp://h:port/",
        "amqp://h:99999/",
        "amqp://[::1/",
        "",
    ],
)
def test_anything_else_is_refused_with_an_example(url: str):
    with pytest.raises(WrongInputError, match="AMQP_URL=amqp://user:password@host:5672/"):
        place_of(url)
