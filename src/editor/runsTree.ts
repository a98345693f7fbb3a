import * as vscode from 'vscode';
import type { RunListing, RunStore } from '../runs/store';
import { COMMANDS } from './commandTable';
import type { RunIndex } from './runIndex';

/** The view "Runs": every stored run, newest first. */
export class RunsTree implements vscode.TreeDataProvider<RunListing> {
  readonly onDidChangeTreeData: vscode.Event<void>;

  constructor(private readonly runIndex: RunIndex) {
    this.onDidChangeTreeData = runIndex.onDidChange;
  }

  getChildren(parent?: RunListing): Promise<RunListing[]> {
    return parent ? Promise.resolve([]) : this.runIndex.all();
  }

  getTreeItem(listing: RunListing): vscode.TreeItem {
    if (!('manifest' in listing)) {
      const item = new vscode.TreeItem(listing.id);
      item.id = listing.id;
      item.description = 'unreadable';
      item.tooltip = listing.broken;
      item.iconPath = new vscode.ThemeIcon('warning');
      item.contextValue = 'run';
      return item;
    }
    const { id, title, createdAt, model, pairs, experiment } = listing.manifest;
    const item = new vscode.TreeItem(title);
    item.id = id;
    item.description = `${whenOf(createdAt)}, ${model.id}`;
    item.tooltip = [title, new Date(createdAt).toLocaleString(), `${model.id}, ${pairs.length} ${pairs.length === 1 ? 'pair' : 'pairs'}, ${experiment.direction}`].join('\n');
    item.iconPath = new vscode.ThemeIcon('graph');
    item.contextValue = 'run';
    item.command = { command: COMMANDS.openRun, title: 'Open run', arguments: [id] };
    return item;
  }
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

export async function deleteRun(id: string, store: RunStore, runIndex: RunIndex): Promise<void> {
  const choice = await vscode.window.showWarningMessage('Delete this run for good?', { modal: true, detail: store.fileOf(id) }, 'Delete');
  if (choice !== 'Delete') return;
  await store.delete(id);
  runIndex.refresh();
}
