// Every golden example, parsed, checked with the schemas, written anew, sent through the broker and read back:
// prints each as it came back, one a line. AMQP_URL=amqp://... node golden.mjs

import { deepStrictEqual } from 'node:assert/strict'
import { check, checkReply, examples, fromAmqplib, schemas, toAmqplib } from './contract.mjs'
import { publish, user, withReplyQueue } from './queue.mjs'

const lines = await withReplyQueue(async (channel, queue) => {
  const back = []
  for (const example of examples) back.push(await roundTrip(channel, queue, example))
  return back
})
console.log(lines.map((line) => JSON.stringify(line)).join('\n'))

async function roundTrip(channel, queue, { type, file, ...golden }) {
  const example = fromUs(file, golden)
  validate(type, example.properties, example.body)
  const sent = { ...example, properties: fromAmqplib(toAmqplib(example.properties)) }
  const bytes = Buffer.from(example.body_text ?? JSON.stringify(example.body))
  await publish(channel, '', queue, bytes, toAmqplib(example.properties))
  const message = await channel.get(queue, { noAck: true })
  deepStrictEqual(message.content, bytes)
  const back = { ...sent, properties: fromAmqplib(message.properties) }
  if (example.body !== undefined) back.body = JSON.parse(message.content)
  validate(type, back.properties, back.body)
  deepStrictEqual(back, sent)
  return { type, file, ...back }
}

function fromUs(file, golden) {
  const { user_id, ...properties } = golden.properties
  if (user_id === undefined || user_id === user()) return golden
  console.error(`${file}: without its user_id, as the broker takes that from the user ${user_id} alone`)
  return { ...golden, properties }
}

function validate(type, properties, body) {
  const envelope = ['chat.v1', 'fim.v1', 'conversation.v1'].includes(type) ? 'request.properties.v1' : type.replace('.v', '.properties.v')
  if (!schemas.has(envelope)) return checkReply(properties, body)
  check(envelope, properties)
  if (schemas.has(type)) check(type, body)
}
