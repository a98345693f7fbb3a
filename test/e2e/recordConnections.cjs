/* eslint-disable @typescript-eslint/no-require-imports -- preloaded by node --require */
// Loaded into the server and every extension host under test: writes down each host that a socket is opened to.
const { appendFileSync } = require('node:fs');
const net = require('node:net');

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (typeof options === 'object' && options !== null && !options.path) {
    appendFileSync(process.env.CONNECTIONS_LOG, `${options.host ?? 'localhost'}\n`);
  }
  return connect.apply(this, args);
};
