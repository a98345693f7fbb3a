import * as vscode from 'vscode';
import { CircuitError } from '../shared/errors';
import type { CellChoice } from '../shared/panelProtocol';
import { groupArrayName } from '../shared/results';
import type { Run } from '../shared/run';
import { costInWords } from './costInWords';
import { cellsOf, patchCostOf } from './panelModel';
import type { Panels } from './panels';
import { runInFront } from './runInFront';
import type { RunsAtWork } from './runsAtWork';
import type { Verifications } from './verifications';

const USUAL_COUNT = 10;

interface VerifyingTopHeads {
  panels: Panels;
  verifications: Verifications;
  runsAtWork: Pick<RunsAtWork, 'latest'>;
}

/** Patches the strongest heads of the run in front exactly; asks how many unless it is told. */
export async function verifyTopHeads(count: unknown, { panels, verifications, runsAtWork }: VerifyingTopHeads): Promise<void> {
  const { run, panel } = runInFront(panels);
  if (!(groupArrayName(0, 'z') in run.arrays.entries)) throw new CircuitError('usage', 'This run holds no head outputs (z) to choose the strongest from.');
  const { layers, heads } = run.manifest.model;
  const top = typeof count === 'number' ? readCount(String(count), layers * heads) : await askCount(run, layers * heads);
  if (top === undefined) return;
  await verifications.verify({ run: await runsAtWork.latest({ run, panel }), panel, cells: cellsOf(run, topHeads(top)) }, {});
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
  // The panel in front takes the focus back a moment after the palette has closed.
  box.ignoreFocusOut = true;
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
