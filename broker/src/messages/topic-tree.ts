// Owns the look-up from a topic to what was filed under filters that match it, and from a filter to topics.

interface Node<Value> {
  readonly children: Map<string, Node<Value>>;
  values: Map<string, Value> | undefined;
}

const newNode = <Value>(): Node<Value> => ({ children: new Map(), values: undefined });

const DOLLAR = 36;

/** Values filed under a filter or topic and a key of their own. */
export class TopicTree<Value> {
  readonly #root = newNode<Value>();

  set(filter: string, key: string, value: Value): void {
    let node = this.#root;
    for (const level of filter.split('/')) {
      let child = node.children.get(level);
      if (child === undefined) {
        child = newNode();
        node.children.set(level, child);
      }
      node = child;
    }
    node.values ??= new Map();
    node.values.set(key, value);
  }

  /** Empty branches are cut, so that names that were used once leave nothing behind. */
  delete(filter: string, key: string): void {
    const levels = filter.split('/');
    const path = [this.#root];
    for (const level of levels) {
      const child = path.at(-1)?.children.get(level);
      if (child === undefined) return;
      path.push(child);
    }
    const leaf = path.at(-1);
    leaf?.values?.delete(key);
    if (leaf?.values?.size === 0) leaf.values = undefined;
    for (let depth = levels.length; depth > 0; depth--) {
      const node = path[depth];
      if (node === undefined || node.values !== undefined || node.children.size > 0) return;
      path[depth - 1]?.children.delete(levels[depth - 1] ?? '');
    }
  }

  /** Every value under a filter that matches the topic. */
  matching(topic: string): readonly Value[] {
    const found: Value[] = [];
    const levels = topic.split('/');
    // A wildcard at the first level does not match a topic that begins with $ [MQTT-4.7.2-1].
    collectMatching(this.#root, levels, 0, topic.charCodeAt(0) === DOLLAR, found);
    return found;
  }

  /** Every value under a topic that the filter matches; only branches that can match are walked. */
  matchedBy(filter: string): readonly Value[] {
    const found: Value[] = [];
    collectMatched(this.#root, filter.split('/'), 0, found);
    return found;
  }
}

function take<Value>(node: Node<Value> | undefined, found: Value[]): void {
  if (node?.values !== undefined) for (const value of node.values.values()) found.push(value);
}

function collectMatching<Value>(
  node: Node<Value>,
  levels: readonly string[],
  depth: number,
  plainOnly: boolean,
  found: Value[],
): void {
  const wild = !(plainOnly && depth === 0);
  if (wild) take(node.children.get('#'), found); // '#' also matches its parent level [MQTT-4.7.1-2]
  const level = levels[depth];
  if (level === undefined) return take(node, found);
  const exact = node.children.get(level);
  if (exact !== undefined) collectMatching(exact, levels, depth + 1, plainOnly, found);
  const one = wild ? node.children.get('+') : undefined;
  if (one !== undefined) collectMatching(one, levels, depth + 1, plainOnly, found);
}

function collectMatched<Value>(node: Node<Value>, levels: readonly string[], depth: number, found: Value[]): void {
  const level = levels[depth];
  if (level === undefined) return take(node, found);
  if (level === '#') return collectAll(node, depth === 0, found);
  if (level !== '+') {
    const child = node.children.get(level);
    if (child !== undefined) collectMatched(child, levels, depth + 1, found);
    return;
  }
  for (const [name, child] of node.children)
    if (depth > 0 || name.charCodeAt(0) !== DOLLAR) collectMatched(child, levels, depth + 1, found);
}

function collectAll<Value>(node: Node<Value>, atRoot: boolean, found: Value[]): void {
  take(node, found);
  for (const [name, child] of node.children)
    if (!(atRoot && name.charCodeAt(0) === DOLLAR)) collectAll(child, false, found);
}
