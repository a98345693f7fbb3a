import assert from 'node:assert/strict';
import { session } from './session';

// Files run in the order of their names, so this one sees what the tests of the workbench before it asked for.
describe('without network', () => {
  it('no window asked another host', () => {
    assert.deepEqual([...session().foreignHosts], []);
  });

  it('no extension host opened a socket to another host', async () => {
    const notes = await session().server.connections();
    assert.ok(notes.some(({ kind, value }) => kind === 'process' && value.includes('--type=extensionHost')), 'the extension host was not watched');
    const hosts = notes.flatMap(({ kind, value }) => (kind === 'host' ? [value] : []));
    assert.deepEqual(hosts.filter((host) => !['127.0.0.1', '::1', 'localhost'].includes(host)), []);
  });
});
