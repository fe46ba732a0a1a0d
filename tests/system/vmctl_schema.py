#!/usr/bin/env python3
"""Runs vmctl's commands with --json and holds what they print against vmctl.schema.json.

usage: vmctl_schema.py VMCTL CONF
Knows of JSON Schema what the file uses: $ref, type, properties, required, items, enum,
additionalProperties: false.
"""
import json
import os
import subprocess
import sys

SCHEMA = json.load(open(os.path.join(os.path.dirname(sys.argv[0]), "..", "..", "tools", "vmctl",
                                     "vmctl.schema.json")))
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
         "integer": int}
COMMANDS = [
    ("hosts", []), ("list", []), ("show", ["--all"]), ("locate", []), ("state", []),
    ("services", []), ("nets", []), ("disks", []), ("storage", []), ("deps", []), ("plan", []), ("events", []), ("requests", []),
    ("unpause", ["--all", "--dry-run"]), ("memory", ["*=300", "--dry-run"]),
    ("discover", ["127.0.0.2"]), ("top", ["--once"]), ("cancel", ["nix"]),
]


def fits(value, schema, where):
    """Yields what is wrong."""
    if "$ref" in schema:
        schema = SCHEMA["definitions"][schema["$ref"].rsplit("/", 1)[1]]
    wanted = schema.get("type")
    if wanted:
        names = wanted if isinstance(wanted, list) else [wanted]
        if not any(isinstance(value, TYPES[name]) and not
                   (name == "integer" and isinstance(value, bool)) for name in names):
            yield f"{where}: {value!r} is no {wanted}"
            return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is not one of {schema['enum']}"
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for key in schema.get("required", []):
            if key not in value:
                yield f"{where}: has no {key}"
        for key, inner in value.items():
            if key in known:
                yield from fits(inner, known[key], f"{where}.{key}")
            elif schema.get("additionalProperties") is False:
                yield f"{where}: {key} is not in the schema"
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from fits(inner, schema.get("items", {}), f"{where}[{number}]")


def over():
    """Ids of requests that are over, one at most: to cancel it changes nothing."""
    ran = subprocess.run([sys.argv[1], "-f", sys.argv[2], "requests", "--json"],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return [request["id"] for request in json.loads(ran.stdout)["requests"]
            if request["state"] == "succeeded"][:1]


def main():
    bad = 0
    for command, words in COMMANDS + [("cancel", [one]) for one in over()]:
        ran = subprocess.run([sys.argv[1], "-f", sys.argv[2], command, "--json", *words],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True)
        try:
            value = json.loads(ran.stdout)
        except ValueError as error:
            print(f"{command}: no JSON: {error}: {ran.stdout[:200]} {ran.stderr[:200]}")
            bad += 1
            continue
        for fault in fits(value, SCHEMA["properties"][command], command):
            print(fault)
            bad += 1
    sys.exit(bad > 0)


main()
