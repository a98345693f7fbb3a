/* eslint-disable @typescript-eslint/no-require-imports -- preloaded by node --require */
// Loaded into the server and all processes it forks: writes down which process loaded it and each host that a socket is opened to.
const childProcess = require('node:child_process');
const { appendFileSync } = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const net = require('node:net');

const note = (kind, value) => appendFileSync(process.env.CONNECTIONS_LOG, `${JSON.stringify({ kind, value })}\n`);
note('process', process.argv.join(' '));

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (typeof options === 'number') note('host', typeof args[1] === 'string' ? args[1] : 'localhost');
  else if (typeof options === 'object' && options !== null && !options.path) note('host', options.host ?? 'localhost');
  return connect.apply(this, args);
};

// The server takes NODE_OPTIONS out of an extension host's environment, so the flag is handed on here.
const fork = childProcess.fork;
childProcess.fork = (modulePath, args, options) => fork(modulePath, args, { ...options, execArgv: [...(options?.execArgv ?? []), '--require', __filename] });
syncBuiltinESMExports();
