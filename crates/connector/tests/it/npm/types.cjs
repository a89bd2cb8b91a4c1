// Compiles bodies as values of the types that a vendor's client gives to its calls, and prints what the compiler says of each.
'use strict'
const fs = require('node:fs')
const path = require('node:path')
const { createRequire } = require('node:module')
const [packages, file] = process.argv.slice(2)
const ts = createRequire(`${packages}/package.json`)('typescript')

// Each is `{type, value, loose}`: loose, only the names count, for a form has nothing but texts.
function literal(value, loose) {
  if (Array.isArray(value)) return `[${value.map((one) => literal(one, loose)).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${literal(one, loose)}`).join(', ')}}`
  }
  if (loose) return 'anything'
  // The clients take moments as dates.
  return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) ? `new Date(${JSON.stringify(value)})` : JSON.stringify(value)
}

const asked = JSON.parse(fs.readFileSync(file, 'utf8'))
const lines = [
  "import { Client } from '@hubspot/api-client'",
  "import Stripe from 'stripe'",
  'declare const hubspot: Client, stripe: Stripe, anything: any',
  'type First<F extends (...all: any) => any> = Parameters<F>[0]',
  'type Second<F extends (...all: any) => any> = Parameters<F>[1]',
  // A word of an enumeration, as it is written.
  'type Plain<T> = T extends string ? `${T}` : T extends Date ? T : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T',
  'type Third<F extends (...all: any) => any> = Parameters<F>[2]',
]
const before = lines.length
for (const [at, { type, value, loose }] of asked.entries()) lines.push(`export const v${at}: ${loose ? type : `Plain<${type}>`} = ${literal(value, loose)}`)

const source = path.join(packages, `bodies-${process.pid}.mts`)
fs.writeFileSync(source, `${lines.join('\n')}\n`)
const options = {
  strict: true, noEmit: true, skipLibCheck: true, target: ts.ScriptTarget.ES2022, types: [],
  module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
}
const program = ts.createProgram([source], options)
const said = asked.map(() => [])
const other = []
for (const diagnostic of ts.getPreEmitDiagnostics(program)) {
  const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, '; ')
  const line = diagnostic.file?.fileName === source ? diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start).line - before : -1
  if (line >= 0) said[line].push(text)
  else other.push(`${diagnostic.file?.fileName ?? ''}: ${text}`)
}
fs.unlinkSync(source)
console.log(JSON.stringify({ said, other: other.slice(0, 5) }))
