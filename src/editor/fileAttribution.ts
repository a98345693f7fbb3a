import * as vscode from 'vscode';
import { experimentOf, pairName } from '../prompts/promptFile';
import type { Attribution } from './attributions';
import { usableModel } from './trust';
import { nameOf, readPromptFile } from './promptDocuments';
import { runSettings } from './settings';

/** What attributing a prompt file means, or some of its pairs: its text as it stands when the turn comes, unsaved changes included. */
export function fileAttribution(uri: vscode.Uri, pairIndices?: readonly number[]): Attribution {
  const key = uri.toString();
  const title = pairIndices?.length === 1 ? `${nameOf(uri)}, pair ${pairIndices[0]! + 1}` : nameOf(uri);
  return {
    title,
    panelKey: key,
    plan: async () => {
      const file = await readPromptFile(uri);
      const written = experimentOf(file, pairIndices);
      const experiment = { ...written, model: usableModel(written.model, uri, vscode.workspace.isTrusted) };
      const only = pairIndices?.length === 1 ? experiment.pairs[0] : undefined;
      return {
        experiment,
        settings: runSettings(uri),
        title: only ? `${nameOf(uri)}, ${pairName(only, pairIndices![0]!)}` : title,
        source: { uri: key, ...(pairIndices ? { pairIndices: [...pairIndices] } : {}) },
      };
    },
  };
}
