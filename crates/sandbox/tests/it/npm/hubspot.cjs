// Drives the CRM sandbox with @hubspot/api-client and prints what the client understood, as one line of JSON.
'use strict'
const http = require('node:http')
const { createRequire } = require('node:module')
const [packages, basePath] = process.argv.slice(2)
const { Client, Signature } = createRequire(`${packages}/package.json`)('@hubspot/api-client')

const SECRET = 'app-client-secret'
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function failure(promise) {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('the call was expected to fail')
}

// A receiver of webhooks that keeps what came and answers 204.
async function receiver() {
  const received = []
  const server = http.createServer((request, response) => {
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      received.push({ url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString('utf8') })
      response.writeHead(204).end()
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { received, server, origin: `http://127.0.0.1:${server.address().port}` }
}

async function main() {
  const client = new Client({ accessToken: 'pat-sandbox', basePath, numberOfApiCallRetries: 0 })
  const said = {}

  const account = await client.apiRequest({ method: 'GET', path: '/account-info/v3/details' })
  said.portal = (await account.json()).portalId

  await client.crm.properties.coreApi.create('companies', {
    name: 'business_id', label: 'Business id', type: 'string', fieldType: 'text', groupName: 'companyinformation', hasUniqueValue: true,
  })

  const contact = await client.crm.contacts.basicApi.create({ properties: { email: 'ada@example.test', firstname: 'Ada' }, associations: [] })
  said.contact = contact.id
  const again = await failure(client.crm.contacts.basicApi.create({ properties: { email: 'ada@example.test' }, associations: [] }))
  said.conflict = { code: again.code, message: again.body.message }

  const input = (id, name, trace) => ({ id, idProperty: 'business_id', objectWriteTraceId: trace, properties: { name } })
  const first = await client.crm.companies.batchApi.upsert({ inputs: [input('b-1', 'Alpha', 't1')] })
  const second = await client.crm.companies.batchApi.upsert({ inputs: [input('b-1', 'Alpha II', 't2'), input('b-2', 'Beta', 't3')] })
  said.upserts = {}
  for (const result of [...first.results, ...second.results]) {
    said.upserts[result.objectWriteTraceId] = result._new
  }
  const bad = { ...input('b-4', 'Delta', 't5'), properties: { numberofemployees: 'many' } }
  const partial = await client.crm.companies.batchApi.upsert({ inputs: [input('b-3', 'Gamma', 't4'), bad] })
  said.partial = { numErrors: partial.numErrors, results: partial.results.length, trace: partial.errors[0].context.objectWriteTraceId[0] }

  const query = {
    filterGroups: [{ filters: [{ propertyName: 'business_id', operator: 'EQ', value: 'b-2' }] }],
    properties: ['name'], limit: 10,
  }
  said.tooEarly = (await client.crm.companies.searchApi.doSearch(query)).total
  await pause(400)
  said.found = (await client.crm.companies.searchApi.doSearch(query)).results.map((one) => one.properties.name)
  said.paged = (await client.crm.companies.getAll(1)).length

  const stranger = new Client({ accessToken: 'somebody-else', basePath, numberOfApiCallRetries: 0 })
  said.unauthorized = (await failure(stranger.crm.contacts.basicApi.getById(contact.id))).code
  await client.crm.contacts.basicApi.archive(contact.id)
  said.archivedRead = (await failure(client.crm.contacts.basicApi.getById(contact.id))).code

  // From here on events are sent; the archiving above was not heard by anybody.
  const hooks = await receiver()
  const url = `${hooks.origin}/webhooks/crm?tenant=1`
  const set = await fetch(`${basePath}/_admin/webhook`, { method: 'PUT', body: JSON.stringify({ url, secret: SECRET }) })
  if (set.status !== 204) throw new Error(await set.text())
  const beta = first.results[0].id
  await client.crm.companies.basicApi.update(beta, { properties: { name: 'Alpha II', city: 'Turin' } })
  await fetch(`${basePath}/_admin/edits`, {
    method: 'POST', body: JSON.stringify({ edit: 'create', object_type: 'companies', values: { name: 'By hand' } }),
  })
  for (let wait = 0; wait < 200 && hooks.received.flatMap((one) => JSON.parse(one.body)).length < 2; wait += 1) await pause(20)
  hooks.server.close()
  hooks.server.closeAllConnections()
  const { headers, body } = hooks.received[0]
  const timestamp = Number(headers['x-hubspot-request-timestamp'])
  const v3 = { signatureVersion: 'v3', method: 'POST', url, requestBody: body, clientSecret: SECRET, timestamp }
  said.signature = {
    v3: Signature.isValid({ ...v3, signature: headers['x-hubspot-signature-v3'] }),
    v1: Signature.isValid({ signatureVersion: 'v1', clientSecret: SECRET, requestBody: body, signature: headers['x-hubspot-signature'] }),
    forged: Signature.isValid({ ...v3, requestBody: body.replace('Turin', 'Milan') + ' ', signature: headers['x-hubspot-signature-v3'] }),
  }
  said.events = hooks.received.flatMap((one) => JSON.parse(one.body)).map((event) => event.subscriptionType).sort()
  process.stdout.write(`${JSON.stringify(said)}\n`)
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n${JSON.stringify(error.body ?? null)}\n`)
  process.exit(1)
})
