import * as vscode from 'vscode';
import type { RunStore } from '../runs/store';
import { CircuitError } from '../shared/errors';
import type { CellChoice } from '../shared/panelProtocol';
import { groupArrayName } from '../shared/results';
import type { Run } from '../shared/run';
import { costInWords } from './costInWords';
import type { Panel } from './panel';
import { cellsOf, patchCostOf } from './panelModel';
import type { Panels } from './panels';
import type { RunsAtWork } from './runsAtWork';
import type { Verifications } from './verifications';

const USUAL_COUNT = 10;

interface VerifyingTopHeads {
  panels: Panels;
  verifications: Verifications;
  runsAtWork: Pick<RunsAtWork, 'current'>;
  store: RunStore;
}

/** Patches the strongest heads of the run in front exactly; asks how many unless it is told. */
export async function verifyTopHeads(count: unknown, { panels, verifications, runsAtWork, store }: VerifyingTopHeads): Promise<void> {
  const panel = panelInFront(panels);
  const run = panel?.run;
  if (!panel || !run) throw new CircuitError('usage', 'Open a panel with a run first.');
  if (!(groupArrayName(0, 'z') in run.arrays.entries)) throw new CircuitError('usage', 'This run holds no head outputs (z) to choose the strongest from.');
  const { layers, heads } = run.manifest.model;
  const top = typeof count === 'number' ? readCount(String(count), layers * heads) : await askCount(run, layers * heads);
  if (top === undefined) return;
  // The panel may show another run by now, and of this one more may be measured.
  const { id } = run.manifest;
  const latest = runsAtWork.current(id) ?? (panel.run?.manifest.id === id ? panel.run : await store.load(id));
  await verifications.verify({ run: latest, panel, cells: cellsOf(run, topHeads(top)) }, {});
}

function panelInFront(panels: Panels): Panel | undefined {
  const visible = panels.all.filter((panel) => panel.visible);
  return panels.all.find((panel) => panel.active) ?? (visible.length === 1 ? visible[0] : undefined);
}

/** By the mean over all pairs, in which the order is the same whatever the unit. */
function topHeads(top: number): CellChoice {
  return { map: { site: 'z', over: 'all' }, options: { pair: 'all', unit: 'raw' }, top };
}

/** The cost stands under the number from the start; `showInputBox` would say it only after the first key. */
function askCount(run: Run, most: number): Promise<number | undefined> {
  const box = vscode.window.createInputBox();
  box.title = 'Verify top heads: patch how many of the strongest exactly?';
  box.value = String(Math.min(USUAL_COUNT, most));
  const check = (): void => {
    const top = readCount(box.value, most);
    box.validationMessage =
      top === undefined
        ? { message: `Write a whole number from 1 to ${most}.`, severity: vscode.InputBoxValidationSeverity.Error }
        : { message: costInWords(patchCostOf(run, topHeads(top))), severity: vscode.InputBoxValidationSeverity.Info };
  };
  check();
  return new Promise((resolve) => {
    box.onDidChangeValue(check);
    box.onDidAccept(() => {
      const top = readCount(box.value, most);
      if (top === undefined) return;
      resolve(top);
      box.hide();
    });
    box.onDidHide(() => {
      resolve(undefined);
      box.dispose();
    });
    box.show();
  });
}

function readCount(value: string, most: number): number | undefined {
  const count = Number(value);
  return value.trim() !== '' && Number.isSafeInteger(count) && count >= 1 && count <= most ? count : undefined;
}
