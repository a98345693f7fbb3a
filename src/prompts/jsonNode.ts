// The package's main is UMD, whose inner requires a bundler does not see.
import { parseTree, printParseErrorCode, type Node, type ParseError } from 'jsonc-parser/lib/esm/main';

/** JSON with comments and trailing commas as a tree with offsets. What is sound in a broken text is in the tree. */
export interface JsonTree {
  root?: Node;
  /** Nothing but spaces and comments. */
  isEmpty: boolean;
  errors: { message: string; offset: number; length: number }[];
}

export function readTree(text: string): JsonTree {
  const errors: ParseError[] = [];
  // A byte order mark is no JSON; a space in its place keeps every offset.
  const json = text.startsWith('\uFEFF') ? ` ${text.slice(1)}` : text;
  try {
    const root = parseTree(json, errors, { allowTrailingComma: true });
    const isEmpty = root === undefined && errors.length === 1 && errors[0]!.length === 0;
    return { root, isEmpty, errors: errors.map(({ error, offset, length }) => ({ message: MESSAGES[printParseErrorCode(error)] ?? 'This is not valid JSON.', offset, length })) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { isEmpty: false, errors: [{ message: 'This JSON is nested too deeply to be read.', offset: 0, length: 1 }] };
  }
}

const MESSAGES: Readonly<Record<string, string>> = {
  InvalidSymbol: 'This is no JSON value; texts stand in double quotes.',
  InvalidNumberFormat: 'This is not a valid number.',
  PropertyNameExpected: 'A field name in double quotes is expected here.',
  ValueExpected: 'A value is expected here.',
  ColonExpected: 'A colon is expected here.',
  CommaExpected: 'A comma is expected here.',
  CloseBraceExpected: 'A closing brace } is expected here.',
  CloseBracketExpected: 'A closing bracket ] is expected here.',
  EndOfFileExpected: 'The file should end here.',
  InvalidCommentToken: 'This comment is not valid.',
  UnexpectedEndOfComment: 'This comment is not closed.',
  UnexpectedEndOfString: 'This text is not closed with a double quote.',
  UnexpectedEndOfNumber: 'This number is not finished.',
  InvalidUnicode: 'This \\u escape is not valid; it takes four hexadecimal digits.',
  InvalidEscapeCharacter: 'This escape is not valid in JSON; write \\\\ for a backslash.',
  InvalidCharacter: 'This character is not allowed in a JSON text; write it as an escape, for instance \\n or \\t.',
};

export type FieldMap = ReadonlyMap<string, { key: Node; value?: Node }>;

/** The fields of an object by name. Of a name written twice the last counts, as in JSON.parse. */
export function fieldsOf(object: Node): FieldMap {
  return new Map(
    (object.children ?? []).flatMap(({ children }) => {
      const [key, value] = children ?? [];
      return key ? [[String(key.value), { key, value }] as const] : [];
    }),
  );
}

/** What a person calls the type of a value. */
export function typeName(node: Node): string {
  switch (node.type) {
    case 'string':
      return 'a text';
    case 'array':
      return 'a list';
    case 'object':
      return 'an object';
    case 'null':
      return 'null';
    case 'boolean':
      return 'true or false';
    default:
      return 'a number';
  }
}
