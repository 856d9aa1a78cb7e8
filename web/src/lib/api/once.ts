/** Loads that are begun again and again: a slow server is not asked more than it answers. */

/** Return what begins the load, and does nothing while one that it began is under way. */
export function oneAtATime(load: () => Promise<unknown>): () => Promise<void> {
  let isUnderWay = false;
  return async () => {
    if (isUnderWay) return;
    isUnderWay = true;
    try {
      await load();
    } finally {
      isUnderWay = false;
    }
  };
}
