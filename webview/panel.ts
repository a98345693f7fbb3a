import '@vscode-elements/elements/dist/vscode-badge/index.js';
import '@vscode-elements/elements/dist/vscode-button/index.js';
import '@vscode-elements/elements/dist/vscode-progress-bar/index.js';
import { startPanel } from './app';
import { connectHost } from './host';

startPanel(document.querySelector<HTMLElement>('#app')!, connectHost());
