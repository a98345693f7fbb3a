import type { Session } from '../session';
import { activation, bundled, parse } from './editor';
import { flat } from './flat';
import { growth } from './growth';
import { medium } from './medium';
import { native } from './native';
import { profile } from './profile';
import { tutorial } from './w1Tutorial';
import { onePair } from './w2OnePair';
import { manyPairs } from './w3ManyPairs';
import { exactHeads } from './w4ExactHeads';
import { exactBlocks } from './w5ExactBlocks';
import { edges } from './w6Edges';
import { curve } from './w7Curve';
import { firstToken } from './w8FirstToken';

/** What `--only` names, in the order of printing. */
export const WORKLOADS: Readonly<Record<string, (session: Session) => Promise<void>>> = {
  activation,
  bundled,
  parse,
  W1: tutorial,
  W2: onePair,
  W3: manyPairs,
  W4: exactHeads,
  W5: exactBlocks,
  W6: edges,
  W7: curve,
  W8: firstToken,
  medium,
  native,
  growth,
  profile,
  flat,
};
