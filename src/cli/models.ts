import type { ModelSource } from '../models/modelSource';

/** What `models` prints: a line each with name and folder, or with `json` a list of {id, revision, folder}. */
export function modelsText(models: readonly ModelSource[], json: boolean): string {
  if (json) return `${JSON.stringify(models.map(({ id, revision, folder }) => ({ id, revision, folder })))}\n`;
  const width = Math.max(...models.map(({ id }) => id.length));
  return models.map(({ id, folder }) => `${id.padEnd(width)}  ${folder}\n`).join('');
}
