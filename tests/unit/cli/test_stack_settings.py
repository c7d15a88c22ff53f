import json
import stat
from pathlib import Path

from fleet_cli.stack.containers.engine import candidates
from fleet_cli.stack.places import cache_dir
from fleet_cli.stack.rabbitmq.installation import Installation
from fleet_cli.stack.rabbitmq.node_settings import Ports, completed, configuration, environment, write_files
from fleet_contracts.definitions import definitions


def test_the_cache_follows_the_xdg_variable_and_ignores_a_relative_one() -> None:
    assert cache_dir({"XDG_CACHE_HOME": "/c", "HOME": "/h"}) == Path("/c/deepseek-fleet")
    assert cache_dir({"XDG_CACHE_HOME": "c", "HOME": "/h"}) == Path("/h/.cache/deepseek-fleet")
    assert cache_dir({"HOME": "/h"}) == Path("/h/.cache/deepseek-fleet")


def test_a_docker_host_that_the_user_named_is_the_only_one_asked() -> None:
    assert candidates({"DOCKER_HOST": "tcp://far:2375", "HOME": "/h"}) == ["tcp://far:2375"]


def test_the_sockets_of_docker_desktop_and_of_rootless_docker_are_asked_too() -> None:
    assert candidates({"HOME": "/h", "XDG_RUNTIME_DIR": "/run/user/1"}) == [
        "unix:///var/run/docker.sock",
        "unix:///h/.docker/run/docker.sock",
        "unix:///run/user/1/docker.sock",
    ]


def test_a_node_lets_a_delivery_be_held_for_two_hours() -> None:
    assert "consumer_timeout = 7200000\n" in configuration(None)


def test_definitions_are_loaded_with_the_user_that_the_node_would_have_made() -> None:
    loaded = completed(definitions(), "guest", "guest")
    assert loaded["queues"] == definitions()["queues"]
    assert [user["name"] for user in loaded["users"]] == ["guest"]
    assert [vhost["name"] for vhost in loaded["vhosts"]] == ["/"]


def test_definitions_with_users_of_their_own_keep_them() -> None:
    own = [{"name": "billing", "password": "x", "tags": ""}]
    assert completed({"users": own}, "guest", "guest")["users"] == own


def test_a_node_keeps_its_cookie_to_itself(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    source = tmp_path / "definitions.json"
    source.write_text(json.dumps(definitions()))
    write_files(folder, "secret", source)
    cookie = folder / "home" / ".erlang.cookie"
    assert stat.S_IMODE(cookie.stat().st_mode) == 0o400
    assert f"load_definitions = {folder}/definitions.json\n" in (folder / "rabbitmq.conf").read_text()


def test_a_node_listens_on_the_loopback_interface_only() -> None:
    told = environment(
        Installation(Path("/r"), Path("/e")), Path("/h"), Path("/f"), Ports(1, 2, 3, 4), "/bin"
    )
    assert told["RABBITMQ_NODE_IP_ADDRESS"] == told["ERL_EPMD_ADDRESS"] == "127.0.0.1"
    assert "inet_dist_use_interface {127,0,0,1}" in told["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"]


def test_libraries_of_unpacked_packages_are_found_and_the_systems_own_need_no_path() -> None:
    unpacked = Installation(Path("/r"), Path("/e"), (Path("/u/lib"),))
    ports = Ports(1, 2, 3, 4)
    assert environment(unpacked, Path("/h"), Path("/f"), ports, "")["LD_LIBRARY_PATH"] == "/u/lib"
    system = Installation(Path("/r"), Path("/e"))
    assert "LD_LIBRARY_PATH" not in environment(system, Path("/h"), Path("/f"), ports, "")
