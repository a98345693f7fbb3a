import { edgeMethodWords } from '../shared/graph/methodWords';
import { plural } from '../shared/text';
import { runJson, shortest, type RunJson } from './json';
import { alignedTable, facts, signed } from './text';
import { misses, type Comparison, type Verification } from './verifyPublished';

/** What `verify-published --json` prints. Fields are added, never changed. */
export interface VerifyPublishedJson extends RunJson {
  nodes: { source: string; bound: number; rows: (ComparisonJson & { met: boolean })[] };
  /** Published scores as they are written; `signTurned`: their sign is the opposite of ours, and their ranks were compared with it turned. */
  edges: { source: string; signTurned: boolean; spearman: number | null; bound?: number; rows: ComparisonJson[] };
  /** What is further off than its bound. */
  misses: string[];
}

export interface ComparisonJson {
  what: string;
  published: number;
  ours: number;
}

export function verifyPublishedJson(verification: Verification): VerifyPublishedJson {
  const { run, published, nodes, edges, edgeSource, signTurned, spearman, spearmanBound } = verification;
  const row = ({ what, published: theirs, ours }: Comparison): ComparisonJson => ({ what, published: theirs, ours: shortest(ours) });
  return {
    ...runJson(run),
    nodes: { source: published.nodes.source, bound: published.nodes.bound, rows: nodes.map((own) => ({ ...row(own), met: isMet(verification, own) })) },
    edges: {
      source: edgeSource,
      signTurned,
      spearman: spearman ?? null,
      ...(spearmanBound !== undefined && { bound: spearmanBound }),
      rows: edges.map(({ what, published: theirs, ours }) => row({ what, published: signTurned ? -theirs : theirs, ours })),
    },
    misses: misses(verification),
  };
}

function isMet({ published }: Verification, { published: theirs, ours }: Comparison): boolean {
  return Math.abs(theirs - ours) <= published.nodes.bound;
}

/** What `verify-published` prints for people. */
export function verifyPublishedTables(verification: Verification): string {
  const { run, published, nodes, edges, edgeSource, signTurned, spearman, spearmanBound } = verification;
  const nodeRows = nodes.map((row) => [row.what, signed(row.published), signed(row.ours), signed(row.ours - row.published), isMet(verification, row) ? '' : 'off']);
  const edgeRows = edges.map(({ what, published: theirs, ours }) => [what, signed(theirs), signed(ours)]);
  const off = misses(verification);
  const bound = spearmanBound === undefined ? 'without a bound: too few edges; --circuit takes the whole file' : `${spearmanBound} asked for`;
  return `${[
    facts(run),
    `Nodes: ${published.nodes.source}\n${alignedTable(['what', 'published', 'ours', 'difference', `over ${published.nodes.bound}`], nodeRows, ['what'])}`,
    [
      `Edges: ${edgeSource}`,
      `  Ours: ${edgeMethodWords(published.edges.method)}, in logits. ${published.edges.note}`,
      ...(signTurned ? ['  Their sign is the opposite of ours, where positive supports the correct answer: it is turned here.'] : []),
      alignedTable(['edge', 'published', 'ours'], edgeRows, ['edge']),
      `  Spearman ρ over ${plural(edges.length, 'edge')}: ${spearman === undefined ? 'undefined' : spearman.toFixed(3)} (${bound})`,
    ].join('\n'),
    off.length === 0 ? 'Every bound is met.' : `${plural(off.length, 'bound')} not met: ${off.join('; ')}.`,
  ].join('\n\n')}\n`;
}
