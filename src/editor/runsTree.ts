import * as vscode from 'vscode';
import type { RunListing, RunStore } from '../runs/store';
import type { RunManifest } from '../shared/run';
import { plural } from '../shared/text';
import { COMMANDS } from './commandTable';
import { departuresOf } from './departures';
import type { RunIndex } from './runIndex';
import type { RunsAtWork } from './runsAtWork';
import { topHeads } from './topHeads';

/** The view "Runs": every stored run, newest first. */
export class RunsTree implements vscode.TreeDataProvider<RunListing> {
  readonly onDidChangeTreeData: vscode.Event<void>;

  constructor(
    private readonly runIndex: RunIndex,
    private readonly store: RunStore,
  ) {
    this.onDidChangeTreeData = runIndex.onDidChange;
  }

  getChildren(parent?: RunListing): Promise<RunListing[]> {
    return parent ? Promise.resolve([]) : this.runIndex.all();
  }

  getTreeItem(listing: RunListing): vscode.TreeItem {
    const item = new vscode.TreeItem('manifest' in listing ? listing.manifest.title : listing.id);
    item.id = listing.id;
    item.contextValue = 'run';
    if (!('manifest' in listing)) {
      item.description = 'unreadable';
      item.tooltip = listing.broken;
      item.iconPath = new vscode.ThemeIcon('warning');
      return item;
    }
    const { createdAt, model } = listing.manifest;
    // What tells runs of one file apart comes first: a narrow side bar cuts the end off.
    item.description = [whenOf(createdAt), ...settingsOf(listing.manifest), model.id].join(', ');
    item.iconPath = new vscode.ThemeIcon('graph');
    item.command = { command: COMMANDS.openRun, title: 'Open run', arguments: [listing.id] };
    return item;
  }

  /** The tooltip names the strongest heads, which takes reading the run's numbers: only for the item that is pointed at. */
  async resolveTreeItem(item: vscode.TreeItem, listing: RunListing): Promise<vscode.TreeItem> {
    if (!('manifest' in listing)) return item;
    const { title, createdAt, model, pairs } = listing.manifest;
    const count = plural(pairs.length, 'pair');
    const heads = topHeads(await this.store.load(listing.id), 3);
    const facts = [model.id, count, ...settingsOf(listing.manifest)].join(', ');
    item.tooltip = [title, new Date(createdAt).toLocaleString(), facts, ...(heads === undefined ? [] : [`Top heads: ${heads}`])].join('\n');
    return item;
  }
}

/** "noise", "zero ablation", "probability", "no BOS": what a person changes between two runs of the same file. */
function settingsOf(manifest: RunManifest): string[] {
  return [manifest.experiment.direction, ...departuresOf(manifest), manifest.prependBos ? 'with BOS' : 'no BOS'];
}

/** The time of day for today's runs, the date for older ones. */
function whenOf(createdAt: string): string {
  const when = new Date(createdAt);
  return when.toDateString() === new Date().toDateString()
    ? when.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : when.toLocaleDateString();
}

/** Menus give the listing, links the id. */
export function runIdOf(argument: unknown): string | undefined {
  if (typeof argument === 'string') return argument;
  const id = (argument as { id?: unknown } | undefined)?.id;
  return typeof id === 'string' ? id : undefined;
}

interface Deleting {
  store: RunStore;
  runIndex: RunIndex;
  runsAtWork: Pick<RunsAtWork, 'cancel'>;
}

export async function deleteRun(id: string, deleting: Deleting): Promise<void> {
  const choice = await vscode.window.showWarningMessage('Delete this run for good?', { modal: true, detail: deleting.store.fileOf(id) }, 'Delete');
  if (choice === 'Delete') await deleteForGood(id, deleting);
}

/** What is being done with it ends first: saving what was measured would bring the run back. */
export async function deleteForGood(id: string, { store, runIndex, runsAtWork }: Deleting): Promise<void> {
  await runsAtWork.cancel(id);
  await store.delete(id);
  runIndex.refresh();
}
