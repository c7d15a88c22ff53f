"""`users.json` and the page for people grant the same, and the file takes no key for granted."""

import json
import re
from pathlib import Path

from fleet_contracts.rights import producer

GRANT = re.compile(r"^rabbitmqctl (set_permissions|set_topic_permissions) acme (.+)$", re.MULTILINE)


def test_the_page_grants_a_tenant_what_the_code_grants(contracts: Path):
    told = {
        (command, *(word.strip("'") for word in words.split()))
        for command, words in GRANT.findall((contracts / "README.md").read_text())
    }
    acme = producer("acme")
    assert told == {
        ("set_permissions", acme.configure, acme.write, acme.read),
        *(("set_topic_permissions", keys.exchange, keys.write, keys.read) for keys in acme.keys),
    }


def test_the_printed_file_can_be_imported_and_holds_no_secret(contracts: Path):
    printed = json.loads((contracts / "users.json").read_text())
    names = {user["name"] for user in printed["users"]}
    assert {right["user"] for right in printed["permissions"]} == names
    assert {right["user"] for right in printed["topic_permissions"]} == names
    assert {user["password_hash"] for user in printed["users"]} == {""}
    assert not {"password", "hashing_algorithm"} & {name for user in printed["users"] for name in user}
