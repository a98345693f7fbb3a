/** The name, or the next one of its kind where a circuit has it already: "top 40 (2)". */
export function freeName(wanted: string, circuits: readonly { name: string }[]): string {
  const taken = new Set(circuits.map(({ name }) => name));
  if (!taken.has(wanted)) return wanted;
  let next = 2;
  while (taken.has(`${wanted} (${next})`)) next++;
  return `${wanted} (${next})`;
}
