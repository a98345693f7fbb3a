/**
 * A text for a notification, in which VS Code makes `[words](command:…)` a link that runs the command: texts from prompt files
 * and file names must not be able to offer one.
 */
export function withoutLinks(text: string): string {
  return text.replaceAll('](', '] (');
}
