"""Reads {"schema": ..., "documents": [TOML, ...]} and prints what the schema has against each document, or null."""

import json
import sys
import tomllib

import jsonschema_rs

with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)
schema = given["schema"]
assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
jsonschema_rs.meta.validate(schema)
validator = jsonschema_rs.Draft202012Validator(schema)


def verdict(text):
    error = next(validator.iter_errors(tomllib.loads(text)), None)
    return error and error.message


json.dump([verdict(text) for text in given["documents"]], sys.stdout)
