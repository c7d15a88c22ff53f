"""Pure: the alert rules as they are, with all their minutes as seconds."""

import re

TIMES = 60
# It compares with the day before, which is nearly half an hour away at the pace of the others.
TIMES_OF = {"FleetSpendsMore": 360}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?<=for: )(\d+)([smhd])|(?<=\[)(\d+)([smhd])(?=\])|(?<=offset )(\d+)([smhd])")
_RULE = re.compile(r"^      - alert: (\w+)\n(?:(?!      - alert: |  - name: ).*\n)*", re.MULTILINE)


def hurried(rules: str) -> str:
    """The same rules, every duration of theirs shorter by one factor; expressions and thresholds stay."""
    return _RULE.sub(lambda rule: _shortened(rule.group(0), TIMES_OF.get(rule.group(1), TIMES)), rules)


def names_in(rules: str) -> list[str]:
    """The alerts, as they stand there."""
    return [rule.group(1) for rule in _RULE.finditer(rules)]


def _shortened(rule: str, times: int) -> str:
    return _DURATION.sub(lambda found: _brief(found, times), rule)


def _brief(found: re.Match[str], times: int) -> str:
    number, unit = (group for group in found.groups() if group is not None)
    return f"{int(number) * _UNITS[unit] * 1000 // times}ms"
