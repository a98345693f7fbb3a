import type { Gpt2Config } from './config';
import { ROWS_AT_ONCE } from './forward';
import { runSegments, type OpenSegment } from './segmentForward';
import type { RowPath, Span } from './segments';
import type { Gpt2 } from './weights';
import type { Work } from './work';

/** What is asked of a prompt: everything at its positions from `start` on, keys and values before them. */
export interface Asked {
  tokens: readonly number[];
  start: number;
  /** Trailing positions at which the last layer is asked for beyond its keys and values, and the residual stream after it. */
  tail: number;
}

/** How much of a row is asked for or kept: keys and values, everything but what the last layer's queries lead to, everything. */
type Level = 0 | 1 | 2;
const KEY_VALUES: Level = 0;
const FULL: Level = 1;
const LAST: Level = 2;

interface Node {
  token: number;
  position: number;
  parent?: Node;
  children: Map<number, Node>;
  segment?: KeptSegment;
  index: number;
}

interface KeptSegment extends OpenSegment {
  nodes: Node[];
  /** How many of its rows no later segment has taken the place of. */
  rows: number;
  bytes: number;
  /** Call and request that last used it. */
  call: number;
  used: number;
  /** Computed beside others, for a request of the same call that is to come. */
  awaited: boolean;
}

/**
 * What forward passes of unchanged prompts gave, row by row, in plain memory: a trie of tokens, in which each distinct
 * (position, tokens up to it) is computed once, whichever prompts, pairs and calls ask for it. What is not there yet is
 * computed in passes of many rows, of all the prompts that ask. Interventions and patches never get in here.
 *
 * At most `bound` bytes are kept. What earlier calls left goes first, the least recently used of it first; of the present
 * call's own what came last goes first, so that a set of prompts that is larger than the bound finds its beginning again.
 */
export class KnownRows {
  private readonly root = node(-1, -1);
  private readonly segments = new Set<KeptSegment>();
  private held = 0;
  private lastWork?: Work;
  private call = 0;
  private request = 0;

  constructor(
    private readonly model: Gpt2,
    private bound: number,
  ) {}

  /** Bytes that are kept. */
  get bytes(): number {
    return this.held;
  }

  /** Keeps no more than so many bytes from now on. */
  limit(bound: number): void {
    this.bound = bound;
    this.evict();
  }

  /**
   * The rows of each prompt that is asked for; undefined where they take more than may be kept. `roles`: prompts of one list
   * after the other, each list of the same pairs, which share what stands before their start. `ahead`: what the same call will
   * ask for later, of which so much is computed on the way as makes the passes' products worth their fixed cost. Throws `cancelled`.
   */
  async rows(roles: readonly (readonly Asked[])[], ahead: readonly (readonly Asked[])[], work: Work): Promise<RowPath[] | undefined> {
    if (work !== this.lastWork) this.call++;
    this.lastWork = work;
    this.request++;
    const levels = new Map<Node, Level>();
    const asked = roles.flat();
    const paths = asked.map((own) => this.mark(own, levels));
    const later = ahead.map((own) => own.map((one) => this.mark(one, levels)));
    try {
      const own = new Set(paths.flat());
      if (this.bytesOf(own, levels) > this.bound) return undefined;
      const missing = missingOf(paths, levels);
      const planned = asked.reduce((sum, { tokens, start }) => sum + tokens.length - start, 0) + (roles[0] ?? []).reduce((sum, { start }) => sum + start, 0);
      work.skip(this.model.config.layers * Math.max(0, planned - missing.size));
      if (missing.size > 0) {
        const awaited = this.alongWith(missing, own, later, levels);
        await this.compute([...missing], levels, awaited, work);
      }
      return paths.map((path) => this.pathOf(path));
    } finally {
      for (const path of [...paths, ...later.flat()]) prune(path.at(-1));
      this.evict();
    }
  }

  /** The nodes of a prompt; raises their levels to what is asked. */
  private mark({ tokens, start, tail }: Asked, levels: Map<Node, Level>): Node[] {
    let at = this.root;
    return tokens.map((token, position) => {
      let next = at.children.get(token);
      if (!next) at.children.set(token, (next = node(token, position, at)));
      const level = position >= Math.max(start, tokens.length - tail) ? LAST : position >= start ? FULL : KEY_VALUES;
      levels.set(next, Math.max(level, levels.get(next) ?? level) as Level);
      return (at = next);
    });
  }

  private bytesOf(nodes: Iterable<Node>, levels: ReadonlyMap<Node, Level>): number {
    let bytes = 0;
    for (const own of nodes) bytes += rowBytes(this.model.config, levels.get(own)!);
    return bytes;
  }

  /** Adds rows of later requests to `missing`, and returns which. */
  private alongWith(missing: Set<Node>, own: ReadonlySet<Node>, later: readonly (readonly Node[][])[], levels: ReadonlyMap<Node, Level>): Set<Node> {
    const awaited = new Set<Node>();
    let bytes = this.bytesOf(own, levels);
    for (const paths of later) {
      const more = [...missingOf(paths, levels)].filter((one) => !missing.has(one));
      bytes += this.bytesOf(more, levels);
      if (missing.size + more.length > ROWS_AT_ONCE || bytes > this.bound / 2) break;
      for (const one of more) {
        missing.add(one);
        awaited.add(one);
      }
    }
    return awaited;
  }

  /** `nodes`: parents before their children. */
  private async compute(nodes: readonly Node[], levels: ReadonlyMap<Node, Level>, awaited: ReadonlySet<Node>, work: Work): Promise<void> {
    const passes = Math.ceil(nodes.length / ROWS_AT_ONCE);
    for (let pass = 0; pass < passes; pass++) {
      const own = nodes.slice(Math.round((pass * nodes.length) / passes), Math.round(((pass + 1) * nodes.length) / passes));
      const placed = new Map<Node, Span>();
      const open = chains(own, levels).map((chain) => this.open(chain, levels, awaited, placed));
      open.forEach((segment) => segment.past.push(...spansOf(ancestors(segment.nodes[0]!), placed)));
      await runSegments(this.model, open, work);
      for (const segment of open) {
        for (const [index, one] of segment.nodes.entries()) {
          if (one.segment && --one.segment.rows === 0) this.drop(one.segment);
          Object.assign(one, { segment, index });
        }
        this.segments.add(segment);
        this.held += segment.bytes;
      }
    }
  }

  private open(nodes: Node[], levels: ReadonlyMap<Node, Level>, awaited: ReadonlySet<Node>, placed: Map<Node, Span>): KeptSegment {
    const from = (level: Level): number => {
      const index = nodes.findIndex((one) => levels.get(one)! >= level);
      return index < 0 ? nodes.length : index;
    };
    const bytes = this.bytesOf(nodes, levels);
    const segment: KeptSegment = {
      nodes,
      rows: nodes.length,
      tokens: nodes.map(({ token }) => token),
      start: nodes[0]!.position,
      length: nodes.length,
      fullFrom: from(FULL),
      lastFrom: from(LAST),
      values: new Map(),
      past: [],
      bytes,
      // One piece of memory: hundreds of small ones are several times as slow to come by.
      room: new Float32Array(bytes / 4),
      call: this.call,
      used: this.request,
      awaited: awaited.has(nodes[0]!),
    };
    nodes.forEach((one, index) => placed.set(one, { segment, from: index, count: 1 }));
    return segment;
  }

  private pathOf(path: readonly Node[]): RowPath {
    for (const { segment } of path) Object.assign(segment!, { call: this.call, used: this.request, awaited: false });
    return spansOf(path, new Map());
  }

  private drop(segment: KeptSegment): void {
    this.segments.delete(segment);
    this.held -= segment.bytes;
  }

  private evict(): void {
    if (this.held <= this.bound) return;
    const all = [...this.segments];
    const before = all.filter(({ call }) => call < this.call).sort((a, b) => a.used - b.used);
    const own = all.filter(({ call, awaited }) => call === this.call && !awaited).reverse();
    for (const segment of [...before, ...own]) {
      if (this.held <= this.bound) return;
      this.drop(segment);
      for (const one of segment.nodes) if (one.segment === segment) one.segment = undefined;
      prune(segment.nodes.at(-1));
    }
  }
}

/** Bytes of one row. */
function rowBytes({ layers, dModel, dMlp }: Gpt2Config, level: Level): number {
  const keyValues = 2 * layers * dModel;
  const inside = 5 * dModel + dMlp;
  const full = layers * dModel + (layers - 1) * inside;
  return 4 * (keyValues + (level >= FULL ? full : 0) + (level >= LAST ? inside + dModel : 0));
}

function node(token: number, position: number, parent?: Node): Node {
  return { token, position, parent, children: new Map(), index: 0 };
}

function levelOf({ segment, index }: Node): Level | undefined {
  if (!segment) return undefined;
  return index >= segment.lastFrom ? LAST : index >= segment.fullFrom ? FULL : KEY_VALUES;
}

/** Parents before their children. */
function missingOf(paths: readonly Node[][], levels: ReadonlyMap<Node, Level>): Set<Node> {
  return new Set(paths.flat().filter((one) => (levelOf(one) ?? -1) < levels.get(one)!));
}

/** Cut where prompts part and where less is asked for further on. */
function chains(nodes: readonly Node[], levels: ReadonlyMap<Node, Level>): Node[][] {
  const children = new Map<Node, number>();
  for (const { parent } of nodes) children.set(parent!, (children.get(parent!) ?? 0) + 1);
  const found: Node[][] = [];
  for (const one of nodes) {
    const open = found.at(-1);
    const last = open?.at(-1);
    if (last && last === one.parent && children.get(last) === 1 && levels.get(last)! <= levels.get(one)!) open!.push(one);
    else found.push([one]);
  }
  return found;
}

/** The nodes before a node, first position first. */
function ancestors({ parent }: Node): Node[] {
  const path: Node[] = [];
  for (let at = parent; at?.parent; at = at.parent) path.push(at);
  return path.reverse();
}

/** `placed`: rows that are being computed. */
function spansOf(path: readonly Node[], placed: ReadonlyMap<Node, Span>): Span[] {
  const spans: Span[] = [];
  for (const one of path) {
    const { segment, from } = placed.get(one) ?? { segment: one.segment!, from: one.index };
    const last = spans.at(-1);
    if (last?.segment === segment && last.from + last.count === from) last.count++;
    else spans.push({ segment, from, count: 1 });
  }
  return spans;
}

/** Takes nodes out that hold no row and lead to none, from this one upwards. */
function prune(from: Node | undefined): void {
  for (let at = from; at?.parent && !at.segment && at.children.size === 0; at = at.parent) at.parent.children.delete(at.token);
}

const knownRows = new WeakMap<Gpt2, KnownRows>();

/** Lets calls on a model share what its forward passes gave, within `bound` bytes. It goes with the model. */
export function keepRows(model: Gpt2, bound: number): KnownRows {
  const rows = new KnownRows(model, bound);
  knownRows.set(model, rows);
  return rows;
}

/** What is known of a model's forward passes; undefined where nothing is kept. */
export function knownRowsOf(model: Gpt2): KnownRows | undefined {
  return knownRows.get(model);
}
