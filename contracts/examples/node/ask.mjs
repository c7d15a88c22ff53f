// Ask the fleet one question: AMQP_URL=amqp://... node ask.mjs [question] [model]

import { randomUUID } from 'node:crypto'
import { check, checkReply, fromAmqplib } from './contract.mjs'
import { Stream } from './stream.mjs'
import { TENANT, publish, withReplyQueue } from './queue.mjs'

const PATIENCE_MS = 120_000

const [question = 'Why is the sky blue? One sentence.', model = 'deepseek-flash'] = process.argv.slice(2)
try {
  const final = await withReplyQueue(ask)
  if (final.kind === 'failure') throw new Error(`${final.code}: ${final.message}`)
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}

async function ask(channel, replyTo) {
  const request = { correlationId: randomUUID(), messageId: randomUUID() }
  const ended = read(channel, replyTo, request)
  const body = {
    model,
    messages: [{ role: 'user', content: question }],
    thinking: { type: 'disabled' },
    stream: true
  }
  const properties = {
    ...request,
    replyTo,
    type: 'chat.v1',
    contentType: 'application/json',
    deliveryMode: 2,
    headers: { 'fleet-tenant': TENANT, 'fleet-deadline-ms': Date.now() + PATIENCE_MS }
  }
  check('request.properties.v1', fromAmqplib(properties))
  // The body is not checked here: what the fleet says of a bad one is worth seeing.
  await publish(channel, 'deepseek.requests', `interactive.${TENANT}`, Buffer.from(JSON.stringify(body)), properties)
  return ended
}

// Prints the chunks as they come, and resolves to the terminal reply.
function read(channel, replyTo, request) {
  const stream = new Stream()
  const { promise, resolve, reject } = pending()
  const again = `Ask again as ${request.correlationId} to get the same answer.`
  const patience = setTimeout(() => reject(new Error(`Nothing final in time. ${again}`)), PATIENCE_MS + 10_000)
  let over = false // several messages can come at once, after the one that ends it all too
  channel.consume(replyTo, (message) => {
    if (over) return
    try {
      if (message === null) throw new Error(`The reply queue is gone. ${again}`)
      channel.ack(message)
      if (message.properties.correlationId !== request.correlationId) return
      const reply = JSON.parse(message.content)
      checkReply(fromAmqplib(message.properties), reply)
      if (refusesAnother(reply, request)) return
      if (reply.kind === 'chunk' || reply.kind === 'restarted') stream.take(reply)
      if (reply.kind === 'result') stream.end(reply.response.choices[0].message.content ?? '')
      if (reply.kind === 'result' || reply.kind === 'failure') resolve(reply)
    } catch (error) {
      over = true
      reject(error)
    }
  }).catch(reject)
  return promise.finally(() => clearTimeout(patience))
}

function pending() {
  const parts = {}
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }))
  return parts
}

// A refusal ends only the publish that it names.
function refusesAnother(reply, request) {
  const [, refused] = reply.id.split(/:refused:(?=[^:]*$)/)
  return refused !== undefined && refused !== request.messageId
}
