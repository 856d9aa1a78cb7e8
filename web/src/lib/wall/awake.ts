/** Keep the screen on while the page is seen; returns what lets it go. */
export function keepAwake(): () => void {
  let lock: WakeLockSentinel | undefined;
  let isWanted = true;
  const ask = async (): Promise<void> => {
    if (document.visibilityState !== "visible" || !("wakeLock" in navigator)) return;
    try {
      const got = await navigator.wakeLock.request("screen");
      if (isWanted) lock = got;
      else await got.release();
    } catch {
      // Low battery, or not allowed: the screen does what it does.
    }
  };
  // Browsers take it away from a page that is not seen.
  const again = (): void => void ask();
  document.addEventListener("visibilitychange", again);
  void ask();
  return () => {
    isWanted = false;
    document.removeEventListener("visibilitychange", again);
    void lock?.release();
  };
}
