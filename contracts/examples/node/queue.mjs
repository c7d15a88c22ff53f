// Connecting, and a reply queue as the contract wants it.

import { randomUUID } from 'node:crypto'
import amqp from 'amqplib'

export const TENANT = 'acme'

const QUEUE = {
  durable: true,
  arguments: {
    'x-queue-type': 'classic',
    'x-expires': 1_800_000,
    'x-max-length-bytes': 67_108_864,
    'x-overflow': 'reject-publish'
  }
}

// Whom the broker knows us as.
export function user() {
  return decodeURIComponent(new URL(url()).username || 'guest')
}

function url() {
  if (!process.env.AMQP_URL) throw new Error('AMQP_URL is not set: set it as in amqp://user:password@host:5672/')
  return process.env.AMQP_URL
}

// Runs `use` with a channel that confirms publishes and with the name of a fresh reply queue.
export async function withReplyQueue(use) {
  const connection = await amqp.connect(url())
  try {
    const channel = await connection.createConfirmChannel()
    const replyTo = `deepseek.reply.${TENANT}.${randomUUID()}`
    await channel.assertQueue(replyTo, QUEUE)
    const outcome = await use(channel, replyTo)
    await channel.deleteQueue(replyTo)
    return outcome
  } finally {
    await connection.close()
  }
}

// Resolves when the broker has taken the message; rejects where it refused it or no queue takes it.
export async function publish(channel, exchange, key, body, properties) {
  let returned = false
  const onReturn = () => (returned = true) // comes before the confirm
  channel.on('return', onReturn)
  try {
    channel.publish(exchange, key, body, { ...properties, mandatory: true })
    await channel.waitForConfirms()
  } finally {
    channel.off('return', onReturn)
  }
  if (returned) throw new Error(`no queue takes ${key}: is the topology applied?`)
}
