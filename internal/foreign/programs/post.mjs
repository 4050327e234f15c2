// Posts events, one in JSON a line, by the CloudEvents SDK.
//
//   TOKEN=... NODE_EXTRA_CA_CERTS=ca.pem node post.mjs URL binary|structured < lines

import { createInterface } from 'node:readline'
import { CloudEvent, emitterFor, httpTransport } from 'cloudevents'

const [url, mode] = process.argv.slice(2)
const post = httpTransport(url)

// The HTTP binding wants headers percent-encoded (§3.1.3.2), which the SDK
// leaves out, and the SDK keeps the status to itself.
const emit = emitterFor(async (message, options) => {
  const headers = Object.entries(message.headers).map(([name, text]) =>
    [name, name.startsWith('ce-') ? String(text).replace(/[^!-~]|["%]/gu, encodeURIComponent) : text])
  const { body } = await post({ ...message, headers: Object.fromEntries(headers) }, options)
  if (!('accepted' in JSON.parse(body))) throw new Error(body) // says where the event is at fault
}, { mode })

for await (const line of createInterface({ input: process.stdin })) {
  await emit(new CloudEvent(JSON.parse(line)), { headers: { Authorization: `Bearer ${process.env.TOKEN}` } })
}
