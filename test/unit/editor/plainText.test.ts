import assert from 'node:assert/strict';
import { withoutLinks } from '../../../src/editor/plainText';

/** What VS Code takes for a link in a notification (its `parseLinkedText`). */
const LINK = /\[([^\]]+)\]\(((?:https?:\/\/|command:|file:)[^)\s]+)(?: (["'])(.+?)(\3))?\)/gi;

describe('texts in notifications', () => {
  it('offer no commands that a prompt file has written into them', () => {
    const message = 'In "[Trust](command:workbench.trust.manage)": the model [[a](command:x)](file:///etc "b") has no [words] (in brackets).';
    assert.equal([...message.matchAll(LINK)].length > 0, true);
    assert.deepEqual([...withoutLinks(message).matchAll(LINK)], []);
    assert.match(withoutLinks(message), /no \[words\] \(in brackets\)\./);
  });
});
