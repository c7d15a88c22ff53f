from pathlib import Path

from fleet_cli.stack.apt import DEPENDS, configuration, new_packages

SIMULATED = """\
Reading package lists...
The following NEW packages will be installed:
  erlang-base rabbitmq-server
Inst libc6 [2.36-9] (2.36-9+deb12u1 Debian:12.15/oldstable [amd64])
Inst erlang-base (1:25.2.3+dfsg-1 Debian:12.15/oldstable [amd64])
Inst libstdc++6 (12.2.0-14 Debian:12.15/oldstable [amd64])
Inst rabbitmq-server (3.10.8-1.1 Debian:12.15/oldstable, Debian-Security:12/oldstable-security [all])
Conf erlang-base (1:25.2.3+dfsg-1 Debian:12.15/oldstable [amd64])
"""

DEPENDENCIES = """\
rabbitmq-server
  Depends: erlang-base
 |Depends: esl-erlang
    erlang-nox
<erlang-abi-17.0>
erlang-base
libstdc++6
"""


def test_only_packages_that_the_machine_lacks_altogether_are_wanted() -> None:
    assert new_packages(SIMULATED) == ["erlang-base", "libstdc++6", "rabbitmq-server"]


def test_nothing_is_wanted_when_everything_is_there() -> None:
    assert new_packages("rabbitmq-server is already the newest version (3.10.8).\n") == []


def test_needed_packages_are_named_without_virtual_ones() -> None:
    assert DEPENDS.findall(DEPENDENCIES) == ["rabbitmq-server", "erlang-base", "libstdc++6"]


def test_apt_writes_only_below_the_folder_it_is_given() -> None:
    settings = configuration(Path("/cache/apt"))
    for written in ("Dir::State", "Dir::State::Lists", "Dir::Cache", "Dir::Cache::archives"):
        assert f'{written} "/cache/apt' in settings
