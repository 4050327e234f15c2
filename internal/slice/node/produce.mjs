// Sends what it reads to Kafka, with libraries of others: kafkajs and the
// CloudEvents SDK of JavaScript.
//
//   node produce.mjs BROKER TOPIC < lines
//
// A line is {"key", "event"}, an event in structured form, or {"key",
// "headers", "value"}, a record as it stands, its value in base64 or null. Events
// go out in batches, in turn in binary mode, in structured mode, and mixed and
// compressed with gzip. For each record as it stands a line {"partition",
// "offset"} comes back.

import { createInterface } from 'node:readline'
import { CloudEvent, Kafka as Binding } from 'cloudevents'
import { CompressionTypes, Kafka, logLevel } from 'kafkajs'

const batchSize = 500

const [broker, topic] = process.argv.slice(2)
// Quiet, but for errors: kafkajs 2 warns of its choice of partitioner.
process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
const kafka = new Kafka({ clientId: 'slice', brokers: [broker], logLevel: logLevel.ERROR })
// Idempotent: what is sent again after a lost answer is there once.
const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })

// The SDK's message in binary mode is not one that kafkajs takes: attributes
// that are not set are undefined, and the data are an object.
function binary (event) {
  const { headers, key, value } = Binding.binary(event)
  for (const name of Object.keys(headers)) {
    if (headers[name] === undefined) delete headers[name]
    else headers[name] = String(headers[name])
  }
  return { headers, key, value: JSON.stringify(value) }
}

function structured (event) {
  const { headers, key, value } = Binding.structured(event)
  return { headers, key, value }
}

// Both leave out the message's timestamp, which the SDK sets to the event's
// time: Kafka's retention would delete a past of two years at once.

function message (line, mode, i) {
  const event = new CloudEvent(line.key ? { ...line.event, partitionkey: line.key } : line.event)
  return mode === 0 || (mode === 2 && i % 2 === 0) ? binary(event) : structured(event)
}

let batches = 0
async function sendEvents (lines) {
  if (lines.length === 0) return
  const mode = batches++ % 3
  await producer.send({
    topic,
    acks: -1,
    compression: mode === 2 ? CompressionTypes.GZIP : CompressionTypes.None,
    messages: lines.map((line, i) => message(line, mode, i))
  })
}

async function sendRecord ({ key, headers, value }) {
  const [sent] = await producer.send({
    topic,
    acks: -1,
    messages: [{ key, headers: headers ?? {}, value: value === null ? null : Buffer.from(value, 'base64') }]
  })
  console.log(JSON.stringify({ partition: sent.partition, offset: sent.baseOffset }))
}

await producer.connect()
let waiting = []
for await (const text of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const line = JSON.parse(text)
  if (line.event) {
    waiting.push(line)
    if (waiting.length < batchSize) continue
  }
  await sendEvents(waiting)
  waiting = []
  if (!line.event) await sendRecord(line)
}
await sendEvents(waiting)
await producer.disconnect()
