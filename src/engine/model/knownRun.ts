import * as tf from '@tensorflow/tfjs-core';
import { SITE_NAMES, type SiteName } from '../../shared/sites';
import { causalMask, patterns, splitHeads, type AttentionRecord } from './attention';
import type { BlockRecord, ForwardRun, KeyValues, LayerRun } from './forward';
import { rowwise, type Normalised } from './rowwise';
import { gatherRows, rowCount, rowsKey, type RowItem, type RowPath } from './segments';
import type { SiteTensors } from './sites';
import type { Gpt2 } from './weights';
import type { Work } from './work';

/** Which of the rows a run shows. */
export interface KnownPlace {
  /** Positions of each prompt that stand before the run. */
  start: number;
  tail: number;
}

/**
 * A forward pass made of known rows: sequence i is paths[i], all of one length. Each tensor is made when it is first asked for
 * (inside `tf.tidy` too) and stays until its block or the run is disposed, so that a backward pass holds one layer at a time.
 */
export class KnownRun implements ForwardRun {
  readonly batch: number;
  readonly length: number;
  readonly tail: number;
  readonly firstLayer = 0;
  readonly layers: KnownBlock[];
  readonly masks = [];
  private readonly made = new Map<string, tf.Tensor>();

  constructor(
    readonly model: Gpt2,
    readonly paths: readonly RowPath[],
    readonly place: KnownPlace,
    readonly work: Work,
  ) {
    this.batch = paths.length;
    this.length = rowCount(paths[0]!) - place.start;
    this.tail = place.tail;
    this.layers = Array.from({ length: model.config.layers }, (_, layer) => new KnownBlock(this, layer));
  }

  get last(): tf.Tensor2D {
    return this.once('last', () => this.tensor('pre', this.layers.length, this.tail));
  }

  get embed(): tf.Tensor2D {
    return this.once('embed', () => this.tensor('pre', 0, this.length));
  }

  /** Of the positions before the run, [batch, head, start, dHead]. The caller disposes them. */
  past(): KeyValues[] {
    const { start } = this.place;
    const before = this.paths.map((path) => firstRows(path, start));
    const { dModel, heads } = this.model.config;
    const of = (item: RowItem, layer: number): tf.Tensor4D => splitHeads(gatherRows(before, rowsKey(item, layer), dModel), this.batch, heads);
    return this.layers.map((_, layer) => tf.tidy(() => ({ key: of('key', layer), value: of('value', layer) })));
  }

  /** Hides the future of the `rows` trailing positions. */
  mask(rows: number): tf.Tensor2D | undefined {
    return rows === 1 ? undefined : this.once(`mask.${rows}`, () => causalMask(rows, this.place.start + this.length)!);
  }

  /** The `count` trailing positions of every sequence: [batch · count, width]. */
  tensor(item: RowItem, layer: number, count: number): tf.Tensor2D {
    const { dModel, dMlp } = this.model.config;
    const width = item === 'mlpPre' ? dMlp : dModel;
    return gatherRows(this.paths, rowsKey(item, layer), width, this.place.start + this.length - count);
  }

  /** [batch, head, count, dHead] */
  heads(item: 'query' | 'key' | 'value', layer: number, count: number): tf.Tensor4D {
    return tf.tidy(() => splitHeads(this.tensor(item, layer, count), this.batch, this.model.config.heads));
  }

  dispose(): void {
    for (const tensor of this.made.values()) tensor.dispose();
    this.made.clear();
    for (const block of this.layers) block.dispose();
  }

  private once<T extends tf.Tensor>(name: string, make: () => T): T {
    return madeOnce(this.made, name, make);
  }
}

/** One block of such a run. */
class KnownBlock implements LayerRun {
  readonly sites: SiteTensors;
  private readonly made = new Map<string, tf.Tensor>();

  constructor(
    private readonly run: KnownRun,
    private readonly layer: number,
  ) {
    const sites = SITE_NAMES.filter((site) => site !== 'embed');
    this.sites = Object.defineProperties({}, Object.fromEntries(sites.map((site) => [site, { enumerable: true, get: () => this.site(site) }])));
  }

  get record(): BlockRecord {
    return { norm1: this.norm('pre'), attention: this.attention, norm2: this.norm('mid'), mlpPre: this.mlpPre };
  }

  dispose(): void {
    for (const tensor of this.made.values()) tensor.dispose();
    this.made.clear();
  }

  /** Positions after keys and values. */
  private get rows(): number {
    return this.layer === this.run.layers.length - 1 ? this.run.tail : this.run.length;
  }

  private get attention(): AttentionRecord {
    const { run, layer, rows } = this;
    const all = run.place.start + run.length;
    return {
      query: this.once('query', () => run.heads('query', layer, rows)),
      key: this.once('allKeys', () => run.heads('key', layer, all)),
      value: this.once('allValues', () => run.heads('value', layer, all)),
      mask: run.mask(rows),
    };
  }

  private get mlpPre(): tf.Tensor2D {
    return this.once('mlpPre', () => this.run.tensor('mlpPre', this.layer, this.rows));
  }

  private norm(item: 'pre' | 'mid'): Normalised {
    let made: Normalised | undefined;
    const part = (name: 'unit' | 'inverse') => () => (made ??= rowwise().normalise(this.stream(item), this.run.model.config.layerNormEpsilon))[name];
    return tf.tidy(() => ({ unit: this.once(`${item}.unit`, part('unit')), inverse: this.once(`${item}.inverse`, part('inverse')) }));
  }

  private stream(item: 'pre' | 'mid'): tf.Tensor2D {
    return this.once(item, () => this.run.tensor(item, this.layer, item === 'pre' ? this.run.length : this.rows));
  }

  private site(site: SiteName): tf.Tensor {
    const { run, layer, rows } = this;
    const plain = (item: RowItem): tf.Tensor => this.once(item, () => run.tensor(item, layer, rows));
    switch (site) {
      case 'embed':
        throw new RangeError('embed is of the run');
      case 'resid_pre':
        return this.stream('pre');
      case 'resid_mid':
        return this.stream('mid');
      case 'resid_post':
        return this.once('post', () => run.tensor('pre', layer + 1, rows));
      case 'attn_out':
        return plain('attnOut');
      case 'mlp_out':
        return plain('mlpOut');
      case 'z':
        return plain('z');
      case 'mlp_post':
        return this.once('mlpPost', () => tf.tidy(() => rowwise().activate(this.mlpPre, run.model.config.activation)));
      case 'q':
        return this.attention.query;
      case 'k':
        return this.once('keys', () => run.heads('key', layer, run.length));
      case 'v':
        return this.once('values', () => run.heads('value', layer, run.length));
      case 'scores':
      case 'pattern':
        return this.once(site, () => tf.tidy(() => patterns(this.attention, run.work)[site]));
    }
  }

  private once<T extends tf.Tensor>(name: string, make: () => T): T {
    return madeOnce(this.made, name, make);
  }
}

/** Kept beyond the `tf.tidy` in which it may be asked for. */
function madeOnce<T extends tf.Tensor>(made: Map<string, tf.Tensor>, name: string, make: () => T): T {
  let tensor = made.get(name) as T | undefined;
  if (!tensor) made.set(name, (tensor = tf.keep(make())));
  return tensor;
}

function firstRows(path: RowPath, count: number): RowPath {
  let left = count;
  return path.flatMap((span) => {
    const own = Math.min(left, span.count);
    left -= own;
    return own > 0 ? [{ ...span, count: own }] : [];
  });
}
