/** One photo and nothing else; PhotoSwipe does the gestures, our bar what is done with it. */
import PhotoSwipe from "photoswipe";
import "photoswipe/style.css";
import "./viewer.css";
import { mount, unmount } from "svelte";
import { f, t } from "#lib/i18n/words.svelte.ts";
import { urlOf } from "#lib/grid/placeholder.ts";
import type { Photo } from "./photo.ts";
import { PREVIEW_SIDE, sizeOf } from "./renditions.ts";
import ViewerBar from "./ViewerBar.svelte";

export interface Viewing {
  photos: readonly Photo[];
  index: number;
  /** The picture in the grid that it grows out of. */
  from: (index: number) => HTMLElement | undefined;
  ondownload: (photo: Photo) => void;
  onshare: (photo: Photo) => void;
  isFavourite: (photo: Photo) => boolean;
  onfavourite: (photo: Photo) => void;
  /** Absent where all photos are shown. */
  onnotme?: (photo: Photo) => void;
  /** Called with the photo that was looked at last. */
  onclose: (index: number) => void;
}

/** Open the viewer; returns what closes it. */
export function view(viewing: Viewing): () => void {
  const { photos } = viewing;
  const words = t().viewer;
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const viewer = new PhotoSwipe({
    dataSource: photos.map(slide),
    index: viewing.index,
    bgOpacity: 1,
    preload: [1, 2],
    showHideAnimationType: isCalm ? "fade" : "zoom",
    showAnimationDuration: isCalm ? 1 : 220,
    hideAnimationDuration: isCalm ? 1 : 200,
    closeTitle: t().close,
    zoomTitle: words.zoom,
    arrowPrevTitle: words.previous,
    arrowNextTitle: words.next,
    errorMsg: words.error,
    clickToCloseNonZoomable: false,
    paddingFn: () => ({ top: 0, bottom: 0, left: 0, right: 0 }),
  });
  viewer.addFilter("thumbEl", (_, __, index) => viewing.from(index) ?? (null as never));
  viewer.addFilter("placeholderSrc", (source, content) => {
    const photo = photos[content.index];
    return (photo?.placeholder && urlOf(photo.placeholder)) || source;
  });
  let bar: { show: (favourite: boolean) => void } | undefined;
  const showFavourite = (): void => {
    const photo = photos[viewer.currIndex];
    if (photo) bar?.show(viewing.isFavourite(photo));
  };
  viewer.on("uiRegister", () => {
    viewer.ui?.registerElement({
      name: "findme-bar",
      appendTo: "root",
      onInit: (element) => {
        bar = mount(ViewerBar, {
          target: element,
          props: {
            ondownload: () => act(viewing.ondownload),
            onshare: () => act(viewing.onshare),
            onfavourite: () => {
              act(viewing.onfavourite);
              showFavourite();
            },
            onnotme: viewing.onnotme && (() => viewing.onnotme && act(viewing.onnotme)),
          },
        });
      },
    });
  });
  viewer.on("firstUpdate", () => {
    viewer.element?.setAttribute("aria-label", t().gallery.tabs);
    viewer.element?.setAttribute("aria-modal", "true");
  });
  const name = (): void => {
    const photo = photos[viewer.currIndex];
    if (photo) viewer.element?.setAttribute("aria-label", labelOf(photo, viewer.currIndex));
    showFavourite();
  };
  viewer.on("afterInit", name);
  viewer.on("change", name);
  viewer.on("close", () => viewing.onclose(viewer.currIndex));
  viewer.on("destroy", () => {
    if (bar) void unmount(bar);
  });
  const act = (what: (photo: Photo) => void): void => {
    const photo = photos[viewer.currIndex];
    if (photo) what(photo);
  };
  viewer.init();
  return () => viewer.close();
}

function slide(photo: Photo, index: number) {
  return {
    src: photo.preview,
    msrc: photo.thumbnail,
    ...sizeOf(photo, PREVIEW_SIDE),
    alt: labelOf(photo, index),
    thumbCropped: true,
  };
}

function labelOf(photo: Photo, index: number): string {
  return t().gallery.photo(index + 1, photo.takenAt ? f().moment(photo.takenAt) : "");
}
