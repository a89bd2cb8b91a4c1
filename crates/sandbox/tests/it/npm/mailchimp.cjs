// Drives the marketing sandbox with @mailchimp/mailchimp_marketing and prints what the client understood.
'use strict'
const { createRequire } = require('node:module')
const [packages, origin] = process.argv.slice(2)
const mailchimp = createRequire(`${packages}/package.json`)('@mailchimp/mailchimp_marketing')

const LIST = '57afe96172'
const EMAIL = 'Urist.McVankab@freddiesjokes.com'
const HASH = '62eeb292278cc15f5817cb78f7790b08'

async function failure(promise) {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('the call was expected to fail')
}

async function main() {
  mailchimp.setConfig({ apiKey: 'sandbox-us1' })
  mailchimp.config.server = undefined
  mailchimp.basePath = `${origin}/3.0`
  const said = {}
  said.ping = (await mailchimp.ping.get()).health_status
  said.account = (await mailchimp.root.getRoot()).account_id

  const member = await mailchimp.lists.setListMember(LIST, HASH, {
    email_address: EMAIL, status_if_new: 'subscribed', merge_fields: { FNAME: 'Urist' },
  })
  await mailchimp.lists.updateListMember(LIST, HASH, { merge_fields: { BUSINESSID: 'c-1' } })
  await mailchimp.lists.createListMemberEvent(LIST, HASH, { name: 'invoice_overdue', properties: { business_id: 'i-1' } })
  await mailchimp.lists.updateListMemberTags(LIST, HASH, { tags: [{ name: 'gold', status: 'active' }] })
  said.tags = (await mailchimp.lists.getListMemberTags(LIST, HASH)).tags.map((tag) => tag.name)
  const listed = await mailchimp.lists.getListMembersInfo(LIST, { count: 10, sinceLastChanged: '2020-01-01T00:00:00Z' })
  said.listed = listed.members.map((one) => one.email_address.toLowerCase())
  const left = await mailchimp.lists.updateListMember(LIST, HASH, { status: 'unsubscribed' })
  const refused = await failure(mailchimp.lists.updateListMember(LIST, HASH, { status: 'subscribed' }))
  said.compliance = { status: refused.status, title: refused.response.body.title }
  await mailchimp.lists.deleteListMember(LIST, HASH)
  const gone = await mailchimp.lists.getListMember(LIST, HASH)
  said.statuses = [member.status, left.status, gone.status]
  said.unknown = (await failure(mailchimp.lists.getListMember(LIST, '00000000000000000000000000000000'))).status
  process.stdout.write(`${JSON.stringify(said)}\n`)
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n${error.response ? error.response.text : ''}\n`)
  process.exit(1)
})
