/** Which sequence of which run. */
export interface SequencePlace {
  run: number;
  sequence: number;
}

/** Sequences of one length that are run together, without prefix. */
export interface SharedRun {
  tokens: number[][];
  /** Index of each one's prefix. */
  prefix: number[];
}

/** The distinct sequences of a chunk, so that each is run once. All have the same prefix length. */
export interface SharedRuns {
  /** Distinct prefixes. */
  prefixes: number[][];
  /** Run 0 has the base prompt of each pair, in the order of the pairs: gradients are taken there. */
  runs: SharedRun[];
  /** [role][pair]: where the prompts of each role are found. */
  places: SequencePlace[][];
}

/**
 * `base`: the prompt of each pair at which gradients are taken. `roles`: further prompts of each pair. A prompt of a role
 * that is a base prompt is found in run 0 unless `apart`, as it must be when that run is not left as it is.
 */
export function shareRuns(base: readonly (readonly number[])[], roles: readonly (readonly (readonly number[])[])[], prefix: number, apart = false): SharedRuns {
  const shared: SharedRuns = { prefixes: [], runs: [{ tokens: [], prefix: [] }], places: [] };
  const prefixes = new Map<string, number>();
  const known = new Map<string, SequencePlace>();
  const prefixIndex = (tokens: readonly number[]): number => {
    const own = tokens.slice(0, prefix);
    const key = own.join();
    let index = prefixes.get(key);
    if (index === undefined) {
      index = shared.prefixes.push(own) - 1;
      prefixes.set(key, index);
    }
    return index;
  };
  const add = (run: number, tokens: readonly number[]): SequencePlace => {
    shared.runs[run]!.prefix.push(prefixIndex(tokens));
    return { run, sequence: shared.runs[run]!.tokens.push(tokens.slice(prefix)) - 1 };
  };
  for (const tokens of base) {
    const place = add(0, tokens);
    if (!apart && !known.has(tokens.join())) known.set(tokens.join(), place);
  }
  const runOfLength = new Map<number, number>();
  for (const prompts of roles) {
    shared.places.push(
      prompts.map((tokens) => {
        let place = known.get(tokens.join());
        if (!place) {
          let run = runOfLength.get(tokens.length);
          if (run === undefined) runOfLength.set(tokens.length, (run = shared.runs.push({ tokens: [], prefix: [] }) - 1));
          known.set(tokens.join(), (place = add(run, tokens)));
        }
        return place;
      }),
    );
  }
  return shared;
}
