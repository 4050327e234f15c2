"""Sends events, one in JSON a line, as Avro: by Confluent's serializer and a
schema registry, or by fastavro and the Avro format of CloudEvents.

    python3 avro.py BROKERS TOPIC FORM REGISTRY SCHEMAS < lines

SCHEMAS is the directory schemas/avro. The forms are:

    confluent    binary mode, the data in Confluent's wire format
    plain        binary mode, the data by schemas/avro, which dataschema names
    structured   CloudEvents Avro format, the data are JSON
    nested       the same, the data by schemas/avro, which dataschema names
    framed       a whole CloudEvent in Confluent's wire format
"""

import io
import json
import pathlib
import sys

import fastavro
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from convert import kind_of, to_avro

brokers, topic, form, registry, directory = sys.argv[1:]
ctx = SerializationContext(topic, MessageField.VALUE)
client = SchemaRegistryClient({"url": registry})

schemas = {name: pathlib.Path(directory, name + ".avsc").read_text() for name in ("processing", "fact", "cohort", "cloudevent")}
parsed = {name: fastavro.parse_schema(json.loads(text)) for name, text in schemas.items()}
# The registry may not take the schema of the Avro format, which refers to itself (Apicurio 2.6 answers 500): data as
# bytes need no such thing.
envelope = json.loads(schemas["cloudevent"])
envelope["fields"][1]["type"] = "bytes"
schemas["cloudevent"] = json.dumps(envelope)
# Events of several types in one topic: their schemas are told apart by the name of the record.
confluent = {
    name: AvroSerializer(client, text, conf={"subject.name.strategy": record_subject_name_strategy})
    for name, text in schemas.items()
}


def plain(name, value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parsed[name], value)
    return out.getvalue()


def message(event):
    """The headers and the value of an event."""
    data = event.pop("data")
    kind = kind_of(event["type"])
    ours = {"datacontenttype": "application/avro", "dataschema": f"urn:andmerada:avro:{kind}:1"}
    if form in ("confluent", "plain"):
        if form == "plain":
            event |= ours
            value = plain(kind, to_avro(parsed[kind], event["type"], data))
        else:
            value = confluent[kind](to_avro(parsed[kind], event["type"], data), ctx)
        event.pop("datacontenttype")
        return {**{"ce_" + name: text for name, text in event.items()}, "content-type": "application/avro"}, value
    if form == "nested":
        event |= ours
        data = plain(kind, to_avro(parsed[kind], event["type"], data))
    else:
        data = json.dumps(data).encode()
    whole = {"attribute": event, "data": data}
    if form == "framed":
        return {}, confluent["cloudevent"](whole, ctx)
    return {"content-type": "application/cloudevents+avro"}, plain("cloudevent", whole)


failed = []
producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True})
for line in sys.stdin:
    event = json.loads(line)
    key = event["partitionkey"]
    headers, value = message(event)
    producer.produce(topic, key=key, value=value, headers=headers, on_delivery=lambda error, _: error and failed.append(error))
if producer.flush(60) or failed:
    sys.exit(f"not everything was acknowledged: {failed}")
