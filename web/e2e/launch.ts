/** Chromium without its own errands, with a camera that shows the guest; tests and benchmarks start it so. */
import { scene } from "./scene.ts";

export const LAUNCH = {
  executablePath: scene.chromium,
  args: [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    `--use-file-for-fake-video-capture=${scene.camera}`,
  ],
};

/** A small phone. */
export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, locale: "en-GB" };
