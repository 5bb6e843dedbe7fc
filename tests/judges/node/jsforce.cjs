// Reads {instanceUrl, accessToken, version, expression} from standard input, evaluates the expression with a
// connection of jsforce as `conn`, and writes {value} or {error} as JSON. A token on a command line could be seen.
"use strict";
const fs = require("node:fs");
const jsforce = require("jsforce");

const { expression, ...settings } = JSON.parse(fs.readFileSync(0, "utf8"));
const conn = new jsforce.Connection(settings);
const AsyncFunction = (async () => {}).constructor;

new AsyncFunction("conn", `return (${expression});`)(conn).then(
  (value) => process.stdout.write(JSON.stringify({ value })),
  (error) => process.stdout.write(JSON.stringify({ error: { code: error.errorCode, message: error.message } })),
);
