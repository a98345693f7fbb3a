import path from 'node:path';
import { relayEngine } from './engine/client/processRelay';

/** Composition root of the native backends' process; started with the folder of their packages. `__dirname` is dist/. */
const [nativeFolder] = process.argv.slice(2);
if (!process.send || nativeFolder === undefined) throw new Error('engineProcess.js is started as a child process, with the folder of native packages');
relayEngine(path.join(__dirname, 'engineWorker.js'), nativeFolder);
