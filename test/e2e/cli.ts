import { spawn } from 'node:child_process';
import type { AttributionJson } from '../../src/cli/attributionJson';

const answers = new Map<string, Promise<AttributionJson>>();

/** What the command line says about a prompt file that does not change, for comparing with what the workbench shows. Asked once. */
export function expectedByCli(file: string, ...options: string[]): Promise<AttributionJson> {
  const key = [file, ...options].join(' ');
  const answer = answers.get(key) ?? attributeByCli(file, { options });
  answers.set(key, answer);
  return answer;
}

/** Runs the command line on a prompt file. */
export function attributeByCli(file: string, { node = process.execPath, options = [] }: { node?: string; options?: readonly string[] } = {}): Promise<AttributionJson> {
  return new Promise((resolve, reject) => {
    const child = spawn(node, ['dist/cli.js', 'attribute', file, '--json', ...options]);
    let output = '';
    let complaints = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (complaints += chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(output) as AttributionJson);
      else reject(new Error(`The command line ended with code ${code} on ${node}:\n${complaints}`));
    });
  });
}
