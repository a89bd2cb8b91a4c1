// Verifies messages that Concord signed, and signs the same ones itself, with the code that vendors give to their customers.
'use strict'
const fs = require('node:fs')
const { createRequire } = require('node:module')
const [packages, file] = process.argv.slice(2)
const load = createRequire(`${packages}/package.json`)
const { Signature } = load('@hubspot/api-client')
const standard = load('standardwebhooks')
const Stripe = load('stripe')
const svix = load('svix')

const holds = (check) => {
  try {
    return check() !== false
  } catch {
    return false
  }
}

// Headers with other names for the same: what one library reads and the other writes.
const renamed = (headers, from, to) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase().replace(from, to), value]))

const schemes = {
  stripe: {
    verify: ({ secret, body, headers }) => Stripe.webhooks.constructEvent(body, headers['stripe-signature'], secret),
    sign: ({ secret, body, at }) => ({
      'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: Math.floor(at / 1000) }),
    }),
  },
  standard: {
    verify: ({ secret, body, headers }) => new standard.Webhook(secret).verify(body, renamed(headers, 'svix-', 'webhook-')),
    sign: ({ secret, body, at, id }) => ({
      'webhook-id': id, 'webhook-timestamp': String(Math.floor(at / 1000)), 'webhook-signature': new standard.Webhook(secret).sign(id, new Date(at), body),
    }),
  },
  svix: {
    verify: ({ secret, body, headers }) => new svix.Webhook(secret).verify(body, renamed(headers, 'webhook-', 'svix-')),
    sign: ({ secret, body, at, id }) => ({
      'svix-id': id, 'svix-timestamp': String(Math.floor(at / 1000)), 'svix-signature': new svix.Webhook(secret).sign(id, new Date(at), body),
    }),
  },
  hubspot: {
    verify: ({ secret, body, headers, url }) => Signature.isValid({
      signatureVersion: 'v3', method: 'POST', url, requestBody: body, clientSecret: secret,
      signature: headers['x-hubspot-signature-v3'], timestamp: Number(headers['x-hubspot-request-timestamp']),
    }),
    sign: ({ secret, body, at, url }) => ({
      'x-hubspot-request-timestamp': String(at),
      'x-hubspot-signature-v3': Signature.getSignature('POST', 'v3', { url, requestBody: body, clientSecret: secret, timestamp: at, method: 'POST' }),
    }),
  },
}

const said = JSON.parse(fs.readFileSync(file, 'utf8')).map((message) => {
  const { verify, sign } = schemes[message.scheme]
  message.headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name.toLowerCase(), value]))
  return {
    verified: holds(() => verify(message)),
    tampered: holds(() => verify({ ...message, body: `${message.body} ` })),
    stranger: holds(() => verify({ ...message, secret: message.other })),
    signed: sign(message),
  }
})
console.log(JSON.stringify(said))
