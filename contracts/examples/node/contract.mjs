// The checked-in schemas and examples of the contract, and the two names that a message has: snake_case in the
// schemas, camelCase in amqplib.

import { readFileSync, readdirSync } from 'node:fs'
import Ajv2020 from 'ajv/dist/2020.js'

const CONTRACTS = new URL('../../', import.meta.url)
const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true })

const read = (path) => JSON.parse(readFileSync(new URL(path, CONTRACTS), 'utf8'))
const filesIn = (folder) => readdirSync(new URL(folder, CONTRACTS)).filter((name) => name.endsWith('.json')).sort()

export const schemas = new Map(
  filesIn('schemas/').map((file) => [file.replace('.json', ''), ajv.compile(read(`schemas/${file}`))])
)

export const examples = readdirSync(new URL('examples/', CONTRACTS))
  .filter((name) => /\.v\d+$/.test(name))
  .sort()
  .flatMap((type) => filesIn(`examples/${type}/`).map((file) => ({ type, file, ...read(`examples/${type}/${file}`) })))

export function check(name, value) {
  const validate = schemas.get(name)
  if (!validate(value)) throw new Error(`${name}: ${ajv.errorsText(validate.errors)}`)
}

// A reply of a kind that is not known yet is a reply too: it has no schema of its own.
export function checkReply(properties, body) {
  check('reply.properties.v1', properties)
  check('reply.v1', body)
  if (schemas.has(properties.type)) check(properties.type, body)
}

export function toAmqplib(properties) {
  const renamed = Object.entries(properties).map(([name, value]) => [
    name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase()),
    value
  ])
  return Object.fromEntries(renamed)
}

// amqplib always sends a table of headers, and an empty one says what none does.
export function fromAmqplib({ headers, ...properties }) {
  const filled = Object.keys(headers ?? {}).length > 0
  const set = Object.entries(properties).filter(([, value]) => value !== undefined)
  if (filled) set.push(['headers', headers])
  return Object.fromEntries(
    set.map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value])
  )
}
