import type { Word } from './read-words.ts';

interface Node<T> {
  next: Map<string, Node<T>>;
  value?: T;
}

/** Finds the longest of many phrases that begins at a word, in one walk. */
export class PhraseTree<T> {
  private readonly root: Node<T> = { next: new Map() };

  constructor(phrases: Iterable<readonly [phrase: string, value: T]>) {
    for (const [phrase, value] of phrases) {
      let node = this.root;
      for (const word of phrase.split(/\s+/)) {
        let next = node.next.get(word);
        if (next === undefined) node.next.set(word, next = { next: new Map() });
        node = next;
      }
      node.value = value;
    }
  }

  longestAt(words: readonly Word[], start: number): { value: T; length: number } | null {
    let node = this.root;
    let found: { value: T; length: number } | null = null;
    for (let i = start; i < words.length; i++) {
      const next = node.next.get(words[i]?.text ?? '');
      if (next === undefined) break;
      node = next;
      if (node.value !== undefined) found = { value: node.value, length: i - start + 1 };
    }
    return found;
  }

  /** The longest phrase that ends the words. */
  longestAtEnd(words: readonly Word[], maxLength: number): number {
    for (let length = Math.min(maxLength, words.length); length > 0; length--) {
      if (this.longestAt(words, words.length - length)?.length === length) return length;
    }
    return 0;
  }
}
