import type { EdgeMask } from '../../shared/graph/mask';
import { PORTS, receiverCount, receiverIndex, senderCount, senderIndex, sendersInto, type GraphNode, type GraphShape, type Receiver } from '../../shared/graph/nodes';

/**
 * What has to be computed to run some circuits. A *value* is what a component adds to the residual stream beyond what it adds in
 * the ablated run; an *input* is the ablated residual stream plus some values. A component's value is determined by its inputs, so
 * circuits that agree on everything upstream of a component share its value, and one input may serve many receivers.
 */
export interface MixedInput {
  /** Ascending. */
  values: readonly number[];
  /** Only the trailing positions that the metric reads are looked at. */
  tail: boolean;
  /** The first circuit that needs it. */
  circuit: number;
}

/** Indices into the layer's inputs. */
export interface HeadStep {
  value: number;
  head: number;
  q: number;
  k: number;
  v: number;
}

export interface MlpStep {
  value: number;
  input: number;
}

export interface LayerSteps {
  /** Of the residual stream before the layer. */
  inputs: MixedInput[];
  /** By head. */
  heads: HeadStep[];
  /** Of the residual stream after the layer's attention. */
  mlpInputs: MixedInput[];
  mlps: MlpStep[];
}

/** The value of the start of the residual stream. */
export const INPUT_VALUE = 0;

export class CircuitPlan {
  readonly layers: LayerSteps[];
  /** Of the residual stream after the last layer. */
  readonly outputs: MixedInput[] = [];
  /** Per circuit, which output it ends in. */
  readonly outputOf: number[] = [];
  /** Values of components; that of the start of the stream is not counted. */
  components = 0;
  private readonly known = new Map<string, number>();

  /**
   * `ablatedIsRun`: the ablated residual stream is that of a run, so that a component that receives nothing adds what it adds there:
   * its value is zero and left out. Of zeros or means it is not: even then a component computes something of its own.
   */
  constructor(
    private readonly shape: GraphShape,
    private readonly ablatedIsRun: boolean,
  ) {
    this.layers = Array.from({ length: shape.layers }, () => ({ inputs: [], heads: [], mlpInputs: [], mlps: [] }));
  }

  add(mask: EdgeMask): void {
    const { shape } = this;
    const circuit = this.outputOf.length;
    const needed = neededSenders(shape, mask);
    const values = new Int32Array(senderCount(shape)).fill(-1);
    values[0] = INPUT_VALUE;
    const valuesInto = (receiver: Receiver): number[] => sendersOf(shape, mask, receiver).map((sender) => values[sender]!).filter((value) => value >= 0);
    this.layers.forEach((steps, layer) => {
      const isLast = layer === shape.layers - 1;
      for (let head = 0; head < shape.heads; head++) {
        const sender = senderIndex(shape, { kind: 'head', layer, head });
        if (!needed[sender]) continue;
        const lists = PORTS.map((port) => valuesInto({ kind: 'head', layer, head, port }));
        if (this.ablatedIsRun && lists.every((list) => list.length === 0)) continue;
        const [q, k, v] = lists.map((list, port) => this.input(steps.inputs, `${layer}`, list, isLast && PORTS[port] === 'q', circuit)) as [number, number, number];
        values[sender] = this.value(`${layer}.${head}:${q},${k},${v}`, (value) => steps.heads.push({ value, head, q, k, v }));
      }
      const sender = senderIndex(shape, { kind: 'mlp', layer });
      if (!needed[sender]) return;
      const list = valuesInto({ kind: 'mlp', layer });
      if (this.ablatedIsRun && list.length === 0) return;
      const input = this.input(steps.mlpInputs, `${layer}m`, list, isLast, circuit);
      values[sender] = this.value(`${layer}m:${input}`, (value) => steps.mlps.push({ value, input }));
    });
    this.outputOf.push(this.input(this.outputs, 'logits', valuesInto({ kind: 'logits' }), true, circuit));
  }

  /** The layers' heads in the order of their numbers, as runs want them. Call it once, after the last circuit. */
  sorted(): this {
    for (const { heads } of this.layers) heads.sort((a, b) => a.head - b.head);
    return this;
  }

  private input(into: MixedInput[], where: string, values: number[], tail: boolean, circuit: number): number {
    values.sort((a, b) => a - b);
    return this.once(`${where}${tail ? ' tail' : ''}<${values.join()}`, () => into.push({ values, tail, circuit }) - 1);
  }

  private value(key: string, make: (value: number) => void): number {
    return this.once(key, () => {
      const value = ++this.components;
      make(value);
      return value;
    });
  }

  private once(key: string, make: () => number): number {
    let index = this.known.get(key);
    if (index === undefined) this.known.set(key, (index = make()));
    return index;
  }
}

/** Senders that have an edge in the circuit. */
function sendersOf(shape: GraphShape, mask: EdgeMask, receiver: Receiver): number[] {
  const column = receiverIndex(shape, receiver);
  const width = receiverCount(shape);
  const senders: number[] = [];
  for (let sender = 0; sender < sendersInto(shape, column); sender++) if (mask[sender * width + column]) senders.push(sender);
  return senders;
}

/** 1 for each sender with a way through the circuit to the logits. */
function neededSenders(shape: GraphShape, mask: EdgeMask): Uint8Array {
  const needed = new Uint8Array(senderCount(shape));
  const mark = (receiver: Receiver): void => {
    for (const sender of sendersOf(shape, mask, receiver)) needed[sender] = 1;
  };
  const isNeeded = (node: Exclude<GraphNode, { kind: 'logits' }>): boolean => needed[senderIndex(shape, node)] === 1;
  mark({ kind: 'logits' });
  for (let layer = shape.layers - 1; layer >= 0; layer--) {
    if (isNeeded({ kind: 'mlp', layer })) mark({ kind: 'mlp', layer });
    for (let head = 0; head < shape.heads; head++) {
      if (isNeeded({ kind: 'head', layer, head })) for (const port of PORTS) mark({ kind: 'head', layer, head, port });
    }
  }
  return needed;
}
