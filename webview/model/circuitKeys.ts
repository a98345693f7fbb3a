import type { CircuitSummary } from '../../src/shared/pathsProtocol';

type Known = Pick<CircuitSummary, 'name' | 'createdAt'>;

/** What kept circuits are known by over reloads, and when one before them is removed: their place in the list changes then. */
export function circuitKeys(circuits: readonly Known[]): string[] {
  const seen = new Map<string, number>();
  return circuits.map(({ name, createdAt }) => {
    const key = `${createdAt} ${name}`;
    const twins = seen.get(key) ?? 0;
    seen.set(key, twins + 1);
    return twins === 0 ? key : `${key} ${twins + 1}`;
  });
}

/** The present place of a circuit; undefined where it is not kept any more. */
export function circuitAt(circuits: readonly Known[], key: string | undefined): number | undefined {
  const index = key === undefined ? -1 : circuitKeys(circuits).indexOf(key);
  return index === -1 ? undefined : index;
}
