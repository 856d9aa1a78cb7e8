import type { Formats } from "../formats.ts";
import type { WallWords } from "./wall.en.ts";

export const words = (f: Formats): WallWords => ({
  pageTitle: (name) => `${name} sur le mur`,
  invite: "Retrouvez vos photos",
  scan: "Scannez le code et prenez un selfie.",
  code: (code) => `Code ${code}`,
  qr: "Code QR qui ouvre l’événement",
  noneYet: "Les premières photos s’affichent ici dans un instant.",
  photo: (n) => `Photo ${f.number(n)} de l’événement`,
  offline: "Pas de connexion. Les photos déjà là continuent de défiler.",
  local: "Cette adresse ne marche que sur cet ordinateur.",
  pause: "Pause",
  go: "Reprendre",
  next: "Photo suivante",
  full: "Plein écran",
  leave: "Quitter le plein écran",
  goneTitle: "Ce mur a été retiré",
  gone: "Son lien n’ouvre plus rien. Qui organise l’événement peut en créer un autre.",
  failedTitle: "Le mur ne peut pas être chargé",
});
