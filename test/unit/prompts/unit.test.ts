import assert from 'node:assert/strict';
import { parseUnit } from '../../../src/prompts/unit';
import type { Unit } from '../../../src/shared/experiment';

describe('prompts: parts of a site in one word', () => {
  const words: [text: string, unit: Unit][] = [
    ['embed', { site: 'embed' }],
    ['embed@4', { site: 'embed', position: 4 }],
    ['mlp_out:5', { site: 'mlp_out', layer: 5 }],
    ['z:9.6', { site: 'z', layer: 9, head: 6 }],
    ['z:9@-1', { site: 'z', layer: 9, position: -1 }],
    ['z:10.7@last', { site: 'z', layer: 10, head: 7, position: 'last' }],
    ['pattern:5.1@14<8', { site: 'pattern', layer: 5, head: 1, position: 14, source: 8 }],
    ['scores:0.0<-2', { site: 'scores', layer: 0, head: 0, source: -2 }],
    ['mlp_post:3#412@2', { site: 'mlp_post', layer: 3, neuron: 412, position: 2 }],
  ];
  for (const [text, unit] of words) {
    it(text, () => assert.deepEqual(parseUnit(text), unit));
  }

  const wrong: [text: string, message: RegExp][] = [
    ['', /no part of a site/],
    ['z:9.6@', /write SITE:LAYER/],
    ['Z:9', /no part of a site/],
    ['y:9', /no site "y"; there are z, q/],
    ['z', /which "layer"/],
    ['embed:1', /no layers/],
    ['mlp_out:1.2', /no heads/],
    ['z:1.2#3', /no neurons/],
    ['z:1.2@3<1', /no source positions/],
    ['z:1.2@S2', /no part of a site/],
  ];
  for (const [text, message] of wrong) it(`not ${JSON.stringify(text)}`, () => assert.throws(() => parseUnit(text), (error) => error instanceof RangeError && message.test(error.message)));
});
