"""Sends events, one in JSON a line, by confluent-kafka and the CloudEvents SDK.

    python3 send.py BROKERS TOPIC binary|structured CODEC < lines
"""

import sys

from cloudevents.core.bindings.kafka import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from confluent_kafka import Producer

brokers, topic, mode, codec = sys.argv[1:]
encode = to_binary if mode == "binary" else to_structured
failed = []

producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "compression.type": codec})
for line in sys.stdin:
    event = JSONFormat().read(None, line)
    message = encode(event, JSONFormat())  # the key is the extension attribute partitionkey
    producer.produce(
        topic,
        key=message.key,
        value=message.value,
        headers=message.headers,
        on_delivery=lambda error, _: error and failed.append(error),
    )
if producer.flush(60) or failed:
    sys.exit(f"not everything was acknowledged: {failed}")
