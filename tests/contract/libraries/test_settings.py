"""What is needed of pydantic-settings beyond its documentation."""

from inspect import signature
from pathlib import Path

from pydantic_settings import BaseSettings, EnvSettingsSource

from harness.habits import relied_on

READER = "services/chassis/src/fleet_chassis/settings.py"


class Sample(BaseSettings):
    """Settings of two fields."""

    one: str = ""
    two: str = ""


def test_a_file_and_a_folder_are_named_when_settings_are_read(tmp_path: Path):
    (tmp_path / "two").write_text("2")
    file = tmp_path / ".env"
    file.write_text("ONE=1\n")
    known = {"_env_file", "_secrets_dir"} <= set(signature(BaseSettings.__init__).parameters)
    read = Sample(_env_file=file, _secrets_dir=tmp_path) if known else Sample()  # pyright: ignore[reportCallIssue] - as in the reader
    relied_on(
        "pydantic-settings",
        (read.one, read.two) == ("1", "2"),
        "settings take _env_file and _secrets_dir as arguments when they are made",
        f"mend read_settings in {READER}",
    )


def test_the_variables_of_the_environment_are_told_in_small_letters():
    source = EnvSettingsSource(Sample)
    relied_on(
        "pydantic-settings",
        all(name == name.lower() for name in source.env_vars) and "path" in source.env_vars,
        "EnvSettingsSource(kind).env_vars holds the environment, names in small letters",
        f"mend read_settings in {READER}, which finds misspelt names in it",
    )
