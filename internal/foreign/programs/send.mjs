// Sends events, one in JSON a line, by kafkajs and the CloudEvents SDK.
//
//   node send.mjs BROKER TOPIC binary|structured none|gzip < lines

import { createInterface } from 'node:readline'
import { CloudEvent, Kafka as Binding } from 'cloudevents'
import { CompressionTypes, Kafka } from 'kafkajs'

const [broker, topic, mode, codec] = process.argv.slice(2)
const encode = mode === 'binary' ? Binding.binary : Binding.structured

// What kafkajs takes: the SDK leaves attributes that are not set undefined and,
// in binary mode, the data an object.
function message (event) {
  const { headers, key, value } = encode(event) // the key is the extension attribute partitionkey
  const set = Object.entries(headers).filter(([, text]) => text !== undefined)
  return {
    key,
    headers: Object.fromEntries(set.map(([name, text]) => [name, String(text)])),
    value: mode === 'binary' ? JSON.stringify(value) : value
  }
}

const messages = []
for await (const line of createInterface({ input: process.stdin })) {
  messages.push(message(new CloudEvent(JSON.parse(line))))
}

const producer = new Kafka({ brokers: [broker] }).producer({ idempotent: true, maxInFlightRequests: 1 })
await producer.connect()
await producer.send({ topic, acks: -1, compression: codec === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None, messages })
await producer.disconnect()
