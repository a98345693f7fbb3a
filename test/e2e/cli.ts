import { spawn } from 'node:child_process';
import type { AttributionJson } from '../../src/cli/attributionJson';
import type { CircuitJson } from '../../src/cli/circuitJson';
import type { PatchJson } from '../../src/cli/patchJson';
import type { PathsJson } from '../../src/cli/pathsJson';

const answers = new Map<string, Promise<AttributionJson>>();

/** What the command line says about a prompt file that does not change, for comparing with what the workbench shows. Asked once. */
export function expectedByCli(file: string, ...options: string[]): Promise<AttributionJson> {
  const key = [file, ...options].join(' ');
  const answer = answers.get(key) ?? attributeByCli(file, { options });
  answers.set(key, answer);
  return answer;
}

/** Attributes a prompt file by the command line. */
export function attributeByCli(file: string, { node = process.execPath, options = [] }: { node?: string; options?: readonly string[] } = {}): Promise<AttributionJson> {
  return jsonByCli<AttributionJson>(node, ['attribute', file, ...options]);
}

/** Patches a prompt file exactly by the command line. */
export function patchByCli(file: string, ...options: string[]): Promise<PatchJson> {
  return jsonByCli<PatchJson>(process.execPath, ['patch', file, ...options]);
}

/** Attributes and patches the edges of a prompt file by the command line. */
export function pathsByCli(file: string, ...options: string[]): Promise<PathsJson> {
  return jsonByCli<PathsJson>(process.execPath, ['paths', file, ...options]);
}

/** Finds and runs a circuit by the command line. */
export function circuitByCli(file: string, ...options: string[]): Promise<CircuitJson> {
  return jsonByCli<CircuitJson>(process.execPath, ['circuit', file, ...options]);
}

function jsonByCli<T>(node: string, words: readonly string[]): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = spawn(node, ['dist/cli.js', ...words, '--json']);
    let output = '';
    let complaints = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (complaints += chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(output) as T);
      else reject(new Error(`The command line ended with code ${code} on ${node}:\n${complaints}`));
    });
  });
}
