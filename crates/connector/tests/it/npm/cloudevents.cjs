// Reads events that Concord sends with the SDK of CloudEvents, and writes some for Concord to read.
'use strict'
const fs = require('node:fs')
const { createRequire } = require('node:module')
const [packages, file] = process.argv.slice(2)
const { CloudEvent, HTTP } = createRequire(`${packages}/package.json`)('cloudevents')

const read = JSON.parse(fs.readFileSync(file, 'utf8')).map((request) => {
  const event = HTTP.toEvent({ headers: request.headers, body: request.body })
  // Throws where it is not as the specification says.
  event.validate()
  return { id: event.id, source: event.source, type: event.type, subject: event.subject ?? null, data: event.data ?? null }
})
const event = new CloudEvent({
  id: 'e-1', source: '/crm', type: 'contact.updated', subject: 'C-1', time: '2026-11-22T12:00:00.000Z', sequence: '00000007',
  datacontenttype: 'application/json', data: { email: 'ann@example.test', tags: ['a', 'ø'] },
})
const { headers, body } = HTTP.structured(event)
console.log(JSON.stringify({ read, written: { type: headers['content-type'], body } }))
