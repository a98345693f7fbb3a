/** Every command of the manifest, by the name the code uses. A test holds this table and package.json together. */
export const COMMANDS = {
  attributePromptPair: 'circuitExplorer.attributePromptPair',
  attributeFile: 'circuitExplorer.attributeFile',
  rerunAttribution: 'circuitExplorer.rerunAttribution',
  verifyTopHeads: 'circuitExplorer.verifyTopHeads',
  attributeEdges: 'circuitExplorer.attributeEdges',
  extractCircuit: 'circuitExplorer.extractCircuit',
  importCircuit: 'circuitExplorer.importCircuit',
  exportGraph: 'circuitExplorer.exportGraph',
  showLastResult: 'circuitExplorer.showLastResult',
  openSample: 'circuitExplorer.openSample',
  chooseModelFolder: 'circuitExplorer.chooseModelFolder',
  installNativeBackend: 'circuitExplorer.installNativeBackend',
  showLog: 'circuitExplorer.showLog',
  openRun: 'circuitExplorer.openRun',
  deleteRun: 'circuitExplorer.deleteRun',
  revealRun: 'circuitExplorer.revealRun',
  refreshRuns: 'circuitExplorer.refreshRuns',
} as const;

export type CommandName = keyof typeof COMMANDS;

/** What a command does. Its arguments come from menus, links and other extensions: they are checked, not trusted. */
export type CommandHandlers = Record<CommandName, (...args: unknown[]) => unknown>;
