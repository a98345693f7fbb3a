import type { BackendChoice } from '../engine/client/engine';
import type { Direction } from '../shared/experiment';

/** Everything a run depends on beside the experiment. Plain values: the editor reads them from its configuration, the CLI from flags. */
export interface RunSettings {
  /** "bundled", a folder, or the id of a model in the Hugging Face cache. An experiment's own `model` wins. */
  model: string;
  backend: BackendChoice;
  /** 0: the engine decides. */
  threads: number;
  /** Used where an experiment says nothing. */
  prependBos: boolean | 'model';
  direction: Direction;
}
