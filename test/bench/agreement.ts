/**
 * How far attribution can be trusted on the bundled model: attribution beside exact activation patching for every cell,
 * printed as the table that the README shows. Run by `npm run -s bench:agreement`; takes the built command line.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { agreementOf, isTelling } from '../../src/shared/agreement';
import type { Nested } from '../../src/cli/json';
import type { PatchJson } from '../../src/cli/patchJson';

const SAMPLE = path.join('media', 'samples', 'ioi.prompts.json');
const HEADS = ['z', 'q', 'k', 'v', 'pattern'];
const BLOCKS = ['resid_pre', 'attn_out', 'mlp_out'];

const run = promisify(execFile);

/** One line of the table for each site; `variant` as the command line's flag takes it. */
async function rows(sites: readonly string[], over: string, variant = 'none'): Promise<string[]> {
  const { stdout } = await run(process.execPath, ['dist/cli.js', 'patch', SAMPLE, '--site', sites.join(), '--over', over, '--variant', variant, '--full', '--json'], { maxBuffer: 1 << 28 });
  return (JSON.parse(stdout) as PatchJson).sites.map((site) => row(site, variant === 'none' ? '' : ` (${variant})`));
}

/** Every measured cell. What is 0 on both sides agrees by construction, and would raise every figure. */
function telling({ maps }: PatchJson['sites'][0]): { estimate: number; exact: number }[] {
  const flat = (values: Nested): (number | null)[] => (Array.isArray(values) ? values.flatMap(flat) : [values]);
  return maps.flatMap((map) => {
    const exact = flat(map.exact);
    return flat(map.estimate).flatMap((estimate, i) => (estimate === null || exact[i] === null ? [] : [{ estimate, exact: exact[i]! }]));
  }).filter(isTelling);
}

function row(site: PatchJson['sites'][0], variant: string): string {
  const { over, agreement: { count }, worst } = site;
  const agreement = agreementOf(telling(site));
  const figure = (value: number | undefined): string => (value === undefined ? 'n/a' : value.toFixed(3).replace('-', '−'));
  const [miss] = [...worst.over, ...worst.under].sort((a, b) => Math.abs(b.estimate - b.exact) - Math.abs(a.estimate - a.exact));
  const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
  const cell = miss && (miss.head === undefined ? `layer ${miss.layer}, position ${miss.position}` : `${miss.layer}.${miss.head}`);
  const map = over === 'positions' ? 'layer × position' : 'layer × head';
  return `| \`${site.site}\`${variant} | ${map} | ${agreement.count === count ? count : `${agreement.count} of ${count}`} | ${figure(agreement.pearson)} | ${figure(agreement.spearman)} | ${figure(agreement.slope)} | ${miss ? `${cell}: ${signed(miss.estimate)} for ${signed(miss.exact)}` : ''} |`;
}

export async function main(): Promise<number> {
  const lines = [
    ...(await rows(HEADS, 'all')),
    ...(await rows(BLOCKS, 'positions')),
    ...(await rows(['q', 'k'], 'all', 'qk-fix')),
    ...(await rows(['z', 'v'], 'all', 'ig=16')),
    ...(await rows(BLOCKS, 'positions', 'ig=16')),
  ];
  console.log(['| Site | Map | Cells | r | ρ | Slope | Furthest off (estimate for exact) |', '|---|---|---|---|---|---|---|', ...lines].join('\n'));
  return 0;
}
