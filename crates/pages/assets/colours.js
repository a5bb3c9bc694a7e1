// One colour for each worker, the same on all pages: they are given out in the order of the workers' names.

const COLOURS = 8;
const given = new Map();

/** Makes the workers known, so that their order decides and not who is shown first. */
export function know(ids) {
  for (const id of [...ids].sort(byName)) {
    if (!given.has(id)) given.set(id, given.size % COLOURS);
  }
}

/** The class that gives an element a worker's colour. */
export function colourOf(id) {
  if (id === null || id === undefined) return "";
  know([id]);
  return `w${given.get(id)}`;
}

/** `w2` before `w10`. */
export function byName(a, b) {
  return a.localeCompare(b, "en", { numeric: true });
}
