import * as vscode from 'vscode';
import type { TextPair } from '../shared/experiment';
import type { RunManifest } from '../shared/run';
import type { RunListing, RunStore } from '../runs/store';

/** What is known of the stored runs without reading their numbers. Read at first need, and again after a change. */
export class RunIndex implements vscode.Disposable {
  private contents: Promise<Contents> | undefined;
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;

  constructor(private readonly store: RunStore) {}

  /** Newest first. */
  async all(): Promise<RunListing[]> {
    return (await this.read()).listings;
  }

  /** The newest run of a prompt file, or of one of its pairs as it is written now. */
  async latest(uri: string, pair?: TextPair): Promise<RunManifest | undefined> {
    const ofFile = (await this.read()).ofFile.get(uri);
    return pair ? ofFile?.ofPair.get(textOf(pair)) : ofFile?.newest;
  }

  /** A run was saved or deleted, or the folder was changed from outside. */
  refresh(): void {
    this.contents = undefined;
    this.changed.fire();
  }

  dispose(): void {
    this.changed.dispose();
  }

  private read(): Promise<Contents> {
    if (!this.contents) {
      const reading = this.store.list().then(contentsOf);
      // A folder that could not be read is tried again next time.
      reading.catch(() => (this.contents = undefined));
      this.contents = reading;
    }
    return this.contents;
  }
}

interface Contents {
  listings: RunListing[];
  ofFile: Map<string, { newest: RunManifest; ofPair: Map<string, RunManifest> }>;
}

function contentsOf(listings: RunListing[]): Contents {
  const ofFile: Contents['ofFile'] = new Map();
  for (const listing of listings) {
    const manifest = 'manifest' in listing ? listing.manifest : undefined;
    if (!manifest?.source) continue;
    const known = ofFile.get(manifest.source.uri) ?? { newest: manifest, ofPair: new Map<string, RunManifest>() };
    ofFile.set(manifest.source.uri, known);
    for (const pair of manifest.experiment.pairs) {
      const text = textOf(pair);
      if (!known.ofPair.has(text)) known.ofPair.set(text, manifest);
    }
  }
  return { listings, ofFile };
}

/** Where a run holds this very pair: what only a forward pass can know goes when the text is edited. */
export function pairIndexIn({ experiment }: Pick<RunManifest, 'experiment'>, pair: TextPair): number | undefined {
  const wanted = textOf(pair);
  const index = experiment.pairs.findIndex((candidate) => textOf(candidate) === wanted);
  return index === -1 ? undefined : index;
}

function textOf({ clean, corrupted, correct, incorrect, firstToken }: TextPair): string {
  return JSON.stringify([clean, corrupted, correct, incorrect, firstToken ?? false]);
}
