// Owns the answers that one connection is owed, in the order of what was sent [MQTT-4.6.0-2].
export type Answer = 'puback' | 'pubrec' | 'pubcomp';

export class AckOrder {
  readonly #owed: string[] = [];
  #at = 0;

  owe(answer: Answer, id: number): void {
    this.#owed.push(`${answer} ${id}`);
  }

  /** `undefined` when it is this answer's turn, else whose turn it was. */
  judge(answer: Answer, id: number): string | undefined {
    const got = `${answer} ${id}`;
    const expected = this.#owed[this.#at];
    if (got === expected) {
      this.#at += 1;
      return undefined;
    }
    const later = this.#owed.indexOf(got, this.#at);
    if (later >= 0) this.#owed.splice(later, 1);
    return expected ?? 'nothing';
  }
}
