/** Where a model's files are: what `models/` finds out, and the engine and the tokenizer are given. */
export interface ModelSource {
  /** "bundled", the hub id, or the folder's name. */
  id: string;
  revision?: string;
  /** Holds config.json, model.safetensors and tokenizer.json. */
  folder: string;
}
