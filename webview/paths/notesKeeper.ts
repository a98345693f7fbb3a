import type { PanelHost } from '../../src/shared/panelProtocol';
import type { GraphNotes } from '../../src/shared/paths';

/** A person who types is not sent to disk letter by letter. */
const REST_MS = 500;

/** Names, pins and notes as they are now; the host keeps them with the run a moment after they were changed. */
export class NotesKeeper {
  private timer?: ReturnType<typeof setTimeout>;

  constructor(
    private readonly host: Pick<PanelHost, 'keepGraphNotes'>,
    private readonly runId: string,
    public notes: GraphNotes,
    private readonly say: (text: string) => void,
  ) {}

  keep(notes: GraphNotes): void {
    this.notes = notes;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), REST_MS);
  }

  /** As the host has them: what was changed here since is newer. */
  take(notes: GraphNotes): void {
    if (this.timer === undefined) this.notes = notes;
  }

  /** Nothing that was written is lost when the run is left. */
  close(): void {
    if (this.timer !== undefined) this.send();
  }

  private send(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.host.keepGraphNotes({ runId: this.runId, notes: this.notes }).catch((error: unknown) => this.say(`Not kept: ${error instanceof Error ? error.message : String(error)}`));
  }
}
