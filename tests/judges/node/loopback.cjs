// Required before a program of Node (NODE_OPTIONS): whoever it would speak to beyond this machine is refused, and
// noted in the file that LOOPBACK_NOTES names. Programs that it starts inherit this.
"use strict";
const dns = require("node:dns");
const fs = require("node:fs");
const module_ = require("node:module");
const net = require("node:net");

const OURS = /^(localhost|127(\.\d+){3}|\[?::1\]?)$/;

function refused(host) {
  fs.appendFileSync(process.env.LOOPBACK_NOTES, `${host}\n`);
  return Object.assign(new Error(`${host} is beyond this machine`), { code: "EACCES" });
}

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...given) {
  const [options] = net._normalizeArgs(Array.isArray(given[0]) ? given[0] : given);
  if (options.path || OURS.test(options.host ?? "localhost")) return connect.apply(this, given);
  process.nextTick(() => this.destroy(refused(options.host)));
  return this;
};

// A proxy, for promisify looks for properties of the function that nobody else can set.
dns.lookup = new Proxy(dns.lookup, {
  apply(lookup, self, [host, ...rest]) {
    if (OURS.test(host)) return Reflect.apply(lookup, self, [host, ...rest]);
    process.nextTick(rest.at(-1), refused(host));
  },
});
module_.syncBuiltinESMExports();
