// Drives the Salesforce-shaped sandbox with @jsforce/jsforce-node and prints what the client understood, as one line of JSON.
'use strict'
const { createRequire } = require('node:module')
const [packages, instanceUrl] = process.argv.slice(2)
const { Connection } = createRequire(`${packages}/package.json`)('@jsforce/jsforce-node')

async function failure(promise) {
  try {
    await promise
  } catch (error) {
    return { code: error.errorCode ?? error.name, message: error.message }
  }
  throw new Error('the call was expected to fail')
}

async function main() {
  const said = {}
  const connection = new Connection({
    instanceUrl, loginUrl: instanceUrl, version: '66.0', maxRequest: 5,
    oauth2: { loginUrl: instanceUrl, clientId: 'sandbox-key', clientSecret: 'sandbox-secret' },
  })
  const refused = await failure(new Connection({ instanceUrl, version: '66.0', accessToken: 'other' }).query('SELECT Id FROM Account'))
  said.refused = refused.code
  const user = await connection.authorize({ grant_type: 'client_credentials' })
  said.organization = user.organizationId
  said.identity = (await connection.identity()).organization_id

  const described = await connection.describe('Contact')
  const field = described.fields.find((one) => one.name === 'LastName')
  said.described = { prefix: described.keyPrefix, nillable: field.nillable, length: field.length }
  said.global = (await connection.describeGlobal()).sobjects.map((one) => one.name).includes('Account')

  const account = await connection.sobject('Account').create({ Name: 'Acme' })
  said.account = account.success
  const first = await connection.sobject('Contact').upsert({ Concord_Id__c: 'r1', LastName: 'Hara', AccountId: account.id }, 'Concord_Id__c')
  const second = await connection.sobject('Contact').upsert({ Concord_Id__c: 'r1', LastName: "O'Hara" }, 'Concord_Id__c')
  said.upserts = [first.created, second.created, first.id === second.id]
  const many = await connection.sobject('Contact').upsert(
    [{ Concord_Id__c: 'r2', LastName: 'B' }, { Concord_Id__c: 'r3' }, { Concord_Id__c: 'r1', LastName: 'C' }], 'Concord_Id__c')
  said.many = many.map((one) => (one.success ? one.created : one.errors[0].statusCode))
  await connection.sobject('Contact').update({ Id: first.id, Phone: '1' })
  said.updated = (await connection.sobject('Contact').update([{ Id: first.id, Phone: '2' }, { Id: '0035e0000zzzzzzAAA', Phone: '3' }]))
    .map((one) => (one.success ? one.id === first.id : one.errors[0].statusCode))
  const read = await connection.sobject('Contact').retrieve(first.id)
  said.read = [read.Name, read.Phone, read.AccountId === account.id]
  said.invalid = await failure(connection.sobject('Contact').create({ FirstName: 'Nobody' }))

  const rows = await connection.query('SELECT Id, LastName, Account.Name FROM Contact WHERE SystemModstamp > 1999-01-01T00:00:00Z ORDER BY LastName')
  said.rows = rows.records.map((one) => [one.LastName, one.Account?.Name ?? null])
  said.malformed = (await failure(connection.query('SELECT FROM Contact'))).code

  const gone = await connection.sobject('Contact').create({ LastName: 'Gone' })
  said.destroyed = (await connection.sobject('Contact').destroy(gone.id)).success
  said.twice = (await failure(connection.sobject('Contact').destroy(gone.id))).code
  const bin = await connection.query('SELECT LastName FROM Contact WHERE IsDeleted = true', { scanAll: true })
  said.bin = bin.records.map((one) => one.LastName)

  // More than a page: the client follows the addresses by itself.
  for (let at = 0; at < 600; at += 200) {
    const leads = Array.from({ length: 200 }, (_, n) => ({ LastName: `L${String(at + n).padStart(4, '0')}`, Company: 'X' }))
    await connection.sobject('Lead').create(leads)
  }
  const all = await connection.query('SELECT LastName FROM Lead ORDER BY LastName', { autoFetch: true, maxFetch: 10000, headers: {} })
  said.paged = [all.records.length, all.totalSize, all.records[599].LastName]
  // Bulk API 2.0, as its own client speaks it.
  const job = connection.bulk2.createJob({ object: 'Contact', operation: 'upsert', externalIdFieldName: 'Concord_Id__c', lineEnding: 'LF' })
  await job.open()
  await job.uploadData('Concord_Id__c,LastName,Phone\nr1,"C, ""again""",#N/A\nr7,Seven,\nr8,,1\n')
  await job.close()
  await job.poll(50, 5000)
  const done = await job.getSuccessfulResults()
  const failed = await job.getFailedResults()
  const left = await job.getUnprocessedRecords()
  const info = await job.check()
  said.bulk = {
    state: info.state, processed: info.numberRecordsProcessed, failed: info.numberRecordsFailed,
    done: done.map((one) => [one.Concord_Id__c, one.sf__Created]).sort(),
    errors: failed.map((one) => [one.Concord_Id__c, one.sf__Error.split(':')[0]]), left,
  }
  said.bulked = (await connection.query("SELECT LastName, Phone FROM Contact WHERE Concord_Id__c = 'r1'")).records.map((one) => [one.LastName, one.Phone])
  said.closed = (await failure(job.close())).message
  const other = connection.bulk2.createJob({ object: 'Contact', operation: 'delete' })
  await other.open()
  await other.abort()
  said.aborted = (await other.check()).state
  // The client takes no note of what answers about jobs say of the day.
  await connection.query('SELECT Id FROM Account')
  said.limit = connection.limitInfo?.apiUsage
  console.log(JSON.stringify(said))
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
