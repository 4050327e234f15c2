"""Posts events, one in JSON a line, by requests and the CloudEvents SDK.

    TOKEN=... python3 post.py URL CA binary|structured|batch < lines
"""

import json
import os
import sys

import requests
from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat

url, ca, mode = sys.argv[1:]
session = requests.Session()
session.verify = ca
session.headers["Authorization"] = "Bearer " + os.environ["TOKEN"]

events = [JSONFormat().read(None, line) for line in sys.stdin]
if mode == "batch":
    batch = [json.loads(JSONFormat().write(event)) for event in events]
    answers = [session.post(url, json=batch, headers={"Content-Type": "application/cloudevents-batch+json"})]
else:
    encode = to_binary if mode == "binary" else to_structured
    messages = [encode(event, JSONFormat()) for event in events]
    answers = [session.post(url, data=m.body, headers=m.headers) for m in messages]
for answer in answers:
    if not answer.ok:
        sys.exit(answer.text)  # says where the event is at fault
