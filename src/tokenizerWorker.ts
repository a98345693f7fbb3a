import { parentPort } from 'node:worker_threads';
import { createTokenizerService, type TokenizerService } from './models/tokenizerService';
import { serveRpc } from './shared/rpc';

if (!parentPort) throw new Error('tokenizerWorker runs as a worker thread.');
const port = parentPort;

serveRpc<TokenizerService>(
  {
    post: (message, transfer) => port.postMessage(message, transfer),
    onMessage: (listener) => {
      port.on('message', listener);
      return () => port.off('message', listener);
    },
  },
  createTokenizerService(),
);
