"""Sends acts by writers whose schemas differ, side by side, by Confluent's Avro
serializer and a schema registry.

    python3 evolve.py BROKERS REGISTRY SCHEMAS < lines

A line is {"topic", "version", "event"}. What each version has changed since
schemas/avro/processing.avsc is below. An act is sent when its line is read.
"""

import copy
import json
import pathlib
import sys

from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient, record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from convert import to_avro

brokers, registry, directory = sys.argv[1:]
client = SchemaRegistryClient({"url": registry})
first = json.loads(pathlib.Path(directory, "processing.avsc").read_text())


def field(record, name):
    return next(f for f in record["fields"] if f["name"] == name)


def inner(record, name):
    """The record in a field that may be null, or in the items of one."""
    t = field(record, name)["type"]
    return t["items"] if isinstance(t, dict) else next(b for b in t if isinstance(b, dict))


def added(schema, data):
    schema["fields"].insert(2, {"name": "ticket", "type": ["null", "string"], "default": None})
    data["ticket"] = "T-1"


def added_record(schema, data):
    """What we know nothing of, and all that Avro has in it."""
    fields = [
        {"name": "tags", "type": {"type": "map", "values": "string"}},
        {"name": "raw", "type": "bytes"},
        {"name": "md5", "type": {"type": "fixed", "name": "MD5", "size": 16}},
        {"name": "ratios", "type": {"type": "array", "items": ["double", "float", "boolean"]}},
        {"name": "previous", "type": ["null", "Context"]},
    ]
    schema["fields"].insert(1, {"name": "context", "type": {"type": "record", "name": "Context", "fields": fields}})
    one = {"tags": {"a": "ä", "b": ""}, "raw": b"\x00\xff", "md5": b"0123456789abcdef", "ratios": [0.5, True], "previous": None}
    data["context"] = {**one, "previous": one}


def dropped(schema, data):
    drop = {"fields", "data_source", "channel", "statements", "operation"}
    schema["fields"] = [f for f in schema["fields"] if f["name"] not in drop]
    for name in drop:
        data.pop(name, None)


def renamed(schema, data):
    """Of a type. A field's old name is for readers to know, not for writers to say."""
    for name, new in (("actor", "Doer"), ("recipient", "Addressee")):
        record = inner(schema, name)
        record["aliases"] = [record["name"]]
        record["name"] = new
    schema["name"] = "Act"
    schema["namespace"] = "com.example"


def promoted(schema, data):
    """An int is a long, bytes are a string, and a symbol is a text."""
    field(schema, "records")["type"] = ["null", "int"]
    if data.get("records", 0) >= 2**31:
        del data["records"]
    field(schema, "purpose")["type"] = "bytes"
    data["purpose"] = data["purpose"].encode()
    field(inner(schema, "actor"), "kind")["type"] = ["null", "string"]


def demanded(schema, data):
    """What may be null elsewhere is always there, and not in a union."""
    field(schema, "reason")["type"] = "string"
    field(schema, "actor")["type"] = inner(schema, "actor")
    for name in ("reason", "actor"):
        field(schema, name).pop("default")
    data.setdefault("reason", "")


def symbol(schema, data):
    kind = field(inner(schema, "actor"), "kind")
    kind["type"][1]["symbols"].append("robot")
    data["actor"]["kind"] = "robot"


def reordered(schema, data):
    schema["fields"].sort(key=lambda f: (f["name"] == "statements", f["name"]))
    inner(schema, "recipient")["fields"].reverse()


def micros(schema, data):
    consent = field(inner(schema, "statements"), "consent")["type"][1]["items"]
    for name in ("given_at", "withdrawn_at"):
        field(consent, name)["type"] = ["null", {"type": "long", "logicalType": "timestamp-micros"}]


def referred(schema, data):
    """A part of the schema has a subject of its own."""
    field(schema, "person")["type"]["items"] = "ee.andmerada.v1.Person"


def mismatched(schema, data):
    """What must be there has another name, which no reader can know of."""
    field(schema, "purpose")["name"] = "goal"
    data["goal"] = data.pop("purpose")


versions = {
    change.__name__: change
    for change in (added, added_record, dropped, renamed, promoted, demanded, symbol, reordered, micros, referred, mismatched)
}
serializers = {}


def serializer(version, schema):
    if version not in serializers:
        references = []
        if version == "referred":
            person = {**inner(first, "person"), "namespace": first["namespace"]}
            client.register_schema("ee.andmerada.v1.Person", Schema(json.dumps(person), "AVRO"))
            references = [SchemaReference("ee.andmerada.v1.Person", "ee.andmerada.v1.Person", 1)]
        serializers[version] = AvroSerializer(
            client, Schema(json.dumps(schema), "AVRO", references), conf={"subject.name.strategy": record_subject_name_strategy}
        )
    return serializers[version]


failed = []
producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "linger.ms": 0})
for line in sys.stdin:
    line = json.loads(line)
    event, schema = line["event"], copy.deepcopy(first)
    data = to_avro(first, event["type"], event.pop("data"))
    event.pop("datacontenttype")
    if line["version"] != "first":
        versions[line["version"]](schema, data)
    value = serializer(line["version"], schema)(data, SerializationContext(line["topic"], MessageField.VALUE))
    producer.produce(
        line["topic"],
        key=event["partitionkey"],
        value=value,
        headers={**{"ce_" + name: text for name, text in event.items()}, "content-type": "application/avro"},
        on_delivery=lambda error, _: error and failed.append(error),
    )
    producer.poll(0)
if producer.flush(60) or failed:
    sys.exit(f"not everything was acknowledged: {failed}")
