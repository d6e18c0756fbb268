// Owns the colour mathematics of commands for lamps. Pure.
import type { ColourMode } from './mapping.ts';

/** Red, green and blue of a screen (sRGB), 0 to 255 each. */
export interface Rgb {
  readonly red: number;
  readonly green: number;
  readonly blue: number;
}

/** What Zigbee2MQTT takes in `<name>/set`; hue in degrees, saturation in %, brightness 0 to 255, color_temp in mired. */
export type ColourCommand =
  | { readonly color: { readonly h: number; readonly s: number }; readonly brightness: number }
  | { readonly color: { readonly x: number; readonly y: number }; readonly brightness: number }
  | { readonly color_temp: number };

/** From here on a colour is white to the eye, and lamps make a better white by temperature than by colour. */
const WHITE_FROM = 250;
const XY_DIGITS = 4;

/** A colour as people write it: `#ff8800`, `ff8800` or `255,136,0`; `undefined` when it is something else. */
export function parseColour(text: string): Rgb | undefined {
  const hex = /^#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/iu.exec(text.trim());
  const parts = hex
    ? hex.slice(1).map((part) => Number.parseInt(part, 16))
    : (/^(\d{1,3}) *, *(\d{1,3}) *, *(\d{1,3})$/u.exec(text.trim())?.slice(1).map(Number) ?? []);
  const [red, green, blue] = parts;
  if (red === undefined || green === undefined || blue === undefined || Math.max(red, green, blue) > 255)
    return undefined;
  return { red, green, blue };
}

/** Brightness as the eye weighs the three lights, 0 to 255. */
export const brightnessOf = ({ red, green, blue }: Rgb): number =>
  Math.round((299 * red + 587 * green + 114 * blue) / 1000);

/** The command for a colour in the lamp's own mode; what is nearly white is a colour temperature in any mode. */
export function colourCommand(rgb: Rgb, mode: ColourMode): ColourCommand {
  const brightness = brightnessOf(rgb);
  if (brightness >= WHITE_FROM || mode === 'color_temp') return { color_temp: miredOf(xyOf(rgb)) };
  if (mode === 'hs') return { color: hsOf(rgb), brightness };
  const { x, y } = xyOf(rgb);
  return { color: { x: Number(x.toFixed(XY_DIGITS)), y: Number(y.toFixed(XY_DIGITS)) }, brightness };
}

/** Hue in whole degrees, saturation in whole %. */
export function hsOf({ red, green, blue }: Rgb): { readonly h: number; readonly s: number } {
  const max = Math.max(red, green, blue);
  const span = max - Math.min(red, green, blue);
  if (span === 0) return { h: 0, s: 0 };
  const sixth =
    max === red ? ((green - blue) / span + 6) % 6 : max === green ? (blue - red) / span + 2 : (red - green) / span + 4;
  return { h: Math.round(sixth * 60) % 360, s: Math.round((span / max) * 100) };
}

interface Xy {
  readonly x: number;
  readonly y: number;
}

/** Chromaticity of daylight (D65), which black takes too: it has none of its own. */
const DAYLIGHT: Xy = { x: 0.3127, y: 0.329 };

const linear = (channel: number): number => {
  const value = channel / 255;
  return value <= 0.040_45 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
};

/** CIE 1931 chromaticity of an sRGB colour (IEC 61966-2-1). */
export function xyOf(rgb: Rgb): Xy {
  const [r, g, b] = [linear(rgb.red), linear(rgb.green), linear(rgb.blue)];
  const x = 0.4124 * r + 0.3576 * g + 0.1805 * b;
  const y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  const sum = x + y + 0.0193 * r + 0.1192 * g + 0.9505 * b;
  return sum === 0 ? DAYLIGHT : { x: x / sum, y: y / sum };
}

/** What lamps offer: 500 mired is candle light, 153 is daylight. */
const MIRED_MIN = 153;
const MIRED_MAX = 500;

/** Colour temperature in mired, within what lamps offer, by the old site's cubic in McCamy's form. */
export function miredOf({ x, y }: Xy): number {
  const n = (x - 0.332) / (0.1858 - y);
  const kelvin = 437 * n ** 3 + 3601 * n ** 2 + 6861 * n + 5517;
  return Math.min(Math.max(Math.trunc(1e6 / kelvin), MIRED_MIN), MIRED_MAX);
}
