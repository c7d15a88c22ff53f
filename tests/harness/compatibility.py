"""Pure: what breaks somebody between two versions of a schema, by the rules of contracts/README.md.

A request must stay valid: whatever the old schema takes, the new one takes. A reply must stay readable:
whatever the new schema allows, a reader with the old one takes. Either way it is asked whether one schema,
the narrow one, fits into another, the wide one, and no field may go.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

Schema = Mapping[str, Any]

ANYTHING: Schema = {}
NOTHING: Schema = {"not": ANYTHING}
TYPES = frozenset({"string", "number", "integer", "boolean", "null", "array", "object"})
LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems")
UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
MEANING = ("title", "description", "$id", "$schema", "$defs")
COMPARED = (
    *("type", "const", "enum", "not", "pattern", "default", *LOWER_BOUNDS, *UPPER_BOUNDS),
    *("items", "properties", "required", "additionalProperties", "anyOf", "oneOf", "$ref"),
)


class Side(Enum):
    """Who writes what a schema describes."""

    REQUEST = "callers"
    REPLY = "the fleet"


def breaks(old: Schema, new: Schema, side: Side) -> list[str]:
    """One sentence for each change from `old` to `new` that breaks a caller; none where all is compatible."""
    before, after = _Part(old, old), _Part(new, new)
    narrow, wide = (before, after) if side is Side.REQUEST else (after, before)
    return list(_Comparison(side, frozenset()).misfits(narrow, wide, ""))


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a schema, and the whole document, where its references lead."""

    schema: Schema
    document: Schema

    def at(self, schema: Any) -> "_Part":
        """Another part of the same document."""
        if isinstance(schema, bool):
            return _Part(ANYTHING if schema else NOTHING, self.document)
        return _Part(schema, self.document)

    def resolved(self) -> "_Part":
        """What it refers to, with what stands beside the reference; itself where it is none."""
        if "$ref" not in self.schema:
            return self
        target = self.document["$defs"][self.schema["$ref"].removeprefix("#/$defs/")]
        beside = {name: value for name, value in self.schema.items() if name != "$ref"}
        return self.at({**target, **beside}).resolved()

    def choices(self) -> list["_Part"]:
        """One part for each member of its union; itself where it is none."""
        for union in ("anyOf", "oneOf"):
            if union in self.schema:
                beside = {name: value for name, value in self.schema.items() if name != union}
                parts = (self.at(choice).resolved() for choice in self.schema[union])
                return [each for part in parts for each in part.at({**beside, **part.schema}).choices()]
        return [self]

    def types(self) -> frozenset[str]:
        """The types that it takes."""
        named = self.schema.get("type", TYPES)
        return frozenset({named}) if isinstance(named, str) else frozenset(named)

    def values(self) -> Sequence[Any] | None:
        """The values that it takes, where they are counted."""
        return [self.schema["const"]] if "const" in self.schema else self.schema.get("enum")


@dataclass(frozen=True, slots=True)
class _Comparison:
    side: Side
    inside: frozenset[tuple[str, str]]
    """The pairs of references that are being compared around this one."""

    def misfits(self, narrow: _Part, wide: _Part, path: str) -> Iterator[str]:
        """Why `narrow` does not fit into `wide`."""
        pair = (narrow.schema.get("$ref", ""), wide.schema.get("$ref", ""))
        if narrow.schema == NOTHING or (all(pair) and pair in self.inside):  # it leads back to itself
            return
        deeper = _Comparison(self.side, self.inside | {pair})
        for one in narrow.resolved().choices():
            yield from deeper.misfits_of_the_closest(one, wide.resolved().choices(), path)

    def misfits_of_the_closest(self, one: _Part, choices: Sequence[_Part], path: str) -> list[str]:
        """Nothing where it fits into a choice, else why it does not into its namesake, or the likest."""
        name = one.schema.get("title")
        found: list[list[str]] = []
        for choice in sorted(choices, key=lambda each: each.schema.get("title") != name):
            misfits = list(self.misfits_of_one(one, choice, path))
            if not misfits:
                return []
            found.append(misfits)
        return found[0] if name is not None else min(found, key=len)

    def misfits_of_one(self, narrow: _Part, wide: _Part, path: str) -> Iterator[str]:
        """As `misfits`, of two parts that are neither references nor unions."""
        _refuse_unknown(narrow.schema, path)
        _refuse_unknown(wide.schema, path)
        yield from _values(narrow, wide, path)
        yield from _limits(narrow.schema, wide.schema, path)
        yield from self._objects(narrow, wide, path)
        if "items" in wide.schema and "array" in narrow.types() & wide.types():
            yield from self.misfits(
                narrow.at(narrow.schema.get("items", ANYTHING)), wide.at(wide.schema["items"]), f"{path}[]"
            )

    def _objects(self, narrow: _Part, wide: _Part, path: str) -> Iterator[str]:
        one, other = narrow.schema.get("properties", {}), wide.schema.get("properties", {})
        old, new = (one, other) if self.side is Side.REQUEST else (other, one)
        yield from (f"{path}.{name}: the field is gone" for name in old if name not in new)
        for name in wide.schema.get("required", ()):
            if name not in narrow.schema.get("required", ()):
                word = "is required now" if self.side is Side.REQUEST else "is no longer sure to come"
                yield f"{path}.{name}: {word}"
        for name in one:
            if name in other:
                yield from self.misfits(narrow.at(one[name]), wide.at(other[name]), f"{path}.{name}")
        rest = wide.at(wide.schema.get("additionalProperties", ANYTHING))
        if rest.schema and "object" in narrow.types() & wide.types():
            yield from self.misfits(
                narrow.at(narrow.schema.get("additionalProperties", ANYTHING)), rest, f"{path}.*"
            )


def _values(narrow: _Part, wide: _Part, path: str) -> Iterator[str]:
    given, taken = narrow.types(), wide.types()
    taken |= {"integer"} if "number" in taken else frozenset()
    if not given <= taken:
        yield f"{path}: {', '.join(sorted(given - taken))} does not fit {', '.join(sorted(wide.types()))}"
    values, allowed = narrow.values(), wide.values()
    if allowed is not None and (values is None or any(value not in allowed for value in values)):
        yield f"{path}: {values or 'any value'} does not fit {allowed}"
    refused = wide.schema.get("not")
    if refused is not None and not _is_refused_too(narrow, refused):
        yield f"{path}: what is refused on one side is not on the other"
    default = wide.schema.get("default"), narrow.schema.get("default")
    if None not in default and default[0] != default[1]:
        yield f"{path}: leaving it out means something else"


def _is_refused_too(narrow: _Part, refused: Schema) -> bool:
    values, also = narrow.values(), narrow.schema.get("not")
    if values is not None and "enum" in refused:
        return not any(value in refused["enum"] for value in values)
    if also is not None and "enum" in also and "enum" in refused:
        return all(value in also["enum"] for value in refused["enum"])
    return also == refused


def _limits(narrow: Schema, wide: Schema, path: str) -> Iterator[str]:
    if "pattern" in wide and narrow.get("pattern") != wide["pattern"] and not {"const", "enum"} & set(narrow):
        yield f"{path}: the pattern is another one"
    for name in LOWER_BOUNDS:
        if name in wide and not narrow.get(name, float("-inf")) >= wide[name]:
            yield f"{path}: {name} is {wide[name]} on one side and {narrow.get(name)} on the other"
    for name in UPPER_BOUNDS:
        if name in wide and not narrow.get(name, float("inf")) <= wide[name]:
            yield f"{path}: {name} is {wide[name]} on one side and {narrow.get(name)} on the other"


def _refuse_unknown(schema: Schema, path: str) -> None:
    for keyword in schema:
        if keyword not in MEANING and keyword not in COMPARED:
            raise ValueError(
                f"{path}: no rule says what a change of {keyword!r} means: add one to {__name__}"
            )
