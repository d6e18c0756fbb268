// Owns what a screen shows at once: the last state of every device and the last word of every retained topic.

/** One device as `monitor/state/<id>` has it. */
export interface DeviceState {
  readonly id: string;
  readonly state: string;
  readonly at: string;
  readonly source: string;
  readonly clock?: 'wrong';
}

/** More devices than any house has; beyond it somebody is inventing ids. */
export const DEVICES_MAX = 20_000;

export class Board {
  readonly #devices = new Map<string, DeviceState>();
  /** Devices whose state was seen live: what is retained is older by definition. */
  readonly #live = new Set<string>();
  readonly #topics = new Map<string, unknown>();

  /** A live change. `false` when it would be one device too many. */
  change(device: DeviceState): boolean {
    if (!this.#devices.has(device.id) && this.#devices.size >= DEVICES_MAX) return false;
    this.#live.add(device.id);
    this.#devices.set(device.id, device);
    return true;
  }

  /** A retained state; taken only for a device that was not seen live. `true` when the board changed by it. */
  recall(device: DeviceState): boolean {
    if (this.#live.has(device.id)) return false;
    const known = this.#devices.get(device.id);
    if (known?.state === device.state && known.at === device.at) return false;
    if (!known && this.#devices.size >= DEVICES_MAX) return false;
    this.#devices.set(device.id, device);
    return true;
  }

  /** The last word of a retained topic other than device states; `undefined` clears it. */
  note(topic: string, payload: unknown): void {
    if (payload === undefined) this.#topics.delete(topic);
    else this.#topics.set(topic, payload);
  }

  device(id: string): DeviceState | undefined {
    return this.#devices.get(id);
  }

  devices(): Iterable<DeviceState> {
    return this.#devices.values();
  }

  topics(): Iterable<readonly [string, unknown]> {
    return this.#topics;
  }
}
