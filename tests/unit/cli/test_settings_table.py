from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, create_model

from fleet_chassis.settings import ServiceSettings
from fleet_cli.settings_table import settings_page
from fleet_worker.settings import WorkerSettings

PRINTED = Path(__file__).parents[3] / "deploy/SETTINGS.md"


class Few(ServiceSettings):
    key: str = Field(validation_alias="DEEPSEEK_API_KEY", description="The key")
    share: bool = Field(default=False, description="Whether")
    pause_s: float = Field(default=0.5, gt=0, le=9, description="Seconds to pause")
    limit: int | None = Field(default=None, ge=1, description="At once")


def test_a_setting_has_one_row_with_its_variable_default_bounds_and_meaning():
    page = settings_page(Few)
    assert "| `DEEPSEEK_API_KEY` | required |  | The key |" in page
    assert "| `FLEET_SHARE` | `false` |  | Whether |" in page
    assert "| `FLEET_PAUSE_S` | `0.5` | above 0 to 9 | Seconds to pause |" in page
    assert "| `FLEET_LIMIT` |  | from 1 | At once |" in page


def test_what_every_service_reads_is_in_the_table_too():
    assert "| `AMQP_URL` | required |" in settings_page(Few)


def test_the_printed_settings_are_current():
    current = PRINTED.read_text() == settings_page(WorkerSettings)
    assert current, "run `fleet settings > deploy/SETTINGS.md` and commit what it writes"


@pytest.mark.parametrize(
    "changed",
    [
        Field(default=0.6, gt=0, le=9, description="Seconds to pause"),
        Field(default=0.5, gt=0, le=8, description="Seconds to pause"),
        Field(default=0.5, gt=0, le=9, description="Seconds to rest"),
    ],
    ids=["another default", "another bound", "another meaning"],
)
def test_whatever_changes_about_a_setting_shows_in_the_table(changed: Any):
    other = create_model("Other", __base__=Few, pause_s=(float, changed))
    assert settings_page(other) != settings_page(Few)
