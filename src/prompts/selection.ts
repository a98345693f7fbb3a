import { CircuitError } from '../shared/errors';

/** Two selected lines of any editor. Answers are absent where no `=> " Mary"` was written: the person picks them then. */
export interface SelectedPair {
  clean: string;
  corrupted: string;
  correct?: string[];
  incorrect?: string[];
}

/**
 * Reads two selected lines as a pair, clean first. Tolerated around a prompt: spaces, list bullets and numbers, Python's quotes,
 * commas, brackets and `name =`. After a prompt `=> " Mary"` (or a list in brackets) is its answer, quotes included:
 * the clean line's answer is the correct one, the corrupted line's the incorrect one.
 * Throws `experiment` when it cannot be read so.
 */
export function parseSelection(text: string): SelectedPair {
  const lines = text.split(/\r\n|\n|\r/).filter((line) => !/^[\s[\](){},]*$/.test(line));
  if (lines.length !== 2) {
    const found = lines.length === 0 ? 'nothing is' : lines.length === 1 ? 'one is' : `${lines.length} are`;
    throw new CircuitError('experiment', `Select two lines: the clean prompt, and under it the corrupted one (${found} selected now, empty lines not counted).`);
  }
  const [clean, corrupted] = lines.map(readLine) as [SelectedLine, SelectedLine];
  if (clean.prompt === corrupted.prompt) {
    throw new CircuitError('experiment', 'The two selected prompts are equal, so there is nothing to attribute; change the detail that should matter.');
  }
  const shared = corrupted.answers?.find((answer) => clean.answers?.includes(answer));
  if (shared !== undefined) {
    throw new CircuitError('experiment', `${JSON.stringify(shared)} is the answer of both selected lines; write a different one after the second.`);
  }
  return {
    clean: clean.prompt,
    corrupted: corrupted.prompt,
    ...(clean.answers && { correct: clean.answers }),
    ...(corrupted.answers && { incorrect: corrupted.answers }),
  };
}

interface SelectedLine {
  prompt: string;
  answers?: string[];
}

function readLine(line: string): SelectedLine {
  // Bullets and numbers, opening brackets, and an assignment or field name, the last only before a quote.
  const text = line.trim().replace(/^(?:[-*+•]|\d+[.)])\s+/, '').replace(/^(?:[A-Za-z_]\w*\s*=|(["'])\w+\1\s*:)\s*(?=[[(]*["'])/, '').replace(/^[[(]+\s*(?=["'])/, '');
  const prefix = /^([A-Za-z]{1,2})(?=(["']).*\2\s*[\])},]*\s*(?:=>.*)?$)/.exec(text)?.[1];
  if (prefix) {
    throw new CircuitError('experiment', `This line is a Python text with the prefix ${prefix}, which cannot be read as it stands; select the finished text: ${text}`);
  }
  const literal = readLiteral(text);
  const tail = literal && /^\s*[\])},;]*\s*(?:=>(.*)|(?:#|\/\/).*)?$/.exec(text.slice(literal.end));
  if (literal && tail) return finish(literal.value, tail[1], text);
  // Not one literal with nothing but punctuation behind it: the line itself is the prompt.
  const arrow = text.lastIndexOf('=>');
  return arrow === -1 ? finish(text, undefined, text) : finish(text.slice(0, arrow).trimEnd(), text.slice(arrow + 2), text);
}

function finish(prompt: string, answer: string | undefined, line: string): SelectedLine {
  if (prompt === '') throw new CircuitError('experiment', `There is no prompt in this line: ${line}`);
  return answer === undefined ? { prompt } : { prompt, answers: readAnswers(answer) };
}

function readAnswers(text: string): string[] {
  const answers: string[] = [];
  let rest = text.trim().replace(/^[[(]\s*/, '');
  while (rest !== '') {
    const literal = readLiteral(rest);
    if (!literal || literal.value === '') break;
    answers.push(literal.value);
    rest = rest.slice(literal.end).replace(/^\s*[\])},;]*\s*/, '');
  }
  if (answers.length === 0 || rest !== '') {
    throw new CircuitError('experiment', `An answer stands in quotes after =>, with its leading space, such as => " Mary"; this cannot be read: ${text.trim()}`);
  }
  return answers;
}

const QUOTES = ['"""', "'''", '"', "'"];
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\', '"': '"', "'": "'" };

/** A Python or JSON string literal at the start of a text; undefined when there is none. Unknown escapes stay as in Python. */
function readLiteral(text: string): { value: string; end: number } | undefined {
  const quote = QUOTES.find((candidate) => text.startsWith(candidate) && text.indexOf(candidate, candidate.length) !== -1);
  if (!quote) return undefined;
  let value = '';
  for (let i = quote.length; i < text.length; ) {
    if (text.startsWith(quote, i)) return { value, end: i + quote.length };
    const [escape, unicode, byte, letter] = /^\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([^]))/.exec(text.slice(i, i + 6)) ?? [];
    const code = unicode ?? byte;
    value += escape === undefined ? text[i] : code ? String.fromCharCode(parseInt(code, 16)) : (ESCAPES[letter!] ?? escape);
    i += escape?.length ?? 1;
  }
  return undefined;
}
