import type { TokenizedText } from '../shared/tokenizer';

/** How many of the words the note quotes. */
const MOST_NAMED = 5;

/**
 * A note for prompts outside the bundled model's world: each word it was trained on is one token of its own tokenizer,
 * so a word of several tokens is one it has never seen. Undefined when all words are known. For the bundled model only.
 * `tokenized[i]` is `texts[i]` cut by that tokenizer.
 */
export function vocabularyNote(texts: readonly string[], tokenized: readonly TokenizedText[]): string | undefined {
  const words = new Map<string, boolean>();
  texts.forEach((text, i) => {
    for (const { word, isKnown } of wordsOf(text, tokenized[i]!)) words.set(word, isKnown && words.get(word) !== false);
  });
  const unknown = [...words].filter(([, isKnown]) => !isKnown).map(([word]) => word);
  if (unknown.length === 0) return undefined;
  const named = unknown.slice(0, MOST_NAMED).map((word) => JSON.stringify(word)).join(', ') + (unknown.length > MOST_NAMED ? ', …' : '');
  return (
    `${unknown.length} of ${words.size} words ${unknown.length === 1 ? 'is' : 'are'} outside the bundled model's vocabulary (${named}). ` +
    'It was trained on a few sentence patterns with a few hundred words, so what it does here says little; take words of the samples, or a larger model.'
  );
}

/** Words of letters, and signs beyond ASCII such as emoji. Numbers and ASCII punctuation are cut by design and left out. */
function wordsOf(text: string, { offsets }: TokenizedText): { word: string; isKnown: boolean }[] {
  return Array.from(text.matchAll(/[\p{L}\p{M}]+|[^\s\p{L}\p{M}\p{N}\x21-\x7e]+/gu), ({ 0: word, index }) => {
    const pieces = offsets.filter(([start, end]) => start < index + word.length && end > index);
    return { word, isKnown: pieces.length === 1 };
  });
}
