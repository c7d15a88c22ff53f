from fleet_cli.stack.local import worker_environment
from fleet_cli.stack.stack_env import Addresses
from fleet_cli.stack.upstream import given_upstream


def test_without_an_upstream_in_the_environment_a_simulator_is_wanted() -> None:
    assert given_upstream({}, placeholder_key="sk-none") is None


def test_a_named_upstream_is_used_with_its_key() -> None:
    environ = {"DEEPSEEK_BASE_URL": "http://stand-in:1", "DEEPSEEK_API_KEY": "sk-own"}
    upstream = given_upstream(environ, placeholder_key="sk-none")
    assert upstream is not None
    assert (upstream.base_url, upstream.api_key) == ("http://stand-in:1", "sk-own")


def test_a_named_upstream_that_needs_no_key_gets_a_placeholder() -> None:
    upstream = given_upstream({"DEEPSEEK_BASE_URL": "http://stand-in:1"}, placeholder_key="sk-none")
    assert upstream is not None
    assert upstream.api_key == "sk-none"


def test_a_real_account_is_announced_but_its_key_is_not_shown() -> None:
    upstream = given_upstream({"DEEPSEEK_API_KEY": "sk-secret"}, placeholder_key="sk-none")
    assert upstream is not None
    assert "billed" in upstream.line
    assert "sk-secret" not in upstream.line


def test_a_worker_of_the_stack_gets_the_stacks_addresses_whatever_the_user_has_set() -> None:
    user = {"AMQP_URL": "amqp://elsewhere/", "DEEPSEEK_API_KEY": "sk-secret", "FLEET_CONCURRENCY": "7"}
    here = Addresses("amqp://here/", "http://here", "sk-simulator", "redis://here/0")
    told = worker_environment(user, here)
    assert told["AMQP_URL"] == "amqp://here/"
    assert told["REDIS_URL"] == "redis://here/0"
    assert told["DEEPSEEK_API_KEY"] == "sk-simulator"
    assert told["FLEET_CONCURRENCY"] == "7"
