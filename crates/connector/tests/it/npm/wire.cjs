// Lets vendors' own clients make the same calls as requests of fixtures, and prints what they put on the wire.
'use strict'
const fs = require('node:fs')
const http = require('node:http')
const { createRequire } = require('node:module')
const [packages, file] = process.argv.slice(2)
const load = createRequire(`${packages}/package.json`)
const { Client } = load('@hubspot/api-client')
const mailchimp = load('@mailchimp/mailchimp_marketing')
const Stripe = load('stripe')
const { Connection } = load('@jsforce/jsforce-node')
const { FrappeApp } = load('frappe-js-sdk')

// Keeps what comes, and answers each with something that no client chokes on.
async function recorder() {
  const received = []
  const server = http.createServer((request, response) => {
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      received.push({ method: request.method, path: request.url, headers: request.headers, body: Buffer.concat(chunks).toString('utf8') })
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ id: '1', object: 'thing', data: [], results: [], members: [] }))
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { received, server, port: server.address().port }
}

// What a form means: lists have numbers for names.
function lists(value) {
  if (typeof value !== 'object' || value === null) return value
  const parts = Object.entries(value).map(([name, part]) => [name, lists(part)])
  return parts.length > 0 && parts.every(([name], at) => name === String(at)) ? parts.map(([, part]) => part) : Object.fromEntries(parts)
}

const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase())
const camels = (query) => Object.fromEntries(Object.entries(query).map(([name, value]) => [camel(name), value]))

function clients(port) {
  const hubspot = new Client({ accessToken: 'pat', basePath: `http://127.0.0.1:${port}`, numberOfApiCallRetries: 0 })
  const { basicApi, batchApi, searchApi } = hubspot.crm.objects
  mailchimp.setConfig({ apiKey: 'sandbox-us1' })
  mailchimp.config.server = undefined
  mailchimp.basePath = `http://127.0.0.1:${port}/3.0`
  const stripe = (version) =>
    new Stripe('sk_test_1', { host: '127.0.0.1', port, protocol: 'http', apiVersion: version, maxNetworkRetries: 0, telemetry: false })
  const key = (asked) => (asked.headers['idempotency-key'] ? { idempotencyKey: asked.headers['idempotency-key'] } : undefined)
  // Method and path, and the call of the client that is meant by them.
  return {
    hubspot: [
      ['POST', /^\/crm\/v3\/objects\/([^/]+)\/batch\/upsert$/, (asked, type) => batchApi.upsert(type, asked.json)],
      ['POST', /^\/crm\/v3\/objects\/([^/]+)\/batch\/update$/, (asked, type) => batchApi.update(type, asked.json)],
      ['POST', /^\/crm\/v3\/objects\/([^/]+)\/batch\/read$/, (asked, type) => batchApi.read(type, asked.json)],
      ['POST', /^\/crm\/v3\/objects\/([^/]+)\/search$/, (asked, type) => searchApi.doSearch(type, asked.json)],
      ['POST', /^\/crm\/v3\/objects\/([^/]+)$/, (asked, type) => basicApi.create(type, asked.json)],
      ['PATCH', /^\/crm\/v3\/objects\/([^/]+)\/([^/]+)$/, (asked, type, id) => basicApi.update(type, id, asked.json)],
      ['DELETE', /^\/crm\/v3\/objects\/([^/]+)\/([^/]+)$/, (asked, type, id) => basicApi.archive(type, id)],
      ['GET', /^\/crm\/v3\/objects\/([^/]+)\/([^/]+)$/, (asked, type, id) => basicApi.getById(type, id, asked.query.properties?.split(','), undefined, asked.query.associations?.split(','))],
      ['PUT', /^\/crm\/v4\/objects\/([^/]+)\/([^/]+)\/associations\/default\/([^/]+)\/([^/]+)$/, (asked, ...ends) => hubspot.crm.associations.v4.basicApi.createDefault(...ends)],
      ['DELETE', /^\/crm\/v4\/objects\/([^/]+)\/([^/]+)\/associations\/([^/]+)\/([^/]+)$/, (asked, ...ends) => hubspot.crm.associations.v4.basicApi.archive(...ends)],
      ['GET', /^\/crm\/v3\/properties\/([^/]+)$/, (asked, type) => hubspot.crm.properties.coreApi.getAll(type)],
      ['POST', /^\/communication-preferences\/v3\/subscribe$/, (asked) => hubspot.communicationPreferences.statusApi.subscribe(asked.json)],
      ['POST', /^\/communication-preferences\/v3\/unsubscribe$/, (asked) => hubspot.communicationPreferences.statusApi.unsubscribe(asked.json)],
      ['GET', /^\/communication-preferences\/v3\/status\/email\/(.+)$/, (asked, email) => hubspot.communicationPreferences.statusApi.getEmailStatus(email)],
      ['POST', /^\/events\/v3\/send$/, (asked) => hubspot.events.send.basicApi.send({ ...asked.json, occurredAt: new Date(asked.json.occurredAt) })],
    ],
    mailchimp: [
      ['PUT', /^\/3.0\/lists\/([^/]+)\/members\/([^/]+)$/, (asked, list, id) => mailchimp.lists.setListMember(list, id, asked.json, asked.query)],
      ['PATCH', /^\/3.0\/lists\/([^/]+)\/members\/([^/]+)$/, (asked, list, id) => mailchimp.lists.updateListMember(list, id, asked.json, asked.query)],
      ['DELETE', /^\/3.0\/lists\/([^/]+)\/members\/([^/]+)$/, (asked, list, id) => mailchimp.lists.deleteListMember(list, id)],
      ['POST', /^\/3.0\/lists\/([^/]+)\/members\/([^/]+)\/events$/, (asked, list, id) => mailchimp.lists.createListMemberEvent(list, id, asked.json)],
      ['GET', /^\/3.0\/lists\/([^/]+)\/members\/([^/]+)$/, (asked, list, id) => mailchimp.lists.getListMember(list, id, camels(asked.query))],
      ['GET', /^\/3.0\/lists\/([^/]+)\/members$/, (asked, list) => mailchimp.lists.getListMembersInfo(list, camels(asked.query))],
      ['GET', /^\/3.0\/$/, () => mailchimp.root.getRoot()],
    ],
    stripe: [
      ['GET', /^\/v1\/account$/, (asked) => stripe(asked.headers['stripe-version']).accounts.retrieve()],
      ['GET', /^\/v1\/events$/, (asked) => stripe(asked.headers['stripe-version']).events.list(lists(asked.nested))],
      ['GET', /^\/v1\/([^/]+)\/search$/, (asked, type) => stripe(asked.headers['stripe-version'])[type].search(lists(asked.nested))],
      ['GET', /^\/v1\/([^/]+)\/([^/]+)$/, (asked, type, id) => stripe(asked.headers['stripe-version'])[type].retrieve(id)],
      ['GET', /^\/v1\/([^/]+)$/, (asked, type) => stripe(asked.headers['stripe-version'])[type].list(lists(asked.nested))],
      ['POST', /^\/v1\/([^/]+)$/, (asked, type) => stripe(asked.headers['stripe-version'])[type].create(lists(asked.form), key(asked))],
      ['POST', /^\/v1\/([^/]+)\/([^/]+)$/, (asked, type, id) => stripe(asked.headers['stripe-version'])[type].update(id, lists(asked.form), key(asked))],
      ['DELETE', /^\/v1\/([^/]+)\/([^/]+)$/, (asked, type, id) => stripe(asked.headers['stripe-version'])[type].del(id)],
    ],
    salesforce: salesforce(port),
    erpnext: frappe(port),
  }
}

function salesforce(port) {
  const instanceUrl = `http://127.0.0.1:${port}`
  const org = (asked) => new Connection({ instanceUrl, version: /\/v([0-9.]+)\//.exec(asked.path)[1], accessToken: 'token', callOptions: {} })
  const job = (asked, id) => org(asked).bulk2.job('ingest', { id })
  const rows = (asked) => asked.json.records.map(({ id, ...record }) => (id ? { Id: id, ...record } : record))
  const api = '^\\/services\\/data\\/v[0-9.]+'
  const at = (path) => new RegExp(`${api}${path}$`)
  return [
    ['PATCH', at('/composite/sobjects/([^/]+)/([^/]+)'), (asked, type, field) => org(asked).upsert(type, rows(asked), field)],
    ['PATCH', at('/composite/sobjects'), (asked) => org(asked).update(asked.json.records[0].attributes.type, rows(asked))],
    ['PATCH', at('/sobjects/([^/]+)/([^/]+)/([^/]+)'), (asked, type, field, key) => org(asked).upsert(type, { ...asked.json, [field]: key }, field)],
    ['PATCH', at('/sobjects/([^/]+)/([^/]+)'), (asked, type, id) => org(asked).update(type, { ...asked.json, Id: id })],
    ['DELETE', at('/sobjects/([^/]+)/([^/]+)'), (asked, type, id) => org(asked).destroy(type, id)],
    ['GET', at('/sobjects/([^/]+)/describe'), (asked, type) => org(asked).describe(type)],
    ['POST', at('/jobs/ingest'), (asked) => org(asked).bulk2.createJob(asked.json).open()],
    ['PUT', at('/jobs/ingest/([^/]+)/batches'), (asked, id) => job(asked, id).uploadData(asked.text)],
    ['PATCH', at('/jobs/ingest/([^/]+)'), (asked, id) => (asked.json.state === 'Aborted' ? job(asked, id).abort() : job(asked, id).close())],
    ['GET', at('/jobs/ingest/([^/]+)'), (asked, id) => job(asked, id).check()],
    ['GET', at('/jobs/ingest/([^/]+)/successfulResults/?'), (asked, id) => job(asked, id).getSuccessfulResults()],
    ['GET', at('/jobs/ingest/([^/]+)/failedResults/?'), (asked, id) => job(asked, id).getFailedResults()],
    ['GET', at('/jobs/ingest/([^/]+)/unprocessedrecords/?'), (asked, id) => job(asked, id).getUnprocessedRecords()],
    ['GET', at('/query'), (asked) => org(asked).query(asked.query.q)],
    ['GET', at('/queryAll'), (asked) => org(asked).query(asked.query.q, { scanAll: true })],
  ]
}

function frappe(port) {
  const app = new FrappeApp(`http://127.0.0.1:${port}`, { useToken: true, token: () => 'key:secret', type: 'token' })
  const db = app.db()
  const list = ({ fields, filters, order_by, limit, limit_start }) => {
    const [, field, order] = order_by ? /^(.*) (asc|desc)$/.exec(order_by) : []
    return { fields: JSON.parse(fields), filters: JSON.parse(filters), orderBy: field && { field, order }, limit, limit_start }
  }
  return [
    ['GET', /^\/api\/v2\/method\/(frappe.client.get)$/, (asked, method) => app.call().get(method, asked.query)],
    ['GET', /^\/api\/v2\/document\/([^/]+)$/, (asked, type) => db.getDocList(type, list(asked.query))],
    ['POST', /^\/api\/v2\/document\/([^/]+)$/, (asked, type) => db.createDoc(type, asked.json)],
    ['PUT', /^\/api\/v2\/document\/([^/]+)\/([^/]+)$/, (asked, type, name) => db.updateDoc(type, name, asked.json)],
    ['DELETE', /^\/api\/v2\/document\/([^/]+)\/([^/]+)$/, (asked, type, name) => db.deleteDoc(type, name)],
  ]
}

async function main() {
  const { received, server, port } = await recorder()
  const calls = clients(port)
  const said = []
  for (const asked of JSON.parse(fs.readFileSync(file, 'utf8'))) {
    const at = asked.path.split('?')[0]
    const found = calls[asked.vendor].find(([method, path]) => method === asked.method && path.test(at))
    if (!found) {
      said.push({ unknown: `${asked.method} ${at}` })
      continue
    }
    const before = received.length
    let trouble = null
    try {
      await found[2](asked, ...at.match(found[1]).slice(1).map(decodeURIComponent))
    } catch (error) {
      trouble = String(error.message ?? error).slice(0, 300)
    }
    said.push(received.length === before + 1 ? received[before] : { trouble, sent: received.length - before })
  }
  server.close()
  server.closeAllConnections()
  console.log(JSON.stringify(said))
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
