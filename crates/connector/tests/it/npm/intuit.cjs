// Intuit's own client: where it has a person's consent, where it asks for tokens, and how it asks for the next one.
'use strict'
const http = require('node:http')
const { createRequire } = require('node:module')
const [packages] = process.argv.slice(2)
const OAuthClient = createRequire(`${packages}/package.json`)('intuit-oauth')

async function main() {
  let received
  const server = http.createServer((request, response) => {
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      received = { method: request.method, headers: request.headers, body: Buffer.concat(chunks).toString('utf8') }
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"access_token": "a", "refresh_token": "r", "expires_in": 3600}')
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const said = { token: OAuthClient.tokenEndpoint, production: OAuthClient.environment.production }
  const client = new OAuthClient({ clientId: 'client', clientSecret: 'secret', environment: 'production', redirectUri: 'https://hub.example.test/back' })
  said.consent = client.authorizeUri({ scope: [OAuthClient.scopes.Accounting], state: 's' })
  OAuthClient.tokenEndpoint = `http://127.0.0.1:${server.address().port}/`
  await client.refreshUsingToken('refresh-1')
  server.close()
  server.closeAllConnections()
  console.log(JSON.stringify({ ...said, refresh: received }))
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
