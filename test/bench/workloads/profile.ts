import type { CallName } from '../calls';
import { RECIPES } from '../models';
import { sizeOf } from '../comparison';
import { TUTORIAL } from '../prompts';
import type { Session } from '../session';
import type { ProfileMeasured } from '../sides/profile';
import { markdown, number } from '../statistics';

const PROFILED: [workload: string, call: CallName][] = [['W1', 'attribution'], ['W4', 'heads'], ['W6, EAP-IG', 'eapIg']];

/** Where the time goes, kernel by kernel. */
export async function profile(session: Session): Promise<void> {
  const recipe = RECIPES[session.options.size];
  const folder = await session.checkpoint(recipe);
  for (const [workload, call] of PROFILED) {
    const { backend, threads, wallMs, plainMs, ops } = await session.measure<ProfileMeasured>({ kind: 'profile', folder, call, prompts: TUTORIAL });
    const total = ops.reduce((sum, { ms }) => sum + ms, 0);
    const share = (ms: number): string => `${number((100 * ms) / wallMs, 1)} %`;
    console.log(`\n## Profile of ${workload}\n`);
    console.log(`Every tfjs kernel of one run with a clock around it, without the kernels it calls; copies into and out of the backend in brackets. ${sizeOf(recipe)}. ${backend}, ${threads} thread${threads === 1 ? '' : 's'}.\n`);
    console.log(markdown(['kernel', 'calls', 'ms', 'of the run'], [
      ...ops.sort((a, b) => b.ms - a.ms).map(({ name, calls, ms }) => [name, String(calls), number(ms, 1), share(ms)]),
      ['**all of these**', String(ops.reduce((sum, { calls }) => sum + calls, 0)), number(total, 1), share(total)],
      ['outside of them', '', number(wallMs - total, 1), share(wallMs - total)],
      ['the run', '', `${number(wallMs, 1)} (without clocks ${number(plainMs, 1)})`, ''],
    ]));
  }
}
