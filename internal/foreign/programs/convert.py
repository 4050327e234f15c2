"""An event's data as the Avro schemas have them, from JSON."""

from datetime import datetime

FACT = "ee.andmerada.fact."


def kind_of(type_name):
    if type_name.startswith(FACT):
        return "fact"
    return "cohort" if type_name == "ee.andmerada.cohort.v1" else "processing"


def to_avro(schema, type_name, data):
    """One person is a list of one, and a fact's value stands under its name."""
    data = dict(data)
    if isinstance(data.get("person"), dict):
        data["person"] = [data["person"]]
    if "value" in data:
        name = type_name.removeprefix(FACT).removesuffix(".v1").replace("-", "_")
        data["value"] = {name: data["value"]}
    return by_schema(schema, data, {})


def by_schema(schema, value, named):
    """Times are times, and null is the symbol "none" where a schema has that.

    What is left out stays so; the schema's default then says null.
    """
    if isinstance(schema, str):
        schema = named.get(schema, schema)
    if isinstance(schema, dict) and "name" in schema:
        named[schema["name"]] = schema
    if isinstance(schema, list):
        if value is None:
            states = any("none" in symbols(branch, named) for branch in schema)
            return "none" if states else None
        for branch in schema:
            if fits(branch, value, named):
                return by_schema(branch, value, named)
        raise ValueError(f"{value!r} fits none of {schema}")
    if not isinstance(schema, dict):
        return value
    if schema["type"] == "record":
        for field in schema["fields"]:  # all, as a name may be declared in one that is left out
            declare(field["type"], named)
        known = {field["name"]: field["type"] for field in schema["fields"]}
        return {name: by_schema(known[name], v, named) for name, v in value.items()}
    if schema["type"] == "array":
        return [by_schema(schema["items"], v, named) for v in value]
    if schema.get("logicalType") == "timestamp-millis":
        return datetime.fromisoformat(value)
    return value


def declare(schema, named):
    for branch in schema if isinstance(schema, list) else [schema]:
        if isinstance(branch, dict):
            if "name" in branch:
                named[branch["name"]] = branch
            for inner in branch.get("fields", []):
                declare(inner["type"], named)
            if "items" in branch:
                declare(branch["items"], named)


def symbols(schema, named):
    schema = named.get(schema, {}) if isinstance(schema, str) else schema
    return schema.get("symbols", []) if schema.get("type") == "enum" else []


def fits(branch, value, named):
    branch = named.get(branch, branch) if isinstance(branch, str) else branch
    kind = branch["type"] if isinstance(branch, dict) else branch
    return {
        "record": isinstance(value, dict),
        "array": isinstance(value, list),
        "enum": value in symbols(branch, named) if isinstance(value, str) else False,
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "long": isinstance(value, (int, str)) and not isinstance(value, bool),
        "int": isinstance(value, (int, str)) and not isinstance(value, bool),
        "double": isinstance(value, float),
    }.get(kind, False)
