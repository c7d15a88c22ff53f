from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fleet_cli.stack.rabbitmq.slim_home import applications_needed, closure, slim_home

NAMES = st.sampled_from("abcdef")
GRAPHS = st.dictionaries(NAMES, st.lists(NAMES))

APP = """\
{application, 'rabbit', [
    {description, "RabbitMQ"},
    {modules, ['rabbit','rabbit_channel']},
    {applications, [kernel,stdlib,
                    ra,rabbit_common]},
    {optional_applications, [systemd]},
    {mod, {rabbit, []}}
]}.
"""


@given(GRAPHS)
def test_what_something_needed_needs_is_needed_too(graph: dict[str, list[str]]) -> None:
    needed = closure("a", lambda name: graph.get(name, []))
    assert "a" in needed
    assert all(other in needed for name in needed for other in graph.get(name, []))


@given(GRAPHS)
def test_nothing_is_needed_that_nobody_asks_for(graph: dict[str, list[str]]) -> None:
    needed = closure("a", lambda name: graph.get(name, []))
    asked = {other for name in needed for other in graph.get(name, [])}
    assert needed <= asked | {"a"}


def test_an_app_file_names_its_needs_and_its_optional_ones_but_not_its_modules() -> None:
    assert applications_needed(APP) == ["kernel", "stdlib", "ra", "rabbit_common", "systemd"]


def test_a_slim_home_has_what_rabbit_needs_and_no_other_plugin(tmp_path: Path) -> None:
    home = _home(tmp_path, rabbit="ra,kernel", ra="", rabbitmq_management="rabbit")
    slim = slim_home(home, tmp_path / "slim")
    assert sorted(each.name for each in (slim / "plugins").iterdir()) == ["ra-1.0", "rabbit-1.0"]
    assert (slim / "sbin").resolve() == home / "sbin"


def test_a_home_that_is_laid_out_in_another_way_is_used_as_it_is(tmp_path: Path) -> None:
    home = _home(tmp_path, something_else="")
    assert slim_home(home, tmp_path / "slim") == home


def _home(folder: Path, **needs: str) -> Path:
    home = folder / "home"
    (home / "sbin").mkdir(parents=True)
    for name, needed in needs.items():
        app = home / "plugins" / f"{name}-1.0" / "ebin" / f"{name}.app"
        app.parent.mkdir(parents=True)
        app.write_text(f"{{application, {name}, [{{applications, [{needed}]}}]}}.")
    return home
