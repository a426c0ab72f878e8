# SPDX-License-Identifier: GPL-2.0-or-later
"""
Checks JSON against a schema. It knows the words of JSON Schema (draft 7) that our schema uses and refuses others, so
that nothing goes unchecked; where the module jsonschema is installed, test_schema.py compares the two.
"""
import json
import os
import re

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "schema", "iommu-dump-1.schema.json")
SILENT = {"$schema", "$comment", "$id", "title", "description", "definitions"}
TYPES = {
    "object": lambda v: isinstance(v, dict), "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str), "boolean": lambda v: isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool), "null": lambda v: v is None,
}


def load(path=PATH):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def same(a, b):
    return a == b and isinstance(a, bool) == isinstance(b, bool)


class Checker:
    def __init__(self, root):
        self.root = root

    def errors(self, value, schema=None, where="$"):
        """[(where, what)] that are wrong."""
        schema = self.root if schema is None else schema
        out = []
        if schema is True:
            return out
        if schema is False:
            return [(where, "not allowed here")]
        for word, argument in schema.items():
            if word not in SILENT:
                check = getattr(self, "_" + word.lstrip("$"), None)
                if check is None:
                    raise NotImplementedError(f"the schema uses {word}, which this check does not know")
                out += check(value, argument, where, schema)
        return out

    def _ref(self, value, argument, where, _):
        target = self.root
        for part in argument.split("/")[1:]:
            target = target[part]
        return self.errors(value, target, where)

    def _type(self, value, argument, where, _):
        names = [argument] if isinstance(argument, str) else argument
        return [] if any(TYPES[n](value) for n in names) else [(where, f"{value!r} is no {' or '.join(names)}")]

    def _enum(self, value, argument, where, _):
        return [] if any(same(value, a) for a in argument) else [(where, f"{value!r} is none of {argument}")]

    def _const(self, value, argument, where, _):
        return [] if same(value, argument) else [(where, f"{value!r} is not {argument!r}")]

    def _pattern(self, value, argument, where, _):
        return [] if not isinstance(value, str) or re.search(argument, value) else [(where, f"{value!r}: not {argument}")]

    def _minimum(self, value, argument, where, _):
        return [] if not TYPES["integer"](value) or value >= argument else [(where, f"{value} is below {argument}")]

    def _maximum(self, value, argument, where, _):
        return [] if not TYPES["integer"](value) or value <= argument else [(where, f"{value} is above {argument}")]

    def _minItems(self, value, argument, where, _):
        return [] if not isinstance(value, list) or len(value) >= argument else [(where, f"fewer than {argument}")]

    def _maxItems(self, value, argument, where, _):
        return [] if not isinstance(value, list) or len(value) <= argument else [(where, f"more than {argument}")]

    def _required(self, value, argument, where, _):
        return [(where, f"{k} is absent") for k in argument if k not in value] if isinstance(value, dict) else []

    def _properties(self, value, argument, where, _):
        out = []
        for key in argument if isinstance(value, dict) else ():
            if key in value:
                out += self.errors(value[key], argument[key], f"{where}.{key}")
        return out

    def _additionalProperties(self, value, argument, where, schema):
        out = []
        for key in value if isinstance(value, dict) else ():
            if key not in schema.get("properties", {}):
                out += self.errors(value[key], argument, f"{where}.{key}")
        return out

    def _items(self, value, argument, where, _):
        out = []
        for i, item in enumerate(value if isinstance(value, list) else ()):
            out += self.errors(item, argument, f"{where}[{i}]")
        return out

    def _one(self, value, argument, where, least, most):
        tries = [self.errors(value, a, where) for a in argument]
        good = sum(1 for t in tries if not t)
        if least <= good <= most:
            return []
        if good:
            return [(where, "fits several of the alternatives")]
        return [(where, "fits none of the alternatives; the nearest says:")] + min(tries, key=len)

    def _oneOf(self, value, argument, where, _):
        return self._one(value, argument, where, 1, 1)

    def _anyOf(self, value, argument, where, _):
        return self._one(value, argument, where, 1, len(argument))
