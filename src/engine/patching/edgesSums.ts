import { receiverCount, senderCount, type GraphShape } from '../../shared/graph/nodes';
import type { PairGroup } from '../../shared/results';
import type { Chunk } from './plan';

/** Takes scores of a chunk's pairs, `values` being those of consecutive senders from `sender` on; what is taken for the same cell adds up. */
export interface TakeEdges {
  /** Receivers whose edges are wanted by position. */
  byPosition: readonly number[];
  edges(pair: number, sender: number, receiver: number, values: ArrayLike<number>): void;
  /** The senders' own scores. */
  senders(pair: number, sender: number, values: ArrayLike<number>): void;
  /** At a position of the run. */
  position(pair: number, sender: number, receiver: number, position: number, values: ArrayLike<number>): void;
}

/** The arrays of an EdgeResult under construction. */
export class EdgeSums {
  /** [pair, sender, receiver] */
  readonly edges: Float32Array;
  /** [pair, sender] */
  readonly senders: Float32Array;
  /** Per group [pair, sender, receiver as asked for, position]; empty when none were asked for. */
  readonly positions: Float32Array[];
  private readonly senderCount: number;
  private readonly receiverCount: number;

  constructor(
    shape: GraphShape,
    private readonly groups: readonly PairGroup[],
    private readonly wanted: readonly number[],
  ) {
    const pairs = groups.reduce((sum, group) => sum + group.pairs.length, 0);
    this.senderCount = senderCount(shape);
    this.receiverCount = receiverCount(shape);
    this.edges = new Float32Array(pairs * this.senderCount * this.receiverCount);
    this.senders = new Float32Array(pairs * this.senderCount);
    this.positions = wanted.length === 0 ? [] : groups.map((group) => new Float32Array(group.pairs.length * this.senderCount * wanted.length * group.length));
  }

  /** Scores of the chunk's pairs, each times its factor. */
  of(chunk: Chunk, factors: readonly number[]): TakeEdges {
    const group = this.groups[chunk.group]!;
    return {
      byPosition: this.wanted,
      edges: (pair, sender, receiver, values) => {
        const start = (chunk.pairs[pair]! * this.senderCount + sender) * this.receiverCount + receiver;
        for (let i = 0; i < values.length; i++) this.edges[start + i * this.receiverCount]! += factors[pair]! * values[i]!;
      },
      senders: (pair, sender, values) => {
        const start = chunk.pairs[pair]! * this.senderCount + sender;
        for (let i = 0; i < values.length; i++) this.senders[start + i]! += factors[pair]! * values[i]!;
      },
      position: (pair, sender, receiver, position, values) => {
        const all = this.positions[chunk.group]!;
        const start = group.pairs.indexOf(chunk.pairs[pair]!) * this.senderCount + sender;
        this.wanted.forEach((own, place) => {
          if (own !== receiver) return;
          for (let i = 0; i < values.length; i++) all[((start + i) * this.wanted.length + place) * group.length + chunk.prefix + position]! += factors[pair]! * values[i]!;
        });
      },
    };
  }
}
